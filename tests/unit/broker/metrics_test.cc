// Goal: what brokers tell of their replicas, ISRs and logs is so, and ends of logs elsewhere are
// asked of the right leaders, in bounds, and believed no longer than they may be. Method: brokers
// in a fake world, and answers by hand.
#include "broker/metrics/leader_ends.h"
#include "broker/metrics/log_sizes.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/broker/world/fake_world.h"

namespace quipu {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using testing::FakeWorld;
using ::testing::IsEmpty;
using testing::MakeBatch;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

ShardMetrics MetricsOf(FakeWorld& world, int broker, size_t partitions_max = 100) {
  std::optional<ShardMetrics> told;
  world.node(broker).CollectMetrics(0, partitions_max,
                                    [&](ShardMetrics metrics) { told = std::move(metrics); });
  world.RunUntil([&] { return told.has_value(); });
  return *told;
}

// Records that each follower lacks, of the only partition that `broker` leads.
std::vector<std::pair<int, int64_t>> LagsOf(FakeWorld& world, int broker) {
  std::vector<std::pair<int, int64_t>> lags;
  for (const PartitionMetrics& partition : MetricsOf(world, broker).partitions) {
    for (const auto& lag : partition.followers) {
      lags.emplace_back(lag.follower.value(), lag.records);
    }
  }
  return lags;
}

TEST(ReplicaMetrics, AFollowerIsBehindByWhatItHasNotSynced) {
  FakeWorld world(3);
  const TopicId topic = world.CreateTopic("payments", 1, 3);
  const int leader = world.Partition(topic, 0).leader.value();
  const int slow = leader % 3 + 1;
  const int quick = slow % 3 + 1;
  ASSERT_EQ(world.Produce(leader, topic, 0, MakeBatch(0, 2)).error, ErrorCode::kNone);
  EXPECT_THAT(LagsOf(world, leader), UnorderedElementsAre(Pair(slow, 0), Pair(quick, 0)));
  world.machine(slow).writer->Pause();
  ProduceRequest request;
  request.partitions.push_back(
      {.topic_id = topic, .partition = PartitionIndex(0), .records = MakeBatch(2, 5)});
  world.node(leader).Produce(request, [](ProduceResponse) {});
  world.RunFor(milliseconds(200));
  EXPECT_THAT(LagsOf(world, leader), UnorderedElementsAre(Pair(slow, 5), Pair(quick, 0)));
  EXPECT_GT(MetricsOf(world, slow).undurable_pushed_bytes, 0U);
  EXPECT_THAT(LagsOf(world, slow), IsEmpty()) << "a follower tells nothing";
  world.machine(slow).writer->Resume();
  world.RunFor(milliseconds(200));
  EXPECT_THAT(LagsOf(world, leader), UnorderedElementsAre(Pair(slow, 0), Pair(quick, 0)));
  EXPECT_EQ(MetricsOf(world, slow).undurable_pushed_bytes, 0U);
}

TEST(ReplicaMetrics, AnIsrThatShrinksAndExpandsIsCountedByItsLeader) {
  FakeWorld world(3);
  const TopicId topic = world.CreateTopic("payments", 1, 3);
  const int leader = world.Partition(topic, 0).leader.value();
  const int follower = leader % 3 + 1;
  EXPECT_EQ(MetricsOf(world, leader).counters.isr_shrinks, 0U);
  world.machine(follower).Crash();
  world.RunUntil([&] { return world.Partition(topic, 0).isr.size() == 2; }, seconds(60));
  world.RunFor(milliseconds(100));
  EXPECT_EQ(MetricsOf(world, leader).counters.isr_shrinks, 1U);
  EXPECT_EQ(MetricsOf(world, leader).counters.isr_expands, 0U);
  world.machine(follower).Boot();
  world.RunUntil([&] { return world.Partition(topic, 0).isr.size() == 3; }, seconds(60));
  world.RunFor(milliseconds(100));
  EXPECT_EQ(MetricsOf(world, leader).counters.isr_shrinks, 1U);
  EXPECT_EQ(MetricsOf(world, leader).counters.isr_expands, 1U);
}

TEST(ReplicaMetrics, AnIsrChangeWithAnotherLeaderIsCountedByThatOne) {
  FakeWorld world(3);
  const TopicId topic = world.CreateTopic("payments", 1, 3);
  const int dead = world.Partition(topic, 0).leader.value();
  world.machine(dead).Crash();
  world.RunUntil(
      [&] {
        const int now = world.Partition(topic, 0).leader.value();
        return now > 0 && now != dead;
      },
      seconds(60));
  world.RunFor(milliseconds(100));
  EXPECT_EQ(MetricsOf(world, world.Partition(topic, 0).leader.value()).counters.isr_shrinks, 1U);
}

TEST(ShardCounters, AnExchangeIsBothAndAnOrderIsNothing) {
  ShardCounters counters;
  const BrokerId a(1);
  const BrokerId b(2);
  const BrokerId c(3);
  counters.CountIsr({a, b}, {b, a});
  EXPECT_EQ(counters.isr_shrinks + counters.isr_expands, 0U);
  counters.CountIsr({a, b}, {a, c});
  EXPECT_EQ(counters.isr_shrinks, 1U);
  EXPECT_EQ(counters.isr_expands, 1U);
}

// ---- ends of logs elsewhere ----

class LeaderEndsTest : public ::testing::Test {
 protected:
  static constexpr int kPartitions = 8;

