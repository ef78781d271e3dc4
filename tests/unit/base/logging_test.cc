// Goal: a log line can be read back whatever its values are, in both forms, and no event floods the
// log.
#include "base/logging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log_limit.h"

namespace quipu {
namespace {

using testing::HasSubstr;

TEST(LogLineTest, ALineOfLogfmtHasTimeLevelNodeEventFieldsAndMessage) {
  EXPECT_EQ(LogLine(LogFormat::kLogfmt, "T", LogLevel::kInfo, "broker-1", "broker.registered",
                    {{"epoch", "42"}, {"rack", "a b"}}),
            "time=T level=info node=broker-1 event=broker.registered epoch=42 rack=\"a b\" "
            "msg=\"a broker was given an epoch\"\n");
}

TEST(LogLineTest, ALineOfJsonIsOneObject) {
  EXPECT_EQ(LogLine(LogFormat::kJson, "T", LogLevel::kWarn, "", "broker.registered",
                    {{"rack", "a \"b\"\n"}}),
            "{\"time\":\"T\",\"level\":\"warn\",\"event\":\"broker.registered\","
            "\"rack\":\"a \\\"b\\\"\\u000a\",\"msg\":\"a broker was given an epoch\"}\n");
}

TEST(LogLineTest, ALongValueIsCutAndSaysSo) {
  const std::string line = LogLine(LogFormat::kLogfmt, "T", LogLevel::kInfo, "", "grpc",
                                   {{"message", std::string(kLogValueBytesMax + 17, 'x')}});
  EXPECT_THAT(line, HasSubstr("x... (17 bytes more)\""));
  EXPECT_LT(line.size(), kLogValueBytesMax + 300);
}

TEST(LogValueTest, Utf8StaysAndWhatIsNoneIsEscaped) {
  EXPECT_EQ(LogfmtValue("Z\xC3\xBCrich"), "Z\xC3\xBCrich");
  EXPECT_EQ(LogfmtValue("\xF0\x9F\x98\x80"), "\xF0\x9F\x98\x80");
  EXPECT_EQ(LogfmtValue("a\xFF"), "\"a\\xff\"");
  EXPECT_EQ(LogfmtValue("\xC3"), "\"\\xc3\"");                             // cut off
  EXPECT_EQ(LogfmtValue("\xC0\xAF"), "\"\\xc0\\xaf\"");                    // overlong
  EXPECT_EQ(LogfmtValue("\xED\xA0\x80"), "\"\\xed\\xa0\\x80\"");           // a surrogate
  EXPECT_EQ(LogfmtValue("\xF4\x90\x80\x80"), "\"\\xf4\\x90\\x80\\x80\"");  // beyond U+10FFFF
  EXPECT_EQ(JsonValue("a\xFF"), "\"a\\\\xff\"");
}

TEST(LogValueTest, NothingThatATerminalObeysGetsThrough) {
  EXPECT_EQ(LogfmtValue("\x1b[2J"), "\"\\x1b[2J\"");
  EXPECT_EQ(LogfmtValue("\xC2\x9B"), "\"\\xc2\\x9b\"");  // U+009B, CSI in one character
  EXPECT_EQ(LogfmtValue("\x7F"), "\"\\x7f\"");
  EXPECT_EQ(JsonValue("\x7F\t"), "\"\\u007f\\u0009\"");
}

// Reads a quoted value back, byte for byte.
std::string Unquoted(const std::string& text) {
  if (text.empty() || text.front() != '"') return text;
  std::string out;
  for (size_t i = 1; i + 1 < text.size(); ++i) {
    if (text[i] != '\\') {
      out.push_back(text[i]);
    } else if (text[i + 1] == 'x') {
      out.push_back(static_cast<char>(std::stoi(text.substr(i + 2, 2), nullptr, 16)));
      i += 3;
    } else {
      out.push_back(text[++i]);
    }
  }
  return out;
}

TEST(LogValueTest, EveryPairOfBytesComesBack) {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const std::string value{static_cast<char>(a), static_cast<char>(b)};
      const std::string written = LogfmtValue(value);
      EXPECT_EQ(Unquoted(written), value) << a << " " << b;
      EXPECT_EQ(written.find('\n'), std::string::npos);
    }
  }
}

TEST(LogLimitTest, LinesBeyondTheLimitAreCountedUntilTheWindowIsOver) {
  LogLimit limit;
  const size_t event = LogEvent("grpc").index();
  const size_t other = LogEvent("stream.cut").index();
  Instant now = Instant() + std::chrono::hours(5);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(limit.Admit(event, now, 3), i < 3) << i;
  EXPECT_TRUE(limit.Admit(other, now, 3));
  EXPECT_TRUE(limit.pending());
  EXPECT_EQ(limit.Take(event, now, false), 0U);
  now += LogLimit::kWindow;
  EXPECT_EQ(limit.Take(other, now, false), 0U);
  EXPECT_EQ(limit.Take(event, now, false), 2U);
  EXPECT_FALSE(limit.pending());
  EXPECT_TRUE(limit.Admit(event, now, 3));
}

TEST(LogLimitTest, AtTheEndEverythingIsTold) {
  LogLimit limit;
  const size_t event = LogEvent("grpc").index();
  EXPECT_TRUE(limit.Admit(event, Instant(), 1));
  EXPECT_FALSE(limit.Admit(event, Instant(), 1));
  EXPECT_EQ(limit.Take(event, Instant(), true), 1U);
}

class LoggingTest : public testing::Test {
 protected:
  void TearDown() override {
    SetLogOptions({});
    SetLogNode("");
  }
};

TEST_F(LoggingTest, WhatIsSuppressedIsCountedByEvent) {
  SetLogOptions({.event_lines_max = 2});
  SetLogNode("broker-9");
  testing::internal::CaptureStderr();
  for (int i = 0; i < 7; ++i) LogWarn("protobuf", {{"i", std::to_string(i)}});
  LogSuppressedLines(true);
  LogSuppressedLines(true);  // told once
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("node=broker-9 event=protobuf i=1 "));
  EXPECT_EQ(log.find("i=2"), std::string::npos);
  EXPECT_THAT(log, HasSubstr("event=log.suppressed of=protobuf lines=5 "));
  EXPECT_EQ(log.find("log.suppressed"), log.rfind("event=log.suppressed") + 6);
}

TEST_F(LoggingTest, LinesBelowTheLevelAreDroppedButLastWordsAreNot) {
  SetLogOptions({.level = LogLevel::kNone});
  testing::internal::CaptureStderr();
  LogError("broker.refused", {});
  LogLastWords("process.stopped", {{"reason", "x"}});
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(log.find("broker.refused"), std::string::npos);
  EXPECT_THAT(log, HasSubstr("level=error event=process.stopped reason=x "));
}

// Legends and lines are cut at these characters.
TEST(LogEventsTest, EachRowIsWhole) {
  for (size_t i = 0; i < kLogEventCount; ++i) {
    const LogEventSpec& spec = kLogEvents[i];
    EXPECT_EQ(LogfmtValue(spec.name), std::string(spec.name));
    EXPECT_EQ(spec.message.find_first_of("|\"\\"), absl::string_view::npos) << spec.name;
    EXPECT_TRUE(spec.of == "broker" || spec.of == "controller" || spec.of == "both" ||
                spec.of == "client")
        << spec.name;
    for (size_t j = 0; j < i; ++j) EXPECT_NE(kLogEvents[j].name, spec.name);
  }
}

}  // namespace
}  // namespace quipu
