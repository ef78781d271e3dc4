// Goal: each time that a client may ask for has its answer, and no record below the log start is
// one.
#include "core/kafka/log/list_offsets.h"

#include "broker/kafka/api_handlers.h"
#include "core/kafka/log/produce.h"
#include "tests/unit/broker/kafka/kafka_world.h"

namespace quipu::kafka {
namespace {

using testing::MakeBatch;

class KafkaListOffsetsTest : public ::testing::Test {
 protected:
  ListOffsetsResponse::Partition At(int64_t time, int16_t version = 10,
                                    const std::string& topic = "a") {
    ListOffsetsRequest request;
    request.topics = {
        {.name = topic, .partitions = {{.partition_index = PartitionIndex(0), .timestamp = time}}}};
    return kafka_.Ask<ListOffsetsResponse>(HandleListOffsets, request, version)
        .topics.at(0)
        .partitions.at(0);
  }
  // Batches of three records each, whose times follow each other from the given one.
  void Write(const std::vector<int64_t>& times) {
    a_ = kafka_.world.CreateTopic("a", 1);
    int next = 0;
    for (const int64_t time : times) {
      kafka_.world.Produce(1, a_, 0, MakeBatch(next, 3, -1, 0, 0, time));
      next += 3;
    }
  }
  void DeleteBelow(int64_t offset) {
    message::DeleteRecordsRequest request;
    auto* partition = request.add_partitions();
    partition->set_topic_id(a_.ToBytes());
    partition->set_partition(0);
    partition->set_before_offset(offset);
    const auto answer =
        kafka_.world.Call<message::DeleteRecordsRequest, message::DeleteRecordsResponse>(
            1, &BrokerNode::DeleteRecords, request);
    ASSERT_EQ(answer.partitions(0).error_code(), 0);
  }

  KafkaWorld kafka_;
  TopicId a_;
};

TEST_F(KafkaListOffsetsTest, EachTimeThatMeansSomethingElse) {
  Write({100, 300, 200});
  EXPECT_EQ(At(-1).offset, Offset(9));
  EXPECT_EQ(At(-2).offset, Offset(0));
  EXPECT_EQ(At(-2).timestamp, kNoTimestamp);
  EXPECT_EQ(At(-3).offset, Offset(5));
  EXPECT_EQ(At(-3).timestamp, TimestampMs(302));
  EXPECT_EQ(At(-4).offset, Offset(0));
  const auto tiered = At(-5);
  EXPECT_EQ(tiered.error_code, ErrorCode::kNone);
  EXPECT_EQ(tiered.offset, kNoOffset);
  EXPECT_EQ(tiered.leader_epoch, kNoLeaderEpoch);
  EXPECT_EQ(At(-6).error_code, ErrorCode::kUnsupportedVersion);
  EXPECT_EQ(At(0, 1).offset, Offset(0));
  EXPECT_EQ(At(150).offset, Offset(3));
  EXPECT_EQ(At(150).timestamp, TimestampMs(300));
  EXPECT_EQ(At(303).offset, kNoOffset);
  EXPECT_EQ(At(-1, 10, "z").error_code, ErrorCode::kUnknownTopicOrPartition);
}

TEST_F(KafkaListOffsetsTest, WhatIsDeletedIsNotFound) {
  Write({100, 300, 200, 250});
  DeleteBelow(1);  // inside the first batch
  EXPECT_EQ(At(50).offset, Offset(1));
  EXPECT_EQ(At(-2).offset, Offset(1));
  DeleteBelow(6);
  EXPECT_EQ(At(50).error_code, ErrorCode::kNone);
  EXPECT_EQ(At(50).offset, Offset(6));
  EXPECT_EQ(At(-3).offset, Offset(11));
  EXPECT_EQ(At(260).offset, kNoOffset);
}

TEST_F(KafkaListOffsetsTest, APartitionThatIsNamedTwiceIsAskedOnce) {
  Write({100});
  ListOffsetsRequest request;
  const ListOffsetsRequest::Partition asked{.partition_index = PartitionIndex(0), .timestamp = -3};
  request.topics = {{.name = "a", .partitions = {asked, asked}}};
  const auto response = kafka_.Ask<ListOffsetsResponse>(HandleListOffsets, request, 10);
  EXPECT_EQ(response.topics[0].partitions[0].offset, Offset(2));
  EXPECT_EQ(response.topics[0].partitions[1].error_code, ErrorCode::kInvalidRequest);
}

// A new leader whose last record no other replica has written yet.
TEST(KafkaListOffsetsOfNewLeadersTest, OldClientsHearWhatTheyKnow) {
  KafkaWorld kafka(3);
  const TopicId a = kafka.world.CreateTopic("a", 1, 3);
  const PartitionImage before = kafka.world.Partition(a, 0);
  const int leader = before.replicas[1].value();
  const int slow = before.replicas[2].value();
  kafka.world.machine(slow).writer->Pause();
  const ProduceRequest request{
      .acks = -1,
      .timeout_ms = 1000,
      .topic_data = {
          {.name = "a",
           .partition_data = {{.index = PartitionIndex(0),
                               .records = {.is_null = false, .slices = {MakeBatch(0, 3)}}}}}}};
  kafka.Send(HandleProduce, request, 9, before.leader.value());
  kafka.world.RunFor(std::chrono::milliseconds(50));
  kafka.world.machine(before.leader.value()).Crash();
  const auto ask = [&](int16_t version) {
    ListOffsetsRequest asked;
    asked.topics = {
        {.name = "a", .partitions = {{.partition_index = PartitionIndex(0), .timestamp = -1}}}};
    return kafka.Ask<ListOffsetsResponse>(HandleListOffsets, asked, version, leader)
        .topics.at(0)
        .partitions.at(0)
        .error_code;
  };
  kafka.world.RunUntil([&] { return ask(5) != ErrorCode::kNotLeaderOrFollower; });
  EXPECT_EQ(ask(5), ErrorCode::kOffsetNotAvailable);
  EXPECT_EQ(ask(4), ErrorCode::kLeaderNotAvailable);
}

TEST_F(KafkaListOffsetsTest, OfAnEmptyLogNothingIsTheNewest) {
  a_ = kafka_.world.CreateTopic("a", 1);
  EXPECT_EQ(At(-3).error_code, ErrorCode::kNone);
  EXPECT_EQ(At(-3).offset, kNoOffset);
}

}  // namespace
}  // namespace quipu::kafka
