// Goal: a person who made a mistake in a configuration is told where and what to write instead.
#include "base/config.h"

#include <gtest/gtest.h>

#include "base/error_code.h"

namespace quipu {
namespace {

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() {
    keys_.Add<int32_t>("num.shards", &shards_, 1, 64, "threads that own partitions");
    keys_.AddBool("reflection", &reflection_, "lists services");
    keys_.AddText("broker.rack", &rack_, "where the broker stands");
    keys_.AddMillis("session.timeout.ms", &timeout_, 1, 60000, "silence that ends a session");
    keys_.AddEndpoint("listener.client", &host_, &port_, "where clients connect");
  }
  // The message of loading `text`; empty when it is accepted.
  std::string Load(absl::string_view text) {
    const absl::Status status = keys_.LoadText(text, "broker.properties");
    if (status.ok()) return "";
    EXPECT_EQ(CodeOf(status), ErrorCode::kInvalidConfig);
    return std::string(status.message());
  }
  static testing::AssertionResult Says(const std::string& message, const std::string& part) {
    if (message.find(part) != std::string::npos) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "\"" << message << "\" does not say \"" << part << "\"";
  }

  int32_t shards_ = 2;
  bool reflection_ = true;
  std::string rack_;
  Duration timeout_ = std::chrono::milliseconds(3000);
  std::string host_;
  uint16_t port_ = 0;
  ConfigKeys keys_;
};

TEST_F(ConfigTest, EachTypeIsRead) {
  EXPECT_EQ(Load("# a comment\n\n num.shards = 4 \r\nreflection=false\nbroker.rack=a b\n"
                 "session.timeout.ms=250\nlistener.client=127.0.0.1:9092"),
            "");
  EXPECT_EQ(shards_, 4);
  EXPECT_FALSE(reflection_);
  EXPECT_EQ(rack_, "a b");
  EXPECT_EQ(timeout_, std::chrono::milliseconds(250));
  EXPECT_EQ(host_, "127.0.0.1");
  EXPECT_EQ(port_, 9092);
}

TEST_F(ConfigTest, DefaultsStayWhereNothingIsGiven) {
  EXPECT_EQ(Load(""), "");
  EXPECT_EQ(shards_, 2);
  EXPECT_FALSE(keys_.WasGiven("num.shards"));
}

TEST_F(ConfigTest, TheCommandLineWinsOverTheFile) {
  EXPECT_EQ(Load("num.shards=4"), "");
  EXPECT_TRUE(keys_.Set("num.shards=8").ok());
  EXPECT_EQ(shards_, 8);
}

TEST_F(ConfigTest, AnUnknownKeyIsRefusedWithTheNearestOne) {
  const std::string message = Load("reflection=true\nnum.shard=4");
  EXPECT_TRUE(Says(message, "broker.properties:2"));
  EXPECT_TRUE(Says(message, "unknown key num.shard; did you mean num.shards?"));
}

TEST_F(ConfigTest, ABadValueIsNamedWithWhatWasExpected) {
  for (const char* value : {"0", "65", "four", "", "4.0", "99999999999999999999"}) {
    const std::string message = Load(std::string("num.shards=") + value);
    EXPECT_TRUE(Says(message, std::string("num.shards=") + value));
    EXPECT_TRUE(Says(message, "a whole number from 1 to 64"));
  }
  EXPECT_EQ(shards_, 2);
  EXPECT_TRUE(Says(Load("reflection=yes"), "true or false"));
}

TEST_F(ConfigTest, EndpointsAreCheckedWhole) {
  for (const char* bad : {"9092", ":9092", "host", "host:", "host:65536", "host:-1", "::1:9092",
                          "[]:1", "a b:1", "http://host:1"}) {
    EXPECT_TRUE(Says(Load(std::string("listener.client=") + bad), "HOST:PORT")) << bad;
  }
  EXPECT_EQ(Load("listener.client=[::1]:9092"), "");
  EXPECT_EQ(host_, "::1");
}

TEST_F(ConfigTest, AKeyTwiceInOneFileIsRefused) {
  EXPECT_TRUE(Says(Load("num.shards=1\nnum.shards=2"), "twice"));
}

TEST_F(ConfigTest, ALineWithoutEqualsIsRefused) {
  EXPECT_TRUE(Says(Load("num.shards 4"), "not key=value"));
  EXPECT_TRUE(Says(std::string(keys_.Set("num.shards").message()), "expected key=value"));
}

TEST_F(ConfigTest, AMissingRequiredKeyIsNamed) {
  keys_.Require("listener.client");
  EXPECT_TRUE(Says(std::string(keys_.CheckComplete().message()), "listener.client is missing"));
  EXPECT_EQ(Load("listener.client=127.0.0.1:0"), "");
  EXPECT_TRUE(keys_.CheckComplete().ok());
}

TEST_F(ConfigTest, AFileThatIsNotThereIsNamed) {
  const absl::Status status = keys_.LoadFile("/nonexistent/broker.properties");
  EXPECT_TRUE(Says(std::string(status.message()), "/nonexistent/broker.properties"));
}

TEST_F(ConfigTest, TheDescriptionHasEachKeyWithItsDefault) {
  const std::string text = keys_.Describe();
  EXPECT_TRUE(Says(text, "num.shards"));
  EXPECT_TRUE(Says(text, "Default: 2"));
  EXPECT_TRUE(Says(text, "where clients connect"));
}

}  // namespace
}  // namespace quipu
