// Goal: a damaged batch is repaired from another replica, whoever finds it, and stops nothing else;
// refused only when no replica has a sound copy (D5).
// Method: three brokers whose disks change a byte behind their backs.
#include <gtest/gtest.h>

#include <algorithm>

#include "storage/log_recovery.h"
#include "tests/unit/broker/world/fake_world.h"

namespace quipu {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::FakeWorld;
using testing::MakeBatch;
using testing::ValuesIn;

using Values = std::vector<std::string>;

// Three batches of one record each, from one idempotent producer, on three brokers.
class RepairTest : public ::testing::Test {
 protected:
  RepairTest() : topic_(world_.CreateTopic("payments", 1, 3)) {
    for (int i = 0; i < 3; ++i) Produce(i);
  }

  int Leader() { return world_.Partition(topic_, 0).leader.value(); }
  int Follower() { return Leader() == 1 ? 2 : 1; }
  ErrorCode TryProduce(int i, int64_t producer = 9) {
    return world_.Produce(Leader(), topic_, 0, MakeBatch(i, 1, producer, 0, producer < 0 ? 0 : i))
        .error;
  }
  void Produce(int i) {
    ErrorCode error = ErrorCode::kUnknownServerError;
    for (int attempt = 0; attempt < 100 && error != ErrorCode::kNone; ++attempt) {
      error = Leader() > 0 ? TryProduce(i) : error;
      if (error != ErrorCode::kNone) world_.RunFor(milliseconds(100));
    }
    ASSERT_EQ(error, ErrorCode::kNone);
  }
  void CrashAll() {
    for (int id = 1; id <= 3; ++id) world_.machine(id).Crash();
    world_.RunFor(seconds(5));
  }
  void BootAll() {
    for (int id = 1; id <= 3; ++id) world_.machine(id).Boot();
  }
  bool InSync() { return Leader() > 0 && world_.Partition(topic_, 0).isr.size() == 3; }
  void AwaitInSync() {
    world_.RunUntil([&] { return InSync(); });
  }
  // From here on reads come from disk.
  void RestartAll() {
    CrashAll();
    BootAll();
    AwaitInSync();
  }

  LogId LogOf(int broker) {
    return *world_.machine(broker).store.FindLog(world_.Partition(topic_, 0).uid);
  }
  Bytes Stored(int broker, int64_t last) {
    return world_.machine(broker).store.StoredBatches(LogOf(broker)).at(Offset(last)).bytes;
  }
  Bytes Damage(int broker, int64_t last) {
    const Bytes sound = Stored(broker, last);
    std::string bytes = sound.ToString();
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    world_.machine(broker).store.Overwrite(LogOf(broker), Offset(last), Bytes(bytes));
    return sound;
  }
  bool Sound(int broker, int64_t last) {
    return CheckedBatch(LogOf(broker), Offset(last), Stored(broker, last)).ok();
  }
  FetchPartitionResult Fetch(int64_t offset) {
    return world_.FetchOne(Leader(), topic_, 0, offset).partitions.at(0);
  }

