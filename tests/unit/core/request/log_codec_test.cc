// Goal: the hand-written codec and the generated one are the same language, record bytes are never
// copied, and no input makes the decoder crash or read out of bounds.
// Method: random messages both ways through the generated classes; then random damage, where a
// message that the decoder takes must also be one for the generated parser.
#include "core/request/log_codec.h"

#include <string>

#include "base/rng.h"
#include "core/record/record_batch.h"
#include "core/record/record_batch_builder.h"
#include "core/request/wire_format.h"
#include "gtest/gtest.h"
#include "proto/message/stream.pb.h"

namespace quipu {
namespace {

Bytes MakeBatch(Rng& rng, Offset base) {
  RecordBatchBuilder builder({.base_offset = base});
  const uint64_t count = 1 + rng.Below(3);
  for (uint64_t i = 0; i < count; ++i) {
    builder.Add({.timestamp = TimestampMs(1000), .key = "key", .value = "value"});
  }
  return builder.Build();
}

std::vector<Bytes> MakeBatches(Rng& rng) {
  std::vector<Bytes> batches;
  for (uint64_t i = rng.Below(4); i > 0; --i) batches.push_back(MakeBatch(rng, Offset(7)));
  return batches;
}

// Numbers of all sizes, often the ones that mean "none".
int64_t SomeNumber(Rng& rng) {
  switch (rng.Below(5)) {
    case 0:
      return 0;
    case 1:
      return -1;
    case 2:
      return static_cast<int64_t>(rng.Below(300));
    case 3:
      return static_cast<int64_t>(rng.Next());
    default:
      return INT64_MAX;
  }
}
int32_t SomeInt32(Rng& rng) { return static_cast<int32_t>(SomeNumber(rng)); }
std::string SomeText(Rng& rng) { return rng.Chance(1, 2) ? "" : "client \xc3\xa4"; }
ErrorCode SomeError(Rng& rng) {
  const ErrorCode codes[] = {ErrorCode::kNone, ErrorCode::kUnknownServerError,
                             ErrorCode::kNotLeaderOrFollower, ErrorCode::kDiskFull};
  return codes[rng.Below(4)];
}
template <typename T>
T SomeStrong(Rng& rng) {
  return T(static_cast<typename T::ValueType>(SomeNumber(rng)));
}

ProduceRequest SomeProduceRequest(Rng& rng) {
  ProduceRequest message;
  message.request_id = rng.Next();
  message.acks = SomeInt32(rng);
  message.timeout_ms = SomeInt32(rng);
  message.client_id = SomeText(rng);
  for (uint64_t i = rng.Below(4); i > 0; --i) {
    message.partitions.push_back(
        {.topic_id = TopicId::Random(rng),
         .partition = SomeStrong<PartitionIndex>(rng),
         .leader_epoch = SomeStrong<LeaderEpoch>(rng),
         .records = rng.Chance(1, 4) ? Bytes() : MakeBatch(rng, Offset(0))});
  }
  return message;
}

ProduceResponse SomeProduceResponse(Rng& rng) {
  ProduceResponse message;
  message.request_id = rng.Next();
  for (uint64_t i = rng.Below(4); i > 0; --i) {
    message.partitions.push_back({.topic_id = TopicId::Random(rng),
                                  .partition = SomeStrong<PartitionIndex>(rng),
                                  .error = SomeError(rng),
                                  .base_offset = SomeStrong<Offset>(rng),
                                  .log_append_time = SomeStrong<TimestampMs>(rng),
                                  .log_start_offset = SomeStrong<Offset>(rng),
                                  .leader_id = SomeStrong<BrokerId>(rng),
                                  .leader_epoch = SomeStrong<LeaderEpoch>(rng),
                                  .error_message = SomeText(rng)});
  }
  return message;
}

FetchRequest SomeFetchRequest(Rng& rng) {
  FetchRequest message;
  message.request_id = rng.Next();
  message.max_wait_ms = SomeInt32(rng);
  message.min_bytes = SomeInt32(rng);
  message.max_bytes = SomeInt32(rng);
  message.client_id = SomeText(rng);
  for (uint64_t i = rng.Below(4); i > 0; --i) {
    message.partitions.push_back({.topic_id = TopicId::Random(rng),
                                  .partition = SomeStrong<PartitionIndex>(rng),
                                  .fetch_offset = SomeStrong<Offset>(rng),
                                  .leader_epoch = SomeStrong<LeaderEpoch>(rng),
                                  .max_bytes = SomeInt32(rng),
                                  .last_fetched_epoch = SomeStrong<LeaderEpoch>(rng)});
  }
  return message;
}

FetchResponse SomeFetchResponse(Rng& rng) {
  FetchResponse message;
  message.request_id = rng.Next();
  message.error = SomeError(rng);
  for (uint64_t i = rng.Below(4); i > 0; --i) {
    message.partitions.push_back({.topic_id = TopicId::Random(rng),
                                  .partition = SomeStrong<PartitionIndex>(rng),
                                  .error = SomeError(rng),
                                  .high_watermark = SomeStrong<Offset>(rng),
                                  .last_stable_offset = SomeStrong<Offset>(rng),
                                  .log_start_offset = SomeStrong<Offset>(rng),
                                  .batches = MakeBatches(rng),
                                  .leader_id = SomeStrong<BrokerId>(rng),
                                  .leader_epoch = SomeStrong<LeaderEpoch>(rng),
                                  .diverging_epoch = SomeStrong<LeaderEpoch>(rng),
                                  .diverging_end_offset = SomeStrong<Offset>(rng)});
  }
  return message;
}

ReplicaToLeader SomeReplicaToLeader(Rng& rng) {
  ReplicaToLeader message;
  message.has_open = rng.Chance(1, 2);
  if (message.has_open) {
    message.open = {.cluster_id = ClusterId::Random(rng),
                    .broker_id = SomeStrong<BrokerId>(rng),
                    .broker_epoch = SomeStrong<BrokerEpoch>(rng),
                    .leader_id = SomeStrong<BrokerId>(rng)};
  }
  for (uint64_t i = rng.Below(4); i > 0; --i) {
    message.updates.push_back({.uid = SomeStrong<PartitionUid>(rng),
                               .leader_epoch = SomeStrong<LeaderEpoch>(rng),
                               .fetch_offset = SomeStrong<Offset>(rng),
                               .durable_end_offset = SomeStrong<Offset>(rng),
                               .log_start_offset = SomeStrong<Offset>(rng),
                               .last_epoch = SomeStrong<LeaderEpoch>(rng),
                               .restart = rng.Chance(1, 2),
                               .producers_unknown = rng.Chance(1, 2)});
  }
  message.credit_bytes = SomeNumber(rng);
  return message;
}

LeaderToReplica SomeLeaderToReplica(Rng& rng) {
  LeaderToReplica message;
  message.error = SomeError(rng);
  message.error_message = SomeText(rng);
  for (uint64_t i = rng.Below(4); i > 0; --i) {
    message.pushes.push_back({.uid = SomeStrong<PartitionUid>(rng),
                              .leader_epoch = SomeStrong<LeaderEpoch>(rng),
                              .error = SomeError(rng),
                              .high_watermark = SomeStrong<Offset>(rng),
                              .log_start_offset = SomeStrong<Offset>(rng),
                              .batches = MakeBatches(rng),
                              .diverging_epoch = SomeStrong<LeaderEpoch>(rng),
                              .diverging_end_offset = SomeStrong<Offset>(rng),
                              .base_offset = SomeStrong<Offset>(rng),
                              .producers = Bytes(SomeText(rng)),
                              .producers_whole_at = SomeStrong<Offset>(rng)});
  }
  return message;
}

// The two codecs of one message: random -> our bytes -> generated class -> its bytes -> our struct
// -> our bytes again. Every step must keep everything, and our own bytes must be stable.
template <typename Generated, typename Message, typename Decoder>
void ExpectSameLanguage(Message (*some)(Rng&), const Decoder& decode) {
  Rng rng(1);
  for (int round = 0; round < 300; ++round) {
    const std::string ours = Joined(Encode(some(rng)));
    Generated generated;
    ASSERT_TRUE(generated.ParseFromString(ours));
    EXPECT_EQ(generated.GetReflection()->GetUnknownFields(generated).field_count(), 0);
    const auto back = decode(Bytes(generated.SerializeAsString()));
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(Joined(Encode(*back)), ours);
  }
}

// What the decoder takes, the generated parser takes too, with the same content.
template <typename Generated, typename Message, typename Decoder>
void ExpectSoundUnderDamage(Message (*some)(Rng&), const Decoder& decode) {
  Rng rng(2);
  int taken = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text = Joined(Encode(some(rng)));
    if (text.empty()) continue;
    if (rng.Chance(1, 2)) text.resize(rng.Below(text.size()));
    for (uint64_t i = rng.Below(4); i > 0 && !text.empty(); --i) {
      text[rng.Below(text.size())] = static_cast<char>(rng.Below(256));
    }
    const auto decoded = decode(Bytes(text));
    if (!decoded.ok()) continue;
    ++taken;
    Generated generated;
    ASSERT_TRUE(generated.ParseFromString(text));
    const auto again = decode(Bytes(generated.SerializeAsString()));
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(Joined(Encode(*again)), Joined(Encode(*decoded)));
  }
  EXPECT_GT(taken, 100);
}

TEST(LogCodecTest, SpeaksTheGeneratedCodecsLanguage) {
  ExpectSameLanguage<message::ProduceRequest>(SomeProduceRequest, DecodeProduceRequest);
  ExpectSameLanguage<message::ProduceResponse>(SomeProduceResponse, DecodeProduceResponse);
  ExpectSameLanguage<message::FetchRequest>(SomeFetchRequest, DecodeFetchRequest);
  ExpectSameLanguage<message::FetchResponse>(SomeFetchResponse, DecodeFetchResponse);
  ExpectSameLanguage<message::ReplicaToLeader>(SomeReplicaToLeader, DecodeReplicaToLeader);
  ExpectSameLanguage<message::LeaderToReplica>(SomeLeaderToReplica, DecodeLeaderToReplica);
}

TEST(LogCodecTest, IsSoundUnderRandomDamage) {
  ExpectSoundUnderDamage<message::ProduceRequest>(SomeProduceRequest, DecodeProduceRequest);
  ExpectSoundUnderDamage<message::ProduceResponse>(SomeProduceResponse, DecodeProduceResponse);
  ExpectSoundUnderDamage<message::FetchRequest>(SomeFetchRequest, DecodeFetchRequest);
  ExpectSoundUnderDamage<message::FetchResponse>(SomeFetchResponse, DecodeFetchResponse);
  ExpectSoundUnderDamage<message::ReplicaToLeader>(SomeReplicaToLeader, DecodeReplicaToLeader);
  ExpectSoundUnderDamage<message::LeaderToReplica>(SomeLeaderToReplica, DecodeLeaderToReplica);
}

TEST(LogCodecTest, RecordBytesAreNeverCopied) {
  Rng rng(4);
  const Bytes batch = MakeBatch(rng, Offset(0));
  LeaderToReplica message;
  message.pushes.push_back(
      {.uid = PartitionUid(1), .leader_epoch = LeaderEpoch(1), .batches = {batch, batch}});
  const ByteChain chain = Encode(message);
  int shared = 0;
  for (const Bytes& bytes : chain) shared += bytes.data() == batch.data() ? 1 : 0;
  EXPECT_EQ(shared, 2);

  const Bytes whole(Joined(chain));
  const LeaderToReplica decoded = DecodeLeaderToReplica(whole).value();
  ASSERT_EQ(decoded.pushes[0].batches.size(), 2U);
  for (const Bytes& bytes : decoded.pushes[0].batches) {
    EXPECT_GE(bytes.data(), whole.data());
    EXPECT_LT(bytes.data(), whole.data() + whole.size());
  }
}

TEST(LogCodecTest, AbsentFieldsAreZeroAsInEveryOtherLanguage) {
  const ProduceRequest request = DecodeProduceRequest(Bytes()).value();
  EXPECT_EQ(request.acks, 0);
  EXPECT_EQ(request.timeout_ms, 0);
  message::FetchRequest generated;
  generated.add_partitions()->set_topic_id(TopicId(1, 1).ToBytes());
  const FetchRequest fetch = DecodeFetchRequest(Bytes(generated.SerializeAsString())).value();
  EXPECT_EQ(fetch.partitions[0].leader_epoch, LeaderEpoch(0));
  EXPECT_EQ(fetch.partitions[0].max_bytes, 0);
}

TEST(LogCodecTest, RefusesATopicIdOfAnotherLength) {
  message::ProduceRequest generated;
  generated.add_partitions()->set_topic_id("short");
  EXPECT_EQ(CodeOf(DecodeProduceRequest(Bytes(generated.SerializeAsString())).status()),
            ErrorCode::kInvalidRequest);
  generated.mutable_partitions(0)->clear_topic_id();
  EXPECT_EQ(CodeOf(DecodeProduceRequest(Bytes(generated.SerializeAsString())).status()),
            ErrorCode::kInvalidRequest);
}

TEST(LogCodecTest, RefusesAnOpenWithoutClusterId) {
  message::ReplicaToLeader generated;
  generated.mutable_open()->set_broker_id(1);
  EXPECT_EQ(CodeOf(DecodeReplicaToLeader(Bytes(generated.SerializeAsString())).status()),
            ErrorCode::kInvalidRequest);
}

TEST(LogCodecTest, RefusesAPartialBatch) {
  Rng rng(5);
  message::FetchResponse generated;
  auto* partition = generated.add_partitions();
  partition->set_topic_id(TopicId(1, 1).ToBytes());
  std::string records = MakeBatch(rng, Offset(0)).ToString();
  records.pop_back();
  partition->set_records(records);
  EXPECT_EQ(CodeOf(DecodeFetchResponse(Bytes(generated.SerializeAsString())).status()),
            ErrorCode::kCorruptMessage);
}

TEST(LogCodecTest, AnUnknownErrorNumberIsAnUnknownServerError) {
  message::FetchResponse generated;
  generated.set_error_code(31999);
  EXPECT_EQ(DecodeFetchResponse(Bytes(generated.SerializeAsString()))->error,
            ErrorCode::kUnknownServerError);
}

TEST(LogCodecTest, SkipsUnknownFieldsOfEveryWireType) {
  ProduceRequest request;
  request.request_id = 77;
  request.client_id = "c";
  const std::string known = Joined(Encode(request));
  const std::string unknown[] = {
      std::string("\xa0\x06\x05", 3),  // varint, field 100
      std::string("\xa1\x06"
                  "12345678",
                  10),  // fixed64
      std::string("\xa2\x06\x03"
                  "abc",
                  6),  // bytes
      std::string("\xa5\x06"
                  "1234",
                  6),                                               // fixed32
      std::string("\xa3\x06\x08\x01\xab\x06\xac\x06\xa4\x06", 10),  // group in a group
      std::string("\x0a\x01x", 3),                                  // field 1, wrong type
  };
  for (const std::string& extra : unknown) {
    const auto decoded = DecodeProduceRequest(Bytes(extra + known));
    ASSERT_TRUE(decoded.ok());
    EXPECT_EQ(decoded->request_id, 77U);
    EXPECT_EQ(decoded->client_id, "c");
  }
}

TEST(LogCodecTest, RefusesWhatIsNotProtobuf) {
  const std::string broken[] = {
      std::string("\x08", 1),                                               // number missing
      std::string("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12),  // number too long
      std::string("\x22\x05"
                  "abc",
                  5),                                                   // length past the end
      std::string("\x22\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11),  // length of 2^64 - 1
      std::string("\x00\x00", 2),                                       // field number 0
      std::string("\x0c", 1),                                           // group ends, none began
      std::string("\xa3\x06", 2),                                       // group never ends
      std::string("\xa3\x06\x0c", 3),                                   // another group ends
      std::string("\x0e\x00", 2),                                       // wire type 6
      std::string("\x22\x01\xff", 3),                                   // not UTF-8
  };
  for (const std::string& text : broken) {
    EXPECT_EQ(CodeOf(DecodeProduceRequest(Bytes(text)).status()), ErrorCode::kInvalidRequest);
  }
}

TEST(Utf8Test, AcceptsWellFormedAndRefusesTheRest) {
  for (const std::string good : {"", "ascii", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                 "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"}) {
    EXPECT_TRUE(IsUtf8(good)) << good;
  }
  for (const std::string bad :
       {"\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc3", "\xe2\x82", "\xc3\x28"}) {
    EXPECT_FALSE(IsUtf8(bad)) << bad;
  }
}

}  // namespace
}  // namespace quipu
