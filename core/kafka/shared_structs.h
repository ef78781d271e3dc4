// Structs that several APIs share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error_code.h"
#include "base/ids.h"
#include "core/kafka/field_visitor.h"

namespace quipu::kafka {

// Who leads a partition, for a client that asked another broker. -1: not known.
struct LeaderIdAndEpoch {
  BrokerId leader_id{-1};
  LeaderEpoch leader_epoch{-1};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const LeaderIdAndEpoch& a, const LeaderIdAndEpoch& b) = default;
};

// Where a client reaches a broker.
struct NodeEndpoint {
  BrokerId node_id{};
  std::string host{};
  int32_t port = 0;
  std::optional<std::string> rack{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const NodeEndpoint& a, const NodeEndpoint& b) = default;
};

// What became of a change of settings.
struct AlteredResource {
  ErrorCode error_code = ErrorCode::kNone;
  std::optional<std::string> error_message{};
  // As in the request.
  int8_t resource_type = 0;
  std::string resource_name{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const AlteredResource& a, const AlteredResource& b) = default;
};

// Where a listing of partitions goes on.
struct Cursor {
  std::string topic_name{};
  PartitionIndex partition_index{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const Cursor& a, const Cursor& b) = default;
};

}  // namespace quipu::kafka
