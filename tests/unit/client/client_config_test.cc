// Goal: a wrong setting is refused by name, with what would be right.
#include "client/client_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "base/config/config_tables.h"
#include "client/client_settings.h"
#include "core/replication/producer_table.h"

namespace quipu {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(ClientConfigTest, DefaultsAreThoseOfTheDocumentation) {
  const auto settings = ParseProducerConfig({{"bootstrap.servers", "a:1, b:2"}});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_THAT(settings->core.metadata.bootstrap_servers, ElementsAre("a:1", "b:2"));
  EXPECT_EQ(settings->core.accumulator.linger, std::chrono::milliseconds(5));
  EXPECT_EQ(settings->core.accumulator.batch_bytes, 16384U);
  EXPECT_EQ(settings->core.accumulator.buffer_bytes_max, size_t{32} << 20);
  EXPECT_EQ(settings->core.accumulator.delivery_timeout, std::chrono::seconds(120));
  EXPECT_EQ(settings->core.in_flight_max, 10);
}

TEST(ClientConfigTest, UnknownKeyNamesTheNearest) {
  const auto settings = ParseProducerConfig({{"bootstrap.servers", "a:1"}, {"linger.sm", "1"}});
  EXPECT_EQ(CodeOf(settings.status()), ErrorCode::kInvalidConfig);
  EXPECT_THAT(Message(settings.status()), HasSubstr("linger.ms"));
}

TEST(ClientConfigTest, EverythingThatIsWrongIsToldAtOnce) {
  const std::string message = Message(
      ParseConsumerConfig({{"max.poll.record", "1"}, {"fetch.max.wait.ms", "60001"}}).status());
  EXPECT_THAT(message, HasSubstr("unknown key max.poll.record; did you mean max.poll.records?"));
  EXPECT_THAT(message, HasSubstr("fetch.max.wait.ms=60001 is not valid; expected a whole number "
                                 "from 0 to 60000"));
  EXPECT_THAT(message, HasSubstr("bootstrap.servers is missing"));
}

TEST(ClientConfigTest, AServerWithAnIpv6AddressKeepsItsBrackets) {
  const auto settings = ParseAdminConfig({{"bootstrap.servers", "[::1]:9092"}});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_THAT(settings->bootstrap_servers, ElementsAre("[::1]:9092"));
}

TEST(ClientConfigTest, MissingServersAreNamed) {
  EXPECT_THAT(Message(ParseConsumerConfig({}).status()), HasSubstr("bootstrap.servers"));
}

// A retry of more would be answered without its offset.
TEST(ClientConfigTest, AProducerHasNoMoreInFlightThanBrokersRemember) {
  const auto parse = [](size_t window) {
    return ParseProducerConfig({{"bootstrap.servers", "a:1"},
                                {"max.in.flight.requests.per.connection", absl::StrCat(window)}});
  };
  EXPECT_TRUE(parse(kProducerBatchesMax).ok());
  EXPECT_FALSE(parse(kProducerBatchesMax + 1).ok());
}

TEST(ClientConfigTest, ValuesOutOfRangeNameTheRange) {
  const auto settings = ParseProducerConfig(
      {{"bootstrap.servers", "a:1"}, {"max.in.flight.requests.per.connection", "17"}});
  EXPECT_THAT(Message(settings.status()), HasSubstr("from 1 to 16"));
}

TEST(ClientConfigTest, UnsafeChoicesAreRefused) {
  EXPECT_THAT(Message(ParseProducerConfig({{"bootstrap.servers", "a:1"}, {"acks", "1"}}).status()),
              HasSubstr("acks"));
  EXPECT_FALSE(
      ParseProducerConfig({{"bootstrap.servers", "a:1"}, {"enable.idempotence", "false"}}).ok());
}

TEST(ClientConfigTest, BadServerListsAreRefused) {
  for (const char* text : {"", "host", "host:", ":1", "host:0", "host:70000", "a:1,,b:2"}) {
    EXPECT_EQ(CodeOf(ParseServerList(text).status()), ErrorCode::kInvalidConfig) << text;
  }
}

TEST(ClientConfigTest, EveryDefaultIsValid) {
  EXPECT_TRUE(ParseConsumerConfig({{"bootstrap.servers", "a:1"}}).ok());
  EXPECT_TRUE(ParseAdminConfig({{"bootstrap.servers", "a:1"}}).ok());
}

// What has no effect is not taken.
TEST(ClientConfigTest, FetchLimitsBeyondOneMessageAreRefused) {
  for (const char* key : {"fetch.max.bytes", "max.partition.fetch.bytes"}) {
    const auto settings = ParseConsumerConfig({{"bootstrap.servers", "a:1"}, {key, "52428800"}});
    EXPECT_FALSE(settings.ok());
    EXPECT_THAT(std::string(settings.status().message()), testing::HasSubstr("1048576"));
  }
}

// ---- ClientSettings: a file, the environment, flags --------------------------------------------

class ClientSettingsTest : public ::testing::Test {
 protected:
  ClientSettingsTest() : path_(::testing::TempDir() + "client-settings.properties") {}
  ~ClientSettingsTest() override {
    std::remove(path_.c_str());
    for (const std::string& name : variables_) unsetenv(name.c_str());
  }

