// Goal: questions about offsets, deletion of records and retention, through a whole broker.
#include <gtest/gtest.h>

#include "tests/unit/broker/world/fake_world.h"

namespace quipu {
namespace {

using std::chrono::milliseconds;
using testing::FakeWorld;
using testing::MakeBatch;
using testing::ValuesIn;
using testing::Wire;

message::ListOffsetsResponse::Partition ListOffset(FakeWorld& world, TopicId topic, int partition,
                                                   int64_t timestamp, int32_t epoch = -1) {
  message::ListOffsetsRequest request;
  auto* wanted = request.add_partitions();
  wanted->set_topic_id(topic.ToBytes());
  wanted->set_partition(partition);
  wanted->set_current_leader_epoch(epoch);
  wanted->set_timestamp(timestamp);
  return world
      .Call<message::ListOffsetsRequest, message::ListOffsetsResponse>(1, &BrokerNode::ListOffsets,
                                                                       request)
      .partitions(0);
}

TEST(ListOffsets, EarliestAndLatest) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1);
  world.Produce(1, topic, 0, MakeBatch(0, 3));
  EXPECT_EQ(ListOffset(world, topic, 0, -2).offset(), 0);
  EXPECT_EQ(ListOffset(world, topic, 0, -1).offset(), 3);
  EXPECT_EQ(ListOffset(world, topic, 9, -1).error_code(),
            Wire(ErrorCode::kUnknownTopicOrPartition));
}

TEST(ListOffsets, ByTimestampFindsTheRecordInsideTheBatch) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1);
  world.Produce(1, topic, 0, MakeBatch(0, 3, -1, 0, 0, 1000));  // 1000 1001 1002
  world.Produce(1, topic, 0, MakeBatch(3, 3, -1, 0, 0, 2000));  // 2000 2001 2002
  const auto found = ListOffset(world, topic, 0, 2001);
  EXPECT_EQ(found.error_code(), 0);
  EXPECT_EQ(found.offset(), 4);
  EXPECT_EQ(found.timestamp(), 2001);
  EXPECT_EQ(ListOffset(world, topic, 0, 1500).offset(), 3);
  EXPECT_EQ(ListOffset(world, topic, 0, 9999).offset(), -1);
  EXPECT_EQ(ListOffset(world, topic, 0, -7).error_code(), Wire(ErrorCode::kInvalidTimestamp));
}

TEST(ListOffsets, AStaleLeaderEpochIsFenced) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1);
  const int32_t epoch = world.Partition(topic, 0).leader_epoch.value();
  EXPECT_EQ(ListOffset(world, topic, 0, -1, epoch).error_code(), 0);
  EXPECT_EQ(ListOffset(world, topic, 0, -1, epoch + 1).error_code(),
            Wire(ErrorCode::kUnknownLeaderEpoch));
}

TEST(EpochEndOffsets, NamesTheEndOfAnOlderEpoch) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1);
  const int32_t first = world.Partition(topic, 0).leader_epoch.value();
  world.Produce(1, topic, 0, MakeBatch(0, 3));
  world.machine(1).Crash();
  world.machine(1).Boot();
  world.RunFor(std::chrono::seconds(2));
  world.Produce(1, topic, 0, MakeBatch(3, 1));
  message::EpochEndOffsetsRequest request;
  auto* wanted = request.add_partitions();
  wanted->set_topic_id(topic.ToBytes());
  wanted->set_current_leader_epoch(-1);
  wanted->set_leader_epoch(first);
  const auto answer = world.Call<message::EpochEndOffsetsRequest, message::EpochEndOffsetsResponse>(
      1, &BrokerNode::EpochEndOffsets, request);
  EXPECT_EQ(answer.partitions(0).error_code(), 0);
  EXPECT_EQ(answer.partitions(0).leader_epoch(), first);
  EXPECT_EQ(answer.partitions(0).end_offset(), 3);
}

TEST(DeleteRecords, RaisesTheLogStart) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1);
  world.Produce(1, topic, 0, MakeBatch(0, 2));
  world.Produce(1, topic, 0, MakeBatch(2, 2));
  message::DeleteRecordsRequest request;
  auto* wanted = request.add_partitions();
  wanted->set_topic_id(topic.ToBytes());
  wanted->set_before_offset(2);
  const auto answer = world.Call<message::DeleteRecordsRequest, message::DeleteRecordsResponse>(
      1, &BrokerNode::DeleteRecords, request);
  EXPECT_EQ(answer.partitions(0).error_code(), 0);
  EXPECT_EQ(answer.partitions(0).log_start_offset(), 2);
  EXPECT_EQ(world.FetchOne(1, topic, 0, 0).partitions.at(0).error, ErrorCode::kOffsetOutOfRange);
  EXPECT_EQ(ValuesIn(world.FetchOne(1, topic, 0, 2).partitions.at(0).batches),
            (std::vector<std::string>{"v2", "v3"}));
}

