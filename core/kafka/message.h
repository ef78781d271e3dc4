// Bytes <-> messages and frames of the Kafka protocol.
//
// A message is a plain struct of core/kafka/log, core/kafka/group or core/kafka/admin, whose
// members all have initialisers: what a version lacks may be left out. Everything here is pure and
// thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/byte_chain.h"
#include "base/bytes.h"
#include "core/kafka/api.h"
#include "core/kafka/field_reader.h"
#include "core/kafka/field_visitor.h"

namespace quipu::kafka {

// What the length of a frame can say, which it does not count.
inline constexpr size_t kFrameBytesMax = INT32_MAX;

template <typename M>
concept Message = requires(M& message, FieldVisitor& visitor) {
  { M::kApi } -> std::convertible_to<ApiKey>;
  { M::kKind } -> std::convertible_to<MessageKind>;
  message.Describe(visitor);
};

// A frame's header and where its body begins.
struct RequestFrame {
  const ApiInfo* api = nullptr;
  int16_t version = 0;  // not checked: the table may not serve it
  int32_t correlation_id = 0;
  std::optional<std::string> client_id;
  // The whole frame, without its size; what is decoded from it shares its memory.
  Bytes frame;
  size_t body = 0;  // a position in `frame`
};

// Reads the header of a frame (without its size). kInvalidRequest when it is none, or names a key
// that no API here has. Of a version that the API does not serve the header is read all the same,
// but for ApiVersions no further than the client id: what follows is unknown, and not needed for
// the answer.
absl::StatusOr<RequestFrame> ParseRequest(const Bytes& frame);

// What the templates below do.
namespace internal {
using Visit = absl::FunctionRef<void(FieldVisitor&)>;
absl::Status Decode(ApiKey api, MessageKind kind, int16_t version, const Bytes& frame,
                    size_t position, const DecodeLimits& limits, Visit visit);
ByteChain EncodeResponse(ApiKey api, int16_t version, int32_t correlation_id, Visit visit,
                         std::vector<ErrorCode>* errors);
ByteChain EncodeRequest(ApiKey api, int16_t version, int32_t correlation_id,
                        const std::optional<std::string>& client_id, Visit visit);
size_t EncodedSize(ApiKey api, int16_t version, Visit visit);

// A writer reads what it visits and changes none of it, so that one description serves messages
// that are const too.
template <Message M>
auto Writing(const M& message) {
  return [&message](FieldVisitor& writer) { writer.Value(const_cast<M&>(message), false); };
}
}  // namespace internal

// The message of `version` at [position, end) of `frame`. kUnsupportedVersion when the API's table
// does not serve the version; kInvalidRequest, with API, version, field and byte, when the bytes
// are not such a message, or are a response that others follow, or when `limits` do not allow it.
// What follows a request is passed over.
template <Message M>
absl::StatusOr<M> Decode(const Bytes& frame, size_t position, int16_t version,
                         const DecodeLimits& limits = {}) {
  M message;
  absl::Status status =
      internal::Decode(M::kApi, M::kKind, version, frame, position, limits,
                       [&message](FieldVisitor& reader) { reader.Value(message, false); });
  if (!status.ok()) return status;
  return message;
}
// The body of a request frame. M::kApi must be the frame's.
template <Message M>
absl::StatusOr<M> Decode(const RequestFrame& request, const DecodeLimits& limits = {}) {
  return Decode<M>(request.frame, request.body, request.version, limits);
}

// A whole frame: size, header and message; records are shared, not copied. `version` must be one
// that the API serves. Fields that it does not have are left out. To `errors`, if given, each error
// but kNone is added. No slices: the frame would be larger than kFrameBytesMax.
template <Message M>
  requires(M::kKind == MessageKind::kResponse)
ByteChain EncodeResponse(const M& message, int16_t version, int32_t correlation_id,
                         std::vector<ErrorCode>* errors = nullptr) {
  return internal::EncodeResponse(M::kApi, version, correlation_id, internal::Writing(message),
                                  errors);
}
template <Message M>
  requires(M::kKind == MessageKind::kRequest)
ByteChain EncodeRequest(const M& message, int16_t version, int32_t correlation_id,
                        const std::optional<std::string>& client_id) {
  return internal::EncodeRequest(M::kApi, version, correlation_id, client_id,
                                 internal::Writing(message));
}

// Bytes of the message without size and header.
template <Message M>
size_t EncodedSize(const M& message, int16_t version) {
  return internal::EncodedSize(M::kApi, version, internal::Writing(message));
}

}  // namespace quipu::kafka
