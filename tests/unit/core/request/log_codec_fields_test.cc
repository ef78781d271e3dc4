// Goal: every field of the hand-written codec has the number that stream.proto gives it.
// Method: each field gets a value of its own and is looked up in the generated class.
#include <string>

#include "core/record/record_batch_builder.h"
#include "core/request/log_codec.h"
#include "gtest/gtest.h"
#include "proto/message/stream.pb.h"

namespace quipu {
namespace {

Bytes MakeBatch() {
  RecordBatchBuilder builder({});
  builder.Add({.timestamp = TimestampMs(1000), .key = "key", .value = "value"});
  return builder.Build();
}

TEST(LogCodecFieldsTest, ReplicaFieldsLandInTheirPlaces) {
  ReplicaToLeader message;
  message.has_open = true;
  message.open = {.cluster_id = ClusterId(3, 4),
                  .broker_id = BrokerId(5),
                  .broker_epoch = BrokerEpoch(6),
                  .leader_id = BrokerId(7)};
  message.updates = {{.uid = PartitionUid(8),
                      .leader_epoch = LeaderEpoch(9),
                      .fetch_offset = Offset(10),
                      .durable_end_offset = Offset(11),
                      .log_start_offset = Offset(12),
                      .last_epoch = LeaderEpoch(13),
                      .restart = true,
                      .producers_unknown = true}};
  message.credit_bytes = 14;
  message::ReplicaToLeader generated;
  ASSERT_TRUE(generated.ParseFromString(Joined(Encode(message))));
  EXPECT_EQ(generated.open().cluster_id(), ClusterId(3, 4).ToBytes());
  EXPECT_EQ(generated.open().broker_id(), 5);
  EXPECT_EQ(generated.open().broker_epoch(), 6);
  EXPECT_EQ(generated.open().leader_id(), 7);
  EXPECT_EQ(generated.updates(0).partition_uid(), 8U);
  EXPECT_EQ(generated.updates(0).leader_epoch(), 9);
  EXPECT_EQ(generated.updates(0).fetch_offset(), 10);
  EXPECT_EQ(generated.updates(0).durable_end_offset(), 11);
  EXPECT_EQ(generated.updates(0).log_start_offset(), 12);
  EXPECT_EQ(generated.updates(0).last_epoch(), 13);
  EXPECT_TRUE(generated.updates(0).restart());
  EXPECT_TRUE(generated.updates(0).producers_unknown());
  EXPECT_EQ(generated.credit_bytes(), 14);
}

TEST(LogCodecFieldsTest, FetchResultsLandInTheirPlaces) {
  const Bytes batch = MakeBatch();
  FetchResponse message;
  message.request_id = 1;
  message.error = ErrorCode::kDiskFull;
  message.partitions = {{.topic_id = TopicId(1, 2),
                         .partition = PartitionIndex(2),
                         .error = ErrorCode::kOffsetOutOfRange,
                         .high_watermark = Offset(4),
                         .last_stable_offset = Offset(5),
                         .log_start_offset = Offset(6),
                         .batches = {batch, batch},
                         .leader_id = BrokerId(8),
                         .leader_epoch = LeaderEpoch(9),
                         .diverging_epoch = LeaderEpoch(10),
                         .diverging_end_offset = Offset(11),
                         .error_message = "e",
                         .refused_end_offset = Offset(13)}};
  message::FetchResponse generated;
  ASSERT_TRUE(generated.ParseFromString(Joined(Encode(message))));
  EXPECT_EQ(generated.error_code(), 1000);
  const auto& partition = generated.partitions(0);
  EXPECT_EQ(partition.error_code(), 1);
  EXPECT_EQ(partition.high_watermark(), 4);
  EXPECT_EQ(partition.last_stable_offset(), 5);
  EXPECT_EQ(partition.log_start_offset(), 6);
  EXPECT_EQ(partition.records(), batch.ToString() + batch.ToString());
  EXPECT_EQ(partition.leader_id(), 8);
  EXPECT_EQ(partition.leader_epoch(), 9);
  EXPECT_EQ(partition.diverging_epoch(), 10);
  EXPECT_EQ(partition.diverging_end_offset(), 11);
  EXPECT_EQ(partition.error_message(), "e");
  EXPECT_EQ(partition.refused_end_offset(), 13);
}

TEST(LogCodecFieldsTest, PushesLandInTheirPlaces) {
  const Bytes batch = MakeBatch();
  LeaderToReplica message;
  message.error = ErrorCode::kStaleBrokerEpoch;
  message.error_message = "m";
  message.pushes = {{.uid = PartitionUid(1),
                     .leader_epoch = LeaderEpoch(2),
                     .error = ErrorCode::kFencedLeaderEpoch,
                     .high_watermark = Offset(4),
                     .log_start_offset = Offset(5),
                     .batches = {batch},
                     .diverging_epoch = LeaderEpoch(7),
                     .diverging_end_offset = Offset(8),
                     .base_offset = Offset(9),
                     .producers = Bytes(std::string("p")),
                     .producers_whole_at = Offset(10)}};
  message::LeaderToReplica generated;
  ASSERT_TRUE(generated.ParseFromString(Joined(Encode(message))));
  EXPECT_EQ(generated.error_code(), 77);
  EXPECT_EQ(generated.error_message(), "m");
  EXPECT_EQ(generated.pushes(0).partition_uid(), 1U);
  EXPECT_EQ(generated.pushes(0).leader_epoch(), 2);
  EXPECT_EQ(generated.pushes(0).error_code(), 74);
  EXPECT_EQ(generated.pushes(0).high_watermark(), 4);
  EXPECT_EQ(generated.pushes(0).log_start_offset(), 5);
  EXPECT_EQ(generated.pushes(0).records(), batch.ToString());
  EXPECT_EQ(generated.pushes(0).diverging_epoch(), 7);
  EXPECT_EQ(generated.pushes(0).diverging_end_offset(), 8);
  EXPECT_EQ(generated.pushes(0).base_offset(), 9);
  EXPECT_EQ(generated.pushes(0).producers(), "p");
  EXPECT_EQ(generated.pushes(0).producers_whole_at(), 10);
}

TEST(LogCodecFieldsTest, RepairsLandInTheirPlacesAndComeBack) {
  ReplicaToLeader question;
  question.repairs = {{.uid = PartitionUid(1),
                       .leader_epoch = LeaderEpoch(2),
                       .last_offset = Offset(3),
                       .batch_epoch = LeaderEpoch(4)}};
  message::ReplicaToLeader asked;
  ASSERT_TRUE(asked.ParseFromString(Joined(Encode(question))));
  EXPECT_EQ(asked.repairs(0).partition_uid(), 1U);
  EXPECT_EQ(asked.repairs(0).leader_epoch(), 2);
  EXPECT_EQ(asked.repairs(0).last_offset(), 3);
  EXPECT_EQ(asked.repairs(0).batch_epoch(), 4);
  const auto question_back = DecodeReplicaToLeader(Bytes(asked.SerializeAsString()));
  ASSERT_TRUE(question_back.ok());
  EXPECT_EQ(question_back->repairs[0].batch_epoch, LeaderEpoch(4));
  EXPECT_EQ(question_back->repairs[0].last_offset, Offset(3));

  LeaderToReplica answer;
  answer.repairs = {{.uid = PartitionUid(1),
                     .leader_epoch = LeaderEpoch(2),
                     .last_offset = Offset(3),
                     .error = ErrorCode::kCorruptMessage,
                     .records = MakeBatch()}};
  message::LeaderToReplica answered;
  ASSERT_TRUE(answered.ParseFromString(Joined(Encode(answer))));
  EXPECT_EQ(answered.repairs(0).partition_uid(), 1U);
  EXPECT_EQ(answered.repairs(0).leader_epoch(), 2);
  EXPECT_EQ(answered.repairs(0).last_offset(), 3);
  EXPECT_EQ(answered.repairs(0).error_code(), 2);
  EXPECT_EQ(answered.repairs(0).records(), MakeBatch().ToString());
  // What a peer sends is judged by the one who asked: broken bytes do not break the stream.
  answered.mutable_repairs(0)->set_records("no batch");
  const auto answer_back = DecodeLeaderToReplica(Bytes(answered.SerializeAsString()));
  ASSERT_TRUE(answer_back.ok());
  EXPECT_EQ(answer_back->repairs[0].records.ToString(), "no batch");
  EXPECT_EQ(answer_back->repairs[0].error, ErrorCode::kCorruptMessage);
}

TEST(LogCodecFieldsTest, ProduceFieldsLandInTheirPlaces) {
  ProduceRequest request{.request_id = 1,
                         .acks = 2,
                         .timeout_ms = 3,
                         .client_id = "c",
                         .partitions = {{.topic_id = TopicId(1, 2),
                                         .partition = PartitionIndex(5),
                                         .leader_epoch = LeaderEpoch(6),
                                         .records = Bytes(std::string("r"))}}};
  message::ProduceRequest generated;
  ASSERT_TRUE(generated.ParseFromString(Joined(Encode(request))));
  EXPECT_EQ(generated.request_id(), 1U);
  EXPECT_EQ(generated.acks(), 2);
  EXPECT_EQ(generated.timeout_ms(), 3);
  EXPECT_EQ(generated.client_id(), "c");
  EXPECT_EQ(generated.partitions(0).topic_id(), TopicId(1, 2).ToBytes());
  EXPECT_EQ(generated.partitions(0).partition(), 5);
  EXPECT_EQ(generated.partitions(0).leader_epoch(), 6);
  EXPECT_EQ(generated.partitions(0).records(), "r");

  ProduceResponse response{.request_id = 1,
                           .partitions = {{.topic_id = TopicId(1, 2),
                                           .partition = PartitionIndex(2),
                                           .error = ErrorCode::kCorruptMessage,
                                           .base_offset = Offset(4),
                                           .log_append_time = TimestampMs(5),
                                           .log_start_offset = Offset(6),
                                           .leader_id = BrokerId(7),
                                           .leader_epoch = LeaderEpoch(8),
                                           .error_message = "m"}}};
  message::ProduceResponse answer;
  ASSERT_TRUE(answer.ParseFromString(Joined(Encode(response))));
  EXPECT_EQ(answer.request_id(), 1U);
  EXPECT_EQ(answer.partitions(0).partition(), 2);
  EXPECT_EQ(answer.partitions(0).error_code(), 2);
  EXPECT_EQ(answer.partitions(0).base_offset(), 4);
  EXPECT_EQ(answer.partitions(0).log_append_time(), 5);
  EXPECT_EQ(answer.partitions(0).log_start_offset(), 6);
  EXPECT_EQ(answer.partitions(0).leader_id(), 7);
  EXPECT_EQ(answer.partitions(0).leader_epoch(), 8);
  EXPECT_EQ(answer.partitions(0).error_message(), "m");
}

TEST(LogCodecFieldsTest, FetchRequestFieldsLandInTheirPlaces) {
  FetchRequest request{.request_id = 1,
                       .max_wait_ms = 2,
                       .min_bytes = 3,
                       .max_bytes = 4,
                       .client_id = "c",
                       .partitions = {{.topic_id = TopicId(1, 2),
                                       .partition = PartitionIndex(2),
                                       .fetch_offset = Offset(3),
                                       .leader_epoch = LeaderEpoch(4),
                                       .max_bytes = 5,
                                       .last_fetched_epoch = LeaderEpoch(6)}}};
  message::FetchRequest generated;
  ASSERT_TRUE(generated.ParseFromString(Joined(Encode(request))));
  EXPECT_EQ(generated.request_id(), 1U);
  EXPECT_EQ(generated.max_wait_ms(), 2);
  EXPECT_EQ(generated.min_bytes(), 3);
  EXPECT_EQ(generated.max_bytes(), 4);
  EXPECT_EQ(generated.client_id(), "c");
  EXPECT_EQ(generated.partitions(0).partition(), 2);
  EXPECT_EQ(generated.partitions(0).fetch_offset(), 3);
  EXPECT_EQ(generated.partitions(0).leader_epoch(), 4);
  EXPECT_EQ(generated.partitions(0).max_bytes(), 5);
  EXPECT_EQ(generated.partitions(0).last_fetched_epoch(), 6);
}

}  // namespace
}  // namespace quipu
