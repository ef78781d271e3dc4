// Goal: the memory of frames is one budget for all connections, given in the order of asking, and
// comes back whatever becomes of a connection. Method: as in frame_server_test.cc.
#include "tests/unit/runtime/socket/frame_peer.h"

namespace quipu {
namespace {

using std::chrono::milliseconds;

TEST(FrameMemoryTest, MemoryIsSharedAndAFrameThatDoesNotFitWaits) {
  Server server({.memory_bytes_max = 1000, .small_frame_bytes = 0}, /*echo=*/false);
  const Peer first(server.port());
  ASSERT_TRUE(first.Send(Frame(std::string(900, '1'))));
  ASSERT_EQ(server.AwaitAsked(1).size(), 1U);
  const Peer second(server.port());
  ASSERT_TRUE(second.Send(Frame(std::string(5000, '2')) + Frame("tail")));  // over the limit alone
  EXPECT_TRUE(Eventually([&] { return server.server().counts().paused == 1; }));
  EXPECT_EQ(server.asked(), 1U);
  auto asked = server.AwaitAsked(1);
  asked[0].connection->Answer(0, Framed(Bytes(std::string("done"))));
  asked = server.AwaitAsked(2);
  ASSERT_EQ(asked.size(), 2U);
  EXPECT_EQ(asked[1].frame.size(), 5000U);
  asked[1].connection->Answer(0, Framed(Bytes(std::string("done"))));
  asked = server.AwaitAsked(3);
  ASSERT_EQ(asked.size(), 3U);
  EXPECT_EQ(asked[2].frame.view(), "tail");
  asked[2].connection->Answer(1, {});
  EXPECT_TRUE(Eventually([&] { return server.server().counts().memory_bytes == 0; }));
}

TEST(FrameMemoryTest, OneSmallFrameOfAConnectionPassesWhileMemoryIsFull) {
  Server server({.memory_bytes_max = 1000, .small_frame_bytes = 100}, /*echo=*/false);
  const Peer large(server.port());
  ASSERT_TRUE(large.Send(Frame(std::string(1000, '1'))));
  ASSERT_EQ(server.AwaitAsked(1).size(), 1U);
  const Peer small(server.port());
  ASSERT_TRUE(small.Send(Frame("heartbeat") + Frame("a second one")));
  auto asked = server.AwaitAsked(2);
  ASSERT_EQ(asked.size(), 2U);
  EXPECT_EQ(asked[1].frame.view(), "heartbeat");
  EXPECT_TRUE(Eventually([&] { return server.server().counts().paused == 1; }));
  EXPECT_EQ(server.asked(), 2U);
  EXPECT_EQ(server.server().counts().memory_bytes, 1000U);
  asked[0].connection->Answer(0, {});
  EXPECT_EQ(server.AwaitAsked(3).size(), 3U);
}

TEST(FrameMemoryTest, WhoWaitsForMemoryHasItsTurnBeforeWhoComesLater) {
  Server server({.memory_bytes_max = 1000, .small_frame_bytes = 0}, /*echo=*/false);
  const Peer first(server.port());
  const Peer second(server.port());
  const Peer large(server.port());
  const Peer late(server.port());
  ASSERT_TRUE(first.Send(Frame(std::string(500, '1'))));
  ASSERT_TRUE(second.Send(Frame(std::string(400, '2'))));
  auto asked = server.AwaitAsked(2);
  ASSERT_EQ(asked.size(), 2U);
  const auto paused = [&](uint64_t count) {
    return Eventually([&] { return server.server().counts().paused == count; });
  };
  ASSERT_TRUE(large.Send(Frame(std::string(900, 'L'))));
  ASSERT_TRUE(paused(1));
  ASSERT_TRUE(late.Send(Frame(std::string(50, 'l'))));  // it would fit
  ASSERT_TRUE(paused(2));
  asked[0].connection->Answer(0, {});
  ASSERT_TRUE(Eventually([&] { return server.server().counts().memory_bytes <= 500; }));
  asked[1].connection->Answer(0, {});
  asked = server.AwaitAsked(4);
  ASSERT_EQ(asked.size(), 4U);
  EXPECT_EQ(server.server().counts().paused, 2U);
  EXPECT_EQ(server.server().counts().memory_bytes, 950U);
}

TEST(FrameMemoryTest, MemoryGrantedToAConnectionThatIsGoneComesBack) {
  Server server({.memory_bytes_max = 1000, .small_frame_bytes = 0}, /*echo=*/false);
  const Peer holder(server.port());
  ASSERT_TRUE(holder.Send(Frame(std::string(900, '1'))));
  const auto asked = server.AwaitAsked(1);
  ASSERT_EQ(asked.size(), 1U);
  {
    const Peer waits(server.port());
    ASSERT_TRUE(waits.Send(Frame(std::string(900, '2')).substr(0, 500)));
    ASSERT_TRUE(Eventually([&] { return server.server().counts().paused == 1; }));
  }
  asked[0].connection->Answer(0, {});
  EXPECT_TRUE(Eventually([&] { return server.server().counts().memory_bytes == 0; }));
}

TEST(FrameMemoryTest, MemoryOfAConnectionThatIsCutComesBack) {
  Server server({.memory_bytes_max = 1000, .small_frame_bytes = 0}, /*echo=*/false);
  {
    const Peer peer(server.port());
    ASSERT_TRUE(
        peer.Send(Frame(std::string(600, 'x')) + Frame(std::string(300, 'y')).substr(0, 50)));
    ASSERT_EQ(server.AwaitAsked(1).size(), 1U);
  }
  const auto asked = server.AwaitAsked(1);
  asked[0].connection->Answer(0, Framed(Bytes(std::string("to nobody"))));
  EXPECT_TRUE(server.AwaitClosed(1));
  EXPECT_TRUE(Eventually([&] { return server.server().counts().memory_bytes == 0; }));
}

}  // namespace
}  // namespace quipu
