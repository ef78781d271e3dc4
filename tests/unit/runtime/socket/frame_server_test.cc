// Goal: frames come whole and in order, answers leave in the order of their requests, and every
// limit holds. Method: a real server on 127.0.0.1 and blocking sockets as its peers.
#include <dlfcn.h>
#include <sys/epoll.h>

#include <atomic>

#include "base/rng.h"
#include "tests/unit/runtime/socket/frame_peer.h"

namespace {
// So many more sockets are taken into an epoll set, and then none; -1: any number.
std::atomic<int> additions_refused_after = -1;
}  // namespace

// In place of libc's: ENOSPC when a test says so, as at the limit fs.epoll.max_user_watches.
extern "C" int epoll_ctl(int epoll, int operation, int socket, epoll_event* event) noexcept {
  static const auto original =
      reinterpret_cast<decltype(&epoll_ctl)>(dlsym(RTLD_NEXT, "epoll_ctl"));
  if (operation == EPOLL_CTL_ADD && additions_refused_after >= 0 &&
      additions_refused_after-- == 0) {
    errno = ENOSPC;
    additions_refused_after = 0;
    return -1;
  }
  return original(epoll, operation, socket, event);
}

namespace quipu {
namespace {

using std::chrono::milliseconds;

TEST(FrameServerTest, FramesOfEverySizeComeBackHoweverTheyAreCut) {
  Server server;
  const Peer peer(server.port());
  Rng rng(7);
  std::string stream;
  std::vector<std::string> bodies;
  for (int i = 0; i < 60; ++i) {
    const size_t size = i % 10 == 9 ? 100000 + rng.Below(1000000) : 1 + rng.Below(3000);
    bodies.emplace_back(size, static_cast<char>('a' + i % 26));
    stream += Frame(bodies.back());
  }
  const std::jthread sender([&] {
    for (absl::string_view rest = stream; !rest.empty();) {
      const size_t part = std::min<size_t>(1 + rng.Below(20000), rest.size());
      ASSERT_TRUE(peer.Send(rest.substr(0, part)));
      rest.remove_prefix(part);
    }
  });
  for (const std::string& body : bodies) ASSERT_EQ(peer.Next(), body);
  EXPECT_TRUE(Eventually([&] { return server.server().counts().memory_bytes == 0; }));
  EXPECT_EQ(server.server().counts().received_bytes, stream.size());
}

TEST(FrameServerTest, OneByteAtATime) {
  Server server;
  const Peer peer(server.port());
  const std::string frame = Frame("slow");
  for (const char byte : frame) ASSERT_TRUE(peer.Send({&byte, 1}));
  EXPECT_EQ(peer.Next(), "slow");
}

TEST(FrameServerTest, AnswersLeaveInTheOrderOfTheirRequests) {
  Server server({}, /*echo=*/false);
  const Peer peer(server.port());
  ASSERT_TRUE(peer.Send(Frame("a") + Frame("b") + Frame("c") + Frame("d")));
  const auto asked = server.AwaitAsked(4);
  ASSERT_EQ(asked.size(), 4U);
  for (const size_t i : {3U, 1U, 0U, 2U}) {
    // "b" gets no answer.
    ByteChain answer;
    if (i != 1) answer = Framed(Bytes(absl::StrCat(asked[i].frame.view(), "-", i)));
    asked[i].connection->Answer(asked[i].number, std::move(answer));
  }
  EXPECT_EQ(peer.Next(), "a-0");
  EXPECT_EQ(peer.Next(), "c-2");
  EXPECT_EQ(peer.Next(), "d-3");
}

TEST(FrameServerTest, AForbiddenSizeEndsTheConnectionBehindTheAnswersBefore) {
  for (const std::string& bad : {std::string("\0\0\0\0", 4), std::string("GET / HTTP/1.1\r\n"),
                                 std::string("\xff\xff\xff\xff", 4)}) {
    Server server({.frame_bytes_max = 1000});
    const Peer peer(server.port());
    ASSERT_TRUE(peer.Send(Frame("before") + bad));
    EXPECT_EQ(peer.Next(), "before");  // what came before is still answered
    EXPECT_TRUE(peer.Ended());
    EXPECT_EQ(server.server().counts().closed_faulty, 1U);
  }
}

TEST(FrameServerTest, TheLargestFrameIsTakenAndOneByteMoreIsNot) {
  Server server({.frame_bytes_max = 1000});
  const Peer peer(server.port());
  ASSERT_TRUE(peer.Send(Frame(std::string(1000, 'x'))));
  EXPECT_EQ(peer.Next(), std::string(1000, 'x'));
  ASSERT_TRUE(peer.Send(Frame(std::string(1001, 'x'))));
  EXPECT_TRUE(peer.Ended());
}

TEST(FrameServerTest, ARefusedFrameEndsTheConnectionBehindTheAnswersBefore) {
  Server server;
  const Peer peer(server.port());
  ASSERT_TRUE(peer.Send(Frame("good") + Frame("refuse me") + Frame("never seen")));
  EXPECT_EQ(peer.Next(), "good");
  EXPECT_TRUE(peer.Ended());
  EXPECT_TRUE(server.AwaitClosed(1));
  EXPECT_EQ(server.asked(), 1U);
}

TEST(FrameServerTest, APeerThatEndsItsHalfStillGetsItsAnswers) {
  Server server({}, /*echo=*/false);
  const Peer peer(server.port());
  ASSERT_TRUE(peer.Send(Frame("last words")));
  peer.EndHalf();
  const auto asked = server.AwaitAsked(1);
  ASSERT_EQ(asked.size(), 1U);
  std::this_thread::sleep_for(milliseconds(50));  // the end of its half is seen first
  asked[0].connection->Answer(0, Framed(Bytes(std::string("heard"))));
  EXPECT_EQ(peer.Next(), "heard");
  EXPECT_TRUE(peer.Ended());
}

TEST(FrameServerTest, ReadingPausesWhenTooManyFramesWait) {
  Server server({.frames_waiting_max = 3}, /*echo=*/false);
  const Peer peer(server.port());
  std::string all;
  for (int i = 0; i < 10; ++i) all += Frame(absl::StrCat("request ", i));
  ASSERT_TRUE(peer.Send(all));
  auto asked = server.AwaitAsked(3);
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_EQ(server.asked(), 3U);
  for (size_t i = 0; i < 10; ++i) {
    asked = server.AwaitAsked(i + 1);
    ASSERT_GT(asked.size(), i);
    asked[i].connection->Answer(i, Framed(asked[i].frame));
    EXPECT_EQ(peer.Next(), absl::StrCat("request ", i));
  }
}

TEST(FrameServerTest, AHandlerThatEndsTheConnectionLetsEarlierAnswersOut) {
  Server server({}, /*echo=*/false);
  const Peer peer(server.port());
  ASSERT_TRUE(peer.Send(Frame("first") + Frame("second")));
  const auto asked = server.AwaitAsked(2);
  ASSERT_EQ(asked.size(), 2U);
  asked[1].connection->Answer(1, {});
  asked[1].connection->End();
  std::this_thread::sleep_for(milliseconds(50));
  asked[0].connection->Answer(0, Framed(asked[0].frame));
  EXPECT_EQ(peer.Next(), "first");
  EXPECT_TRUE(peer.Ended());
}

TEST(FrameServerTest, ConnectionsAreLimited) {
  Server server({.connections_max = 2});
  auto first = std::make_unique<Peer>(server.port());
  const Peer second(server.port());
  ASSERT_TRUE(first->Send(Frame("1")) && second.Send(Frame("2")));
  EXPECT_EQ(first->Next(), "1");
  EXPECT_EQ(second.Next(), "2");
  const Peer third(server.port());
  EXPECT_TRUE(third.Ended());
  EXPECT_EQ(server.server().counts().refused, 1U);
  first.reset();
  ASSERT_TRUE(server.AwaitClosed(1));
  EXPECT_TRUE(Eventually([&] { return server.server().counts().connections == 1; }));
  const Peer fourth(server.port());
  ASSERT_TRUE(fourth.Send(Frame("4")));
  EXPECT_EQ(fourth.Next(), "4");
}

TEST(FrameServerTest, ConnectionsOfOneAddressAreLimited) {
  Server server({.connections_per_ip_max = 1});
  const Peer first(server.port());
  ASSERT_TRUE(first.Send(Frame("1")));
  EXPECT_EQ(first.Next(), "1");
  const Peer second(server.port());
  EXPECT_TRUE(second.Ended());
}

TEST(FrameServerTest, AnIdleConnectionIsClosedAndOneThatWaitsIsNot) {
  Server server({.idle_max = milliseconds(300)}, /*echo=*/false);
  const Peer idle(server.port());
  const Peer waits(server.port());  // its request is not answered yet: it is not idle
  ASSERT_TRUE(waits.Send(Frame("patience")));
  EXPECT_TRUE(idle.Ended());
  EXPECT_EQ(server.server().counts().closed_idle, 1U);
  const auto asked = server.AwaitAsked(1);
  ASSERT_EQ(asked.size(), 1U);
  asked[0].connection->Answer(0, Framed(asked[0].frame));
  EXPECT_EQ(waits.Next(), "patience");
}

TEST(FrameServerTest, ShutdownLetsAnswersOutAndCutsWhatIsLate) {
  Server server({.threads = 2}, /*echo=*/false);
  const Peer answered(server.port());
  const Peer late(server.port());
  ASSERT_TRUE(answered.Send(Frame("answered")));
  ASSERT_EQ(server.AwaitAsked(1).size(), 1U);
  ASSERT_TRUE(late.Send(Frame("late")));
  const auto asked = server.AwaitAsked(2);
  ASSERT_EQ(asked.size(), 2U);
  std::thread answers([&] {
    std::this_thread::sleep_for(milliseconds(100));
    asked[0].connection->Answer(0, Framed(asked[0].frame));
  });
  server.server().Shutdown(milliseconds(500));
  answers.join();
  EXPECT_EQ(answered.Next(), "answered");
  EXPECT_TRUE(late.Ended());
  asked[1].connection->Answer(0, Framed(asked[1].frame));  // too late: dropped
  EXPECT_TRUE(server.AwaitClosed(2));
  const Peer refused(server.port());
  EXPECT_FALSE(refused.connected());
}

TEST(FrameServerTest, AConnectionThatTheKernelHasNoRoomForIsRefusedAlone) {
  Server server({.threads = 2});
  const Peer before(server.port());
  ASSERT_TRUE(before.Send(Frame("before")));
  EXPECT_EQ(before.Next(), "before");
  additions_refused_after = 1;  // accepting adds it once, its own thread once more
  const Peer refused(server.port());
  EXPECT_TRUE(refused.Ended());
  additions_refused_after = -1;
  EXPECT_EQ(server.server().counts().refused, 1U);
  EXPECT_EQ(server.server().counts().connections, 1U);
  const Peer after(server.port());
  ASSERT_TRUE(after.Send(Frame("after")));
  EXPECT_EQ(after.Next(), "after");
}

TEST(FrameServerTest, ATakenPortIsSaid) {
  Server server;
  FrameServer second({.name = "second", .port = server.port()},
                     [](const std::shared_ptr<FrameConnection>&) { return FrameHandler(); });
  const absl::Status status = second.Bind();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("another process"), absl::string_view::npos) << status;
}

TEST(FrameServerTest, ManyPeersAtOnce) {
  Server server({.threads = 2});
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&server, t] {
      const Peer peer(server.port());
      for (int i = 0; i < 300; ++i) {
        const std::string body = absl::StrCat("peer ", t, " request ", i);
        ASSERT_TRUE(peer.Send(Frame(body)));
        ASSERT_EQ(peer.Next(), body);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(server.server().counts().accepted, 8U);
}

}  // namespace
}  // namespace quipu
