// Settings that are changed at run time: checked, kept by every image, in force at once.
#include "core/metadata/dynamic_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/core/metadata/controller_harness.h"

namespace quipu {
namespace {

using ::testing::HasSubstr;

class DynamicConfigTest : public ::testing::Test {
 protected:
  DynamicConfigTest() { cluster_.StartBrokers(3); }
  message::AdminResponse Set(int32_t broker, const std::string& key, const std::string& value) {
    message::AdminRequest request;
    request.mutable_alter_configs()->set_broker_id(broker);
    message::ConfigEntry* entry = request.mutable_alter_configs()->add_set();
    entry->set_key(key);
    entry->set_value(value);
    return cluster_.Admin(request);
  }
  message::AdminResponse Remove(int32_t broker, const std::string& key) {
    message::AdminRequest request;
    request.mutable_alter_configs()->set_broker_id(broker);
    request.mutable_alter_configs()->add_remove(key);
    return cluster_.Admin(request);
  }
  message::DynamicConfig Described(const std::string& key) {
    message::AdminRequest request;
    request.mutable_describe_configs()->set_broker_id(-1);
    const message::AdminResponse answer = cluster_.Admin(request);
    for (const auto& config : answer.describe_configs().configs()) {
      if (config.key() == key) return config;
    }
    return {};
  }
  void ExpectRefused(const message::AdminResponse& response, ErrorCode code,
                     const std::string& text) {
    EXPECT_EQ(response.error_code(), static_cast<int32_t>(code)) << response.error_message();
    EXPECT_THAT(response.error_message(), HasSubstr(text));
  }
  ControllerHarness cluster_;
};

TEST_F(DynamicConfigTest, TopicsAreMadeWithWhatIsInForce) {
  EXPECT_EQ(Set(-1, "num.partitions", "9").error_code(), 0);
  EXPECT_EQ(Set(-1, "min.insync.replicas", "1").error_code(), 0);
  EXPECT_EQ(Set(-1, "default.replication.factor", "2").error_code(), 0);
  const message::AdminResponse made = cluster_.CreateTopic("a", -1, -1);
  EXPECT_EQ(made.create_topic().partitions(), 9);
  EXPECT_EQ(made.create_topic().replication_factor(), 2);
  EXPECT_EQ(cluster_.image().FindTopicByName("a")->configs.at("min.insync.replicas"), "1");
  EXPECT_EQ(Remove(-1, "num.partitions").error_code(), 0);
  EXPECT_EQ(cluster_.CreateTopic("b", -1, -1).create_topic().partitions(), 6);
}

TEST_F(DynamicConfigTest, LeadersAreNotBroughtBackWhileThatIsSwitchedOff) {
  cluster_.CreateTopic("a", 3, 3);
  EXPECT_EQ(Set(-1, "auto.leader.rebalance.enable", "false").error_code(), 0);
  const int32_t preferred = cluster_.Partition("a").leader.value();
  cluster_.Restart(preferred);
  cluster_.Heartbeat(preferred);
  ASSERT_EQ(cluster_.ChangeIsr(cluster_.Partition("a").uid, {1, 2, 3}), ErrorCode::kNone);
  cluster_.Pass(std::chrono::seconds(20), {1, 2, 3});
  EXPECT_NE(cluster_.Partition("a").leader.value(), preferred);
  EXPECT_EQ(Set(-1, "auto.leader.rebalance.enable", "true").error_code(), 0);
  cluster_.Pass(std::chrono::seconds(20), {1, 2, 3});
  EXPECT_EQ(cluster_.Partition("a").leader.value(), preferred);
}

TEST_F(DynamicConfigTest, ABrokersOwnGoesBeforeTheClusters) {
  const std::string key(kDiskFreeBytesMinKey);
  EXPECT_EQ(Set(-1, key, "1000").error_code(), 0);
  EXPECT_EQ(Set(2, key, "2000").error_code(), 0);
  EXPECT_EQ(DynamicConfigValue(cluster_.image(), BrokerId(1), key, 5), 1000);
  EXPECT_EQ(DynamicConfigValue(cluster_.image(), BrokerId(2), key, 5), 2000);
  const MetadataImage copy =
      MetadataImage::FromSnapshot(cluster_.image().index(), cluster_.image().ToSnapshot());
  EXPECT_TRUE(copy == cluster_.image());
  EXPECT_EQ(Remove(2, key).error_code(), 0);
  EXPECT_EQ(Remove(-1, key).error_code(), 0);
  EXPECT_EQ(DynamicConfigValue(cluster_.image(), BrokerId(2), key, 5), 5);
  EXPECT_TRUE(cluster_.image().dynamic_configs().empty());
}

TEST_F(DynamicConfigTest, DescriptionsTellWhereAValueComesFrom) {
  EXPECT_EQ(Described("num.partitions").source(), message::DynamicConfig::DEFAULT_CONFIG);
  Set(-1, "num.partitions", "9");
  const message::DynamicConfig config = Described("num.partitions");
  EXPECT_EQ(config.source(), message::DynamicConfig::DYNAMIC_CLUSTER_CONFIG);
  EXPECT_EQ(config.value(), "9");
  EXPECT_EQ(config.default_value(), "6");
  EXPECT_EQ(config.type(), "int");
  EXPECT_EQ(Described("auto.leader.rebalance.enable").value(), "true");
  EXPECT_EQ(Described(std::string(kDiskFreeBytesMinKey)).value(), "");
  const DynamicConfigSpec& spec = *FindDynamicConfigSpec(kDiskFreeBytesMinKey);
  EXPECT_EQ(DescribeDynamicConfig(spec, cluster_.image(), BrokerId(1), 77).source(),
            message::DynamicConfig::STATIC_CONFIG);
}

TEST_F(DynamicConfigTest, WhatIsNotAllowedIsRefusedWithWhatIs) {
  const ErrorCode invalid = ErrorCode::kInvalidConfig;
  ExpectRefused(Set(-1, "num.partitions", "0"), invalid, "from 1 to 10000");
  ExpectRefused(Set(-1, "num.partitions", "many"), invalid, "whole number");
  ExpectRefused(Set(-1, "auto.leader.rebalance.enable", "1"), invalid, "true or false");
  ExpectRefused(Set(-1, "log.dir", "/tmp"), invalid, "configuration file");
  ExpectRefused(Set(-1, "num.partition", "3"), invalid, "'num.partitions'");
  ExpectRefused(Remove(-1, "num.partition"), invalid, "'num.partitions'");
  ExpectRefused(Set(2, "num.partitions", "3"), invalid, "whole cluster");
  ExpectRefused(Set(9, std::string(kDiskFreeBytesMinKey), "3"), ErrorCode::kBrokerIdNotRegistered,
                "no broker 9");
  message::AdminRequest twice;
  twice.mutable_alter_configs()->set_broker_id(-1);
  twice.mutable_alter_configs()->add_remove("num.partitions");
  twice.mutable_alter_configs()->add_remove("num.partitions");
  ExpectRefused(cluster_.Admin(twice), invalid, "both");
}

}  // namespace
}  // namespace quipu
