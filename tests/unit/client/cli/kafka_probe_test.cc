// Goal: an address of the Kafka protocol is told from one where something else listens. Method: a
// server on 127.0.0.1 with answers good and bad.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "client/cli/doctor/facts.h"
#include "core/kafka/admin/api_versions.h"
#include "core/kafka/message.h"
#include "tests/unit/client/cli/one_answer.h"

namespace quipu::cli {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// What the probe says of whoever answers so.
std::string Said(const std::string& answer, Duration timeout = std::chrono::seconds(10)) {
  OneAnswer server(answer);
  const absl::Status status = AskKafka("127.0.0.1", server.port(), timeout);
  server.Join();
  EXPECT_TRUE(status.ok() || CodeOf(status) == ErrorCode::kNotConnected) << status;
  return std::string(status.message());
}

std::string AnswerOf(const kafka::ApiVersionsResponse& response, int32_t correlation_id) {
  std::string text;
  for (const Bytes& slice : kafka::EncodeResponse(response, 0, correlation_id)) {
    absl::StrAppend(&text, slice.view());
  }
  return text;
}

const kafka::ApiVersionsResponse kServesMetadata{
    .api_keys = {{.api_key = 0, .max_version = 9}, {.api_key = 3, .max_version = 12}}};

TEST(KafkaProbeTest, ABrokerIsFound) { EXPECT_THAT(Said(AnswerOf(kServesMetadata, 1)), IsEmpty()); }

TEST(KafkaProbeTest, WhatElseListensIsNamed) {
  const std::string good = AnswerOf(kServesMetadata, 1);
  EXPECT_THAT(Said("HTTP/1.1 400 Bad Request\r\n\r\n"), HasSubstr("does not speak the Kafka"));
  EXPECT_THAT(Said(std::string("\0\0\0\2ab", 6)), HasSubstr("said to have 2 bytes"));
  EXPECT_THAT(Said(good.substr(0, good.size() - 1)), HasSubstr("without an answer"));
  EXPECT_THAT(Said(AnswerOf(kServesMetadata, 2)), HasSubstr("another request"));
  EXPECT_THAT(Said(AnswerOf({}, 1)), HasSubstr("does not serve Metadata"));
  EXPECT_THAT(Said(AnswerOf({.error_code = ErrorCode::kUnsupportedVersion}, 1)),
              HasSubstr("ApiVersions"));
  EXPECT_THAT(Said(std::string("\0\0\0\6\0\0\0\1\0\0", 10)), HasSubstr("ApiVersions v0 response"));
  EXPECT_THAT(Said("", std::chrono::milliseconds(50)), HasSubstr("no answer in time"));
}

TEST(KafkaProbeTest, NobodyListens) {
  uint16_t port = 0;
  {
    OneAnswer gone(AnswerOf(kServesMetadata, 1));
    port = gone.port();
    EXPECT_TRUE(AskKafka("127.0.0.1", port, std::chrono::seconds(10)).ok());
  }
  EXPECT_THAT(std::string(AskKafka("127.0.0.1", port, std::chrono::seconds(10)).message()),
              HasSubstr("Connection refused"));
}

}  // namespace
}  // namespace quipu::cli
