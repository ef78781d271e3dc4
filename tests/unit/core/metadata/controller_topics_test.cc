// Topics: created with everything checked, configured, deleted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/core/metadata/controller_harness.h"

namespace quipu {
namespace {

using ::testing::HasSubstr;

class TopicsTest : public ::testing::Test {
 protected:
  TopicsTest() { cluster_.StartBrokers(3); }
  void ExpectRefused(const message::AdminResponse& response, ErrorCode code,
                     const std::string& text) {
    EXPECT_EQ(response.error_code(), static_cast<int32_t>(code)) << response.error_message();
    EXPECT_THAT(response.error_message(), HasSubstr(text));
  }
  ControllerHarness cluster_;
};

TEST_F(TopicsTest, DefaultsAreTheClusters) {
  const message::AdminResponse response = cluster_.CreateTopic("a", -1, -1);
  EXPECT_EQ(response.error_code(), 0);
  EXPECT_EQ(response.create_topic().partitions(), 6);
  EXPECT_EQ(response.create_topic().replication_factor(), 3);
  const TopicImage* topic = cluster_.image().FindTopicByName("a");
  EXPECT_EQ(topic->id.ToBytes(), response.create_topic().topic_id());
  EXPECT_EQ(topic->partitions.size(), 6U);
}

TEST_F(TopicsTest, MinimumIsWrittenIntoEveryTopicSoThatBrokersNeverGuess) {
  cluster_.CreateTopic("a", 1, 3);
  EXPECT_EQ(cluster_.image().FindTopicByName("a")->configs.at("min.insync.replicas"), "2");
  message::AdminRequest remove;
  remove.mutable_alter_topic_config()->set_topic("a");
  remove.mutable_alter_topic_config()->add_remove("min.insync.replicas");
  cluster_.SetConfig("a", "min.insync.replicas", "3");
  EXPECT_EQ(cluster_.Admin(remove).error_code(), 0);
  EXPECT_EQ(cluster_.image().FindTopicByName("a")->configs.at("min.insync.replicas"), "2");
}

TEST_F(TopicsTest, ExistingTopicIsAnErrorUnlessItMayExist) {
  const std::string id = cluster_.CreateTopic("a", 2, 3).create_topic().topic_id();
  ExpectRefused(cluster_.CreateTopic("a", 2, 3), ErrorCode::kTopicAlreadyExists, "'a'");
  message::AdminRequest request;
  request.mutable_create_topic()->set_name("a");
  request.mutable_create_topic()->set_partitions(9);
  request.mutable_create_topic()->set_if_not_exists(true);
  const message::AdminResponse response = cluster_.Admin(request);
  EXPECT_EQ(response.error_code(), 0);
  EXPECT_EQ(response.create_topic().topic_id(), id);
  EXPECT_EQ(response.create_topic().partitions(), 2);
}

TEST_F(TopicsTest, CollidingNamesAreRefused) {
  cluster_.CreateTopic("a.b", 1, 1);
  ExpectRefused(cluster_.CreateTopic("a_b", 1, 1), ErrorCode::kInvalidTopic, "collides");
}

TEST_F(TopicsTest, NumbersAreChecked) {
  ExpectRefused(cluster_.CreateTopic("a", 0, 3), ErrorCode::kInvalidPartitions, "at least 1");
  ExpectRefused(cluster_.CreateTopic("a", -2, 3), ErrorCode::kInvalidPartitions, "at least 1");
  ExpectRefused(cluster_.CreateTopic("a", 1, 0), ErrorCode::kInvalidReplicationFactor, "at least");
  ExpectRefused(cluster_.CreateTopic("a", 1, 4), ErrorCode::kInvalidReplicationFactor,
                "3 are live");
  ExpectRefused(cluster_.CreateTopic("a", 20001, 3), ErrorCode::kLimitReached,
                "quipu.partitions.max");
  ExpectRefused(cluster_.CreateTopic("a", 2147483647, 3), ErrorCode::kLimitReached, "exceed");
  ExpectRefused(cluster_.CreateTopic("a b", 1, 3), ErrorCode::kInvalidTopic, "character 2");
}

TEST_F(TopicsTest, ConfigsAreCheckedAtCreation) {
  ExpectRefused(cluster_.CreateTopic("a", 1, 3, {{"retention.sm", "1"}}), ErrorCode::kInvalidConfig,
                "retention.ms");
  ExpectRefused(cluster_.CreateTopic("a", 1, 3, {{"retention.ms", "1"}, {"retention.ms", "2"}}),
                ErrorCode::kInvalidConfig, "twice");
  EXPECT_EQ(cluster_.image().FindTopicByName("a"), nullptr);
}

TEST_F(TopicsTest, ConfigsAreSetAndRemoved) {
  cluster_.CreateTopic("a", 1, 3, {{"retention.ms", "1000"}});
  EXPECT_EQ(cluster_.SetConfig("a", "retention.bytes", "5").error_code(), 0);
  message::AdminRequest request;
  request.mutable_alter_topic_config()->set_topic("a");
  request.mutable_alter_topic_config()->add_remove("retention.ms");
  EXPECT_EQ(cluster_.Admin(request).error_code(), 0);
  const auto& configs = cluster_.image().FindTopicByName("a")->configs;
  EXPECT_FALSE(configs.contains("retention.ms"));
  EXPECT_EQ(configs.at("retention.bytes"), "5");
}

TEST_F(TopicsTest, BadConfigChangesAreRefusedWhole) {
  cluster_.CreateTopic("a", 1, 3);
  ExpectRefused(cluster_.SetConfig("b", "retention.ms", "1"), ErrorCode::kUnknownTopicOrPartition,
                "'b'");
  ExpectRefused(cluster_.SetConfig("a", "retention.ms", "soon"), ErrorCode::kInvalidConfig,
                "whole number");
  message::AdminRequest request;
  request.mutable_alter_topic_config()->set_topic("a");
  request.mutable_alter_topic_config()->add_remove("nonsense");
  ExpectRefused(cluster_.Admin(request), ErrorCode::kInvalidConfig, "unknown");
  request.mutable_alter_topic_config()->set_remove(0, "retention.ms");
  message::ConfigEntry* entry = request.mutable_alter_topic_config()->add_set();
  entry->set_key("retention.ms");
  entry->set_value("1");
  ExpectRefused(cluster_.Admin(request), ErrorCode::kInvalidConfig, "both");
}

TEST_F(TopicsTest, AListIsChangedOnceInARequest) {
  EXPECT_EQ(cluster_.CreateTopic("a", 1, 1).error_code(), 0);
  message::AdminRequest request;
  request.mutable_alter_topic_config()->set_topic("a");
  for (auto* change : {request.mutable_alter_topic_config()->add_append(),
                       request.mutable_alter_topic_config()->add_subtract()}) {
    change->set_key("cleanup.policy");
    change->set_value("delete");
  }
  ExpectRefused(cluster_.Admin(request), ErrorCode::kInvalidConfig, "given twice");
  request.mutable_alter_topic_config()->clear_subtract();
  EXPECT_EQ(cluster_.Admin(request).error_code(), 0);
}

TEST_F(TopicsTest, InternalTopicsAreMadeByTheClusterAndStay) {
  ExpectRefused(cluster_.CreateTopic("__transaction_state", 1, 1), ErrorCode::kInvalidTopic,
                "cluster's own");
  message::AdminRequest request;
  request.mutable_create_topic()->set_name("__consumer_offsets");
  request.mutable_create_topic()->set_partitions(8);
  request.mutable_create_topic()->set_replication_factor(3);
  request.mutable_create_topic()->set_internal(true);
  EXPECT_EQ(cluster_.Admin(request).error_code(), 0);
  message::AdminRequest remove;
  remove.mutable_delete_topic()->set_name("__consumer_offsets");
  ExpectRefused(cluster_.Admin(remove), ErrorCode::kInvalidTopic, "stays");
  message::AdminRequest alter;
  alter.mutable_alter_topic_config()->set_topic("__consumer_offsets");
  message::ConfigEntry* entry = alter.mutable_alter_topic_config()->add_set();
  entry->set_key("max.message.bytes");
  entry->set_value("100");  // coordinators could not write any more
  ExpectRefused(cluster_.Admin(alter), ErrorCode::kInvalidTopic, "only min.insync.replicas");
  entry->set_key("min.insync.replicas");
  entry->set_value("1");
  EXPECT_EQ(cluster_.Admin(alter).error_code(), 0);
}

TEST_F(TopicsTest, UnknownTopicAndUnknownRequestAreRefused) {
  message::AdminRequest remove;
  remove.mutable_delete_topic()->set_name("nope");
  ExpectRefused(cluster_.Admin(remove), ErrorCode::kUnknownTopicOrPartition, "'nope'");
  ExpectRefused(cluster_.Admin(message::AdminRequest()), ErrorCode::kInvalidRequest, "kind");
}

}  // namespace
}  // namespace quipu
