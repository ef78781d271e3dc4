// Goal: a peer that sends or reads slowly, or not at all, costs bounded memory, is cut off in
// bounded time, and is in nobody's way; one that is slow and goes on is served. Method: as in
// frame_server_test.cc, with limits of seconds.
#include "base/logging.h"
#include "tests/unit/runtime/socket/frame_peer.h"

namespace quipu {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr size_t kMiB = size_t{1} << 20;

std::string Length(uint32_t size) {
  std::string length;
  AppendBigEndian(length, size);
  return length;
}

// Sends requests until it cannot, and reads nothing.
void SendOn(const Peer& peer, const std::string& frames, int times) {
  for (int i = 0; i < times && peer.Send(frames); ++i) {
  }
}

// ---- who sends slowly ----

TEST(SlowPeerTest, LengthsAloneTakeNoMemory) {
  Server server({.memory_bytes_max = 2 * kMiB});
  std::vector<std::unique_ptr<Peer>> liars;
  for (int i = 0; i < 20; ++i) {
    liars.push_back(std::make_unique<Peer>(server.port()));
    ASSERT_TRUE(liars.back()->Send(Length(100 * kMiB) + std::string(i % 2 == 0 ? 0 : 100, 'x')));
  }
  const std::string large(kMiB, 'L');
  for (int i = 0; i < 5; ++i) {
    const Peer honest(server.port());
    ASSERT_TRUE(honest.Send(Frame(large)));
    ASSERT_EQ(honest.Next(), large);
  }
  EXPECT_TRUE(Eventually([&] { return server.server().counts().memory_bytes == 0; }));
  EXPECT_EQ(server.server().counts().paused, 0U);
}

TEST(SlowPeerTest, AFrameTakesEightTimesWhatHasComeOfItAtMost) {
  Server server({}, /*echo=*/false);
  const Peer peer(server.port());
  const auto takes = [&](size_t bytes) {
    return Eventually([&] { return server.server().counts().memory_bytes == bytes; });
  };
  ASSERT_TRUE(peer.Send(Length(50 * kMiB) + std::string(100 << 10, 'x')));
  EXPECT_TRUE(takes(kMiB));
  ASSERT_TRUE(peer.Send(std::string(2 * kMiB, 'y')));
  EXPECT_TRUE(takes(4 * kMiB));
  ASSERT_TRUE(peer.Send(std::string(10 * kMiB, 'z')));
  EXPECT_TRUE(takes(16 * kMiB));
  const size_t sent = (100 << 10) + 12 * kMiB;
  ASSERT_TRUE(peer.Send(std::string(50 * kMiB - sent, '.')));
  const auto asked = server.AwaitAsked(1);
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_TRUE(takes(50 * kMiB));
  const std::string all = std::string(100 << 10, 'x') + std::string(2 * kMiB, 'y') +
                          std::string(10 * kMiB, 'z') + std::string(50 * kMiB - sent, '.');
  EXPECT_TRUE(asked[0].frame.view() == all);
  asked[0].connection->Answer(0, {});
  EXPECT_TRUE(takes(0));
}

TEST(SlowPeerTest, WhoStopsInTheMiddleOfARequestIsCutAndSaidSo) {
  Server server({.idle_max = std::chrono::minutes(1), .stalled_max = milliseconds(500)});
  testing::internal::CaptureStderr();
  const Peer length(server.port());
  ASSERT_TRUE(length.Send(Length(100 * kMiB)));
  const Peer part(server.port());
  ASSERT_TRUE(part.Send(Length(100 * kMiB) + std::string(kMiB, 'x')));
  const Peer byte(server.port());
  ASSERT_TRUE(byte.Send(Length(5).substr(0, 1)));
  const Peer idle(server.port());
  EXPECT_TRUE(length.Ended());
  EXPECT_TRUE(part.Ended());
  EXPECT_TRUE(byte.Ended());
  EXPECT_EQ(server.server().counts().closed_stalled, 3U);
  ASSERT_TRUE(idle.Send(Frame("still there")));
  EXPECT_EQ(idle.Next(), "still there");
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("level=warn event=listener.connection_stalled"), std::string::npos) << log;
}

