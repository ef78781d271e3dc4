// Goal: every message in every version survives encoding and decoding, takes as many bytes as was
// said, and no part of one is taken for the whole.
// Method: random messages from seeds, over all types.
#include <string>

#include "base/rng.h"
#include "core/kafka/field_reader.h"
#include "core/kafka/log/fetch.h"
#include "core/kafka/log/produce.h"
#include "gtest/gtest.h"
#include "tests/unit/core/kafka/any_message.h"
#include "tests/unit/core/kafka/random_message.h"

namespace quipu::kafka {
namespace {

// Calls `test(type, version, message)` with random messages of every type and version.
template <typename Test>
void ForRandomMessages(int rounds, size_t elements_max, Test test) {
  Rng rng(20240607);
  for (const MessageType& type : MessageTypes()) {
    const ApiInfo& api = type.info();
    for (int16_t version = api.version_min; version <= api.version_max; ++version) {
      for (int round = 0; round < rounds; ++round) {
        SCOPED_TRACE(type.name() + " v" + std::to_string(version));
        const auto message = type.make();
        RandomFiller filler(version, api.IsFlexible(version), &rng, elements_max);
        message->Visit(filler);
        test(type, version, *message);
        if (testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

TEST(KafkaRoundTripTest, EveryMessageIsDecodedToWhatWasEncoded) {
  ForRandomMessages(20, 3, [](const MessageType& type, int16_t version, AnyMessage& message) {
    const std::string body = BodyOf(type, message, version);
    const auto decoded = type.make();
    const absl::Status status = decoded->DecodeFrom(Bytes(body), 0, version, {});
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_TRUE(decoded->Equals(message));
    EXPECT_EQ(BodyOf(type, *decoded, version), body);
  });
}

TEST(KafkaRoundTripTest, TheSizeToldIsTheSizeWritten) {
  ForRandomMessages(5, 4, [](const MessageType& type, int16_t version, AnyMessage& message) {
    EXPECT_EQ(message.Size(version), BodyOf(type, message, version).size());
  });
}

TEST(KafkaRoundTripTest, NoPrefixOfAMessageIsAMessage) {
  ForRandomMessages(2, 2, [](const MessageType& type, int16_t version, AnyMessage& message) {
    const Bytes body(BodyOf(type, message, version));
    for (size_t size = 0; size < body.size(); ++size) {
      const absl::Status status = type.make()->DecodeFrom(body.Slice(0, size), 0, version, {});
      ASSERT_EQ(CodeOf(status), ErrorCode::kInvalidRequest) << size << " of " << body.size();
    }
  });
}

TEST(KafkaRoundTripTest, BytesBehindARequestArePassedOverAndBehindAResponseRefused) {
  ForRandomMessages(1, 2, [](const MessageType& type, int16_t version, AnyMessage& message) {
    const auto decoded = type.make();
    const absl::Status status =
        decoded->DecodeFrom(Bytes(BodyOf(type, message, version) + "x"), 0, version, {});
    if (type.kind == MessageKind::kRequest) {
      EXPECT_TRUE(status.ok()) << status;
      EXPECT_TRUE(decoded->Equals(message));
    } else {
      EXPECT_EQ(CodeOf(status), ErrorCode::kInvalidRequest) << status;
    }
  });
}

TEST(KafkaRoundTripTest, VersionsThatAreNotServedAreRefused) {
  for (const MessageType& type : MessageTypes()) {
    const ApiInfo& api = type.info();
    for (const int version : {api.version_min - 1, api.version_max + 1, -32768, 32767}) {
      const absl::Status status =
          type.make()->DecodeFrom(Bytes(), 0, static_cast<int16_t>(version), {});
      EXPECT_EQ(CodeOf(status), ErrorCode::kUnsupportedVersion) << type.name() << " v" << version;
    }
  }
}

// Damaged messages: any error will do, and what is taken must be a message that can be written.
TEST(KafkaRoundTripTest, FlippedBytesAreRefusedOrUnderstood) {
  Rng rng(7);
  int understood = 0;
  ForRandomMessages(20, 2, [&](const MessageType& type, int16_t version, AnyMessage& message) {
    std::string body = BodyOf(type, message, version);
    if (body.empty()) return;
    for (uint64_t flips = 1 + rng.Below(3); flips > 0; --flips) {
      body[rng.Below(body.size())] = static_cast<char>(rng.Next());
    }
    const auto decoded = type.make();
    if (!decoded->DecodeFrom(Bytes(body), 0, version, {}).ok()) return;
    ++understood;
    const std::string encoded = BodyOf(type, *decoded, version);
    const auto again = type.make();
    ASSERT_TRUE(again->DecodeFrom(Bytes(encoded), 0, version, {}).ok());
    EXPECT_TRUE(again->Equals(*decoded));
  });
  EXPECT_GT(understood, 100);
}

TEST(KafkaRoundTripTest, RecordsOfARequestAreASliceOfItsFrame) {
  ProduceRequest request{.acks = -1, .topic_data = {{.name = "payments", .partition_data = {{}}}}};
  request.topic_data[0].partition_data[0].records = {.is_null = false,
                                                     .slices = {Bytes(std::string(100, 'r'))}};
  const Bytes frame(Joined(EncodeRequest(request, 9, 1, "app")).substr(4));
  const auto parsed = ParseRequest(frame);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const auto decoded = Decode<ProduceRequest>(*parsed);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, request);
  const Bytes& records = decoded->topic_data[0].partition_data[0].records.slices.at(0);
  EXPECT_EQ(records.owner(), frame.owner());
  EXPECT_GE(records.data(), frame.data());
}

TEST(KafkaRoundTripTest, RecordsOfAResponseAreNotCopied) {
  const Bytes batch(std::string(1000, 'b'));
  FetchResponse response{.responses = {{.topic = "payments", .partitions = {{}, {}}}}};
  for (FetchResponse::Partition& partition : response.responses[0].partitions) {
    partition.records = {.is_null = false, .slices = {batch, batch}};
  }
  int shared = 0;
  for (const Bytes& slice : EncodeResponse(response, 12, 1)) shared += slice.data() == batch.data();
  EXPECT_EQ(shared, 4);
}

TEST(KafkaRoundTripTest, TheSizeOfAFrameComesFirst) {
  const std::string frame = Joined(EncodeResponse(FetchResponse{.session_id = 7}, 11, 99));
  EXPECT_EQ(frame, std::string("\0\0\0\x12"
                               "\0\0\0\x63"
                               "\0\0\0\0"
                               "\0\0"
                               "\0\0\0\x7"
                               "\0\0\0\0",
                               22));
}

}  // namespace
}  // namespace quipu::kafka
