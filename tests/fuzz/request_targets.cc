// Fuzz targets: the hand-written codecs of the fast path, against themselves and against protobuf,
// and what members of classic groups tell each other.
#include <string>

#include "base/check.h"
#include "core/coordinator/classic/consumer_protocol.h"
#include "core/record/record_batch.h"
#include "core/replication/producer_codec.h"
#include "core/request/log_codec.h"
#include "proto/message/stream.pb.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/targets.h"

namespace quipu::fuzz {
namespace {

// What was decoded is encoded, decoded and encoded again: the bytes must be the same; and what was
// encoded must be a message for protobuf too. Texts that are not UTF-8 are the one difference.
template <typename Proto, typename Decode>
void RoundTrip(absl::string_view bytes, Decode decode) {
  const auto message = decode(Bytes::CopyOf(bytes));
  if (!message.ok()) return;
  const std::string encoded = Joined(Encode(*message));
  const auto again = decode(Bytes::CopyOf(encoded));
  QUIPU_CHECK(again.ok());
  QUIPU_CHECK(Joined(Encode(*again)) == encoded);
  Proto original;
  if (original.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    Proto proto;
    QUIPU_CHECK(proto.ParseFromString(encoded));
  }
}

}  // namespace

void LogCodec(absl::string_view bytes) {
  Input input(bytes);
  const uint32_t kind = input.Below(6);
  const absl::string_view body = input.Rest();
  switch (kind) {
    case 0:
      return RoundTrip<message::ProduceRequest>(body, DecodeProduceRequest);
    case 1:
      return RoundTrip<message::ProduceResponse>(body, DecodeProduceResponse);
    case 2:
      return RoundTrip<message::FetchRequest>(body, DecodeFetchRequest);
    case 3:
      return RoundTrip<message::FetchResponse>(body, DecodeFetchResponse);
    case 4:
      return RoundTrip<message::ReplicaToLeader>(body, DecodeReplicaToLeader);
    default:
      return RoundTrip<message::LeaderToReplica>(body, DecodeLeaderToReplica);
  }
}

void ProducerState(absl::string_view bytes) {
  const auto producers = DecodeProducers(bytes);
  if (!producers) return;
  const Bytes encoded = EncodeProducers(*producers);
  const auto again = DecodeProducers(encoded.view());
  QUIPU_CHECK(again.has_value() && *again == *producers);
}

void ConsumerProtocol(absl::string_view bytes) {
  // What was read was there: a version, a count, and each name behind its length.
  if (const auto topics = SubscribedTopicsIn(bytes)) {
    size_t size = sizeof(int16_t) + sizeof(int32_t);
    for (const std::string& topic : *topics) size += sizeof(int16_t) + topic.size();
    QUIPU_CHECK(size <= bytes.size());
  }
  if (const auto owned = OwnedPartitionsIn(bytes)) {
    size_t size = 0;
    for (const auto& [topic, partitions] : *owned) {
      size += sizeof(int16_t) + topic.size() + sizeof(int32_t) * (1 + partitions.size());
    }
    QUIPU_CHECK(size <= bytes.size());
  }
  const auto assigned = AssignedPartitionsIn(bytes);
  if (!assigned || bytes.empty()) return;
  size_t size = sizeof(int16_t) + sizeof(int32_t);
  for (const auto& [topic, partitions] : *assigned) {
    size += sizeof(int16_t) + topic.size() + sizeof(int32_t) * (1 + partitions.size());
  }
  QUIPU_CHECK(size <= bytes.size());
}

}  // namespace quipu::fuzz
