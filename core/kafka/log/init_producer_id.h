// InitProducerId: an identity for an idempotent producer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error_code.h"
#include "base/ids.h"
#include "core/kafka/api.h"
#include "core/kafka/field_visitor.h"

namespace quipu::kafka {

struct InitProducerIdRequest {
  static constexpr ApiKey kApi = ApiKey::kInitProducerId;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  // Null: idempotent alone.
  std::optional<std::string> transactional_id{};
  int32_t transaction_timeout_ms = 0;
  // That the producer has and wants a new epoch for; -1: none.
  ProducerId producer_id{-1};
  ProducerEpoch producer_epoch{-1};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const InitProducerIdRequest& a, const InitProducerIdRequest& b) = default;
};

struct InitProducerIdResponse {
  static constexpr ApiKey kApi = ApiKey::kInitProducerId;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  // The client is to pause so long; 0: not at all.
  int32_t throttle_time_ms = 0;
  ErrorCode error_code = ErrorCode::kNone;
  ProducerId producer_id{-1};
  ProducerEpoch producer_epoch{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const InitProducerIdResponse& a,
                         const InitProducerIdResponse& b) = default;
};

}  // namespace quipu::kafka
