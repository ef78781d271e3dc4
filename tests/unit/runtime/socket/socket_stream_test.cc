// Goal: streams over sockets keep order and content, end exactly once on both ends with the reason,
// and are bounded; what is no stream harms nobody. Method: a real listener on 127.0.0.1, whose
// thread also carries the openers' ends or does not.
#include "runtime/socket/socket_stream.h"

#include <gmock/gmock.h>

#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "runtime/shard_thread.h"
#include "tests/unit/runtime/socket/frame_peer.h"
#include "tests/unit/runtime/stream_probe.h"

namespace quipu {
namespace {

using testing::HasSubstr;

// Sends back what it gets. Streams for the ends of logs are refused.
class EchoListener {
 public:
  explicit EchoListener(StreamListenerOptions options = {})
      : loops_{std::make_shared<SocketLoop>(), std::make_shared<SocketLoop>()} {
    options.refusals = refusals;
    listener = std::make_unique<StreamListener>(
        std::move(options),
        [this](const StreamOpening& opening,
               std::shared_ptr<RawSender> stream) -> absl::StatusOr<RawHandler> {
          if (opening.purpose == StreamPurpose::kListOffsets) {
            return absl::PermissionDeniedError("nobody may ask here");
          }
          lanes.Update(
              [&] { accepted.push_back({opening.lane, stream, std::this_thread::get_id()}); });
          return RawHandler{
              .on_message =
                  [stream](Bytes message) {
                    if (message.view() == "bad") {
                      return absl::InvalidArgumentError("a bad message");
                    }
                    if (message.view() != "sink") stream->Send({std::move(message)});
                    return absl::OkStatus();
                  },
              .on_closed =
                  [this](const absl::Status& why) { lanes.Update([&] { ends.push_back(why); }); }};
        });
    EXPECT_TRUE(listener->Bind().ok());
    listener->Serve(loops_);
  }
  ~EchoListener() {
    if (listener) listener->Shutdown();
  }
  EchoListener(const EchoListener&) = delete;
  EchoListener& operator=(const EchoListener&) = delete;

  [[nodiscard]] uint16_t port() const { return listener->port(); }
  [[nodiscard]] bool AwaitEnds(size_t count) {
    return lanes.Await([&] { return ends.size() >= count; });
  }
  [[nodiscard]] bool AwaitAccepted(size_t count) {
    return lanes.Await([&] { return accepted.size() >= count; });
  }

  std::shared_ptr<Refusals> refusals = std::make_shared<Refusals>();
  Gate lanes;
  struct Accepted {
    uint8_t lane;
    std::weak_ptr<RawSender> stream;
    std::thread::id thread;
  };
  std::vector<Accepted> accepted;
  std::vector<absl::Status> ends;

 private:
  const std::vector<std::shared_ptr<SocketLoop>> loops_;
  ShardThread first_{"echo-0", loops_[0]};
  ShardThread second_{"echo-1", loops_[1]};

