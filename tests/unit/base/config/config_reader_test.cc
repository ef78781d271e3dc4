// Goal: a person who made a mistake in a configuration is told where and what to write instead.
#include "base/config/config_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/config/config_doc.h"
#include "base/error_code.h"

namespace quipu {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr ConfigSpec kTable[] = {
    {.name = "num.shards",
     .type = ConfigType::kNumber,
     .fallback = "2",
     .low = 1,
     .high = 64,
     .unit = "threads",
     .doc = "threads that own partitions"},
    {.name = "reflection", .type = ConfigType::kBool, .fallback = "true", .doc = "lists services"},
    {.name = "broker.rack", .doc = "where the broker stands"},
    {.name = "session.timeout.ms",
     .type = ConfigType::kNumber,
     .fallback = "3000",
     .low = 1,
     .high = 60000,
     .unit = "ms",
     .doc = "silence that ends a session"},
    {.name = "listener.client", .type = ConfigType::kEndpoint, .doc = "where clients connect"},
    {.name = "log.format",
     .type = ConfigType::kChoice,
     .fallback = "logfmt",
     .words = "logfmt, json",
     .doc = "form of the lines"},
    {.name = "open",
     .type = ConfigType::kBool,
     .fallback = "false",
     .doc = "to anybody",
     .unsafe = true},
};
constexpr ConfigSpec kRequired[] = {
    {.name = "listener.client",
     .type = ConfigType::kEndpoint,
     .doc = "where clients connect",
     .required = true},
    {.name = "log.dir", .doc = "the data", .required = true},
};

// What a program's variables are after loading.
struct Settings {
  int32_t shards = 2;
  bool reflection = true;
  std::string rack;
  Duration timeout = std::chrono::milliseconds(3000);
  std::string host;
  uint16_t port = 0;
  size_t format = 0;
  bool open = false;
};

class ConfigReaderTest : public testing::Test {
 protected:
  // The message of what was loaded; empty when it is accepted.
  std::string Read() {
    reader_.Number("num.shards", &settings_.shards);
    reader_.Bool("reflection", &settings_.reflection);
    reader_.Text("broker.rack", &settings_.rack);
    reader_.Millis("session.timeout.ms", &settings_.timeout);
    reader_.Endpoint("listener.client", &settings_.host, &settings_.port);
    settings_.format = reader_.Choice("log.format");
    reader_.Bool("open", &settings_.open);
    const absl::Status status = reader_.Finish();
    if (status.ok()) return "";
    EXPECT_EQ(CodeOf(status), ErrorCode::kInvalidConfig);
    return std::string(status.message());
  }
  static std::string Load(absl::string_view text) {
    ConfigReader reader(kTable);
    reader.LoadText(text, "broker.properties");
    return reader.problems().empty() ? "" : reader.problems().front();
  }

