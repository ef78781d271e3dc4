// Goal: streams keep order and content, end exactly once, and are bounded. Method: a real server
// and real clients on 127.0.0.1.
#include <gtest/gtest.h>

#include <cstdio>
#include <future>
#include <string>

#include "absl/strings/str_cat.h"
#include "runtime/shard_thread.h"
#include "tests/unit/runtime/grpc/echo_server.h"

namespace quipu {
namespace {

TEST(StreamTest, MessagesComeBackInOrder) {
  EchoServer echo;
  CallThread calls;
  StreamProbe probe;
  Open(probe, calls, echo.port());
  for (int i = 0; i < 5000; ++i) probe.sender->Send({Bytes(absl::StrCat("message ", i))});
  ASSERT_TRUE(probe.AwaitMessages(5000));
  for (int i = 0; i < 5000; ++i) {
    EXPECT_EQ(probe.messages[static_cast<size_t>(i)].view(), absl::StrCat("message ", i));
  }
  probe.sender->Close(absl::CancelledError("test over"));
  ASSERT_TRUE(probe.AwaitClosed());
  EXPECT_EQ(probe.status.message(), "test over");
}

// The same thread sends, is called back and runs what is posted.
TEST(StreamTest, AnExecutorEmptiesTheQueueItself) {
  EchoServer echo;
  const std::unique_ptr<CallThread> calls = CallThread::ForExecutor();
  StreamProbe probe;
  {
    ShardThread owner("owner", calls->events());
    owner.Post([&] { Open(probe, *calls, echo.port()); });
    for (int i = 0; i < 2000; ++i) {
      owner.Post([&, i] { probe.sender->Send({Bytes(absl::StrCat("message ", i))}); });
    }
    ASSERT_TRUE(probe.AwaitMessages(2000));
    for (int i = 0; i < 2000; ++i) {
      EXPECT_EQ(probe.messages[static_cast<size_t>(i)].view(), absl::StrCat("message ", i));
    }
    std::promise<void> later;
    owner.PostAfter(std::chrono::milliseconds(5), [&later] { later.set_value(); });
    EXPECT_EQ(later.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
    // Its end closes what is open.
  }
  ASSERT_TRUE(probe.AwaitClosed());
  StreamProbe late;
  Open(late, *calls, echo.port());
  ASSERT_TRUE(late.AwaitClosed());
}

TEST(StreamTest, AnExecutorsQueueThatWasNeverServedEndsWithItsCalls) {
  EchoServer echo;
  StreamProbe probe;
  {
    const std::unique_ptr<CallThread> calls = CallThread::ForExecutor();
    Open(probe, *calls, echo.port());
  }
  EXPECT_TRUE(probe.AwaitClosed());
}

TEST(StreamTest, CallsOnAServersThreadOutliveItsShutdown) {
  EchoServer other;
  EchoServer echo;
  std::unique_ptr<CallThread> calls = echo.server().MakeCallThread();
  StreamProbe probe;
  Open(probe, *calls, other.port());
  probe.sender->Send({Bytes(std::string("before"))});
  ASSERT_TRUE(probe.AwaitMessages(1));
  echo.server().Shutdown(Duration(0));
  probe.sender->Send({Bytes(std::string("after"))});
  ASSERT_TRUE(probe.AwaitMessages(2));
  calls.reset();
  EXPECT_TRUE(probe.AwaitClosed());
}

TEST(StreamTest, SlicesOfAMessageArriveAsOneMessage) {
  EchoServer echo;
  CallThread calls;
  StreamProbe probe;
  Open(probe, calls, echo.port());
  const std::string big(100000, 'b');
  probe.sender->Send({Bytes(std::string("head")), Bytes(big), Bytes(std::string("mid")),
                      Bytes(std::string("dle")), Bytes(big)});
  ASSERT_TRUE(probe.AwaitMessages(1));
  EXPECT_EQ(probe.messages[0].view(), "head" + big + "middle" + big);
}

TEST(StreamTest, AMessageWithoutBytesIsAMessage) {
  EchoServer echo;
  CallThread calls;
  StreamProbe probe;
  Open(probe, calls, echo.port());
  probe.sender->Send({});
  probe.sender->Send({Bytes(std::string("x"))});
  ASSERT_TRUE(probe.AwaitMessages(2));
  EXPECT_EQ(probe.messages[0].size(), 0U);
  EXPECT_EQ(probe.messages[1].view(), "x");
}

TEST(StreamTest, AMessageOfNearlyTheLimitPassesAndALargerOneEndsTheStreamOnly) {
  EchoServer echo;
  CallThread calls;
  StreamProbe probe;
  Open(probe, calls, echo.port());
  const std::string big(kMessageBytesMax - 100, 'x');
  probe.sender->Send({Bytes(big)});
  ASSERT_TRUE(probe.AwaitMessages(1));
  EXPECT_TRUE(probe.messages[0].view() == big);
  probe.sender->Send({Bytes(std::string(kMessageBytesMax + 1, 'x'))});
  ASSERT_TRUE(probe.AwaitClosed());
  EXPECT_FALSE(probe.status.ok());
  StreamProbe next;
  Open(next, calls, echo.port());
  next.sender->Send({Bytes(std::string("still there"))});
  EXPECT_TRUE(next.AwaitMessages(1));
}

TEST(StreamTest, ManyStreamsOfTwoThreadsKeepTheirOwnOrder) {
  EchoServer echo(/*threads=*/2);
  CallThread calls;
  std::vector<std::unique_ptr<StreamProbe>> probes;
  for (int s = 0; s < 100; ++s) {
    probes.push_back(std::make_unique<StreamProbe>());
    Open(*probes.back(), calls, echo.port());
  }
  for (int i = 0; i < 50; ++i) {
    for (int s = 0; s < 100; ++s) {
      probes[static_cast<size_t>(s)]->sender->Send({Bytes(absl::StrCat(s, ":", i))});
    }
  }
  for (int s = 0; s < 100; ++s) {
    StreamProbe& probe = *probes[static_cast<size_t>(s)];
    ASSERT_TRUE(probe.AwaitMessages(50));
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(probe.messages[static_cast<size_t>(i)].view(), absl::StrCat(s, ":", i));
    }
  }
  probes.clear();
}

TEST(StreamTest, ARefusedConnectionIsToldWithTheAddress) {
  uint16_t port = 0;
  {
    EchoServer gone;
    port = gone.port();
  }
  CallThread calls;
  StreamProbe probe;
  const Instant begin = ReadClocks().mono;
  Open(probe, calls, port);
  probe.sender->Send({Bytes(std::string("into the void"))});
  ASSERT_TRUE(probe.AwaitClosed());
  EXPECT_EQ(probe.status.code(), absl::StatusCode::kUnavailable) << probe.status;
  EXPECT_NE(probe.status.message().find(absl::StrCat("127.0.0.1:", port)), absl::string_view::npos);
  EXPECT_LT(ToMillis(ReadClocks().mono - begin), 1500);
}

TEST(StreamTest, AServerThatVanishesEndsTheStream) {
  auto echo = std::make_unique<EchoServer>();
  CallThread calls;
  StreamProbe probe;
  Open(probe, calls, echo->port());
  probe.sender->Send({Bytes(std::string("x"))});
  ASSERT_TRUE(probe.AwaitMessages(1));
  echo.reset();
  ASSERT_TRUE(probe.AwaitClosed());
  EXPECT_FALSE(probe.status.ok());
  probe.sender->Send({Bytes(std::string("lost silently"))});
  EXPECT_EQ(probe.sender->queued_bytes(), 0U);
}

TEST(StreamTest, AClientThatVanishesClosesTheServersEnd) {
  EchoServer echo;
  {
    CallThread calls;
    StreamProbe probe;
    Open(probe, calls, echo.port());
    probe.sender->Send({Bytes(std::string("x"))});
    ASSERT_TRUE(probe.AwaitMessages(1));
    probe.sender.reset();
    ASSERT_TRUE(probe.AwaitClosed());
  }
  EXPECT_TRUE(echo.gate().Await([&] { return echo.closed_count == 1; }));
}

TEST(StreamTest, TheEndOfTheCallThreadClosesItsStreams) {
  EchoServer echo;
  StreamProbe probe;
  {
    CallThread calls;
    Open(probe, calls, echo.port());
    probe.sender->Send({Bytes(std::string("x"))});
    ASSERT_TRUE(probe.AwaitMessages(1));
  }
  EXPECT_TRUE(probe.closed);
  EXPECT_EQ(probe.status.code(), absl::StatusCode::kCancelled);
  probe.sender->Send({Bytes(std::string("x"))});
}

TEST(StreamTest, AMessageThatTheHandlerRefusesEndsTheStreamWithItsReason) {
  EchoServer echo;
  CallThread calls;
  StreamProbe probe;
  Open(probe, calls, echo.port());
  probe.sender->Send({Bytes(std::string("good"))});
  probe.sender->Send({Bytes(std::string("bad"))});
  probe.sender->Send({Bytes(std::string("never seen"))});
  ASSERT_TRUE(probe.AwaitClosed());
  EXPECT_EQ(probe.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(probe.status.message().find("not a message"), absl::string_view::npos);
  ASSERT_EQ(probe.messages.size(), 1U);
  EXPECT_EQ(probe.messages[0].view(), "good");
  EXPECT_EQ(echo.refusals(), (Refusals::Counts{{{"Log/Produce", ErrorCode::kInvalidRequest}, 1}}));
}

TEST(StreamTest, AnUnknownMethodIsUnimplemented) {
  EchoServer echo;
  CallThread calls;
  StreamProbe probe;
  Open(probe, calls, echo.port(), "/quipu.rpc.Replica/Follow");
  ASSERT_TRUE(probe.AwaitClosed());
  EXPECT_EQ(probe.status.code(), absl::StatusCode::kUnimplemented) << probe.status;
}

TEST(StreamTest, ReadingPausesWhileTooManyRequestsAreUnanswered) {
  struct Shared {
    Gate gate;
    std::shared_ptr<ServerStream> stream;
    size_t taken = 0;
    size_t most = 0;
  } shared;
  StreamLimits limits;
  limits.requests_max = 4;
  EchoServer echo(
      1, 0,
      [&shared](std::shared_ptr<ServerStream> stream) {
        shared.gate.Update([&] { shared.stream = stream; });
        return RawHandler{.on_message =
                              [&shared, stream](Bytes message) {
                                stream->BeginRequest(message.size());
                                shared.gate.Update([&] {
                                  ++shared.taken;
                                  shared.most = std::max(shared.most, shared.taken);
                                });
                                return absl::OkStatus();
                              },
                          .on_closed = [](const absl::Status&) {}};
      },
      limits);
  CallThread calls;
  StreamProbe probe;
  Open(probe, calls, echo.port(), kFetchMethod);
  constexpr size_t kMessages = 100;
  for (size_t i = 0; i < kMessages; ++i) probe.sender->Send({Bytes(std::string(1000, 'r'))});
  for (size_t answered = 0; answered < kMessages; ++answered) {
    ASSERT_TRUE(shared.gate.Await([&] { return shared.taken > 0; }));
    shared.gate.Update([&] { --shared.taken; });
    shared.stream->Send({Bytes(std::string("answer"))});
    shared.stream->EndRequest(1000);
  }
  ASSERT_TRUE(probe.AwaitMessages(kMessages));
  EXPECT_LE(shared.most, 4U);
  shared.stream.reset();
}

TEST(StreamTest, APeerThatNeverReadsIsCutAtTheQueueLimit) {
  struct Shared {
    Gate gate;
    bool closed = false;
    absl::Status status;
    size_t queued_most = 0;
  } shared;
  StreamLimits limits;
  limits.queue_bytes_max = 4 << 20;
  EchoServer echo(
      1, 0,
      [&shared](std::shared_ptr<ServerStream> stream) {
        return RawHandler{.on_message =
                              [&shared, stream](const Bytes&) {
                                const Bytes chunk(std::string(1 << 20, 'z'));
                                for (int i = 0; i < 200; ++i) {
                                  stream->Send({chunk});
                                  shared.queued_most =
                                      std::max(shared.queued_most, stream->queued_bytes());
                                }
                                return absl::OkStatus();
                              },
                          .on_closed =
                              [&shared](absl::Status status) {
                                shared.gate.Update([&] {
                                  shared.closed = true;
                                  shared.status = std::move(status);
                                });
                              }};
      },
      limits);
  CallThread calls;
  std::promise<void> release;
  Gate closed;
  bool client_closed = false;
  auto sender = OpenRawStream(
      calls, {.host = "127.0.0.1", .port = echo.port(), .method = kFetchMethod},
      RawHandler{
          .on_message =
              [&, opened = release.get_future().share()](const Bytes&) {
                opened.wait();  // reads nothing more meanwhile
                return absl::OkStatus();
              },
          .on_closed = [&](const absl::Status&) { closed.Update([&] { client_closed = true; }); }});
  sender->Send({Bytes(std::string("go"))});
  ASSERT_TRUE(shared.gate.Await([&] { return shared.closed; }));
  EXPECT_EQ(shared.status.code(), absl::StatusCode::kResourceExhausted) << shared.status;
  EXPECT_LE(shared.queued_most, limits.queue_bytes_max);
  EXPECT_EQ(echo.refusals(), (Refusals::Counts{{{"Log/Fetch", ErrorCode::kLimitReached}, 1}}));
  release.set_value();
  EXPECT_TRUE(closed.Await([&] { return client_closed; }));
}

TEST(StreamTest, ASenderWhosePeerTakesNothingIsCutAtItsQueueLimit) {
  // The server accepts the stream and never reads more than one message.
  StreamLimits limits;
  limits.requests_max = 1;
  EchoServer echo(
      1, 0,
      [](std::shared_ptr<ServerStream> stream) {
        return RawHandler{.on_message =
                              [stream](const Bytes&) {
                                stream->BeginRequest(1);
                                return absl::OkStatus();
                              },
                          .on_closed = [](const absl::Status&) {}};
      },
      limits);
  CallThread calls;
  StreamProbe probe;
  probe.sender = OpenRawStream(calls,
                               {.host = "127.0.0.1",
                                .port = echo.port(),
                                .method = kFetchMethod,
                                .queue_bytes_max = 8 << 20},
                               probe.Handler());
  const Bytes chunk(std::string(1 << 20, 'z'));
  for (int i = 0; i < 100; ++i) {
    probe.sender->Send({chunk});
    EXPECT_LE(probe.sender->queued_bytes(), size_t{8} << 20);
  }
  ASSERT_TRUE(probe.AwaitClosed());
  EXPECT_EQ(probe.status.code(), absl::StatusCode::kResourceExhausted) << probe.status;
}

// Run by hand: --gtest_also_run_disabled_tests --gtest_filter=*EchoThroughput*
TEST(StreamTest, DISABLED_EchoThroughput) {
  EchoServer echo;
  CallThread calls;
  for (const size_t size : {size_t{100}, size_t{16} << 10, size_t{64} << 10}) {
    const int total = size < 1000 ? 200000 : 40000;
    constexpr int kInFlight = 16;
    std::promise<void> done;
    const Bytes payload(std::string(size, 'p'));
    int received = 0;
    int sent = 0;
    std::shared_ptr<RawSender> sender;
    sender =
        OpenRawStream(calls, {.host = "127.0.0.1", .port = echo.port(), .method = kProduceMethod},
                      RawHandler{.on_message =
                                     [&](const Bytes&) {
                                       if (++received == total) done.set_value();
                                       if (sent < total) {
                                         ++sent;
                                         sender->Send({payload});
                                       }
                                       return absl::OkStatus();
                                     },
                                 .on_closed = [](const absl::Status&) {}});
    const Instant begin = ReadClocks().mono;
    sent = kInFlight;
    for (int i = 0; i < kInFlight; ++i) sender->Send({payload});
    done.get_future().wait();
    const double seconds = static_cast<double>((ReadClocks().mono - begin).count()) / 1e9;
    std::printf("echo %zu B, %d in flight: %.0f messages/s, %.0f MB/s each way\n", size, kInFlight,
                total / seconds, static_cast<double>(size) * total / seconds / 1e6);
    sender->Close(absl::OkStatus());
  }
}

}  // namespace
}  // namespace quipu
