// Names and configs that are allowed, and what a refusal says.
#include "core/metadata/topic_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/config/config_tables.h"

namespace quipu {
namespace {

using ::testing::HasSubstr;

TEST(TopicNameTest, AcceptsKafkasCharacters) {
  EXPECT_TRUE(CheckTopicName("Payments_2.eu-1", false).ok());
  EXPECT_TRUE(CheckTopicName(std::string(249, 'a'), false).ok());
}

TEST(TopicNameTest, RefusesWhatKafkaRefuses) {
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string(250, 'a'),
        std::string("a b"), std::string("a/b"), std::string("\xC3\xA4"), std::string("a\n")}) {
    EXPECT_EQ(CheckTopicName(name, false).error, ErrorCode::kInvalidTopic) << name;
  }
}

TEST(TopicNameTest, OnlyKafkasOwnNamesAreTheClustersOwn) {
  for (const char* own :
       {"__consumer_offsets", "__transaction_state", "__share_group_state", "__cluster_metadata"}) {
    EXPECT_EQ(CheckTopicName(own, false).error, ErrorCode::kInvalidTopic) << own;
    EXPECT_TRUE(CheckTopicName(own, true).ok()) << own;
  }
  for (const char* anybodys : {"__debezium-heartbeat.payments", "__strimzi_canary",
                               "__CruiseControlMetrics", "__", "__consumer_offsets2"}) {
    EXPECT_TRUE(CheckTopicName(anybodys, false).ok()) << anybodys;
    EXPECT_FALSE(CheckTopicName(anybodys, true).ok()) << anybodys;
  }
  EXPECT_TRUE(CheckTopicName("__consumer_offsets", true).ok());
  EXPECT_EQ(CheckTopicName("payments", true).error, ErrorCode::kInvalidTopic);
}

TEST(TopicConfigTest, UnknownKeyNamesTheNearest) {
  const TopicRefusal refusal = CheckTopicConfig("retention.sm", "1");
  EXPECT_EQ(refusal.error, ErrorCode::kInvalidConfig);
  EXPECT_THAT(refusal.message, HasSubstr("did you mean 'retention.ms'?"));
  EXPECT_THAT(CheckTopicConfig("min.insync.replica", "1").message,
              HasSubstr("min.insync.replicas"));
}

TEST(TopicConfigTest, RangesAreChecked) {
  EXPECT_TRUE(CheckTopicConfig("retention.ms", "-1").ok());
  EXPECT_FALSE(CheckTopicConfig("retention.ms", "-2").ok());
  EXPECT_TRUE(CheckTopicConfig("retention.bytes", "9223372036854775807").ok());
  EXPECT_FALSE(CheckTopicConfig("retention.bytes", "9223372036854775808").ok());
  EXPECT_FALSE(CheckTopicConfig("min.insync.replicas", "0").ok());
  EXPECT_TRUE(CheckTopicConfig("max.message.bytes", "8388608").ok());
  EXPECT_FALSE(CheckTopicConfig("max.message.bytes", "8388609").ok());
  EXPECT_THAT(CheckTopicConfig("max.message.bytes", "1").message, HasSubstr("from 100 to 8388608"));
}

TEST(TopicConfigTest, TypesAreChecked) {
  for (const char* value : {"", "x", "1x", " 1", "1.5", "--1", "+1", "0x10"}) {
    EXPECT_EQ(CheckTopicConfig("retention.ms", value).error, ErrorCode::kInvalidConfig) << value;
  }
  EXPECT_TRUE(CheckTopicConfig("message.timestamp.type", "LogAppendTime").ok());
  EXPECT_FALSE(CheckTopicConfig("message.timestamp.type", "logappendtime").ok());
  EXPECT_TRUE(CheckTopicConfig("compression.type", "producer").ok());
  EXPECT_TRUE(CheckTopicConfig("compression.type", "uncompressed").ok());
  for (const char* codec : {"gzip", "snappy", "lz4", "zstd"}) {
    EXPECT_TRUE(CheckTopicConfig("compression.type", codec).ok());
    EXPECT_EQ(ReadTopicConfigs({{"compression.type", codec}}).compression_type, codec);
  }
  EXPECT_FALSE(CheckTopicConfig("compression.type", "none").ok());
}

TEST(TopicConfigTest, WhatAsksForMoreThanThereIsSaysWhy) {
  EXPECT_TRUE(CheckTopicConfig("remote.storage.enable", "false").ok());
  EXPECT_THAT(CheckTopicConfig("remote.storage.enable", "true").message,
              HasSubstr("there is no remote storage"));
  EXPECT_TRUE(CheckTopicConfig("cleanup.policy", "delete").ok());
  EXPECT_THAT(CheckTopicConfig("cleanup.policy", "delete,compact").message,
              HasSubstr("logs are never compacted"));
}

