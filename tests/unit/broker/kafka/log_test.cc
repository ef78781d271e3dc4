// Goal: what clients rely on when they write and read: each refusal under the code that makes them
// do the right thing, leaders that are told, limits that still let the first batch through.
#include "core/kafka/admin/metadata.h"
#include "core/kafka/group/find_coordinator.h"
#include "core/kafka/log/init_producer_id.h"
#include "core/kafka/log/offset_for_leader_epoch.h"
#include "core/replication/producer_table.h"
#include "gmock/gmock.h"
#include "tests/unit/broker/kafka/log_fixture.h"

namespace quipu::kafka {
namespace {

using ::testing::ElementsAre;
using testing::MakeBatch;

// Where fields of a batch lie.
constexpr size_t kMagicAt = 16;
constexpr size_t kAttributesAt = 21;
constexpr size_t kMaxTimestampAt = 35;

TEST_F(KafkaLogTest, EveryRefusalOfAWriteHasItsCode) {
  EXPECT_EQ(WriteError(MakeBatch(0, 1, -1, 0, 0, 1000, 2000000)), ErrorCode::kMessageTooLarge);
  EXPECT_EQ(WriteError(Bytes()), ErrorCode::kInvalidRecord);
  std::string damaged(MakeBatch(0, 1).view());
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  EXPECT_EQ(WriteError(Bytes(damaged)), ErrorCode::kCorruptMessage);
  const Bytes batch = MakeBatch(0, 1);
  for (const char magic : {'\0', '\1'}) {
    EXPECT_EQ(WriteError(Rewritten(batch, kMagicAt, {magic})),
              ErrorCode::kUnsupportedForMessageFormat);
  }
  for (const char codec : {'\5', '\6', '\7'}) {
    EXPECT_EQ(WriteError(Rewritten(batch, kAttributesAt, {'\0', codec})),
              ErrorCode::kUnsupportedCompressionType);
  }
  // Times of the log's, a transaction's batch, a marker, and what nobody has defined.
  for (const char attributes : {'\x08', '\x10', '\x20', '\x40'}) {
    EXPECT_EQ(WriteError(Rewritten(batch, kAttributesAt, {'\0', attributes})),
              ErrorCode::kInvalidRecord);
  }
  std::string two(batch.view());
  EXPECT_EQ(WriteError(Bytes(two + two)), ErrorCode::kInvalidRecord);
  EXPECT_EQ(Write(Writes(batch, "z")).error_code, ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(Write(Writes(batch, "bad name")).error_code, ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(Write(Writes(batch, "a", -1, 7)).error_code, ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(Write(Writes(batch, "a", 2)).error_code, ErrorCode::kInvalidRequiredAcks);
  ProduceRequest transactional = Writes(batch);
  transactional.transactional_id = "t";
  EXPECT_EQ(Write(transactional).error_code, ErrorCode::kUnsupportedVersion);
  EXPECT_EQ(Read(Reads(0)).high_watermark, Offset(0));  // none of them is there
}

TEST_F(KafkaLogTest, TheClustersOwnTopicIsNotWrittenTo) {
  FindCoordinatorRequest find{.key = "g"};
  for (int i = 0; i < 200; ++i) {  // two brokers wait a while for a third
    kafka_.Ask<FindCoordinatorResponse>(HandleFindCoordinator, find, 3);
    kafka_.world.RunFor(std::chrono::milliseconds(100));
  }
  EXPECT_EQ(Write(Writes(MakeBatch(0, 1), "__consumer_offsets")).error_code,
            ErrorCode::kInvalidTopic);
}

TEST_F(KafkaLogTest, AFullDiskIsToldAsAStorageError) {
  const int64_t free = kafka_.world.machine(leader_).free_bytes;
  kafka_.world.machine(leader_).free_bytes = 0;
  kafka_.world.RunFor(std::chrono::seconds(5));
  EXPECT_EQ(WriteError(MakeBatch(0, 1)), ErrorCode::kStorageError);
  kafka_.world.machine(leader_).free_bytes = free;
  kafka_.world.RunFor(std::chrono::seconds(5));
  EXPECT_EQ(WriteError(MakeBatch(0, 1)), ErrorCode::kNone);
}

TEST_F(KafkaLogTest, TooFewReplicasRefuseWhateverTheAcks) {
  const TopicId b = kafka_.world.CreateTopic("b", 1, 2, {{"min.insync.replicas", "2"}});
  leader_ = kafka_.world.Partition(b, 0).leader.value();
  for (const int16_t acks : {int16_t{1}, int16_t{-1}}) {
    EXPECT_EQ(Write(Writes(MakeBatch(0, 1), "b", acks)).error_code, ErrorCode::kNone);
  }
  kafka_.world.machine(3 - leader_).Crash();
  kafka_.world.RunUntil([&] { return kafka_.world.Partition(b, 0).isr.size() == 1; });
  kafka_.world.RunFor(std::chrono::seconds(1));
  for (const int16_t acks : {int16_t{1}, int16_t{-1}}) {
    const auto refused = Write(Writes(MakeBatch(0, 1), "b", acks));
    EXPECT_EQ(refused.error_code, ErrorCode::kNotEnoughReplicas);
    EXPECT_EQ(refused.base_offset, kNoOffset);
  }
}

TEST_F(KafkaLogTest, TheLeadersWordIsEnoughWhereOneReplicaIs) {
  const auto written = Write(Writes(MakeBatch(0, 2), "a", 1));
  EXPECT_EQ(written.error_code, ErrorCode::kNone);
  EXPECT_EQ(written.base_offset, Offset(0));
  EXPECT_EQ(Read(Reads(0)).high_watermark, Offset(2));
}

TEST_F(KafkaLogTest, SequencesOfAnIdempotentProducer) {
  const auto write = [this](int16_t epoch, int32_t sequence) {
    return Write(Writes(MakeBatch(sequence, 2, 1000, epoch, sequence)));
  };
  EXPECT_EQ(write(0, 4).error_code, ErrorCode::kUnknownProducerId);
  EXPECT_EQ(write(0, 0).base_offset, Offset(0));
  EXPECT_EQ(write(0, 2).base_offset, Offset(2));
  const auto again = write(0, 0);
  EXPECT_EQ(again.error_code, ErrorCode::kNone);
  EXPECT_EQ(again.base_offset, Offset(0));
  EXPECT_EQ(write(0, 6).error_code, ErrorCode::kOutOfOrderSequence);
  EXPECT_EQ(write(1, 0).base_offset, Offset(4));
  EXPECT_EQ(write(0, 4).error_code, ErrorCode::kInvalidProducerEpoch);
  EXPECT_EQ(Read(Reads(0)).high_watermark, Offset(6));
}

// Clients may have five batches open; of those, and some more, it is known where they lie.
TEST_F(KafkaLogTest, ADuplicateOfLongAgoIsCalledOne) {
  const auto write = [this](int32_t sequence) {
    return Write(Writes(MakeBatch(sequence, 1, 1000, 0, sequence)));
  };
  constexpr auto kBatches = static_cast<int32_t>(kProducerBatchesMax) + 1;
  for (int32_t i = 0; i < kBatches; ++i) EXPECT_EQ(write(i).base_offset, Offset(i));
  for (int32_t i = 1; i < kBatches; ++i) {
    const auto again = write(i);
    EXPECT_EQ(again.error_code, ErrorCode::kNone);
    EXPECT_EQ(again.base_offset, Offset(i));
  }
  EXPECT_EQ(write(0).error_code, ErrorCode::kDuplicateSequence);
  EXPECT_EQ(Read(Reads(0)).high_watermark, Offset(kBatches));
}

TEST_F(KafkaLogTest, ALargestTimeThatWasLeftUnsetIsFilledIn) {
  const Bytes unset = Rewritten(MakeBatch(0, 3, -1, 0, 0, 500), kMaxTimestampAt,
                                std::string(8, static_cast<char>(0xff)));
  EXPECT_EQ(Write(Writes(unset)).error_code, ErrorCode::kNone);
  EXPECT_EQ(OnlyBatch(Read(Reads(0))).max_timestamp(), TimestampMs(502));
}

TEST_F(KafkaLogTest, WhoLeadsIsTold) {
  const int other = 3 - leader_;
  const auto written =
      kafka_.Ask<ProduceResponse>(HandleProduce, Writes(MakeBatch(0, 1)), 10, other);
  const auto& refused = written.responses.at(0).partition_responses.at(0);
  EXPECT_EQ(refused.error_code, ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(refused.current_leader.leader_id, BrokerId(leader_));
  ASSERT_EQ(written.node_endpoints.size(), 1U);
  EXPECT_EQ(written.node_endpoints[0].port, 9190 + leader_);
  FetchRequest request = Reads(0);
  request.topics[0].topic_id = a_;  // all that version 16 has
  const auto read = kafka_.Ask<FetchResponse>(HandleFetch, request, 16, other);
  EXPECT_EQ(read.responses.at(0).partitions.at(0).error_code, ErrorCode::kNotLeaderOrFollower);
  ASSERT_EQ(read.node_endpoints.size(), 1U);
  EXPECT_EQ(read.node_endpoints[0].node_id, BrokerId(leader_));
}

TEST_F(KafkaLogTest, WithoutAcknowledgementAnErrorEndsTheConnection) {
  auto good = kafka_.Send(HandleProduce, Writes(MakeBatch(0, 1), "a", 0), 9, leader_);
  kafka_.world.RunUntil([&] { return good->answer.has_value(); });
  EXPECT_EQ(*good->answer, "");
  EXPECT_FALSE(good->ended);
  auto bad = kafka_.Send(HandleProduce, Writes(MakeBatch(0, 1), "z", 0), 9, leader_);
  kafka_.world.RunUntil([&] { return bad->answer.has_value(); });
  EXPECT_EQ(*bad->answer, "");
  EXPECT_TRUE(bad->ended);
  EXPECT_EQ(kafka_.refusals.counts().at({"Kafka/Produce", ErrorCode::kUnknownTopicOrPartition}),
            1U);
}

TEST_F(KafkaLogTest, ReadsHaveTheirBoundsAndTheFirstBatchAlways) {
  const Bytes batch = MakeBatch(0, 2, -1, 0, 0, 1000, 400);
  for (int i = 0; i < 3; ++i) Write(Writes(batch));
  const auto batches = [&](const FetchRequest& request) {
    return SizeOf(Read(request).records.slices) / batch.size();
  };
  EXPECT_EQ(batches(Reads(0)), 3U);
  EXPECT_EQ(batches(Reads(0, 1)), 1U);
  EXPECT_EQ(batches(Reads(3, 1)), 1U);  // the batch that has it
  FetchRequest small = Reads(0);
  small.max_bytes = 1;
  EXPECT_EQ(batches(small), 1U);
  const auto end = Read(Reads(6));
  EXPECT_EQ(end.error_code, ErrorCode::kNone);
  EXPECT_TRUE(end.records.slices.empty());
  EXPECT_EQ(end.high_watermark, Offset(6));
  EXPECT_EQ(end.last_stable_offset, Offset(6));
  EXPECT_EQ(end.log_start_offset, Offset(0));
  EXPECT_EQ(Read(Reads(7)).error_code, ErrorCode::kOffsetOutOfRange);
}

TEST_F(KafkaLogTest, ALongPollEndsWithTheFirstRecord) {
  FetchRequest request = Reads(0);
  request.max_wait_ms = 5000;
  request.min_bytes = 1;
  const auto waiting = kafka_.Send(HandleFetch, request, 12, leader_);
  kafka_.world.RunFor(std::chrono::seconds(1));
  EXPECT_FALSE(waiting->answer.has_value());
  Write(Writes(MakeBatch(0, 1)));
  kafka_.world.RunFor(std::chrono::milliseconds(100));
  EXPECT_TRUE(waiting->answer.has_value());
}

TEST_F(KafkaLogTest, APartitionThatIsNamedAgainIsReadOnceAsTheLastOneSays) {
  Write(Writes(MakeBatch(0, 1)));
  FetchRequest request = Reads(0);
  request.topics.push_back(Reads(1).topics[0]);
  request.topics[0].partitions.push_back({.partition = PartitionIndex(7)});
  const auto response = kafka_.Ask<FetchResponse>(HandleFetch, request, 12, leader_);
  ASSERT_EQ(response.responses.size(), 1U);
  ASSERT_EQ(response.responses[0].partitions.size(), 2U);
  EXPECT_TRUE(response.responses[0].partitions[0].records.slices.empty());
  EXPECT_EQ(response.responses[0].partitions[0].error_code, ErrorCode::kNone);
  EXPECT_EQ(response.responses[0].partitions[1].error_code, ErrorCode::kUnknownTopicOrPartition);
}

// Each of the repeats cost a sum over all of them at each write.
TEST_F(KafkaLogTest, WritesGoOnBesideALongPollThatNamesTheirPartitionAHundredThousandTimes) {
  FetchRequest request = Reads(0);
  request.max_wait_ms = 600000;
  request.min_bytes = INT32_MAX;
  request.topics[0].partitions.resize(100000, request.topics[0].partitions[0]);
  const auto waiting = kafka_.Send(HandleFetch, request, 12, leader_);
  kafka_.world.RunFor(std::chrono::milliseconds(10));
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(Write(Writes(MakeBatch(i, 1))).base_offset, Offset(i));
  }
  EXPECT_FALSE(waiting->answer.has_value());
  for (int i = 0; i < 3; ++i) Write(Writes(MakeBatch(0, 1, -1, 0, 0, 1000, 500000)));
  kafka_.world.RunFor(std::chrono::milliseconds(100));
  ASSERT_TRUE(waiting->answer.has_value());  // as full as it gets
}

TEST_F(KafkaLogTest, AFetchWithoutRoomIsRefusedAsAWhole) {
  kafka_.world.machine(leader_).Crash();
  kafka_.world.machine(leader_).config.fetch_partitions_max = 1;
  kafka_.world.RunUntil([&] { return kafka_.world.Partition(a_, 0).leader == kNoBroker; });
  kafka_.world.machine(leader_).Boot();
  kafka_.world.RunUntil([&] { return kafka_.world.Partition(a_, 0).leader != kNoBroker; });
  kafka_.world.RunFor(std::chrono::seconds(2));
  FetchRequest request = Reads(0);
  request.max_wait_ms = 5000;
  request.min_bytes = 1;
  const auto waiting = kafka_.Send(HandleFetch, request, 12, leader_);
  const auto refused = kafka_.Ask<FetchResponse>(HandleFetch, request, 12, leader_);
  EXPECT_EQ(refused.error_code, ErrorCode::kRequestTimedOut);  // clients repeat it
  EXPECT_TRUE(refused.responses.empty());
  EXPECT_EQ(Read(request, 6).error_code, ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(kafka_.refusals.counts().at({"Kafka/Fetch", ErrorCode::kLimitReached}), 1U);
}

TEST_F(KafkaLogTest, EpochsThatAreNotTheLeadersAreTold) {
  const LeaderEpoch now = kafka_.world.Partition(a_, 0).leader_epoch;
  FetchRequest request = Reads(0);
  request.topics[0].partitions[0].current_leader_epoch = LeaderEpoch(now.value() + 1);
  EXPECT_EQ(Read(request).error_code, ErrorCode::kUnknownLeaderEpoch);
  kafka_.world.machine(leader_).Crash();
  kafka_.world.RunUntil([&] { return kafka_.world.Partition(a_, 0).leader == kNoBroker; });
  kafka_.world.machine(leader_).Boot();
  kafka_.world.RunUntil([&] { return kafka_.world.Partition(a_, 0).leader != kNoBroker; });
  kafka_.world.RunFor(std::chrono::seconds(2));
  request.topics[0].partitions[0].current_leader_epoch = now;
  EXPECT_EQ(Read(request).error_code, ErrorCode::kFencedLeaderEpoch);
  OffsetForLeaderEpochRequest epochs;
  epochs.topics = {
      {.topic = "a",
       .partitions = {
           {.partition = PartitionIndex(0), .current_leader_epoch = now, .leader_epoch = now}}}};
  const auto ends =
      kafka_.Ask<OffsetForLeaderEpochResponse>(HandleOffsetForLeaderEpoch, epochs, 4, leader_);
  EXPECT_EQ(ends.topics.at(0).partitions.at(0).error_code, ErrorCode::kFencedLeaderEpoch);
}

TEST_F(KafkaLogTest, SessionsAndFollowersAreDeclined) {
  FetchRequest request = Reads(0);
  request.session_id = 5;
  EXPECT_EQ(kafka_.Ask<FetchResponse>(HandleFetch, request, 12, leader_).error_code,
            ErrorCode::kFetchSessionIdNotFound);
  request = Reads(0);
  request.session_epoch = 0;  // a client that would like one
  const auto declined = kafka_.Ask<FetchResponse>(HandleFetch, request, 12, leader_);
  EXPECT_EQ(declined.error_code, ErrorCode::kNone);
  EXPECT_EQ(declined.session_id, 0);
  request = Reads(0);
  request.replica_id = BrokerId(2);
  EXPECT_EQ(kafka_.Ask<FetchResponse>(HandleFetch, request, 12, leader_).error_code,
            ErrorCode::kInvalidRequest);
}

TEST_F(KafkaLogTest, IdsAreOfAnIdempotentProducerAlone) {
  InitProducerIdRequest request;
  const auto first = kafka_.Ask<InitProducerIdResponse>(HandleInitProducerId, request, 5);
  EXPECT_EQ(first.error_code, ErrorCode::kNone);
  EXPECT_EQ(first.producer_epoch, ProducerEpoch(0));
  request.producer_id = first.producer_id;
  request.producer_epoch = first.producer_epoch;
  const auto next = kafka_.Ask<InitProducerIdResponse>(HandleInitProducerId, request, 5);
  EXPECT_EQ(next.producer_id, first.producer_id);
  EXPECT_EQ(next.producer_epoch, ProducerEpoch(1));
  request = {};
  request.transactional_id = "t";
  EXPECT_NE(kafka_.Ask<InitProducerIdResponse>(HandleInitProducerId, request, 5).error_code,
            ErrorCode::kNone);
}

TEST_F(KafkaLogTest, MetadataNameTheAddressesOfThisListener) {
  MetadataRequest request;
  request.topics = {{{.name = "a"}, {.name = "z"}, {.name = "bad name"}, {.name = "a"}}};
  auto response = kafka_.Ask<MetadataResponse>(HandleMetadata, request, 12);
  ASSERT_EQ(response.brokers.size(), 2U);
  EXPECT_EQ(response.brokers[1].host, "127.0.0.1");
  EXPECT_EQ(response.brokers[1].port, 9192);
  std::vector<ErrorCode> errors;
  for (const auto& topic : response.topics) errors.push_back(topic.error_code);
  EXPECT_THAT(errors, ElementsAre(ErrorCode::kNone, ErrorCode::kUnknownTopicOrPartition,
                                  ErrorCode::kInvalidTopic));
  request.topics.reset();
  EXPECT_EQ(kafka_.Ask<MetadataResponse>(HandleMetadata, request, 12).topics.size(), 1U);
  request.topics.emplace();
  EXPECT_EQ(kafka_.Ask<MetadataResponse>(HandleMetadata, request, 12).topics.size(), 0U);
  EXPECT_EQ(kafka_.Ask<MetadataResponse>(HandleMetadata, request, 0).topics.size(), 1U);
}

TEST_F(KafkaLogTest, ALeaderThatCannotBeReachedIsNotNamed) {
  const TopicId id = kafka_.world.CreateTopic("led", 1, 1);
  const int leader = kafka_.world.Partition(id, 0).leader.value();
  kafka_.world.machine(leader).Crash();
  kafka_.world.machine(leader).config.kafka_endpoint = {};  // no listener.kafka any more
  kafka_.world.machine(leader).Boot();
  MetadataRequest request;
  request.topics = {{{.name = "led"}}};
  kafka_.world.RunUntil([&] { return kafka_.world.Partition(id, 0).leader == BrokerId(leader); });
  kafka_.world.RunFor(std::chrono::seconds(1));  // the other broker hears of it
  const auto response = kafka_.Ask<MetadataResponse>(HandleMetadata, request, 12, 3 - leader);
  ASSERT_EQ(response.brokers.size(), 1U);
  ASSERT_EQ(response.topics.at(0).partitions.size(), 1U);
  const auto& partition = response.topics[0].partitions[0];
  EXPECT_EQ(partition.leader_id, kNoBroker);
  EXPECT_EQ(partition.error_code, ErrorCode::kLeaderNotAvailable);
}

TEST_F(KafkaLogTest, TopicsAreMadeOnFirstUseOnlyWhereThatIsWanted) {
  MetadataRequest request;
  request.topics = {{{.name = "new"}}};
  kafka_.Ask<MetadataResponse>(HandleMetadata, request, 12);
  EXPECT_EQ(kafka_.world.controller.image().FindTopicByName("new"), nullptr);
  kafka_.auto_create_topics = true;
  request.allow_auto_topic_creation = false;
  kafka_.Ask<MetadataResponse>(HandleMetadata, request, 12);
  EXPECT_EQ(kafka_.world.controller.image().FindTopicByName("new"), nullptr);
  request.allow_auto_topic_creation = true;
  request.topics = {{{.name = "new"},
                     {.name = "__share_group_state"},
                     {.name = "bad name"},
                     {.name = "__heartbeat"}}};
  // Three replicas are the default, and there are two brokers.
  const auto refused = kafka_.Ask<MetadataResponse>(HandleMetadata, request, 12);
  EXPECT_EQ(refused.topics[0].error_code, ErrorCode::kInvalidReplicationFactor);
  EXPECT_EQ(refused.topics[1].error_code, ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(refused.topics[2].error_code, ErrorCode::kInvalidTopic);
  EXPECT_EQ(refused.topics[3].error_code, ErrorCode::kInvalidReplicationFactor);
  message::AdminRequest fewer;
  fewer.mutable_alter_configs()->set_broker_id(-1);
  auto* set = fewer.mutable_alter_configs()->add_set();
  set->set_key("default.replication.factor");
  set->set_value("2");
  kafka_.world.Call<message::AdminRequest, message::AdminResponse>(1, &BrokerNode::Admin, fewer);
  EXPECT_EQ(kafka_.Ask<MetadataResponse>(HandleMetadata, request, 12).topics[0].error_code,
            ErrorCode::kLeaderNotAvailable);
  EXPECT_NE(kafka_.world.controller.image().FindTopicByName("new"), nullptr);
  EXPECT_NE(kafka_.world.controller.image().FindTopicByName("__heartbeat"), nullptr);
}

}  // namespace
}  // namespace quipu::kafka