  FakeWorld world_{3};
  TopicId topic_;
};

TEST_F(RepairTest, AReaderWaitsForTheRepairAndIsServed) {
  RestartAll();
  Damage(Leader(), 1);
  FetchPartitionResult result = Fetch(0);
  EXPECT_EQ(ValuesIn(result.batches), Values{"v0"});
  result = Fetch(1);
  EXPECT_EQ(result.error, ErrorCode::kUnderRepair);
  EXPECT_NE(result.error_message.find("offsets 1 to 1"), std::string::npos);
  EXPECT_TRUE(result.batches.empty());
  world_.RunUntil([&] { return Fetch(1).error == ErrorCode::kNone; });
  EXPECT_EQ(ValuesIn(Fetch(0).batches), (Values{"v0", "v1", "v2"}));
  EXPECT_TRUE(Sound(Leader(), 1));
}

TEST_F(RepairTest, DamageIsToldUntilItIsRepaired) {
  RestartAll();
  const int reader = Leader();
  const auto told = [&] {
    std::pair<size_t, uint64_t> counts;
    world_.node(reader).CollectMetrics(0, 100, [&](const ShardMetrics& metrics) {
      counts = {metrics.damaged_batches, metrics.repaired_batches};
    });
    world_.RunFor(milliseconds(1));
    return counts;
  };
  Bytes sound;
  for (int id = 1; id <= 3; ++id) sound = Damage(id, 1);
  EXPECT_EQ(told(), std::make_pair(size_t{0}, uint64_t{0})) << "nobody has read it";
  EXPECT_NE(Fetch(1).error, ErrorCode::kNone);
  EXPECT_EQ(told(), std::make_pair(size_t{1}, uint64_t{0}));
  const int healed = Follower();
  world_.machine(healed).store.Overwrite(LogOf(healed), Offset(1), sound);
  world_.RunUntil([&] { return Fetch(1).error == ErrorCode::kNone; }, seconds(120));
  EXPECT_EQ(told(), std::make_pair(size_t{0}, uint64_t{1}));
}

TEST_F(RepairTest, ABrokerThatStartsWithDamageIsRepairedFirstAndServesTheRestMeanwhile) {
  const TopicId other = world_.CreateTopic("other", 1, 1);
  const int victim = world_.Partition(other, 0).leader.value();
  ASSERT_EQ(world_.Produce(victim, other, 0, MakeBatch(7, 1)).error, ErrorCode::kNone);
  world_.machine(victim).Crash();
  world_.RunUntil([&] { return world_.Partition(topic_, 0).isr.size() == 2 && Leader() > 0; });
  Damage(victim, 1);
  // The others are asked in vain for a while.
  for (int id = 1; id <= 3; ++id) {
    if (id != victim) Damage(id, 1);
  }
  world_.machine(victim).Boot();
  world_.RunUntil([&] {
    return world_.Partition(other, 0).leader == BrokerId(victim) &&
           world_.FetchOne(victim, other, 0, 0).partitions.at(0).error == ErrorCode::kNone;
  });
  EXPECT_EQ(ValuesIn(world_.FetchOne(victim, other, 0, 0).partitions.at(0).batches), Values{"v7"});
}

TEST_F(RepairTest, AReplicaWithUnknownProducersFollowsOnlyAfterItsRepair) {
  const int victim = Follower();
  world_.machine(victim).Crash();
  world_.RunUntil([&] { return world_.Partition(topic_, 0).isr.size() == 2; });
  Damage(victim, 1);
  world_.machine(victim).Boot();
  AwaitInSync();
  EXPECT_TRUE(Sound(victim, 1));
  // It knows the producers: as a leader it takes the next sequence, and the duplicate as such.
  for (int id = 1; id <= 3; ++id) {
    if (id != victim) world_.machine(id).Crash();
  }
  world_.RunFor(seconds(5));
  for (int id = 1; id <= 3; ++id) {
    if (id != victim) world_.machine(id).Boot();
  }
  AwaitInSync();
  const PartitionCore* core =
      world_.node(victim).inspector().FindPartition(world_.Partition(topic_, 0).uid);
  ASSERT_NE(core, nullptr);
  ASSERT_EQ(core->producers().size(), 1U);
  EXPECT_EQ(core->producers()[0].batches.size(), 3U);
}

TEST_F(RepairTest, AFollowerGetsPastTheLeadersDamage) {
  const int behind = Follower();
  world_.machine(behind).Crash();
  world_.RunUntil([&] { return world_.Partition(topic_, 0).isr.size() == 2; });
  for (int i = 3; i < 6; ++i) Produce(i);
  for (int id = 1; id <= 3; ++id) {
    if (id != behind) world_.machine(id).Crash();
  }
  world_.RunFor(seconds(5));
  for (int id = 1; id <= 3; ++id) {
    if (id != behind) world_.machine(id).Boot();
  }
  world_.RunUntil([&] { return world_.Partition(topic_, 0).isr.size() == 2 && Leader() > 0; });
  Damage(Leader(), 4);
  world_.machine(behind).Boot();
  AwaitInSync();
  EXPECT_TRUE(Sound(Leader(), 4));
  EXPECT_TRUE(Sound(behind, 4));
}

TEST_F(RepairTest, WithoutASoundCopyTheOffsetsAreRefusedAndTheRestIsServed) {
  RestartAll();
  for (int id = 1; id <= 3; ++id) Damage(id, 1);
  world_.RunUntil([&] { return Fetch(1).error == ErrorCode::kDamagedOnAllReplicas; });
  const FetchPartitionResult refused = Fetch(1);
  EXPECT_EQ(refused.refused_end_offset, Offset(2));
  EXPECT_NE(refused.error_message.find("offsets 1 to 1"), std::string::npos);
  EXPECT_EQ(ValuesIn(Fetch(0).batches), Values{"v0"});
  EXPECT_EQ(ValuesIn(Fetch(2).batches), Values{"v2"});
  // What the leader knows of its producers is in its memory.
  Produce(3);
  EXPECT_EQ(ValuesIn(Fetch(2).batches), (Values{"v2", "v3"}));
}

TEST_F(RepairTest, UnknownProducersAreRefusedUntilACopyComesBack) {
  CrashAll();
  Bytes sound;
  for (int id = 1; id <= 3; ++id) sound = Damage(id, 1);
  BootAll();
  AwaitInSync();
  world_.RunUntil([&] { return Fetch(1).error == ErrorCode::kDamagedOnAllReplicas; });
  EXPECT_EQ(ValuesIn(Fetch(2).batches), Values{"v2"});
  EXPECT_EQ(TryProduce(3), ErrorCode::kDamagedOnAllReplicas);
  EXPECT_EQ(TryProduce(3, /*producer=*/-1), ErrorCode::kNone);  // of nobody: nothing to be known
  // One disk gives its bytes back.
  const int mended = Follower();
  world_.machine(mended).store.Overwrite(LogOf(mended), Offset(1), sound);
  world_.RunUntil([&] { return Fetch(1).error == ErrorCode::kNone; }, seconds(120));
  world_.RunUntil([&] { return TryProduce(3) == ErrorCode::kNone; });
  EXPECT_EQ(ValuesIn(Fetch(0).batches), (Values{"v0", "v1", "v2", "v3", "v3"}));
}

TEST_F(RepairTest, WhatIsGivenUpHidesProducersNoLonger) {
  CrashAll();
  for (int id = 1; id <= 3; ++id) Damage(id, 1);
  BootAll();
  AwaitInSync();
  world_.RunUntil([&] { return TryProduce(3) == ErrorCode::kDamagedOnAllReplicas; });
  message::DeleteRecordsRequest request;
  auto* partition = request.add_partitions();
  partition->set_topic_id(topic_.ToBytes());
  partition->set_partition(0);
  partition->set_before_offset(2);
  const auto answer = world_.Call(Leader(), &BrokerNode::DeleteRecords, request);
  EXPECT_EQ(answer.partitions(0).error_code(), 0);
  Produce(3);
  EXPECT_EQ(ValuesIn(Fetch(2).batches), (Values{"v2", "v3"}));
}

TEST_F(RepairTest, TheScrubberFindsWhatNobodyReads) {
  // A longer log comes after this one, and a shorter one before it.
  const TopicId other = world_.CreateTopic("other", 2, 3);
  for (int i = 0; i < 9; ++i) {
    const int leader = world_.Partition(other, 0).leader.value();
    ASSERT_EQ(world_.Produce(leader, other, 0, MakeBatch(i, 1)).error, ErrorCode::kNone);
  }
  const int odd = world_.Partition(other, 1).leader.value();
  ASSERT_EQ(world_.Produce(odd, other, 1, MakeBatch(0, 1)).error, ErrorCode::kNone);
  const int victim = Follower();
  Damage(victim, 1);
  MemoryLogStore& store = world_.machine(odd).store;
  const LogId log = *store.FindLog(world_.Partition(other, 1).uid);
  const Bytes sound = store.StoredBatches(log).at(Offset(0)).bytes;
  store.Overwrite(log, Offset(0), Bytes(sound.ToString() + "x"));
  world_.RunFor(world_.machine(victim).config.scrub_interval + seconds(5));
  EXPECT_TRUE(Sound(victim, 1));
  EXPECT_EQ(store.StoredBatches(log).at(Offset(0)).bytes, sound);
}

}  // namespace
}  // namespace quipu
