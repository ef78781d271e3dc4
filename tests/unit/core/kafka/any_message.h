// Messages of the Kafka wire without their types, for tests that treat all of them alike.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/kafka/message.h"

namespace quipu::kafka {

class AnyMessage {
 public:
  virtual ~AnyMessage() = default;
  virtual void Visit(FieldVisitor& visitor) = 0;
  // Replaces the message by what Decode<M> says.
  virtual absl::Status DecodeFrom(const Bytes& frame, size_t position, int16_t version,
                                  const DecodeLimits& limits) = 0;
  // A whole frame; a request's with `client_id`.
  virtual ByteChain Encode(int16_t version, int32_t correlation_id,
                           const std::optional<std::string>& client_id) = 0;
  [[nodiscard]] virtual size_t Size(int16_t version) const = 0;
  [[nodiscard]] virtual bool Equals(const AnyMessage& other) const = 0;
};

struct MessageType {
  ApiKey api;
  MessageKind kind;
  std::unique_ptr<AnyMessage> (*make)();

  [[nodiscard]] const ApiInfo& info() const { return InfoOf(api); }
  // "Fetch request".
  [[nodiscard]] std::string name() const;
};

// Request and response of every API in the table.
const std::vector<MessageType>& MessageTypes();
const MessageType& TypeOf(ApiKey api, MessageKind kind);

// `message`, which is of `type`, without size and header.
std::string BodyOf(const MessageType& type, AnyMessage& message, int16_t version);

}  // namespace quipu::kafka