TEST(SlowPeerTest, WhoSendsARequestTooSlowlyIsCutAndWhoIsFastEnoughIsNot) {
  Server server({.stalled_max = milliseconds(1000), .bytes_per_second_min = 100000});
  const auto send = [&](size_t bytes) {  // every 50 ms for four seconds
    const Peer peer(server.port());
    bool goes = peer.Send(Length(10 * kMiB));
    for (int i = 0; i < 80 && goes; ++i) {
      goes = peer.Send(std::string(bytes, 'x'));
      std::this_thread::sleep_for(milliseconds(50));
    }
    return goes;
  };
  std::jthread slow([&] { EXPECT_FALSE(send(500)); });
  EXPECT_TRUE(send(50000));  // ten times as fast as needed, for when the machine is busy
}

TEST(SlowPeerTest, FramesThatFillTheMemoryTogetherAllComeToTheirEnd) {
  Server server({.memory_bytes_max = 8 * kMiB});
  std::vector<std::unique_ptr<Peer>> peers;
  const std::string body(10 * kMiB, 'x');
  const std::string frame = Frame(body);
  for (int i = 0; i < 6; ++i) {
    peers.push_back(std::make_unique<Peer>(server.port()));
    ASSERT_TRUE(peers.back()->Send(absl::string_view(frame).substr(0, kMiB)));
  }
  ASSERT_TRUE(Eventually([&] { return server.server().counts().memory_bytes >= 6 * kMiB; }));
  std::vector<std::jthread> rest;
  std::atomic<size_t> most = 0;
  rest.reserve(peers.size());
  for (const auto& peer : peers) {
    rest.emplace_back([&] {
      ASSERT_TRUE(peer->Send(absl::string_view(frame).substr(kMiB)));
      most = std::max<size_t>(most, server.server().counts().memory_bytes);
      ASSERT_EQ(peer->Next(), body);
    });
  }
  rest.clear();
  EXPECT_LE(most, 18 * kMiB);  // one frame more
  EXPECT_TRUE(Eventually([&] { return server.server().counts().memory_bytes == 0; }));
  EXPECT_EQ(server.server().counts().closed_stalled, 0U);
}

TEST(SlowPeerTest, WhoWaitsForMemoryWhileHoldingSomeIsCutAndWhoHoldsNoneIsNot) {
  Server server({.memory_bytes_max = 4 * kMiB, .stalled_max = milliseconds(500)}, /*echo=*/false);
  const Peer holder(server.port());
  ASSERT_TRUE(holder.Send(Frame(std::string(3 * kMiB, 'h'))));
  ASSERT_EQ(server.AwaitAsked(1).size(), 1U);
  const Peer half(server.port());
  ASSERT_TRUE(half.Send(Length(3 * kMiB) + std::string(kMiB + 1000, 'x')));
  ASSERT_TRUE(Eventually([&] { return server.server().counts().paused == 1; }));
  const Peer behind(server.port());
  ASSERT_TRUE(behind.Send(Frame(std::string(kMiB, 'b'))));
  EXPECT_TRUE(half.Ended());
  ASSERT_EQ(server.AwaitAsked(2).size(), 2U);
  const Peer waits(server.port());
  ASSERT_TRUE(waits.Send(Frame(std::string(kMiB, 'w'))));
  std::this_thread::sleep_for(milliseconds(1800));
  EXPECT_EQ(server.server().counts().closed_stalled, 1U);
  server.AwaitAsked(2)[0].connection->Answer(0, {});
  EXPECT_EQ(server.AwaitAsked(3).size(), 3U);
}

TEST(SlowPeerTest, WhoIsGoneWhileItIsNotReadIsForgotten) {
  Server server({.frames_waiting_max = 1, .memory_bytes_max = kMiB}, /*echo=*/false);
  const Peer holder(server.port());
  ASSERT_TRUE(holder.Send(Frame(std::string(kMiB, 'h'))));
  ASSERT_EQ(server.AwaitAsked(1).size(), 1U);
  {
    const Peer ends(server.port());  // waits for memory
    ASSERT_TRUE(ends.Send(Length(kMiB) + std::string(100000, 'x')));
    ASSERT_TRUE(Eventually([&] { return server.server().counts().paused == 1; }));
    const Peer resets(server.port());  // has asked enough
    ASSERT_TRUE(resets.Send(Frame("1") + Frame("2")));
    ASSERT_EQ(server.AwaitAsked(2).size(), 2U);
    ASSERT_TRUE(resets.Send(Frame("3")));
    resets.Reset();
  }
  EXPECT_TRUE(Eventually([&] { return server.server().counts().connections == 1; }));
}

