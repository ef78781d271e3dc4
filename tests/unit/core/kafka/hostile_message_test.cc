// Goal: lengths, counts and tags that lie cost neither memory nor time, and the error says where.
// Method: bytes made by hand.
#include <string>

#include "base/big_endian.h"
#include "core/kafka/admin/api_versions.h"
#include "core/kafka/admin/describe_topic_partitions.h"
#include "core/kafka/admin/metadata.h"
#include "core/kafka/group/heartbeat.h"
#include "core/kafka/group/join_group.h"
#include "core/kafka/log/fetch.h"
#include "core/kafka/log/produce.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/core/kafka/any_message.h"

namespace quipu::kafka {
namespace {

using testing::HasSubstr;

template <typename... Part>
std::string Wire(const Part&... parts) {
  std::string bytes;
  const auto append = [&bytes](const auto& part) {
    if constexpr (std::is_integral_v<std::decay_t<decltype(part)>>) {
      AppendBigEndian(bytes, part);
    } else {
      bytes += part;
    }
  };
  (append(parts), ...);
  return bytes;
}

std::string Short(const std::string& text) { return Wire(static_cast<int16_t>(text.size()), text); }
std::string Compact(const std::string& text) {
  return Wire(static_cast<int8_t>(text.size() + 1), text);
}
// The largest number that a varint of 32 bits holds.
const std::string kHugeVarint = "\xff\xff\xff\xff\x0f";

template <Message M>
std::string ErrorOf(const std::string& body, int16_t version, const DecodeLimits& limits = {}) {
  const auto decoded = Decode<M>(Bytes(body), 0, version, limits);
  EXPECT_EQ(CodeOf(decoded.status()), ErrorCode::kInvalidRequest);
  return std::string(decoded.status().message());
}

// Acks, timeout and transactional id in front of the topics of a Produce request of version 3.
const std::string kProduceStart = Wire(int16_t{-1}, int16_t{1}, int32_t{1000});

TEST(KafkaHostileMessageTest, CountsBeyondTheBytesLeftAreRefused) {
  EXPECT_THAT(
      ErrorOf<ProduceRequest>(Wire(kProduceStart, INT32_MAX, std::string(100, '\0')), 3),
      HasSubstr("Produce v3 request: topicData: at byte 12 of 112: 2147483647 elements of at "
                "least 6 bytes, 100 are left"));
  EXPECT_THAT(ErrorOf<MetadataRequest>(kHugeVarint + std::string(100, '\0'), 9),
              HasSubstr("topics: at byte 5 of 105: 4294967294 elements of at least 2 bytes"));
  // One more than there is room for.
  EXPECT_THAT(ErrorOf<MetadataRequest>(Wire(int32_t{4}, std::string(7, '\0')), 0),
              HasSubstr("4 elements of at least 2 bytes, 7 are left"));
}

TEST(KafkaHostileMessageTest, NegativeLengthsAreRefused) {
  EXPECT_THAT(ErrorOf<MetadataRequest>(Wire(int32_t{-2}), 0), HasSubstr("length -2"));
  EXPECT_THAT(ErrorOf<MetadataRequest>(Wire(INT32_MIN), 1), HasSubstr("length -2147483648"));
  EXPECT_THAT(ErrorOf<HeartbeatRequest>(Wire(int16_t{-2}), 0),
              HasSubstr("Heartbeat v0 request: groupId: at byte 2 of 2: length -2"));
  const std::string partition = Wire(int32_t{1}, Short("t"), int32_t{1}, int32_t{0});
  EXPECT_THAT(ErrorOf<ProduceRequest>(Wire(kProduceStart, partition, int32_t{-7}), 3),
              HasSubstr("topicData[0].partitionData[0].records: at byte 27 of 27: length -7"));
}

TEST(KafkaHostileMessageTest, NullIsRefusedWhereTheVersionHasNone) {
  EXPECT_THAT(ErrorOf<MetadataRequest>(Wire(int32_t{-1}), 0),
              HasSubstr("topics: at byte 4 of 4: null"));
  EXPECT_FALSE(Decode<MetadataRequest>(Bytes(Wire(int32_t{-1})), 0, 1)->topics.has_value());
  EXPECT_THAT(ErrorOf<HeartbeatRequest>(Wire(int16_t{-1}), 0),
              HasSubstr("groupId: at byte 2 of 2: null"));
  EXPECT_THAT(ErrorOf<HeartbeatRequest>(std::string(1, '\0'), 4), HasSubstr("null"));
}

TEST(KafkaHostileMessageTest, TheErrorNamesTheElement) {
  const std::string body =
      Wire(int32_t{3}, Short("a"), Short("b"), int16_t{100}, std::string(5, 'x'));
  EXPECT_THAT(
      ErrorOf<MetadataRequest>(body, 0),
      HasSubstr(
          "Metadata v0 request: topics[2].name: at byte 12 of 17: needs 100 bytes, 5 are left"));
}

TEST(KafkaHostileMessageTest, VarintsOfMoreThan32BitsAreRefused) {
  EXPECT_THAT(ErrorOf<MetadataRequest>("\xff\xff\xff\xff\x1f", 9), HasSubstr("varint"));
  EXPECT_THAT(ErrorOf<MetadataRequest>("\x80\x80\x80\x80\x80\x80", 9), HasSubstr("varint"));
}

TEST(KafkaHostileMessageTest, AMessageThatWouldTakeTooMuchMemoryIsRefused) {
  // 50,000 topics of two bytes each on the wire, an order of magnitude more in memory.
  const std::string body = Wire(int32_t{50000}, std::string(100000, '\0'));
  EXPECT_TRUE(Decode<MetadataRequest>(Bytes(body), 0, 0).ok());
  const size_t needed = 50000 * sizeof(MetadataRequest::Topic);
  EXPECT_TRUE(Decode<MetadataRequest>(Bytes(body), 0, 0, {.memory_bytes_max = needed}).ok());
  EXPECT_THAT(ErrorOf<MetadataRequest>(body, 0, {.memory_bytes_max = needed - 1}),
              HasSubstr("topics: at byte 4 of 100004: the message would take more memory"));
}

TEST(KafkaHostileMessageTest, AMessageOfTooManyElementsIsRefused) {
  FetchRequest request;
  request.topics.assign(100000, {.topic = "t", .partitions = {{}}});
  const auto decode = [&request](const DecodeLimits& limits) {
    const Bytes frame(Joined(EncodeRequest(request, 4, 1, std::nullopt)).substr(4));
    return Decode<FetchRequest>(*ParseRequest(frame), limits).status();
  };
  EXPECT_TRUE(decode({}).ok());  // 100,000 partitions with a topic each: as many as any client has
  EXPECT_TRUE(decode({.elements_max = 200000}).ok());
  EXPECT_THAT(decode({.elements_max = 199999}).ToString(),
              HasSubstr("topics[99999].partitions: at byte 2300015 of 2300031: 1 elements are more "
                        "than one message may have: 0 left"));
  request.topics.assign(1, {.topic = "t", .partitions = {}});
  request.topics[0].partitions.resize((size_t{1} << 18U) + 1);
  EXPECT_FALSE(decode({}).ok());
}

TEST(KafkaHostileMessageTest, TextsCountAsMemoryAndRecordsDoNot) {
  const std::string body = Wire(int32_t{1}, Short(std::string(1000, 't')));
  EXPECT_THAT(ErrorOf<MetadataRequest>(body, 0, {.memory_bytes_max = 1000}),
              HasSubstr("topics[0].name"));
  ProduceRequest request{.topic_data = {{.partition_data = {{}}}}};
  request.topic_data[0].partition_data[0].records = {.is_null = false,
                                                     .slices = {Bytes(std::string(1 << 20U, 'r'))}};
  const Bytes frame(Joined(EncodeRequest(request, 3, 1, std::nullopt)).substr(4));
  EXPECT_TRUE(Decode<ProduceRequest>(*ParseRequest(frame), {.memory_bytes_max = 1000}).ok());
}

// ---- tagged fields ----

const std::string kHeartbeat = Wire(Compact("group"), int32_t{5}, Compact("member"), int8_t{0});

TEST(KafkaHostileMessageTest, UnknownTaggedFieldsAreSkipped) {
  const auto plain = Decode<HeartbeatRequest>(Bytes(Wire(kHeartbeat, int8_t{0})), 0, 4);
  ASSERT_TRUE(plain.ok()) << plain.status();
  const auto tagged =
      Decode<HeartbeatRequest>(Bytes(Wire(kHeartbeat, int8_t{3}, int8_t{0}, int8_t{1}, "x",
                                          int8_t{7}, int8_t{2}, "xy", kHugeVarint, int8_t{0})),
                               0, 4);
  ASSERT_TRUE(tagged.ok()) << tagged.status();
  EXPECT_EQ(*tagged, *plain);
  EXPECT_EQ(tagged->generation_id, 5);
}

TEST(KafkaHostileMessageTest, UnknownTaggedFieldsInsideAnArrayAreSkipped) {
  const std::string protocol =
      Wire(Compact("range"), Compact("meta"), int8_t{1}, int8_t{9}, int8_t{3}, "abc");
  const std::string body = Wire(Compact("group"), int32_t{1}, int32_t{2}, Compact(""), int8_t{0},
                                Compact("consumer"), int8_t{3}, protocol, protocol, int8_t{0});
  const auto decoded = Decode<JoinGroupRequest>(Bytes(body), 0, 6);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  ASSERT_EQ(decoded->protocols.size(), 2);
  EXPECT_EQ(decoded->protocols[1].name, "range");
  EXPECT_EQ(decoded->protocols[1].metadata.view(), "meta");
}

TEST(KafkaHostileMessageTest, KnownTaggedFieldsAreFoundAmongUnknownOnes) {
  // ApiVersions response: an error, no APIs, no throttling; tag 1 (an epoch) between two unknown
  // ones.
  const std::string epoch = Wire(int8_t{1}, int8_t{8}, int64_t{77});
  const std::string body =
      Wire(int16_t{0}, int8_t{1}, int32_t{0}, int8_t{2}, epoch, int8_t{9}, int8_t{1}, "x");
  const auto decoded = Decode<ApiVersionsResponse>(Bytes(body), 0, 3);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->finalized_features_epoch, 77);
}

TEST(KafkaHostileMessageTest, ATaggedFieldOfAnotherSizeIsRefused) {
  const std::string start = Wire(int16_t{0}, int8_t{1}, int32_t{0}, int8_t{1}, int8_t{1});
  EXPECT_THAT(ErrorOf<ApiVersionsResponse>(Wire(start, int8_t{9}, int64_t{77}, int8_t{0}), 3),
              HasSubstr("finalizedFeaturesEpoch: at byte 18 of 19: 1 bytes too many in tag 1"));
  EXPECT_THAT(ErrorOf<ApiVersionsResponse>(Wire(start, int8_t{7}, int64_t{77}), 3),
              HasSubstr("finalizedFeaturesEpoch"));
}

TEST(KafkaHostileMessageTest, TagsOutOfOrderOrTwiceAreRefused) {
  EXPECT_THAT(
      ErrorOf<HeartbeatRequest>(Wire(kHeartbeat, int8_t{2}, "\x5", int8_t{0}, "\x5", int8_t{0}), 4),
      HasSubstr("tag 5 behind 5"));
  EXPECT_THAT(
      ErrorOf<HeartbeatRequest>(Wire(kHeartbeat, int8_t{2}, "\x5", int8_t{0}, "\x4", int8_t{0}), 4),
      HasSubstr("tag 4 behind 5"));
}

TEST(KafkaHostileMessageTest, TagSectionsThatLieAreRefused) {
  EXPECT_THAT(ErrorOf<HeartbeatRequest>(kHeartbeat + kHugeVarint, 4),
              HasSubstr("needs 1 bytes, 0 are left"));
  EXPECT_THAT(ErrorOf<HeartbeatRequest>(Wire(kHeartbeat, "\x1\x5", kHugeVarint, "abc"), 4),
              HasSubstr("needs 4294967295 bytes, 3 are left"));
}

TEST(KafkaHostileMessageTest, ManyTaggedFieldsAreSkipped) {
  std::string body = Wire(kHeartbeat, "\xe8\x07");  // 1000
  for (int tag = 0; tag < 1000; ++tag) {
    body += static_cast<char>((tag & 0x7F) | 0x80);
    body += static_cast<char>(tag >> 7);
    body += Wire(int8_t{1}, "x");
  }
  EXPECT_TRUE(Decode<HeartbeatRequest>(Bytes(body), 0, 4).ok());
}

TEST(KafkaHostileMessageTest, AStructIsThereOrNull) {
  const std::string start = Wire(int8_t{1}, int32_t{10});
  const auto none =
      Decode<DescribeTopicPartitionsRequest>(Bytes(Wire(start, int8_t{-1}, int8_t{0})), 0, 0);
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_FALSE(none->cursor.has_value());
  EXPECT_THAT(ErrorOf<DescribeTopicPartitionsRequest>(Wire(start, int8_t{2}), 0),
              HasSubstr("cursor: at byte 6 of 6: a struct is there (1) or null (-1), not 2"));
}

// ---- what a broker writes ----

TEST(KafkaHostileMessageTest, WhatNoFrameCanCarryIsNone) {
  const Bytes batch(std::string(size_t{1} << 20U, 'b'));
  FetchResponse response{.responses = {{.partitions = {{}, {}}}}};
  const auto set = [&response, &batch](size_t partition, size_t batches) {
    response.responses[0].partitions[partition].records = {.is_null = false,
                                                           .slices = ByteChain(batches, batch)};
  };
  set(0, 1000);
  set(1, 1047);
  EXPECT_FALSE(EncodeResponse(response, 12, 1).empty());
  set(1, 1048);
  EXPECT_TRUE(EncodeResponse(response, 12, 1).empty());
  for (const size_t batches : {size_t{2048}, size_t{4097}}) {  // in one field
    set(0, batches);
    EXPECT_TRUE(EncodeResponse(response, 12, 1).empty());
    EXPECT_TRUE(EncodeResponse(response, 11, 1).empty());
  }
}

TEST(KafkaHostileMessageTest, TextsThatDoNotFitAreCut) {
  const HeartbeatRequest request{.group_id = std::string(40000, 'g')};
  for (const int16_t version : {int16_t{3}, int16_t{4}}) {
    const Bytes frame(Joined(EncodeRequest(request, version, 1, std::nullopt)).substr(4));
    const auto decoded = Decode<HeartbeatRequest>(*ParseRequest(frame));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(decoded->group_id.size(), 32767);
  }
}

TEST(KafkaHostileMessageTest, TextsLongerThanKafkaAllowsAreRefused) {
  const std::string body = "\x81\x80\x02" + std::string(40000, 'g');  // 32768 and one
  EXPECT_THAT(ErrorOf<HeartbeatRequest>(body, 4),
              HasSubstr("groupId: at byte 3 of 40003: length 32768"));
}

TEST(KafkaHostileMessageTest, NullIsWrittenAsEmptyWhereTheVersionHasNone) {
  const MetadataResponse response{.topics = {{.name = std::nullopt}}};
  const std::string frame = Joined(EncodeResponse(response, 0, 1));
  const auto decoded = Decode<MetadataResponse>(Bytes(frame), 8, 0);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->topics.at(0).name, "");
}

}  // namespace
}  // namespace quipu::kafka