  Settings settings_;
  ConfigReader reader_{kTable};
};

TEST_F(ConfigReaderTest, EachTypeIsRead) {
  reader_.LoadText(
      "# a comment\n\n num.shards = 4 \r\nreflection=false\nbroker.rack=a b\n"
      "session.timeout.ms=250\nlistener.client=127.0.0.1:9092\nlog.format=json",
      "f");
  EXPECT_EQ(Read(), "");
  EXPECT_EQ(settings_.shards, 4);
  EXPECT_FALSE(settings_.reflection);
  EXPECT_EQ(settings_.rack, "a b");
  EXPECT_EQ(settings_.timeout, std::chrono::milliseconds(250));
  EXPECT_EQ(settings_.host, "127.0.0.1");
  EXPECT_EQ(settings_.port, 9092);
  EXPECT_EQ(settings_.format, 1U);
}

TEST_F(ConfigReaderTest, DefaultsStayWhereNothingIsGiven) {
  EXPECT_EQ(Read(), "");
  EXPECT_EQ(settings_.shards, 2);
  EXPECT_FALSE(reader_.WasGiven("num.shards"));
}

TEST_F(ConfigReaderTest, AFlagWinsOverTheEnvironmentAndThatOverTheFile) {
  // In the other order: what counts is the place.
  reader_.Set("num.shards=8");
  reader_.LoadEnvironment({"QUIPU_NUM_SHARDS=7", "QUIPU_SESSION_TIMEOUT_MS=70"});
  reader_.LoadText("num.shards=6\nsession.timeout.ms=60\nbroker.rack=file", "f");
  EXPECT_EQ(Read(), "");
  EXPECT_EQ(settings_.shards, 8);
  EXPECT_EQ(settings_.timeout, std::chrono::milliseconds(70));
  EXPECT_EQ(settings_.rack, "file");
  EXPECT_EQ(reader_.values()[0].origin, "--set");
  EXPECT_EQ(reader_.values()[3].origin, "environment QUIPU_SESSION_TIMEOUT_MS");
  EXPECT_EQ(reader_.values()[2].origin, "f:3");
  EXPECT_EQ(reader_.values()[1].origin, "default");
}

TEST_F(ConfigReaderTest, TheLastFlagWins) {
  reader_.Set("num.shards=8");
  reader_.Set("num.shards=9");
  EXPECT_EQ(Read(), "");
  EXPECT_EQ(settings_.shards, 9);
}

TEST_F(ConfigReaderTest, AnUnknownKeyIsRefusedWithTheNearestOne) {
  const std::string message = Load("reflection=true\nnum.shard=4");
  EXPECT_THAT(message, HasSubstr("broker.properties:2"));
  EXPECT_THAT(message, HasSubstr("unknown key num.shard; did you mean num.shards?"));
}

TEST_F(ConfigReaderTest, EverythingThatIsWrongIsToldAtOnce) {
  reader_.LoadText("num.shard=4\nreflektion=true\nnum.shards=0", "f");
  reader_.LoadEnvironment({"QUIPU_BROKER_RAK=x", "PATH=/bin", "QUIPU_LOG_FORMAT=xml"});
  reader_.Set("opn=true");
  const std::string message = Read();
  for (const char* part :
       {"f:1: unknown key num.shard; did you mean num.shards?",
        "f:2: unknown key reflektion; did you mean reflection?",
        "f:3: num.shards=0 is not valid; expected a whole number from 1 to 64",
        "environment QUIPU_BROKER_RAK: unknown key; did you mean "
        "QUIPU_BROKER_RACK?",
        "environment QUIPU_LOG_FORMAT: log.format=xml is not valid; expected one "
        "of: logfmt, json",
        "--set: unknown key opn; did you mean open?"}) {
    EXPECT_THAT(message, HasSubstr(part));
  }
  EXPECT_EQ(reader_.problems().size(), 6U);
}

TEST_F(ConfigReaderTest, ManyProblemsAreCounted) {
  std::string text;
  for (int i = 0; i < 60; ++i) text += "nonsense." + std::to_string(i) + "=1\n";
  reader_.LoadText(text, "f");
  EXPECT_THAT(Read(), HasSubstr("; and 10 more"));
}

TEST_F(ConfigReaderTest, VariablesOfOthersArePassedOver) {
  reader_.LoadEnvironment({"QUIPU_BOOTSTRAP_SERVER=x", "QUIPU_BOOTSTRAP_SERVERS=x",
                           "QUIPU_TEST_X=1", "QUIPU_BROKER_SESSION_TIMEOUT_MS=1", "QUIPUX=1",
                           "QUIPU_no_equals"});
  EXPECT_EQ(Read(), "");
}

TEST_F(ConfigReaderTest, ABadValueIsNamedWithWhatWasExpected) {
  for (const char* value : {"0", "65", "four", "", "4.0", "99999999999999999999"}) {
    const std::string message = Load(std::string("num.shards=") + value);
    EXPECT_THAT(message, HasSubstr(std::string("num.shards=") + value));
    EXPECT_THAT(message, HasSubstr("a whole number from 1 to 64"));
  }
  EXPECT_THAT(Load("reflection=yes"), HasSubstr("true or false"));
}

TEST_F(ConfigReaderTest, ABadValueIsNotTaken) {
  reader_.LoadText("num.shards=0", "f");
  EXPECT_NE(Read(), "");
  EXPECT_EQ(settings_.shards, 2);
}

TEST_F(ConfigReaderTest, EndpointsAreCheckedWhole) {
  for (const char* bad : {"9092", ":9092", "host", "host:", "host:65536", "host:-1", "::1:9092",
                          "[]:1", "a b:1", "http://host:1"}) {
    EXPECT_THAT(Load(std::string("listener.client=") + bad), HasSubstr("HOST:PORT")) << bad;
  }
  reader_.Set("listener.client=[::1]:9092");
  EXPECT_EQ(Read(), "");
  EXPECT_EQ(settings_.host, "::1");
}

TEST_F(ConfigReaderTest, AKeyTwiceInOneFileIsRefused) {
  EXPECT_THAT(Load("num.shards=1\nnum.shards=2"), HasSubstr("twice"));
}

TEST_F(ConfigReaderTest, ALineWithoutEqualsIsRefused) {
  EXPECT_THAT(Load("num.shards 4"), HasSubstr("not key=value"));
  reader_.Set("num.shards");
  EXPECT_THAT(Read(), HasSubstr("expected key=value"));
}

TEST_F(ConfigReaderTest, AMissingRequiredKeyIsNamed) {
  std::string host;
  std::string dir;
  uint16_t port = 0;
  ConfigReader missing(kRequired);
  missing.Endpoint("listener.client", &host, &port);
  missing.Text("log.dir", &dir);
  const std::string message(missing.Finish().message());
  EXPECT_THAT(message, HasSubstr("listener.client is missing; expected HOST:PORT"));
  EXPECT_THAT(message, HasSubstr("log.dir is missing"));
  ConfigReader given(kRequired);
  given.LoadMap({{"listener.client", "127.0.0.1:0"}, {"log.dir", "/x"}});
  given.Endpoint("listener.client", &host, &port);
  given.Text("log.dir", &dir);
  EXPECT_TRUE(given.Finish().ok());
}

TEST_F(ConfigReaderTest, AFileThatIsNotThereIsNamed) {
  reader_.LoadFile("/nonexistent/broker.properties");
  EXPECT_THAT(Read(), HasSubstr("/nonexistent/broker.properties"));
}

TEST_F(ConfigReaderTest, WhatIsInForceIsPrintedWithItsPlace) {
  reader_.LoadText("broker.rack=a b", "f");
  reader_.Set("open=true");
  EXPECT_EQ(Read(), "");
  const std::string text = EffectiveConfigText(reader_.values());
  EXPECT_THAT(text, HasSubstr("num.shards          2       default\n"));
  EXPECT_THAT(text, HasSubstr("broker.rack         \"a b\"   f:1\n"));
  EXPECT_THAT(text, HasSubstr("listener.client     -       default\n"));
  EXPECT_THAT(text, HasSubstr("open                true    --set  UNSAFE\n"));
  EXPECT_THAT(UnsafeConfigKeys(reader_.values()), ElementsAre("open"));
}

TEST_F(ConfigReaderTest, TheDescriptionHasEachKeyWithItsDefault) {
  const std::string text = DescribeConfigKeys(kTable);
  EXPECT_THAT(text, HasSubstr("num.shards\n"));
  EXPECT_THAT(text, HasSubstr("Default: 2"));
  EXPECT_THAT(text, HasSubstr("where clients connect"));
  EXPECT_THAT(text, HasSubstr("Environment: QUIPU_SESSION_TIMEOUT_MS"));
}

// A default that stands in two places must be the same in both, and each row must be read.
TEST(ConfigReaderDeathTest, TheTableAndTheProgramAgree) {
  int32_t shards = 3;
  ConfigReader reader(kTable);
  EXPECT_DEATH(reader.Number("num.shards", &shards), "num.shards has another default");
  EXPECT_DEATH(reader.Number("num.shard", &shards), "num.shard is not in the table");
  EXPECT_DEATH((void)reader.Finish(), "nobody reads it");
}

}  // namespace
}  // namespace quipu