TEST(TopicConfigTest, WhatKafkaHasIsTaken) {
  for (const auto& [key, value] : std::vector<std::pair<const char*, const char*>>{
           {"compression.gzip.level", "9"},
           {"compression.lz4.level", "17"},
           {"compression.zstd.level", "-131072"},
           {"follower.replication.throttled.replicas", "*"},
           {"leader.replication.throttled.replicas", "0:1,1:2"},
           {"local.retention.bytes", "-2"},
           {"local.retention.ms", "-1"},
           {"message.downconversion.enable", "true"},
           {"message.format.version", "2.8-IV1"},
           {"message.timestamp.after.max.ms", "0"},
           {"message.timestamp.before.max.ms", "9223372036854775807"},
           {"message.timestamp.difference.max.ms", "1"},
           {"min.cleanable.dirty.ratio", "0.01"},
           {"remote.log.copy.disable", "true"},
           {"remote.log.delete.on.disable", "true"}}) {
    EXPECT_TRUE(CheckTopicConfig(key, value).ok()) << key;
    EXPECT_EQ(FindConfig(TopicConfigTable(), key)->effect, ConfigEffect::kNone) << key;
  }
  EXPECT_FALSE(CheckTopicConfig("compression.gzip.level", "10").ok());
  EXPECT_FALSE(CheckTopicConfig("min.cleanable.dirty.ratio", "1.5").ok());
  EXPECT_FALSE(CheckTopicConfig("leader.replication.throttled.replicas", "1").ok());
}

TEST(TopicConfigTest, NoValueIsLongerThanTheLimit) {
  EXPECT_TRUE(CheckTopicConfig("message.format.version", std::string(4096, '3')).ok());
  EXPECT_THAT(CheckTopicConfig("message.format.version", std::string(4097, '3')).message,
              HasSubstr("at most 4096"));
  std::string changed;
  EXPECT_EQ(ChangeListConfig({}, "cleanup.policy", std::string(4097, ','), true, changed).error,
            ErrorCode::kInvalidConfig);
}

TEST(TopicConfigTest, ListsAreChangedFromTheirDefaultOrTheTopicsOwn) {
  std::string changed;
  EXPECT_TRUE(ChangeListConfig({}, "cleanup.policy", "compact", true, changed).ok());
  EXPECT_EQ(changed, "delete,compact");
  EXPECT_TRUE(ChangeListConfig({{"cleanup.policy", "compact, delete"}}, "cleanup.policy",
                               "delete,other", false, changed)
                  .ok());
  EXPECT_EQ(changed, "compact");
  EXPECT_THAT(ChangeListConfig({}, "retention.ms", "1", true, changed).message,
              HasSubstr("no list"));
  EXPECT_THAT(ChangeListConfig({}, "no.such.key", "1", true, changed).message,
              HasSubstr("unknown"));
}

// The table that is documented and what a topic without configs does are the same.
TEST(TopicConfigTest, TheTablesDefaultsAreTheValuesWithoutConfigs) {
  absl::btree_map<std::string, std::string> defaults;
  for (const ConfigSpec& spec : TopicConfigTable()) {
    if (!spec.fallback.empty()) defaults[std::string(spec.name)] = std::string(spec.fallback);
  }
  const TopicConfigValues values = ReadTopicConfigs(defaults);
  const TopicConfigValues none = ReadTopicConfigs({});
  EXPECT_EQ(values.retention_ms, none.retention_ms);
  EXPECT_EQ(values.retention_bytes, none.retention_bytes);
  EXPECT_EQ(values.message_bytes_max, none.message_bytes_max);
  EXPECT_EQ(values.log_append_time, none.log_append_time);
  EXPECT_EQ(FindConfig(TopicConfigTable(), kMaxMessageBytesKey)->high, kMaxMessageBytesMax);
}

TEST(TopicConfigTest, DefaultsAreKafkasButPaymentsDoNotVanish) {
  const TopicConfigValues values = ReadTopicConfigs({});
  EXPECT_EQ(values.retention_ms, -1);
  EXPECT_EQ(values.retention_bytes, -1);
  EXPECT_EQ(values.message_bytes_max, 1048588);
  EXPECT_FALSE(values.log_append_time);
  EXPECT_EQ(values.compression_type, "producer");
}

TEST(TopicConfigTest, EffectiveMinimumIsCappedByTheReplicationFactor) {
  TopicImage topic;
  topic.configs["min.insync.replicas"] = "3";
  PartitionImage partition;
  partition.replicas = {BrokerId(1), BrokerId(2)};
  EXPECT_EQ(EffectiveMinIsr(topic, partition), 2);
}

}  // namespace
}  // namespace quipu