TEST(Describe, ShowsOffsetsAndTheTimeOfTheLastAcknowledgement) {
  FakeWorld world(1, 2);
  const TopicId topic = world.CreateTopic("payments", 3);
  world.Produce(1, topic, 1, MakeBatch(0, 2));
  const auto all =
      world.Call<message::DescribePartitionsRequest, message::DescribePartitionsResponse>(
          1, &BrokerNode::DescribePartitions, {});
  ASSERT_EQ(all.partitions_size(), 3);
  for (const auto& partition : all.partitions()) {
    EXPECT_TRUE(partition.is_leader());
    EXPECT_EQ(partition.high_watermark(), partition.partition() == 1 ? 2 : 0);
    EXPECT_EQ(partition.last_ack_micros() > 0, partition.partition() == 1);
  }
  message::DescribePartitionsRequest other;
  other.add_topic_ids(Uuid(5, 5).ToBytes());
  EXPECT_EQ((world
                 .Call<message::DescribePartitionsRequest, message::DescribePartitionsResponse>(
                     1, &BrokerNode::DescribePartitions, other)
                 .partitions_size()),
            0);
}

message::DescribePartitionsResponse DescribeAll(FakeWorld& world, int32_t producers_max,
                                                bool with_load) {
  message::DescribePartitionsRequest request;
  request.set_producers_max(producers_max);
  request.set_with_load(with_load);
  return world.Call<message::DescribePartitionsRequest, message::DescribePartitionsResponse>(
      1, &BrokerNode::DescribePartitions, request);
}

TEST(Describe, NamesTheProducersWithTheNewestBatches) {
  FakeWorld world(1, 1);
  const TopicId topic = world.CreateTopic("payments", 2);
  const auto produce = [&](int partition, int64_t producer, int32_t sequence, int64_t time) {
    world.Produce(1, topic, partition, MakeBatch(0, 2, producer, 3, sequence, time));
  };
  produce(0, 7, 0, 1000);
  produce(0, 7, 2, 4000);
  produce(0, 8, 0, 2000);
  produce(1, 9, 0, 3000);
  const auto plain = DescribeAll(world, 0, false);
  EXPECT_EQ(plain.partitions(0).producers_size() + plain.partitions(0).producers_known(), 0);
  const auto all = DescribeAll(world, 100, false);
  ASSERT_EQ(all.partitions_size(), 2);
  ASSERT_EQ(all.partitions(0).producers_size(), 2);
  EXPECT_EQ(all.partitions(0).producers_known(), 2);
  EXPECT_EQ(all.partitions(1).producers_size(), 1);
  const auto& newest = all.partitions(0).producers(1);
  EXPECT_EQ(newest.producer_id(), 7);
  EXPECT_EQ(newest.producer_epoch(), 3);
  EXPECT_EQ(newest.last_sequence(), 3);
  EXPECT_EQ(newest.last_offset(), 3);
  EXPECT_EQ(newest.last_timestamp(), 4001) << "the batch's largest";
  const auto two = DescribeAll(world, 2, false);
  ASSERT_EQ(two.partitions(0).producers_size(), 1);
  EXPECT_EQ(two.partitions(0).producers(0).producer_id(), 7);
  EXPECT_EQ(two.partitions(0).producers_known(), 2);
  EXPECT_EQ(two.partitions(1).producers_size(), 1);
}

TEST(Describe, TellsWhatTheBrokerHasCounted) {
  FakeWorld world(1, 2);
  const TopicId topic = world.CreateTopic("payments", 2);
  world.Produce(1, topic, 0, MakeBatch(0, 2));
  world.Produce(1, topic, 1, MakeBatch(0, 3));
  EXPECT_EQ(DescribeAll(world, 0, false).topics_size(), 0);
  const auto told = DescribeAll(world, 0, true);
  uint64_t records = 0;
  uint64_t bytes = 0;
  for (const auto& load : told.topics()) {
    EXPECT_EQ(load.topic_id(), topic.ToBytes());
    records += load.produced_records();
    bytes += load.produced_bytes();
  }
  EXPECT_EQ(records, 5U);
  EXPECT_GT(bytes, 2U * 61) << "two batches";
  uint64_t batches = 0;
  for (const auto& times : told.produce_times()) {
    ASSERT_EQ(times.counts_size(), times.bounds_nanos_size() + 1);
    for (const uint64_t count : times.counts()) batches += count;
  }
  EXPECT_EQ(batches, 2U);
}