// ---- who reads slowly ----

TEST(SlowPeerTest, APeerThatReadsNothingIsNotReadAndThenClosed) {
  Server server({.answer_bytes_pause = kMiB, .stalled_max = milliseconds(500)});
  const Peer peer(server.port());
  std::thread sender([&] { SendOn(peer, Frame(std::string(kMiB, 'x')), 200); });
  EXPECT_TRUE(server.AwaitClosed(1));
  sender.join();
  EXPECT_LT(server.asked(), 100U);
  EXPECT_EQ(server.server().counts().closed_stalled, 1U);
}

TEST(SlowPeerTest, UnreadAnswersPauseRequestsThatHaveBeenRead) {
  Server server({.frames_waiting_max = 4, .answer_bytes_pause = 8 * kMiB}, /*echo=*/false);
  const Peer peer(server.port());
  std::string requests;
  for (int i = 0; i < 200; ++i) requests += Frame("small");
  ASSERT_TRUE(peer.Send(requests));  // one read takes them all
  const Bytes answer(std::string(4 * kMiB, 'a'));
  size_t answered = 0;
  const auto until = steady_clock::now() + std::chrono::seconds(2);
  while (steady_clock::now() < until) {
    const auto asked = server.AwaitAsked(1);
    for (; answered < asked.size(); ++answered) {
      asked[answered].connection->Answer(answered, Framed(answer));
    }
    std::this_thread::sleep_for(milliseconds(5));
  }
  // What is in the kernel's buffers (10 MiB), below the limit, and asked for before it was reached.
  EXPECT_LE(answered, 10U);
  EXPECT_LE(server.server().counts().answer_bytes, 8 * kMiB + 4 * (4 * kMiB + 4));
  for (size_t i = 0; i < 200; ++i) {
    if (i >= answered) {
      const auto asked = server.AwaitAsked(i + 1);
      ASSERT_GT(asked.size(), i);
      asked[i].connection->Answer(i, Framed(Bytes(std::string("a"))));
    }
    ASSERT_TRUE(peer.Next().has_value());
  }
  EXPECT_TRUE(Eventually([&] { return server.server().counts().answer_bytes == 0; }));
}

TEST(SlowPeerTest, AnswersThatWaitForAnEarlierOneCount) {
  Server server({.answer_bytes_pause = kMiB}, /*echo=*/false);
  const Peer peer(server.port());
  ASSERT_TRUE(peer.Send(Frame("first") + Frame("second")));
  auto asked = server.AwaitAsked(2);
  ASSERT_EQ(asked.size(), 2U);
  asked[1].connection->Answer(1, Framed(Bytes(std::string(kMiB, 'a'))));
  ASSERT_TRUE(Eventually([&] { return server.server().counts().answer_bytes == kMiB + 4; }));
  ASSERT_TRUE(peer.Send(Frame("third")));
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_EQ(server.asked(), 2U);
  asked[0].connection->Answer(0, {});
  EXPECT_TRUE(peer.Next().has_value());
  EXPECT_EQ(server.AwaitAsked(3).size(), 3U);
}

TEST(SlowPeerTest, WhoHasUnreadAnswersIsNotReadWhileThereAreTooManyAndOthersAre) {
  Server server({.answer_bytes_max = kMiB}, /*echo=*/false);
  const Peer first(server.port());
  const Peer second(server.port());
  ASSERT_TRUE(first.Send(Frame("1") + Frame("2")));
  auto asked = server.AwaitAsked(2);
  ASSERT_EQ(asked.size(), 2U);
  // Its turn to leave does not come until "1" is answered.
  asked[1].connection->Answer(1, Framed(Bytes(std::string(kMiB, 'a'))));
  ASSERT_TRUE(Eventually([&] { return server.server().counts().answer_bytes > kMiB; }));
  ASSERT_TRUE(first.Send(Frame("not yet")));
  ASSERT_TRUE(second.Send(Frame("at once")));
  asked = server.AwaitAsked(3);
  ASSERT_EQ(asked.size(), 3U);
  EXPECT_EQ(asked[2].frame.view(), "at once");
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_EQ(server.asked(), 3U);
  asked[0].connection->Answer(0, {});
  asked = server.AwaitAsked(4);
  ASSERT_EQ(asked.size(), 4U);
  EXPECT_EQ(asked[3].frame.view(), "not yet");
}

