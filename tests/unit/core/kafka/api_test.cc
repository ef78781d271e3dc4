// Goal: the table of APIs, headers, advertised versions and error numbers are what Kafka's clients
// expect.
#include <optional>
#include <string>

#include "core/kafka/api.h"
#include "core/kafka/group/heartbeat.h"
#include "core/kafka/kafka_error.h"
#include "core/kafka/log/produce.h"
#include "core/kafka/message.h"
#include "core/kafka/served_apis.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/core/kafka/any_message.h"

namespace quipu::kafka {
namespace {

using testing::HasSubstr;

TEST(KafkaApiTest, EveryKeyIsFoundAndNoOther) {
  size_t found = 0;
  for (int key = INT16_MIN; key <= INT16_MAX; ++key) {
    const ApiInfo* const api = FindApi(static_cast<int16_t>(key));
    if (api == nullptr) continue;
    ++found;
    EXPECT_EQ(static_cast<int>(api->key), key);
    EXPECT_LE(api->version_min, api->version_max) << api->name;
  }
  EXPECT_EQ(found, Apis().size());
  EXPECT_EQ(found, 30);
}

TEST(KafkaApiTest, HeadersFollowTheVersion) {
  const ApiInfo& heartbeat = InfoOf(ApiKey::kHeartbeat);
  EXPECT_EQ(RequestHeaderVersion(heartbeat, 3), 1);
  EXPECT_EQ(RequestHeaderVersion(heartbeat, 4), 2);
  EXPECT_EQ(ResponseHeaderVersion(heartbeat, 3), 0);
  EXPECT_EQ(ResponseHeaderVersion(heartbeat, 4), 1);
  EXPECT_EQ(RequestHeaderVersion(InfoOf(ApiKey::kOffsetDelete), 0), 1);
}

TEST(KafkaApiTest, TheResponseHeaderOfApiVersionsStaysTheOldest) {
  const ApiInfo& api_versions = InfoOf(ApiKey::kApiVersions);
  EXPECT_EQ(RequestHeaderVersion(api_versions, 3), 2);
  for (int16_t version = 0; version <= 4; ++version) {
    EXPECT_EQ(ResponseHeaderVersion(api_versions, version), 0);
  }
}

// librdkafka gives up compression for a broker that does not advertise Produce 0 (KAFKA-18659).
TEST(KafkaApiTest, ProduceIsAdvertisedFromZeroAndServedFromThree) {
  const ApiVersionsResponse answer = ServedApis({ApiKey::kProduce}).Answer(ErrorCode::kNone);
  ASSERT_EQ(answer.api_keys.size(), 1);
  EXPECT_EQ(answer.api_keys[0],
            (ApiVersionsResponse::ApiVersion{.api_key = 0, .min_version = 0, .max_version = 11}));
  EXPECT_FALSE(InfoOf(ApiKey::kProduce).Serves(2));
  for (const ApiInfo& api : Apis()) {
    EXPECT_EQ(api.advertised_min == api.version_min, api.key != ApiKey::kProduce) << api.name;
  }
}

TEST(KafkaApiTest, JoinGroupIsServedFromZero) {
  EXPECT_TRUE(InfoOf(ApiKey::kJoinGroup).Serves(0));  // KAFKA-19444
}

TEST(KafkaApiTest, OnlyWhatIsServedIsAdvertised) {
  const ServedApis served({ApiKey::kApiVersions, ApiKey::kMetadata});
  const ApiVersionsResponse answer = served.Answer(ErrorCode::kUnsupportedVersion);
  EXPECT_EQ(answer.error_code, ErrorCode::kUnsupportedVersion);
  ASSERT_EQ(answer.api_keys.size(), 2);
  EXPECT_EQ(answer.api_keys[0].api_key, 3);
  EXPECT_EQ(answer.api_keys[1].api_key, 18);
  EXPECT_EQ(answer.api_keys[1].max_version, 4);
  EXPECT_TRUE(served.Has(ApiKey::kMetadata));
  EXPECT_FALSE(served.Has(ApiKey::kProduce));
}

TEST(KafkaApiTest, ErrorsOfKafkaKeepTheirNumbersAndQuipusBecomeOnesThatClientsKnow) {
  int quipus = 0;
  for (int number = -1; number < 2000; ++number) {
    const std::optional<ErrorCode> code = ErrorCodeFromWire(number);
    if (!code.has_value()) continue;
    const int16_t kafka = KafkaErrorCode(*code);
    if (number < 1000) {
      EXPECT_EQ(kafka, number);
      continue;
    }
    ++quipus;
    EXPECT_LT(kafka, 200) << *code;
    EXPECT_NE(kafka, 0) << *code;
    const ErrorCode translated = *ErrorCodeFromWire(kafka);
    if (translated == ErrorCode::kUnknownServerError) continue;
    // A client that is told to repeat its request may, and one that is not, may not.
    EXPECT_EQ(IsRetriable(translated),
              IsRetriable(*code) || translated == ErrorCode::kCorruptMessage)
        << *code;
  }
  EXPECT_EQ(quipus, 12);
  EXPECT_EQ(KafkaErrorCode(ErrorCode::kLeadershipLostAfterAppend), 20);
}

TEST(KafkaApiTest, QuipusErrorsReachTheWireTranslated) {
  ProduceResponse response{
      .responses = {{.partition_responses = {{.error_code = ErrorCode::kDiskFull}}}}};
  const auto decoded = Decode<ProduceResponse>(Bytes(Joined(EncodeResponse(response, 3, 1))), 8, 3);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->responses[0].partition_responses[0].error_code, ErrorCode::kStorageError);
}

TEST(KafkaApiTest, NumbersThatAreNotKafkasAreUnknownErrors) {
  EXPECT_EQ(FromKafkaErrorCode(20), ErrorCode::kNotEnoughReplicasAfterAppend);
  EXPECT_EQ(FromKafkaErrorCode(999), ErrorCode::kUnknownServerError);
  EXPECT_EQ(FromKafkaErrorCode(1005), ErrorCode::kUnknownServerError);  // Quipu's LIMIT_REACHED
  EXPECT_EQ(FromKafkaErrorCode(INT16_MIN), ErrorCode::kUnknownServerError);
}

// ---- request headers ----

std::string ParseError(const std::string& frame) {
  const auto request = ParseRequest(Bytes(frame));
  EXPECT_EQ(CodeOf(request.status()), ErrorCode::kInvalidRequest);
  return std::string(request.status().message());
}

TEST(KafkaApiTest, FramesThatAreNoRequestsAreRefused) {
  EXPECT_THAT(ParseError(""), HasSubstr("0 bytes is too short"));
  EXPECT_THAT(ParseError("1234567"), HasSubstr("7 bytes is too short"));
  EXPECT_THAT(ParseError(std::string("\x7f\xff\0\x3\0\0\0\x1\0\0", 10)),
              HasSubstr("API key 32767 version 3: this broker has no such API"));
}

TEST(KafkaApiTest, HeadersThatLieAreRefused) {
  const std::string start("\0\xc\0\x4\0\0\0\x7", 8);
  EXPECT_THAT(ParseError(start),
              HasSubstr("Heartbeat v4 request header: clientId: at byte 8 of 8"));
  EXPECT_THAT(ParseError(start + "\xff\xfe"), HasSubstr("clientId: at byte 10 of 10: length -2"));
  EXPECT_THAT(ParseError(start + std::string("\0\x9", 2) + "short"),
              HasSubstr("needs 9 bytes, 5 are left"));
  EXPECT_THAT(ParseError(start + "\xff\xff\x1"), HasSubstr("tagged fields of the header"));
}

TEST(KafkaApiTest, TaggedFieldsOfTheHeaderAreSkipped) {
  const std::string frame =
      Joined(EncodeRequest(HeartbeatRequest{.group_id = "g"}, 4, 7, "me")).substr(4);
  const size_t tags = 8 + 2 + 2;
  ASSERT_EQ(frame[tags], 0);
  const Bytes tagged(frame.substr(0, tags) + "\x1\x5\x2xy" + frame.substr(tags + 1));
  const auto request = ParseRequest(tagged);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->client_id, "me");
  const auto decoded = Decode<HeartbeatRequest>(*request);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->group_id, "g");
}

TEST(KafkaApiTest, OfAnUnknownApiVersionsTheHeaderIsReadAsFarAsItIsKnown) {
  const auto request =
      ParseRequest(Bytes(std::string("\0\x12\0\x63\0\0\0\x7\0\x1z\xff\xff\xff", 14)));
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->version, 99);
  EXPECT_EQ(request->correlation_id, 7);
  EXPECT_EQ(request->client_id, "z");
}

}  // namespace
}  // namespace quipu::kafka
