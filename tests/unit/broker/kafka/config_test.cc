// Goal: settings of topics, brokers and the cluster are told and changed over Kafka's protocol,
// each by itself, and a refusal says what is wrong.
#include "core/kafka/admin/alter_configs.h"
#include "core/kafka/admin/describe_configs.h"
#include "core/kafka/admin/incremental_alter_configs.h"
#include "gmock/gmock.h"
#include "tests/unit/broker/kafka/kafka_world.h"

namespace quipu::kafka {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The config `name` among `entries`; its value is "?" when it is not there.
DescribeConfigsResponse::Config Find(const std::vector<DescribeConfigsResponse::Config>& entries,
                                     const std::string& name) {
  for (const auto& entry : entries) {
    if (entry.name == name) return entry;
  }
  return {.name = name, .value = "?"};
}

TEST(KafkaDescribeConfigsTest, TopicsBrokersAndTheCluster) {
  KafkaWorld kafka;
  kafka.world.CreateTopic("a", 1, 1, {{"retention.ms", "5"}});
  const ConfigSpec spec{.name = "num.shards", .type = ConfigType::kNumber, .fallback = "1"};
  kafka.settings = {
      {.spec = &spec, .value = "3", .origin = "--set", .source = ConfigSource::kFlag}};
  DescribeConfigsRequest request;
  request.resources = {
      {.resource_type = 2, .resource_name = "a"}, {.resource_type = 2, .resource_name = "a"},
      {.resource_type = 4, .resource_name = "1"}, {.resource_type = 4, .resource_name = "2"},
      {.resource_type = 4, .resource_name = ""},  {.resource_type = 2, .resource_name = "z"},
      {.resource_type = 8, .resource_name = "1"}, {.resource_type = 2, .resource_name = "no name"}};
  request.include_synonyms = true;
  const auto response = kafka.Ask<DescribeConfigsResponse>(HandleDescribeConfigs, request, 4);
  EXPECT_THAT(Errors(response.results),
              ElementsAre(ErrorCode::kNone, ErrorCode::kNone, ErrorCode::kInvalidRequest,
                          ErrorCode::kNone, ErrorCode::kUnknownTopicOrPartition,
                          ErrorCode::kInvalidRequest, ErrorCode::kInvalidTopic));
  const auto retention = Find(response.results[0].configs, "retention.ms");
  EXPECT_EQ(retention.value, "5");
  EXPECT_EQ(retention.config_source, 1);
  ASSERT_EQ(retention.synonyms.size(), 2U);
  EXPECT_EQ(retention.synonyms[1].value, "-1");
  EXPECT_EQ(retention.documentation, std::nullopt);
  const auto shards = Find(response.results[1].configs, "num.shards");
  EXPECT_EQ(shards.value, "3");
  EXPECT_EQ(shards.config_source, 4);
  EXPECT_TRUE(shards.read_only);
  EXPECT_FALSE(Find(response.results[1].configs, "quipu.disk.free.bytes.min").read_only);
  EXPECT_TRUE(response.results[3].configs.empty());  // nothing was set
}

TEST(KafkaDescribeConfigsTest, OnlyWhatWasAskedFor) {
  KafkaWorld kafka;
  kafka.world.CreateTopic("a", 1);
  DescribeConfigsRequest request;
  request.resources = {{.resource_type = 2,
                        .resource_name = "a",
                        .configuration_keys = {{"cleanup.policy", "no.such.key"}}}};
  request.include_documentation = true;
  const auto response = kafka.Ask<DescribeConfigsResponse>(HandleDescribeConfigs, request, 4);
  ASSERT_EQ(response.results[0].configs.size(), 1U);
  EXPECT_EQ(response.results[0].configs[0].value, "delete");
  EXPECT_THAT(response.results[0].configs[0].documentation.value_or(""), HasSubstr("compacted"));
}

TEST(KafkaDescribeConfigsTest, TypesAreKafkas) {
  KafkaWorld kafka;
  kafka.world.CreateTopic("a", 1);
  DescribeConfigsRequest request;
  request.resources = {{.resource_type = 2, .resource_name = "a"}};
  const auto response = kafka.Ask<DescribeConfigsResponse>(HandleDescribeConfigs, request, 4);
  const auto type = [&](const std::string& name) {
    return Find(response.results.at(0).configs, name).config_type;
  };
  EXPECT_EQ(type("cleanup.policy"), 7);
  EXPECT_EQ(type("leader.replication.throttled.replicas"), 7);
  EXPECT_EQ(type("min.cleanable.dirty.ratio"), 6);
  EXPECT_EQ(type("remote.storage.enable"), 1);
  EXPECT_EQ(type("unclean.leader.election.enable"), 1);
  EXPECT_EQ(type("compression.type"), 2);
  EXPECT_EQ(Find(response.results.at(0).configs, "leader.replication.throttled.replicas").value,
            "");
}

TEST(KafkaAlterConfigsTest, ListsAreAppendedToAndTakenFrom) {
  KafkaWorld kafka;
  const TopicId a = kafka.world.CreateTopic("a", 1);
  const auto change = [&kafka](const std::string& name, int8_t operation, const std::string& value,
                               int8_t type = 2) {
    IncrementalAlterConfigsRequest request;
    request.resources = {
        {.resource_type = type,
         .resource_name = type == 2 ? "a" : "1",
         .configs = {{.name = name, .config_operation = operation, .value = value}}}};
    return Errors(
        kafka.Ask<IncrementalAlterConfigsResponse>(HandleIncrementalAlterConfigs, request, 1)
            .responses)[0];
  };
  const auto own = [&] { return kafka.world.controller.image().FindTopic(a)->configs; };
  const std::string replicas = "leader.replication.throttled.replicas";
  constexpr int8_t kAppend = 2;
  constexpr int8_t kSubtract = 3;
  EXPECT_EQ(change("cleanup.policy", kAppend, "delete"), ErrorCode::kNone);
  EXPECT_EQ(own().at("cleanup.policy"), "delete");
  EXPECT_EQ(change("cleanup.policy", kAppend, "compact"), ErrorCode::kInvalidConfig);
  EXPECT_EQ(change("cleanup.policy", kSubtract, "compact"), ErrorCode::kNone);
  EXPECT_EQ(change("cleanup.policy", kSubtract, "delete"), ErrorCode::kInvalidConfig);
  EXPECT_EQ(own().at("cleanup.policy"), "delete");
  EXPECT_EQ(change(replicas, kAppend, "0:1,0:2"), ErrorCode::kNone);
  EXPECT_EQ(change(replicas, kAppend, "0:2,1:1"), ErrorCode::kNone);
  EXPECT_EQ(own().at(replicas), "0:1,0:2,1:1");
  EXPECT_EQ(change(replicas, kSubtract, "0:1, 1:1"), ErrorCode::kNone);
  EXPECT_EQ(own().at(replicas), "0:2");
  EXPECT_EQ(change(replicas, kSubtract, "0:2"), ErrorCode::kNone);
  EXPECT_EQ(own().at(replicas), "");
  EXPECT_EQ(change("retention.ms", kAppend, "5"), ErrorCode::kInvalidConfig);
  EXPECT_EQ(change("quipu.disk.free.bytes.min", kAppend, "5", 4), ErrorCode::kInvalidConfig);
  EXPECT_EQ(change("retention.ms", 4, "5"), ErrorCode::kInvalidRequest);
}

TEST(KafkaAlterConfigsTest, OneByOneOrAsAWhole) {
  KafkaWorld kafka;
  const TopicId a = kafka.world.CreateTopic("a", 1, 1, {{"retention.ms", "5"}});
  const auto own = [&] { return kafka.world.controller.image().FindTopic(a)->configs; };
  IncrementalAlterConfigsRequest one;
  one.resources = {{.resource_type = 2,
                    .resource_name = "a",
                    .configs = {{.name = "retention.bytes", .value = "7"}}}};
  one.validate_only = true;
  kafka.Ask<IncrementalAlterConfigsResponse>(HandleIncrementalAlterConfigs, one, 1);
  EXPECT_FALSE(own().contains("retention.bytes"));
  one.validate_only = false;
  kafka.Ask<IncrementalAlterConfigsResponse>(HandleIncrementalAlterConfigs, one, 1);
  EXPECT_EQ(own().at("retention.bytes"), "7");
  EXPECT_EQ(own().at("retention.ms"), "5");
  one.resources[0].configs = {{.name = "retention.ms", .config_operation = 1}};
  kafka.Ask<IncrementalAlterConfigsResponse>(HandleIncrementalAlterConfigs, one, 1);
  EXPECT_FALSE(own().contains("retention.ms"));
  AlterConfigsRequest whole;
  whole.resources = {{.resource_type = 2,
                      .resource_name = "a",
                      .configs = {{.name = "max.message.bytes", .value = "1000"}}}};
  EXPECT_THAT(Errors(kafka.Ask<AlterConfigsResponse>(HandleAlterConfigs, whole, 2).responses),
              ElementsAre(ErrorCode::kNone));
  EXPECT_FALSE(own().contains("retention.bytes"));
  EXPECT_EQ(own().at("max.message.bytes"), "1000");
}

TEST(KafkaAlterConfigsTest, WhatCannotBeIsRefused) {
  KafkaWorld kafka;
  kafka.world.CreateTopic("a", 1);
  IncrementalAlterConfigsRequest request;
  const auto append = IncrementalAlterConfigsRequest::Config{
      .name = "cleanup.policy", .config_operation = 2, .value = "compact"};
  const auto valueless =
      IncrementalAlterConfigsRequest::Config{.name = "retention.ms", .value = std::nullopt};
  request.resources = {
      {.resource_type = 2, .resource_name = "a", .configs = {append}},
      {.resource_type = 2, .resource_name = "z"},
      {.resource_type = 4, .resource_name = "x"},
      {.resource_type = 4, .resource_name = "9"},
      {.resource_type = 4, .resource_name = "1", .configs = {{.name = "log.dir", .value = "/"}}},
      {.resource_type = 16, .resource_name = "a"},
      {.resource_type = 4, .resource_name = "1"}};
  request.resources[6].resource_name = "";
  request.resources.push_back(request.resources[6]);
  kafka.world.CreateTopic("b", 1);
  request.resources.push_back({.resource_type = 2, .resource_name = "b", .configs = {valueless}});
  const auto response =
      kafka.Ask<IncrementalAlterConfigsResponse>(HandleIncrementalAlterConfigs, request, 1);
  EXPECT_THAT(Errors(response.responses),
              ElementsAre(ErrorCode::kInvalidConfig, ErrorCode::kUnknownTopicOrPartition,
                          ErrorCode::kInvalidRequest, ErrorCode::kBrokerIdNotRegistered,
                          ErrorCode::kInvalidConfig, ErrorCode::kInvalidRequest,
                          ErrorCode::kInvalidRequest, ErrorCode::kInvalidRequest));
  EXPECT_THAT(response.responses[0].error_message.value_or(""), HasSubstr("never compacted"));
  EXPECT_THAT(response.responses[6].error_message.value_or(""), HasSubstr("more than once"));
}

TEST(KafkaAlterConfigsTest, ABrokersSettingAndTheClusters) {
  KafkaWorld kafka;
  IncrementalAlterConfigsRequest request;
  request.resources = {{.resource_type = 4,
                        .resource_name = "1",
                        .configs = {{.name = "quipu.disk.free.bytes.min", .value = "5"}}},
                       {.resource_type = 4,
                        .resource_name = "",
                        .configs = {{.name = "num.partitions", .value = "9"}}}};
  EXPECT_THAT(
      Errors(kafka.Ask<IncrementalAlterConfigsResponse>(HandleIncrementalAlterConfigs, request, 1)
                 .responses),
      ElementsAre(ErrorCode::kNone, ErrorCode::kNone));
  DescribeConfigsRequest look;
  look.resources = {{.resource_type = 4, .resource_name = "1"},
                    {.resource_type = 4, .resource_name = ""}};
  const auto response = kafka.Ask<DescribeConfigsResponse>(HandleDescribeConfigs, look, 4);
  const auto free_min = Find(response.results[0].configs, "quipu.disk.free.bytes.min");
  EXPECT_EQ(free_min.value, "5");
  EXPECT_EQ(free_min.config_source, 2);
  ASSERT_EQ(response.results[1].configs.size(), 1U);
  EXPECT_EQ(response.results[1].configs[0].value, "9");
  EXPECT_EQ(response.results[1].configs[0].config_source, 3);
}

}  // namespace
}  // namespace quipu::kafka