  void Write(const std::string& text) const { std::ofstream(path_) << text; }
  void SetVariable(const std::string& name, const std::string& value) {
    variables_.push_back(name);
    ASSERT_EQ(setenv(name.c_str(), value.c_str(), 1), 0);
  }

  const std::string path_;
  std::vector<std::string> variables_;
};

TEST_F(ClientSettingsTest, OneFileServesAllClients) {
  Write("# of the service\nbootstrap.servers = a:1\n\nlinger.ms=7\ngroup.id=billing\n");
  const auto settings = ClientSettings::FromFile(path_);
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->ForProducer(), (ConfigMap{{"bootstrap.servers", "a:1"}, {"linger.ms", "7"}}));
  EXPECT_EQ(settings->ForConsumer(),
            (ConfigMap{{"bootstrap.servers", "a:1"}, {"group.id", "billing"}}));
  EXPECT_EQ(settings->ForAdmin(), (ConfigMap{{"bootstrap.servers", "a:1"}}));
  EXPECT_EQ(settings->all().size(), 3U);
  EXPECT_TRUE(ParseProducerConfig(settings->ForProducer()).ok());
  EXPECT_TRUE(ParseConsumerConfig(settings->ForConsumer()).ok());
}

TEST_F(ClientSettingsTest, TheEnvironmentGoesOverTheFileAndFlagsOverBoth) {
  Write("bootstrap.servers=a:1\nlinger.ms=7\nbatch.size=1\n");
  SetVariable("QUIPU_LINGER_MS", "8");
  SetVariable("QUIPU_BATCH_SIZE", "2");
  const auto settings = ClientSettings::Load(path_, {"batch.size=3"});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->all(),
            (ConfigMap{{"bootstrap.servers", "a:1"}, {"linger.ms", "8"}, {"batch.size", "3"}}));
  const auto environment = ClientSettings::FromEnvironment();
  ASSERT_TRUE(environment.ok()) << environment.status();
  EXPECT_EQ(environment->all(), (ConfigMap{{"linger.ms", "8"}, {"batch.size", "2"}}));
}

TEST_F(ClientSettingsTest, EveryMistakeIsNamedWithItsPlace) {
  Write("linger=1\nbatch.size=none\nlinger.ms=1\nlinger.ms=2\nwhat\n");
  SetVariable("QUIPU_LINGRE_MS", "1");
  SetVariable("QUIPU_LOG_DIR", "/tmp");  // a server's: not ours to judge
  const auto settings = ClientSettings::Load(path_, {"group.id", "max.poll.records=0"});
  EXPECT_EQ(CodeOf(settings.status()), ErrorCode::kInvalidConfig);
  const std::string message = Message(settings.status());
  EXPECT_THAT(message, HasSubstr(path_ + ":1: unknown key linger; did you mean linger.ms?"));
  EXPECT_THAT(message, HasSubstr(path_ + ":2: batch.size=none is not valid; expected "));
  EXPECT_THAT(message, HasSubstr(path_ + ":4: linger.ms is given twice"));
  EXPECT_THAT(message, HasSubstr(path_ + ":5: \"what\" is not key=value"));
  EXPECT_THAT(message, HasSubstr("QUIPU_LINGRE_MS: unknown key; did you mean QUIPU_LINGER_MS?"));
  EXPECT_THAT(message, HasSubstr("--set group.id: expected key=value"));
  EXPECT_THAT(message, HasSubstr("--set: max.poll.records=0 is not valid"));
  EXPECT_THAT(message, Not(HasSubstr("QUIPU_LOG_DIR")));
}

TEST_F(ClientSettingsTest, AMissingFileIsAnError) {
  const auto settings = ClientSettings::FromFile(path_ + ".none");
  EXPECT_EQ(CodeOf(settings.status()), ErrorCode::kInvalidConfig);
  EXPECT_THAT(Message(settings.status()), HasSubstr(path_ + ".none"));
}

TEST(ClientConfigTest, WhatClientsShareHasOneTypeAndRange) {
  for (const ConfigScope scope :
       {ConfigScope::kProducer, ConfigScope::kConsumer, ConfigScope::kAdmin}) {
    for (const ConfigSpec& key : ConfigTableOf(scope)) {
      const ConfigSpec* shared = FindConfig(ClientConfigTable(), key.name);
      ASSERT_NE(shared, nullptr) << key.name;
      EXPECT_EQ(shared->type, key.type) << key.name;
      EXPECT_EQ(shared->low, key.low) << key.name;
      EXPECT_EQ(shared->high, key.high) << key.name;
      EXPECT_EQ(shared->words, key.words) << key.name;
    }
  }
}

}  // namespace
}  // namespace quipu
