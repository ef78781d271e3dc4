// Fuzz targets: the hand-written codecs of the fast path, against themselves and against protobuf,
// frames between brokers, and what members of classic groups tell each other.
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "base/check.h"
#include "core/coordinator/classic/consumer_protocol.h"
#include "core/record/record_batch.h"
#include "core/replication/producer_codec.h"
#include "core/request/log_codec.h"
#include "proto/message/stream.pb.h"
#include "runtime/socket/stream_frames.h"
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

void StreamFrames(absl::string_view bytes) {
  constexpr size_t kBodyMax = 150000;
  if (const auto opening = DecodeOpening(bytes); opening.ok()) {
    QUIPU_CHECK(EncodeOpening(*opening) == bytes);
  }
  QUIPU_CHECK(EncodeEnd(DecodeEnd(bytes)).size() <= bytes.size() + 64);
  // Frames with bodies of all sizes, whose lengths the bytes give, in pieces of a size that they
  // give too; and the bytes themselves behind them.
  Input input(bytes);
  const size_t piece = 1 + input.Number<uint16_t>();
  std::vector<std::string> sent;
  std::string wire;
  for (uint8_t frames = input.Byte() % 8; frames > 0; --frames) {
    const size_t size = (size_t{input.Byte()} << (input.Byte() % 10)) + input.Byte();
    sent.emplace_back(size, static_cast<char>(frames));
    wire += FrameHead(size).ToString() + sent.back();
  }
  const size_t whole = wire.size();
  wire.append(bytes.data(), bytes.size());
  FrameReader reader(kBodyMax);
  std::vector<Bytes> got;
  size_t fed = 0;
  bool ok = true;
  for (size_t part = 0; ok && fed < wire.size(); fed += part) {
    const std::span<char> space = reader.Space();
    part = std::min({space.size(), piece, wire.size() - fed});
    std::memcpy(space.data(), wire.data() + fed, part);
    ok = reader
             .Took(part,
                   [&](Bytes body, bool) {
                     got.push_back(std::move(body));
                     return absl::OkStatus();
                   })
             .ok();
  }
  QUIPU_CHECK(ok || fed >= whole);
  QUIPU_CHECK(got.size() >= sent.size());
  for (size_t i = 0; i < sent.size(); ++i) QUIPU_CHECK(got[i].view() == sent[i]);
}

}  // namespace quipu::fuzz
