// Goal: a wrong setting is refused by name, with what would be right.
#include "client/client_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quipu {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(ClientConfigTest, DefaultsAreThoseOfTheDocumentation) {
  const auto settings = ParseProducerConfig({{"bootstrap.servers", "a:1, b:2"}});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_THAT(settings->core.metadata.bootstrap_servers, ElementsAre("a:1", "b:2"));
  EXPECT_EQ(settings->core.accumulator.linger, std::chrono::milliseconds(5));
  EXPECT_EQ(settings->core.accumulator.batch_bytes, 16384U);
  EXPECT_EQ(settings->core.accumulator.buffer_bytes_max, size_t{32} << 20);
  EXPECT_EQ(settings->core.accumulator.delivery_timeout, std::chrono::seconds(120));
  EXPECT_EQ(settings->core.in_flight_max, 5);
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

TEST(ClientConfigTest, ValuesOutOfRangeNameTheRange) {
  const auto settings = ParseProducerConfig(
      {{"bootstrap.servers", "a:1"}, {"max.in.flight.requests.per.connection", "6"}});
  EXPECT_THAT(Message(settings.status()), HasSubstr("from 1 to 5"));
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

}  // namespace
}  // namespace quipu
