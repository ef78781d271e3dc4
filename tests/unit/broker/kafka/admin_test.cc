// Goal: administration over Kafka's protocol does what it says, each part by itself, and says what
// is wrong.
#include "core/kafka/admin/api_versions.h"
#include "core/kafka/admin/create_partitions.h"
#include "core/kafka/admin/create_topics.h"
#include "core/kafka/admin/delete_topics.h"
#include "core/kafka/admin/describe_cluster.h"
#include "core/kafka/admin/describe_log_dirs.h"
#include "core/kafka/admin/describe_topic_partitions.h"
#include "core/kafka/admin/elect_leaders.h"
#include "core/kafka/admin/incremental_alter_configs.h"
#include "core/kafka/log/delete_records.h"
#include "core/kafka/log/describe_producers.h"
#include "gmock/gmock.h"
#include "tests/unit/broker/kafka/kafka_world.h"

namespace quipu::kafka {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::MakeBatch;

// Of `bytes` together; each value is as long as Kafka's strings may be.
std::vector<CreateTopicsRequest::Config> LongConfigs(size_t bytes) {
  return {bytes / 32767, {.name = "retention.ms", .value = std::string(32767, '1')}};
}

TEST(KafkaCreateTopicsTest, EachTopicIsMadeOrRefusedByItself) {
  KafkaWorld kafka(3);
  CreateTopicsRequest request;
  request.topics = {
      {.name = "a",
       .num_partitions = 2,
       .replication_factor = 3,
       .configs = {{.name = "retention.ms", .value = "5"}}},
      {.name = "twice", .num_partitions = 1, .replication_factor = 1},
      {.name = "bad name", .num_partitions = 1, .replication_factor = 1},
      {.name = "twice", .num_partitions = 1, .replication_factor = 1},
      {.name = "four", .num_partitions = 1, .replication_factor = 4},
      {.name = "null",
       .num_partitions = 1,
       .replication_factor = 1,
       .configs = {{.name = "retention.ms", .value = std::nullopt}}},
      {.name = "placed",
       .num_partitions = -1,
       .replication_factor = -1,
       .assignments = {{.partition_index = PartitionIndex(1), .broker_ids = {BrokerId(1)}},
                       {.partition_index = PartitionIndex(0), .broker_ids = {BrokerId(3)}}}},
      {.name = "gap",
       .num_partitions = -1,
       .replication_factor = -1,
       .assignments = {{.partition_index = PartitionIndex(1), .broker_ids = {BrokerId(1)}}}},
      {.name = "none",
       .num_partitions = -1,
       .replication_factor = -1,
       .assignments = {{.partition_index = PartitionIndex(0)}}},
      {.name = "both",
       .num_partitions = 1,
       .replication_factor = -1,
       .assignments = {{.partition_index = PartitionIndex(0), .broker_ids = {BrokerId(1)}}}},
  };
  const auto response = kafka.Ask<CreateTopicsResponse>(HandleCreateTopics, request, 7);
  EXPECT_THAT(Errors(response.topics),
              ElementsAre(ErrorCode::kNone, ErrorCode::kInvalidRequest, ErrorCode::kInvalidTopic,
                          ErrorCode::kInvalidReplicationFactor, ErrorCode::kInvalidConfig,
                          ErrorCode::kNone, ErrorCode::kInvalidReplicaAssignment,
                          ErrorCode::kInvalidReplicaAssignment, ErrorCode::kInvalidRequest));
  const auto& made = response.topics[0];
  const TopicImage* topic = kafka.world.controller.image().FindTopicByName("a");
  ASSERT_NE(topic, nullptr);
  EXPECT_EQ(made.topic_id, topic->id);
  EXPECT_EQ(made.num_partitions, 2);
  EXPECT_EQ(made.replication_factor, 3);
  std::map<std::string, std::pair<std::string, int>> told;
  for (const auto& config : *made.configs) {
    told[config.name] = {config.value.value_or(""), config.config_source};
  }
  EXPECT_EQ(told["retention.ms"], std::pair(std::string("5"), 1));
  EXPECT_EQ(told["retention.bytes"], std::pair(std::string("-1"), 5));
  EXPECT_EQ(told["min.insync.replicas"].first, "2");
  EXPECT_EQ(kafka.world.controller.image().topics().size(), 2U);
  const TopicImage* placed = kafka.world.controller.image().FindTopicByName("placed");
  EXPECT_EQ(kafka.world.Partition(placed->id, 0).leader, BrokerId(3));
  EXPECT_EQ(kafka.refusals.counts().at({"Kafka/CreateTopics", ErrorCode::kInvalidRequest}), 2U);
}

TEST(KafkaCreateTopicsTest, ACheckMakesNothing) {
  KafkaWorld kafka;
  CreateTopicsRequest request;
  request.topics = {{.name = "a", .num_partitions = -1, .replication_factor = 1}};
  request.validate_only = true;
  const auto response = kafka.Ask<CreateTopicsResponse>(HandleCreateTopics, request, 7);
  EXPECT_EQ(response.topics[0].error_code, ErrorCode::kNone);
  EXPECT_EQ(response.topics[0].num_partitions, 6);
  EXPECT_TRUE(response.topics[0].topic_id.IsZero());
  EXPECT_TRUE(kafka.world.controller.image().topics().empty());
}

TEST(KafkaCreateTopicsTest, ManyAreMadeAlthoughFewAreAskedForAtATime) {
  KafkaWorld kafka;
  CreateTopicsRequest request;
  for (int i = 0; i < 1500; ++i) {
    request.topics.push_back(
        {.name = "t" + std::to_string(i), .num_partitions = 1, .replication_factor = 1});
  }
  const auto response = kafka.Ask<CreateTopicsResponse>(HandleCreateTopics, request, 7);
  for (const auto& topic : response.topics) EXPECT_EQ(topic.error_code, ErrorCode::kNone);
  EXPECT_EQ(kafka.world.controller.image().topics().size(), 1500U);
}

TEST(KafkaAdminTest, WhatTheControllersCouldNotReadIsNotSent) {
  KafkaWorld kafka;
  kafka.world.CreateTopic("t", 1);
  const size_t registrations = kafka.world.controller.registrations;
  CreateTopicsRequest create;
  create.topics = {{.name = "\xff", .num_partitions = 1, .replication_factor = 1},
                   {.name = "key",
                    .num_partitions = 1,
                    .replication_factor = 1,
                    .configs = {{.name = "\xc0", .value = "5"}}},
                   {.name = "value",
                    .num_partitions = 1,
                    .replication_factor = 1,
                    .configs = {{.name = "retention.ms", .value = "\xed\xa0\x80"}}},
                   {.name = "long",
                    .num_partitions = 1,
                    .replication_factor = 1,
                    .configs = LongConfigs(size_t{5} << 20)},
                   {.name = "good", .num_partitions = 1, .replication_factor = 1}};
  const auto created = kafka.Ask<CreateTopicsResponse>(HandleCreateTopics, create, 7);
  EXPECT_THAT(Errors(created.topics),
              ElementsAre(ErrorCode::kInvalidTopic, ErrorCode::kInvalidConfig,
                          ErrorCode::kInvalidConfig, ErrorCode::kInvalidRequest, ErrorCode::kNone));
  EXPECT_EQ(*created.topics[0].error_message, "the request's name is not UTF-8");

  CreatePartitionsRequest partitions;
  partitions.topics = {{.name = "\xff", .count = 2}};
  EXPECT_THAT(
      Errors(kafka.Ask<CreatePartitionsResponse>(HandleCreatePartitions, partitions, 3).results),
      ElementsAre(ErrorCode::kInvalidTopic));
  DeleteTopicsRequest remove;
  remove.topics = {{.name = "\xff"}};
  EXPECT_THAT(Errors(kafka.Ask<DeleteTopicsResponse>(HandleDeleteTopics, remove, 6).responses),
              ElementsAre(ErrorCode::kInvalidTopic));
  IncrementalAlterConfigsRequest alter;
  alter.resources = {{.resource_type = 2,
                      .resource_name = "t",
                      .configs = {{.name = "\xff", .config_operation = 1}}},
                     {.resource_type = 2, .resource_name = "\xff"},
                     {.resource_type = 4,
                      .resource_name = "",
                      .configs = {{.name = "num.partitions", .value = "\xff"}}}};
  EXPECT_THAT(
      Errors(kafka.Ask<IncrementalAlterConfigsResponse>(HandleIncrementalAlterConfigs, alter, 1)
                 .responses),
      ElementsAre(ErrorCode::kInvalidConfig, ErrorCode::kInvalidTopic, ErrorCode::kInvalidConfig));
  EXPECT_EQ(kafka.world.controller.unreadable_messages, 0U);
  EXPECT_EQ(kafka.world.controller.registrations, registrations);
}

// A client that asks for a lot at once takes no more than its share of the stream's room.
TEST(KafkaAdminTest, ManyLongRequestsEndNoStream) {
  KafkaWorld kafka;
  CreateTopicsRequest request;
  for (int i = 0; i < 20; ++i) {
    request.topics.push_back({.name = "t" + std::to_string(i),
                              .num_partitions = 1,
                              .replication_factor = 1,
                              .configs = LongConfigs(size_t{3} << 20)});
  }
  const auto response = kafka.Ask<CreateTopicsResponse>(HandleCreateTopics, request, 7);
  EXPECT_THAT(Errors(response.topics),
              ::testing::Contains(ErrorCode::kPolicyViolation).Times(::testing::Ge(9)));
  EXPECT_THAT(Errors(response.topics), ::testing::Contains(ErrorCode::kInvalidConfig));
  EXPECT_EQ(kafka.world.controller.registrations, 1U);
}

TEST(KafkaDeleteTopicsTest, ByNameOrById) {
  KafkaWorld kafka;
  const TopicId a = kafka.world.CreateTopic("a", 1);
  const TopicId b = kafka.world.CreateTopic("b", 1);
  kafka.world.CreateTopic("c", 1);
  DeleteTopicsRequest request;
  request.topics = {{.name = std::nullopt, .topic_id = a},
                    {.name = "b", .topic_id = b},
                    {.name = "c"},
                    {.name = "z"},
                    {.name = std::nullopt, .topic_id = Uuid(5, 5)},
                    {.name = std::nullopt}};
  const auto response = kafka.Ask<DeleteTopicsResponse>(HandleDeleteTopics, request, 6);
  EXPECT_THAT(Errors(response.responses),
              ElementsAre(ErrorCode::kNone, ErrorCode::kInvalidRequest, ErrorCode::kNone,
                          ErrorCode::kUnknownTopicOrPartition, ErrorCode::kUnknownTopicId,
                          ErrorCode::kInvalidRequest));
  EXPECT_EQ(response.responses[0].name, "a");
  ASSERT_EQ(kafka.world.controller.image().topics().size(), 1U);
  DeleteTopicsRequest old;
  old.topic_names = {"b", "b"};
  EXPECT_THAT(Errors(kafka.Ask<DeleteTopicsResponse>(HandleDeleteTopics, old, 5).responses),
              ElementsAre(ErrorCode::kInvalidRequest));
  old.topic_names = {"b"};
  EXPECT_THAT(Errors(kafka.Ask<DeleteTopicsResponse>(HandleDeleteTopics, old, 5).responses),
              ElementsAre(ErrorCode::kNone));
  EXPECT_TRUE(kafka.world.controller.image().topics().empty());
}

TEST(KafkaCreatePartitionsTest, MoreAndNeverFewer) {
  KafkaWorld kafka(2);
  const TopicId a = kafka.world.CreateTopic("a", 2, 1);
  kafka.world.CreateTopic("b", 2, 1);
  CreatePartitionsRequest request;
  request.topics = {{.name = "a", .count = 3, .assignments = {{{.broker_ids = {BrokerId(2)}}}}},
                    {.name = "b", .count = 1},
                    {.name = "z", .count = 1}};
  const auto response = kafka.Ask<CreatePartitionsResponse>(HandleCreatePartitions, request, 3);
  EXPECT_THAT(Errors(response.results), ElementsAre(ErrorCode::kNone, ErrorCode::kInvalidPartitions,
                                                    ErrorCode::kUnknownTopicOrPartition));
  EXPECT_EQ(kafka.world.Partition(a, 2).leader, BrokerId(2));
  EXPECT_THAT(response.results[1].error_message.value_or(""), HasSubstr("never taken away"));
}

TEST(KafkaApiVersionsTest, AClientThatNamesItselfDoesSoAsKafkaWants) {
  KafkaWorld kafka;
  const auto asked = [&kafka](const std::string& name, const std::string& version, int16_t api) {
    const ApiVersionsRequest request{.client_software_name = name,
                                     .client_software_version = version};
    return kafka.Ask<ApiVersionsResponse>(HandleApiVersions, request, api).error_code;
  };
  for (const char* good : {"a", "librdkafka", "apache-kafka-java", "3.7.1", "1-a.B"}) {
    EXPECT_EQ(asked(good, good, 3), ErrorCode::kNone) << good;
  }
  for (const char* bad : {"", "-a", "a.", "a b", "a_b", "\xC3\xA4"}) {
    EXPECT_EQ(asked(bad, "1", 3), ErrorCode::kInvalidRequest) << bad;
    EXPECT_EQ(asked("a", bad, 4), ErrorCode::kInvalidRequest) << bad;
  }
  EXPECT_EQ(asked("", "", 2), ErrorCode::kNone);  // before names
}

TEST(KafkaDescribeClusterTest, BrokersAndWhatIsNone) {
  KafkaWorld kafka(3);
  kafka.world.machine(3).Crash();
  kafka.world.RunFor(std::chrono::seconds(10));
  DescribeClusterRequest request;
  auto response = kafka.Ask<DescribeClusterResponse>(HandleDescribeCluster, request, 2);
  ASSERT_EQ(response.brokers.size(), 2U);
  EXPECT_EQ(response.brokers[1].port, 9192);
  EXPECT_EQ(response.controller_id, BrokerId(1));
  EXPECT_EQ(response.cluster_id, kafka.world.cluster.ToText());
  request.include_fenced_brokers = true;
  response = kafka.Ask<DescribeClusterResponse>(HandleDescribeCluster, request, 2);
  ASSERT_EQ(response.brokers.size(), 3U);
  EXPECT_TRUE(response.brokers[2].is_fenced);
  request.endpoint_type = 2;
  EXPECT_EQ(kafka.Ask<DescribeClusterResponse>(HandleDescribeCluster, request, 2).error_code,
            ErrorCode::kMismatchedEndpointType);
  request.endpoint_type = 9;
  EXPECT_EQ(kafka.Ask<DescribeClusterResponse>(HandleDescribeCluster, request, 2).error_code,
            ErrorCode::kUnsupportedEndpointType);
}

TEST(KafkaDescribeTopicPartitionsTest, PagesAreWholeAndInOrder) {
  KafkaWorld kafka;
  kafka.world.CreateTopic("b", 3);
  kafka.world.CreateTopic("a", 2);
  kafka.world.CreateTopic("c", 1);
  for (const int32_t limit : {1, 2, 3, 5, 6, 100}) {
    DescribeTopicPartitionsRequest request;
    request.response_partition_limit = limit;
    std::vector<std::string> seen;
    for (int page = 0; page < 20; ++page) {
      const auto response =
          kafka.Ask<DescribeTopicPartitionsResponse>(HandleDescribeTopicPartitions, request, 0);
      for (const auto& topic : response.topics) {
        EXPECT_LE(topic.partitions.size(), static_cast<size_t>(limit));
        for (const auto& partition : topic.partitions) {
          EXPECT_EQ(partition.leader_id, BrokerId(1));
          EXPECT_TRUE(partition.eligible_leader_replicas.has_value());
          EXPECT_TRUE(partition.last_known_elr.has_value());
          seen.push_back(*topic.name + partition.partition_index.ToString());
        }
      }
      request.cursor = response.next_cursor;
      if (!request.cursor) break;
    }
    EXPECT_THAT(seen, ElementsAre("a0", "a1", "b0", "b1", "b2", "c0")) << limit;
  }
  DescribeTopicPartitionsRequest named;
  named.topics = {{.name = "c"}, {.name = "z"}, {.name = "bad name"}, {.name = "c"}};
  const auto response =
      kafka.Ask<DescribeTopicPartitionsResponse>(HandleDescribeTopicPartitions, named, 0);
  EXPECT_THAT(Errors(response.topics), ElementsAre(ErrorCode::kInvalidTopic, ErrorCode::kNone,
                                                   ErrorCode::kUnknownTopicOrPartition));
}

TEST(KafkaElectLeadersTest, EachPartitionHasItsOutcome) {
  KafkaWorld kafka;
  kafka.world.CreateTopic("a", 1);
  ElectLeadersRequest request;
  request.topic_partitions.emplace();
  *request.topic_partitions = {{.topic = "a", .partitions = {PartitionIndex(0), PartitionIndex(7)}},
                               {.topic = "z", .partitions = {PartitionIndex(0)}}};
  for (const int8_t type : {int8_t{0}, int8_t{1}}) {
    request.election_type = type;
    const auto response = kafka.Ask<ElectLeadersResponse>(HandleElectLeaders, request, 2);
    ASSERT_EQ(response.replica_election_results.size(), 2U);
    EXPECT_THAT(Errors(response.replica_election_results[0].partition_result),
                ElementsAre(ErrorCode::kElectionNotNeeded, ErrorCode::kUnknownTopicOrPartition));
    EXPECT_THAT(Errors(response.replica_election_results[1].partition_result),
                ElementsAre(ErrorCode::kUnknownTopicOrPartition));
  }
  request.election_type = 0;
  request.topic_partitions.reset();
  const auto all = kafka.Ask<ElectLeadersResponse>(HandleElectLeaders, request, 2);
  EXPECT_EQ(all.error_code, ErrorCode::kNone);
  EXPECT_TRUE(all.replica_election_results.empty());
  request.election_type = 5;
  EXPECT_EQ(kafka.Ask<ElectLeadersResponse>(HandleElectLeaders, request, 2).error_code,
            ErrorCode::kInvalidRequest);
}

TEST(KafkaElectLeadersTest, NobodyLeadsWhoMayLackRecords) {
  KafkaWorld kafka(2);
  const TopicId a = kafka.world.CreateTopic("a", 1, 1);
  const int holder = kafka.world.Partition(a, 0).leader.value();
  kafka.world.machine(holder).Crash();
  kafka.world.RunUntil([&] { return kafka.world.Partition(a, 0).leader == kNoBroker; });
  kafka.world.RunFor(std::chrono::seconds(2));
  ElectLeadersRequest request;
  request.election_type = 1;
  request.topic_partitions.emplace();
  *request.topic_partitions = {{.topic = "a", .partitions = {PartitionIndex(0)}}};
  const auto response = kafka.Ask<ElectLeadersResponse>(HandleElectLeaders, request, 2, 3 - holder);
  request.topic_partitions.reset();
  const auto all = kafka.Ask<ElectLeadersResponse>(HandleElectLeaders, request, 2, 3 - holder);
  EXPECT_EQ(all.replica_election_results.at(0).partition_result.at(0).error_code,
            ErrorCode::kEligibleLeadersNotAvailable);
  const auto& result = response.replica_election_results.at(0).partition_result.at(0);
  EXPECT_EQ(result.error_code, ErrorCode::kEligibleLeadersNotAvailable);
  EXPECT_THAT(result.error_message.value_or(""), HasSubstr("quipu partition recover"));
}

TEST(KafkaDeleteRecordsTest, BelowAnOffset) {
  KafkaWorld kafka;
  const TopicId a = kafka.world.CreateTopic("a", 2);
  kafka.world.Produce(1, a, 0, MakeBatch(0, 5));
  DeleteRecordsRequest request;
  request.topics = {{.name = "a",
                     .partitions = {{.partition_index = PartitionIndex(0), .offset = Offset(3)},
                                    {.partition_index = PartitionIndex(1), .offset = Offset(3)},
                                    {.partition_index = PartitionIndex(9), .offset = Offset(0)}}},
                    {.name = "z", .partitions = {{.partition_index = PartitionIndex(0)}}}};
  const auto response = kafka.Ask<DeleteRecordsResponse>(HandleDeleteRecords, request, 2);
  EXPECT_THAT(Errors(response.topics[0].partitions),
              ElementsAre(ErrorCode::kNone, ErrorCode::kOffsetOutOfRange,
                          ErrorCode::kUnknownTopicOrPartition));
  EXPECT_EQ(response.topics[0].partitions[0].low_watermark, Offset(3));
  EXPECT_EQ(response.topics[0].partitions[1].low_watermark, kNoOffset);
  EXPECT_THAT(Errors(response.topics[1].partitions),
              ElementsAre(ErrorCode::kUnknownTopicOrPartition));
}

TEST(KafkaDescribeLogDirsTest, SizesOfReplicas) {
  KafkaWorld kafka;
  const TopicId a = kafka.world.CreateTopic("a", 2);
  kafka.world.CreateTopic("b", 1);
  kafka.world.Produce(1, a, 1, MakeBatch(0, 5));
  DescribeLogDirsRequest request;
  auto response = kafka.Ask<DescribeLogDirsResponse>(HandleDescribeLogDirs, request, 4);
  ASSERT_EQ(response.results.size(), 1U);
  EXPECT_EQ(response.results[0].log_dir, "/");
  EXPECT_GT(response.results[0].total_bytes, 0);
  ASSERT_EQ(response.results[0].topics.size(), 2U);
  request.topics.emplace();
  *request.topics = {{.topic = "a", .partitions = {PartitionIndex(1)}}, {.topic = "z"}};
  response = kafka.Ask<DescribeLogDirsResponse>(HandleDescribeLogDirs, request, 4);
  ASSERT_EQ(response.results[0].topics.size(), 1U);
  ASSERT_EQ(response.results[0].topics[0].partitions.size(), 1U);
  EXPECT_GE(response.results[0].topics[0].partitions[0].partition_size,
            static_cast<int64_t>(MakeBatch(0, 5).size()));
  EXPECT_EQ(response.results[0].topics[0].partitions[0].offset_lag, 0);
  request.topics->clear();
  response = kafka.Ask<DescribeLogDirsResponse>(HandleDescribeLogDirs, request, 4);
  EXPECT_TRUE(response.results[0].topics.empty());
}

TEST(KafkaDescribeProducersTest, OfLeadersAlone) {
  KafkaWorld kafka(2);
  const TopicId a = kafka.world.CreateTopic("a", 1, 1);
  const int leader = kafka.world.Partition(a, 0).leader.value();
  kafka.world.Produce(leader, a, 0, MakeBatch(0, 3, 1000, 2, 0));
  kafka.world.RunFor(std::chrono::seconds(1));
  DescribeProducersRequest request;
  request.topics = {{.name = "a", .partition_indexes = {PartitionIndex(0), PartitionIndex(4)}},
                    {.name = "z", .partition_indexes = {PartitionIndex(0)}}};
  const auto response =
      kafka.Ask<DescribeProducersResponse>(HandleDescribeProducers, request, 0, leader);
  EXPECT_THAT(Errors(response.topics[0].partitions),
              ElementsAre(ErrorCode::kNone, ErrorCode::kUnknownTopicOrPartition));
  const auto& producers = response.topics[0].partitions[0].active_producers;
  ASSERT_EQ(producers.size(), 1U);
  EXPECT_EQ(producers[0].producer_id, ProducerId(1000));
  EXPECT_EQ(producers[0].producer_epoch, 2);
  EXPECT_EQ(producers[0].last_sequence, Sequence(2));
  EXPECT_EQ(response.topics[1].partitions[0].error_code, ErrorCode::kUnknownTopicOrPartition);
  const auto elsewhere =
      kafka.Ask<DescribeProducersResponse>(HandleDescribeProducers, request, 0, 3 - leader);
  EXPECT_EQ(elsewhere.topics[0].partitions[0].error_code, ErrorCode::kNotLeaderOrFollower);
}

}  // namespace
}  // namespace quipu::kafka