TEST(SlowPeerTest, UnreadAnswersOfAllConnectionsAreBounded) {
  Server server({.answer_bytes_pause = 2 * kMiB, .answer_bytes_max = 16 * kMiB}, /*echo=*/false);
  std::vector<std::unique_ptr<Peer>> greedy;
  for (int i = 0; i < 20; ++i) {
    greedy.push_back(std::make_unique<Peer>(server.port()));
    for (int request = 0; request < 20; ++request) ASSERT_TRUE(greedy.back()->Send(Frame("more")));
  }
  const Peer beats(server.port());
  ASSERT_TRUE(server.AwaitAsked(400).size() == 400);
  ASSERT_TRUE(beats.Send(Frame("beat")));
  const auto asked = server.AwaitAsked(401);
  ASSERT_EQ(asked.size(), 401U);
  const Bytes large(std::string(kMiB, 'a'));
  size_t most = 0;
  for (const auto& each : asked) {
    const bool beat = each.frame.view() == "beat";
    each.connection->Answer(each.number, Framed(beat ? each.frame : large));
    most = std::max<size_t>(most, server.server().counts().answer_bytes);
  }
  EXPECT_EQ(beats.Next(), "beat");
  EXPECT_LE(most, 33 * kMiB + 4 * 33);
  EXPECT_TRUE(server.AwaitClosed(1));
  const auto counts = server.server().counts();
  EXPECT_GE(counts.closed_stalled, 1U);
  greedy.clear();
  EXPECT_TRUE(Eventually([&] { return server.server().counts().answer_bytes == 0; }));
}

TEST(SlowPeerTest, ASlowPeerThatGoesOnReadingIsNotCut) {
  const std::string large(40 << 20, 'x');
  Server server({.stalled_max = milliseconds(1500)}, /*echo=*/false);
  const Peer peer(server.port());
  ASSERT_TRUE(peer.Send(Frame("all of it")));
  const auto asked = server.AwaitAsked(1);
  ASSERT_EQ(asked.size(), 1U);
  asked[0].connection->Answer(0, Framed(Bytes(large)));
  // 5 MB every half second: the whole takes several times stalled_max.
  size_t got = 0;
  while (got < large.size() + 4) {
    const std::optional<std::string> part =
        peer.Read(std::min<size_t>(5 << 20, large.size() + 4 - got));
    ASSERT_TRUE(part.has_value()) << "cut after " << got << " bytes";
    got += part->size();
    std::this_thread::sleep_for(milliseconds(500));
  }
  EXPECT_EQ(server.server().counts().closed_stalled, 0U);
}

TEST(SlowPeerTest, WhoReadsTooSlowlyIsCut) {
  const size_t bytes = 200 * kMiB;
  Server server({.stalled_max = milliseconds(1000), .bytes_per_second_min = 64 * kMiB},
                /*echo=*/false);
  const Peer peer(server.port());
  ASSERT_TRUE(peer.Send(Frame("all of it")));
  const auto asked = server.AwaitAsked(1);
  ASSERT_EQ(asked.size(), 1U);
  asked[0].connection->Answer(0, Framed(Bytes(std::string(bytes, 'x'))));
  const auto began = steady_clock::now();
  size_t got = 0;  // a megabyte 20 times a second
  while (peer.Read(kMiB).has_value()) {
    got += kMiB;
    std::this_thread::sleep_for(milliseconds(50));
  }
  EXPECT_LT(got, 150 * kMiB);
  EXPECT_LT(steady_clock::now() - began, std::chrono::seconds(8));
  EXPECT_EQ(server.server().counts().closed_stalled, 1U);
}

}  // namespace
}  // namespace quipu