 public:
  std::unique_ptr<StreamListener> listener;
};

class SocketStreamTest : public testing::Test {
 protected:
  void Open(StreamProbe& probe, uint16_t port, SocketStreamTarget target = {}) {
    target.host = "127.0.0.1";
    target.port = port;
    probe.sender = OpenRawSocketStream(loop_, target, probe.Handler());
  }
  static uint64_t Faults(const EchoListener& echo) {
    return echo.refusals->counts()[{"Replica/Stream", ErrorCode::kInvalidRequest}];
  }
  std::shared_ptr<SocketLoop> loop_ = std::make_shared<SocketLoop>();
  std::unique_ptr<ShardThread> thread_ = std::make_unique<ShardThread>("opener", loop_);
};

TEST_F(SocketStreamTest, MessagesOfAllSizesComeBackInOrder) {
  EchoListener echo;
  StreamProbe probe;
  Open(probe, echo.port());
  std::vector<std::string> sent;
  for (int i = 0; i < 3000; ++i) {
    const size_t size = i % 100 == 99 ? 300000 : i % 10 == 9 ? 5000 : 20;
    sent.push_back(absl::StrCat(i, ":", std::string(size, static_cast<char>('a' + i % 26))));
    probe.sender->Send({Bytes(sent.back().substr(0, 3)), Bytes(), Bytes(sent.back().substr(3))});
  }
  ASSERT_TRUE(probe.AwaitMessages(sent.size()));
  for (size_t i = 0; i < sent.size(); ++i) ASSERT_EQ(probe.messages[i].view(), sent[i]);
  probe.sender->Close(absl::CancelledError("test over"));
  ASSERT_TRUE(probe.AwaitClosed());
  EXPECT_EQ(probe.status.message(), "test over");
  ASSERT_TRUE(echo.AwaitEnds(1));
  echo.listener->Shutdown();
  EXPECT_EQ(echo.listener->connections(), 0U);
}

TEST_F(SocketStreamTest, AMessageWithoutBytesIsAMessage) {
  EchoListener echo;
  StreamProbe probe;
  Open(probe, echo.port());
  probe.sender->Send({});
  probe.sender->Send({Bytes(std::string("x"))});
  ASSERT_TRUE(probe.AwaitMessages(2));
  EXPECT_EQ(probe.messages[0].size(), 0U);
}

TEST_F(SocketStreamTest, ThreadsMaySendBesideOneAnother) {
  EchoListener echo;
  StreamProbe probe;
  Open(probe, echo.port());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&probe, t] {
      for (int i = 0; i < 500; ++i) {
        probe.sender->Send({Bytes(absl::StrCat(t)), Bytes(std::string(3000, 'x'))});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(probe.AwaitMessages(2000));
  for (const Bytes& message : probe.messages) EXPECT_EQ(message.size(), 3001U);
}

TEST_F(SocketStreamTest, ALaneIsServedByItsLoop) {
  EchoListener echo;
  StreamProbe first;
  StreamProbe second;
  Open(first, echo.port(), {.opening = {.lane = 4}});
  Open(second, echo.port(), {.opening = {.lane = 7}});
  first.sender->Send({Bytes(std::string("a"))});
  second.sender->Send({Bytes(std::string("b"))});
  ASSERT_TRUE(first.AwaitMessages(1));
  ASSERT_TRUE(second.AwaitMessages(1));
  ASSERT_TRUE(echo.AwaitAccepted(2));
  StreamProbe third;
  Open(third, echo.port(), {.opening = {.lane = 6}});
  third.sender->Send({Bytes(std::string("c"))});
  ASSERT_TRUE(third.AwaitMessages(1));
  std::map<int, std::thread::id> threads;
  for (const EchoListener::Accepted& one : echo.accepted) threads[one.lane] = one.thread;
  EXPECT_EQ(threads[4], threads[6]);
  EXPECT_NE(threads[4], threads[7]);
}

TEST_F(SocketStreamTest, WhoIsRefusedIsToldWhy) {
  EchoListener echo;
  StreamProbe probe;
  Open(probe, echo.port(), {.opening = {.purpose = StreamPurpose::kListOffsets}});
  ASSERT_TRUE(probe.AwaitClosed());
  EXPECT_EQ(probe.status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(probe.status.message()), HasSubstr("nobody may ask here"));
  EXPECT_EQ((echo.refusals->counts()[{"Replica/Stream", ErrorCode::kInvalidRequest}]), 1U);
}

TEST_F(SocketStreamTest, AMessageThatTheHandlerRefusesEndsTheStreamWithItsReason) {
  EchoListener echo;
  StreamProbe probe;
  Open(probe, echo.port());
  probe.sender->Send({Bytes(std::string("good"))});
  probe.sender->Send({Bytes(std::string("bad"))});
  probe.sender->Send({Bytes(std::string("never seen"))});
  ASSERT_TRUE(probe.AwaitClosed());
  EXPECT_EQ(probe.messages.size(), 1U);
  EXPECT_EQ(probe.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(probe.status.message()), HasSubstr("a bad message"));
}

TEST_F(SocketStreamTest, WhatWasSentBeforeTheAcceptedEndClosesArrivesAndThenTheReason) {
  EchoListener echo;
  StreamProbe probe;
  Open(probe, echo.port());
  ASSERT_TRUE(echo.AwaitAccepted(1));
  {
    const std::shared_ptr<RawSender> stream = echo.accepted[0].stream.lock();
    ASSERT_NE(stream, nullptr);
    for (int i = 0; i < 200; ++i) stream->Send({Bytes(std::string(50000, 'y'))});
    stream->Close(absl::FailedPreconditionError("not the leader"));
    stream->Send({Bytes(std::string("too late"))});
  }
  ASSERT_TRUE(probe.AwaitClosed());
  EXPECT_EQ(probe.messages.size(), 200U);
  EXPECT_EQ(probe.status.code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(SocketStreamTest, ARefusedConnectionIsToldWithTheAddress) {
  uint16_t closed = 0;
  {
    EchoListener gone;
    closed = gone.port();
  }
  StreamProbe probe;
  Open(probe, closed);
  probe.sender->Send({Bytes(std::string("x"))});
  ASSERT_TRUE(probe.AwaitClosed());
  EXPECT_EQ(probe.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(probe.status.message()), HasSubstr(absl::StrCat("127.0.0.1:", closed)));
}

TEST_F(SocketStreamTest, AHostIsLookedUpAndAnUnknownOneIsTold) {
  EchoListener echo;
  StreamProbe known;
  known.sender =
      OpenRawSocketStream(loop_, {.host = "localhost", .port = echo.port()}, known.Handler());
  known.sender->Send({Bytes(std::string("x"))});
  EXPECT_TRUE(known.AwaitMessages(1));
  StreamProbe unknown;
  unknown.sender =
      OpenRawSocketStream(loop_, {.host = "no such host.invalid", .port = 1}, unknown.Handler());
  ASSERT_TRUE(unknown.AwaitClosed());
  EXPECT_EQ(unknown.status.code(), absl::StatusCode::kUnavailable);
}

TEST_F(SocketStreamTest, APeerThatNeverReadsIsCutAtTheQueueLimit) {
  EchoListener echo({.queue_bytes_max = 1 << 20});
  const Peer peer(echo.port());
  ASSERT_TRUE(peer.Send(EncodeOpening({})));
  ASSERT_TRUE(echo.AwaitAccepted(1));
  // The kernel takes some megabytes, the queue one.
  for (int i = 0; i < 64; ++i) {
    if (const auto stream = echo.accepted[0].stream.lock()) {
      stream->Send({Bytes(std::string(1 << 20, 'z'))});
      EXPECT_LE(stream->queued_bytes(), size_t{2} << 20);
    }
  }
  ASSERT_TRUE(echo.AwaitEnds(1));
  EXPECT_EQ(echo.ends[0].code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(SocketStreamTest, AnOpenerWhosePeerTakesNothingIsCutAtItsQueueLimit) {
  const int listening = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listening, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(listening, 1), 0);
  ::getsockname(listening, reinterpret_cast<sockaddr*>(&address), &size);
  StreamProbe probe;
  Open(probe, ntohs(address.sin_port), {.queue_bytes_max = 1 << 20});
  for (int i = 0; i < 64; ++i) probe.sender->Send({Bytes(std::string(1 << 20, 'z'))});
  ASSERT_TRUE(probe.AwaitClosed());
  EXPECT_EQ(probe.status.code(), absl::StatusCode::kResourceExhausted);
  ::close(listening);
}

TEST_F(SocketStreamTest, WhatIsNoStreamIsEndedAndCountedAndOthersGoOn) {
  EchoListener echo;
  StreamProbe probe;
  Open(probe, echo.port());
  const std::string tls("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03xxxxx", 16);
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), tls,
        std::string(64, '\0'), std::string(64, '\xff')}) {
    const Peer peer(echo.port());
    ASSERT_TRUE(peer.Send(bytes));
    const std::optional<std::string> length = peer.Read(kFrameHeadBytes);
    if (length) {  // else the reset overtook the reason
      const auto size = LoadBigEndian<uint32_t>(length->data()) & 0x7fffffffU;
      const absl::Status why = DecodeEnd(peer.Read(size).value_or(""));
      EXPECT_THAT(std::string(why.message()), HasSubstr("not a stream between brokers"));
    }
    EXPECT_TRUE(peer.Ended());
  }
  {
    const Peer half(echo.port());
    ASSERT_TRUE(half.Send(EncodeOpening({}).substr(0, 3)));
    const Peer looks(echo.port());  // and says nothing: no fault
  }
  // A stranger's first message is small, one that is known may announce up to the limit.
  const Peer stranger(echo.port());
  ASSERT_TRUE(stranger.Send(EncodeOpening({}) +
                            FrameHead(FrameReader::kUntrustedBodyBytesMax + 1).ToString()));
  EXPECT_TRUE(stranger.Read(kFrameHeadBytes).has_value());
  const Peer known(echo.port());
  ASSERT_TRUE(known.Send(EncodeOpening({}) + Frame("known") + Frame(std::string(100000, 'x'))));
  EXPECT_EQ(known.Next(), "known");
  EXPECT_EQ(known.Next().value_or("").size(), 100000U);
  ASSERT_TRUE(known.Send(FrameHead(kMessageBytesMax + 1).view()));
  EXPECT_TRUE(known.Read(kFrameHeadBytes).has_value());
  probe.sender->Send({Bytes(std::string("still here"))});
  EXPECT_TRUE(probe.AwaitMessages(1));
  for (int i = 0; i < 6000 && Faults(echo) < 8; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(Faults(echo), 8U);
}

TEST_F(SocketStreamTest, MoreConnectionsThanAllowedAreClosedAtOnce) {
  EchoListener echo({.connections_max = 2});
  StreamProbe first;
  StreamProbe second;
  Open(first, echo.port());
  Open(second, echo.port());
  ASSERT_TRUE(echo.AwaitAccepted(2));
  StreamProbe third;
  Open(third, echo.port());
  ASSERT_TRUE(third.AwaitClosed());
  first.sender->Send({Bytes(std::string("x"))});
  EXPECT_TRUE(first.AwaitMessages(1));
}

TEST_F(SocketStreamTest, AListenerThatShutsDownEndsItsStreams) {
  EchoListener echo;
  StreamProbe probe;
  Open(probe, echo.port());
  const Peer silent(echo.port());
  ASSERT_TRUE(echo.AwaitAccepted(1));
  echo.listener->Shutdown();
  EXPECT_EQ(echo.ends.size(), 1U);
  ASSERT_TRUE(probe.AwaitClosed());
  EXPECT_EQ(probe.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(silent.Ended());
}

TEST_F(SocketStreamTest, AThreadThatStopsEndsItsStreams) {
  EchoListener echo;
  StreamProbe probe;
  Open(probe, echo.port());
  ASSERT_TRUE(echo.AwaitAccepted(1));
  thread_.reset();
  EXPECT_TRUE(probe.closed);
  probe.sender->Send({Bytes(std::string("nobody sends it"))});
  ASSERT_TRUE(echo.AwaitEnds(1));
}

TEST_F(SocketStreamTest, ADestroyedSenderClosesTheStream) {
  EchoListener echo;
  StreamProbe probe;
  Open(probe, echo.port());
  ASSERT_TRUE(echo.AwaitAccepted(1));
  probe.sender.reset();
  ASSERT_TRUE(probe.AwaitClosed());
  ASSERT_TRUE(echo.AwaitEnds(1));
}

TEST_F(SocketStreamTest, ATakenAddressIsNamed) {
  EchoListener echo;
  StreamListener second({.port = echo.port()}, nullptr);
  const absl::Status refused = second.Bind();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("another process listens there"));
}

// A thread with sockets runs what is posted in order, and what is due.
TEST(ShardThreadWithSocketsTest, PostedAndTimedWorkRuns) {
  ShardThread thread("both", std::make_shared<SocketLoop>());
  Gate gate;
  int posted = 0;
  bool timed = false;
  thread.PostAfter(std::chrono::milliseconds(20), [&] { gate.Update([&] { timed = true; }); });
  for (int i = 0; i < 1000; ++i) {
    thread.Post([&, i] {
      gate.Update([&] {
        EXPECT_EQ(posted, i);
        ++posted;
      });
    });
  }
  EXPECT_TRUE(gate.Await([&] { return posted == 1000 && timed; }));
}

}  // namespace
}  // namespace quipu
