// Fuzz targets: the Kafka wire.
#include <algorithm>
#include <cstring>
#include <deque>
#include <string>

#include "base/check.h"
#include "core/kafka/connection_core.h"
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

void KafkaConnection(absl::string_view bytes) {
  Input input(bytes);
  static const kafka::ServedApis served = kafka::ServedApis::All();
  kafka::ConnectionCore connection(&served, {.request_bytes_max = size_t{1} << 16U,
                                             .in_flight_requests_max = 1 + input.Below(8),
                                             .in_flight_bytes_max = 1000,
                                             .output_bytes_max = 1000});
  const size_t piece = 1 + input.Byte();
  std::deque<uint64_t> unanswered;
  while (true) {
    if (connection.wants_read()) {
      const absl::string_view read = input.Take(std::min(piece, connection.Space().size()));
      if (read.empty()) break;
      std::memcpy(connection.Space().data(), read.data(), read.size());
      if (!connection.OnRead(read.size()).ok()) break;
    }
    kafka::IncomingRequest request;
    while (connection.NextRequest(request).value_or(false)) {
      unanswered.push_back(request.sequence);
      RoundTrip(kafka::TypeOf(request.frame.api->key, kafka::MessageKind::kRequest),
                request.frame.version, request.frame.frame, request.frame.body);
    }
    connection.CheckInvariants();
    if (!connection.wants_read()) {
      if (!unanswered.empty()) {  // the newest first: answers have to wait for each other
        connection.Answer(unanswered.back(), {Bytes("answer")});
        unanswered.pop_back();
      }
      connection.OnWritten(SizeOf(connection.TakeOutput()));
    }
    if (connection.done()) break;
  }
}

}  // namespace quipu::fuzz