TEST(Retention, DropsWholeBatchesBeyondTheSizeLimit) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1, 1, {{"retention.bytes", "2500"}});
  for (int i = 0; i < 5; ++i) {
    world.Produce(1, topic, 0, MakeBatch(i, 1, -1, 0, 0, 1000, 1000));
  }
  world.RunFor(std::chrono::minutes(6));
  EXPECT_EQ(ListOffset(world, topic, 0, -2).offset(), 3);
  EXPECT_EQ(ListOffset(world, topic, 0, -1).offset(), 5);
}

TEST(Retention, AGrowingLogDoesNotWaitForTheRound) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1, 1, {{"retention.bytes", "3000000"}});
  const TopicId kept = world.CreateTopic("kept", 1);
  for (int i = 0; i < 12; ++i) {
    world.Produce(1, topic, 0, MakeBatch(i, 1, -1, 0, 0, 1000, 300'000));
    world.Produce(1, kept, 0, MakeBatch(i, 1, -1, 0, 0, 1000, 300'000));
  }
  world.RunFor(std::chrono::seconds(1));
  EXPECT_EQ(ListOffset(world, topic, 0, -2).offset(), 3);
  EXPECT_EQ(ListOffset(world, kept, 0, -2).offset(), 0);
}

TEST(Retention, DropsWhatIsOlderThanTheTimeLimit) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1, 1, {{"retention.ms", "60000"}});
  world.Produce(1, topic, 0, MakeBatch(0, 2, -1, 0, 0, 1000));
  world.Produce(1, topic, 0, MakeBatch(2, 1, -1, 0, 0, 1700009000000));
  world.RunFor(std::chrono::minutes(6));
  EXPECT_EQ(ListOffset(world, topic, 0, -2).offset(), 2);
}

TEST(Retention, RecordsWithoutATimeStayUntilALaterOneIsOldEnough) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1, 1, {{"retention.ms", "60000"}});
  world.Produce(1, topic, 0, MakeBatch(0, 1, -1, 0, 0, -1));
  world.Produce(1, topic, 0, MakeBatch(1, 1, -1, 0, 0, -1));
  world.RunFor(std::chrono::minutes(6));
  EXPECT_EQ(ListOffset(world, topic, 0, -2).offset(), 0);
  world.Produce(1, topic, 0, MakeBatch(2, 1, -1, 0, 0, 1000));
  world.Produce(1, topic, 0, MakeBatch(3, 1, -1, 0, 0, -1));
  world.RunFor(std::chrono::minutes(6));
  // The last has no time either, so nobody knows whether what lies before it may go.
  EXPECT_EQ(ListOffset(world, topic, 0, -2).offset(), 0);
  world.Produce(1, topic, 0, MakeBatch(4, 1, -1, 0, 0, 1000));
  world.RunFor(std::chrono::minutes(6));
  EXPECT_EQ(ListOffset(world, topic, 0, -2).offset(), 5);
}

TEST(Retention, KeepsEverythingByDefault) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1);
  world.Produce(1, topic, 0, MakeBatch(0, 2, -1, 0, 0, 1000));
  world.RunFor(std::chrono::minutes(6));
  EXPECT_EQ(ListOffset(world, topic, 0, -2).offset(), 0);
}

TEST(TopicDeletion, DropsTheLog) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 2);
  world.Produce(1, topic, 0, MakeBatch(0, 2));
  EXPECT_EQ(world.machine(1).store.Logs().size(), 2U);
  message::AdminRequest remove;
  remove.mutable_delete_topic()->set_name("payments");
  world.controller.Commit(world.controller.core().Admin(remove).batch);
  world.RunUntil([&] { return world.machine(1).store.Logs().empty(); });
  EXPECT_TRUE(world.node(1).inspector().partitions().empty());
}

TEST(TopicDeletion, WhileTheBrokerWasDownIsFoundAtTheNextStart) {
  FakeWorld world;
  world.CreateTopic("payments", 1);
  world.machine(1).Crash();
  message::AdminRequest remove;
  remove.mutable_delete_topic()->set_name("payments");
  world.controller.Commit(world.controller.core().Admin(remove).batch);
  world.machine(1).Boot();
  world.RunUntil([&] { return world.machine(1).store.Logs().empty(); });
}

TEST(TopicDeletion, ALogThatNoImageKnowsYetIsKept) {
  FakeWorld world;
  const PartitionUid unknown(world.controller.image().next_partition_uid().value() + 5);
  world.machine(1).Crash();
  ASSERT_TRUE(world.machine(1).store.CreateLog(unknown).ok());
  world.machine(1).Boot();
  world.RunFor(std::chrono::seconds(5));
  EXPECT_EQ(world.machine(1).store.Logs().size(), 1U);
}

}  // namespace
}  // namespace quipu
