// Fuzz targets: the Kafka wire.
#include "base/check.h"
#include "core/kafka/message.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/targets.h"
#include "tests/unit/core/kafka/any_message.h"

namespace quipu::fuzz {
namespace {

constexpr kafka::DecodeLimits kLimits{.memory_bytes_max = size_t{1} << 20U};

// What was decoded is encoded, has the size that was told, and is decoded to the same again.
void RoundTrip(const kafka::MessageType& type, int16_t version, const Bytes& frame,
               size_t position) {
  const auto message = type.make();
  if (!message->DecodeFrom(frame, position, version, kLimits).ok()) return;
  const Bytes encoded(kafka::BodyOf(type, *message, version));
  QUIPU_CHECK(message->Size(version) == encoded.size());
  const auto again = type.make();
  QUIPU_CHECK(again->DecodeFrom(encoded, 0, version, {}).ok());
  QUIPU_CHECK(again->Equals(*message));
}

}  // namespace

void KafkaMessages(absl::string_view bytes) {
  Input input(bytes);
  const kafka::ApiInfo& api =
      kafka::Apis()[input.Below(static_cast<uint32_t>(kafka::Apis().size()))];
  const kafka::MessageKind kind =
      input.Chance() ? kafka::MessageKind::kResponse : kafka::MessageKind::kRequest;
  const auto versions = static_cast<uint32_t>(api.version_max - api.version_min + 1);
  const auto version =
      static_cast<int16_t>(api.version_min + static_cast<int>(input.Below(versions)));
  RoundTrip(kafka::TypeOf(api.key, kind), version, Bytes::CopyOf(input.Rest()), 0);
}

void KafkaFrames(absl::string_view bytes) {
  const absl::StatusOr<kafka::RequestFrame> request = kafka::ParseRequest(Bytes::CopyOf(bytes));
  if (!request.ok() || !request->api->Serves(request->version)) return;
  RoundTrip(kafka::TypeOf(request->api->key, kafka::MessageKind::kRequest), request->version,
            request->frame, request->body);
}

}  // namespace quipu::fuzz