  LeaderEndsTest() : topic(world.CreateTopic("t", kPartitions, 3)) {
    for (int i = 0; i < kPartitions; ++i) wanted.insert({topic, PartitionIndex(i)});
  }
  // To ListOffsets as asked: `offset` for each partition, or `error`.
  static message::ListOffsetsResponse AnswerTo(const LeaderEnds::Request& request, int64_t offset,
                                               ErrorCode error = ErrorCode::kNone) {
    message::ListOffsetsResponse answer;
    for (const auto& asked : request.message.partitions()) {
      auto* told = answer.add_partitions();
      told->set_topic_id(asked.topic_id());
      told->set_partition(asked.partition());
      told->set_error_code(static_cast<int32_t>(error));
      told->set_offset(offset);
    }
    return answer;
  }

  FakeWorld world{4};
  TopicId topic;
  absl::btree_set<TopicPartition> wanted;
  Instant now{};
  LeaderEnds ends{BrokerId(1), seconds(15)};
};

TEST_F(LeaderEndsTest, EachLeaderIsAskedOnceForWhatItLeads) {
  const auto requests = ends.Ask(world.controller.image(), wanted);
  absl::btree_set<int> leaders;
  int asked_for = 0;
  for (const LeaderEnds::Request& request : requests) {
    EXPECT_NE(request.leader, BrokerId(1)) << "itself";
    EXPECT_TRUE(leaders.insert(request.leader.value()).second);
    EXPECT_EQ(request.endpoint, world.controller.image().FindBroker(request.leader)->peer_endpoint);
    for (const auto& asked : request.message.partitions()) {
      EXPECT_EQ(world.Partition(topic, asked.partition()).leader, request.leader);
      EXPECT_EQ(asked.timestamp(), -1);
      ++asked_for;
    }
  }
  int led_here = 0;
  for (int i = 0; i < kPartitions; ++i) {
    if (world.Partition(topic, i).leader == BrokerId(1)) ++led_here;
  }
  EXPECT_EQ(asked_for, kPartitions - led_here);
  EXPECT_GT(asked_for, 0);
}

TEST_F(LeaderEndsTest, ALeaderThatOwesAnAnswerIsAskedNothingMore) {
  const auto first = ends.Ask(world.controller.image(), wanted);
  EXPECT_THAT(ends.Ask(world.controller.image(), wanted), IsEmpty());
  ends.OnAnswer(first[0].leader, now, absl::DeadlineExceededError("late"));
  const auto second = ends.Ask(world.controller.image(), wanted);
  ASSERT_THAT(second, SizeIs(1));
  EXPECT_EQ(second[0].leader, first[0].leader);
  EXPECT_THAT(ends.failures(), ElementsAre(Pair("NOT_CONNECTED", 0), Pair("REQUEST_TIMED_OUT", 1)));
  EXPECT_THAT(ends.Known(now), IsEmpty());
}

TEST_F(LeaderEndsTest, WhatWasToldIsKnownUntilItIsTooOld) {
  const auto first = ends.Ask(world.controller.image(), wanted);
  for (const auto& request : first) ends.OnAnswer(request.leader, now, AnswerTo(request, 42));
  ASSERT_FALSE(ends.Known(now).empty());
  for (const auto& [partition, end] : ends.Known(now)) EXPECT_EQ(end, Offset(42));
  // An answer that says nothing leaves what was known before.
  const auto second = ends.Ask(world.controller.image(), wanted);
  for (const auto& request : second) {
    ends.OnAnswer(request.leader, now + seconds(5),
                  AnswerTo(request, -1, ErrorCode::kOffsetNotAvailable));
  }
  EXPECT_EQ(ends.failures().at("OFFSET_NOT_AVAILABLE"), ends.Known(now).size());
  EXPECT_FALSE(ends.Known(now + seconds(15)).empty());
  EXPECT_THAT(ends.Known(now + seconds(15) + milliseconds(1)), IsEmpty());
}

TEST_F(LeaderEndsTest, WhatIsNotWantedIsForgotten) {
  for (const auto& request : ends.Ask(world.controller.image(), wanted)) {
    ends.OnAnswer(request.leader, now, AnswerTo(request, 42));
  }
  EXPECT_THAT(ends.Ask(world.controller.image(), {}), IsEmpty());
  EXPECT_THAT(ends.Known(now), IsEmpty());
}

TEST_F(LeaderEndsTest, TheTopicThatIsGoneAndTheOneWithoutALeaderAreNotAskedFor) {
  wanted = {{Uuid(5, 5), PartitionIndex(0)}, {topic, PartitionIndex(kPartitions)}};
  EXPECT_THAT(ends.Ask(world.controller.image(), wanted), IsEmpty());
}

TEST_F(LeaderEndsTest, ManyPartitionsOfOneLeaderAreSeveralRequests) {
  const TopicId large = world.CreateTopic("large", 4 * 1100, 1);
  wanted.clear();
  for (int i = 0; i < 4 * 1100; ++i) {
    if (world.Partition(large, i).leader != BrokerId(1)) wanted.insert({large, PartitionIndex(i)});
  }
  size_t asked = 0;
  for (const auto& request : ends.Ask(world.controller.image(), wanted)) {
    EXPECT_LE(request.message.partitions_size(), int{LeaderEnds::kPartitionsPerRequestMax});
    asked += static_cast<size_t>(request.message.partitions_size());
  }
  EXPECT_EQ(asked, wanted.size());
}

// ---- sizes of logs ----

PartitionMetrics LogOf(uint64_t uid, int64_t end) {
  PartitionMetrics log;
  log.uid = PartitionUid(uid);
  log.log_start = Offset(0);
  log.durable_end = Offset(end);
  return log;
}

std::vector<PartitionUid> DueOf(LogSizes& sizes, const std::vector<PartitionMetrics>& all) {
  std::vector<const PartitionMetrics*> logs;
  for (const PartitionMetrics& log : all) logs.push_back(&log);
  return sizes.Due(logs);
}

TEST(LogSizes, OnlyWhatChangedIsMeasuredAndWhatIsGoneIsForgotten) {
  LogSizes sizes;
  EXPECT_THAT(DueOf(sizes, {LogOf(1, 10), LogOf(2, 10)}),
              ElementsAre(PartitionUid(1), PartitionUid(2)));
  EXPECT_EQ(sizes.Of(PartitionUid(1)), std::nullopt);
  sizes.Measured(PartitionUid(1), 1000);
  sizes.Measured(PartitionUid(2), 2000);
  EXPECT_THAT(DueOf(sizes, {LogOf(1, 10), LogOf(2, 11)}), ElementsAre(PartitionUid(2)));
  EXPECT_EQ(sizes.Of(PartitionUid(1)), 1000);
  EXPECT_EQ(sizes.Of(PartitionUid(2)), 2000) << "as measured last";
  EXPECT_THAT(DueOf(sizes, {LogOf(2, 11)}), IsEmpty());
  EXPECT_EQ(sizes.Of(PartitionUid(1)), std::nullopt);
  sizes.Measured(PartitionUid(1), 1000);
  EXPECT_EQ(sizes.Of(PartitionUid(1)), std::nullopt);
}

TEST(LogSizes, WhatBecomesDurableAfterAMeasurementIsMeasured) {
  LogSizes sizes;
  PartitionMetrics log = LogOf(1, 0);
  log.log_end = Offset(10);  // appended, and still on its way to the disk
  EXPECT_THAT(DueOf(sizes, {log}), SizeIs(1));
  sizes.Measured(log.uid, 0);
  EXPECT_THAT(DueOf(sizes, {log}), IsEmpty());
  log.durable_end = Offset(10);
  EXPECT_THAT(DueOf(sizes, {log}), SizeIs(1));
}

TEST(LogSizes, BusyLogsTakeTurns) {
  LogSizes sizes;
  absl::btree_map<PartitionUid, int> measured;
  constexpr size_t kLogs = 3 * LogSizes::kMeasuredMax / 2;
  for (int64_t look = 1; look <= 6; ++look) {
    std::vector<PartitionMetrics> all;
    for (uint64_t uid = 1; uid <= kLogs; ++uid) all.push_back(LogOf(uid, look));
    const auto due = DueOf(sizes, all);
    EXPECT_EQ(due.size(), LogSizes::kMeasuredMax);
    for (const PartitionUid uid : due) ++measured[uid];
  }
  EXPECT_EQ(measured.size(), kLogs);
  for (const auto& [uid, times] : measured) EXPECT_EQ(times, 4) << uid;
}

}  // namespace
}  // namespace quipu
