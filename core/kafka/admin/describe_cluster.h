// DescribeCluster: cluster id, controller and brokers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error_code.h"
#include "base/ids.h"
#include "core/kafka/api.h"
#include "core/kafka/field_visitor.h"

namespace quipu::kafka {

struct DescribeClusterRequest {
  static constexpr ApiKey kApi = ApiKey::kDescribeCluster;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  bool include_cluster_authorized_operations = false;
  // 1: brokers; 2: controllers.
  int8_t endpoint_type = 1;
  bool include_fenced_brokers = false;

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const DescribeClusterRequest& a,
                         const DescribeClusterRequest& b) = default;
};

struct DescribeClusterResponse {
  static constexpr ApiKey kApi = ApiKey::kDescribeCluster;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  struct Broker {
    BrokerId broker_id{};
    std::string host{};
    int32_t port = 0;
    std::optional<std::string> rack{};
    bool is_fenced = false;

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Broker& a, const Broker& b) = default;
  };

  // The client is to pause so long; 0: not at all.
  int32_t throttle_time_ms = 0;
  ErrorCode error_code = ErrorCode::kNone;
  std::optional<std::string> error_message{};
  // 1: brokers; 2: controllers.
  int8_t endpoint_type = 1;
  std::string cluster_id{};
  // A broker that takes requests for the controller; -1: none known.
  BrokerId controller_id{-1};
  std::vector<Broker> brokers{};
  // A bit for each operation; INT32_MIN: not asked for.
  int32_t cluster_authorized_operations = INT32_MIN;

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const DescribeClusterResponse& a,
                         const DescribeClusterResponse& b) = default;
};

}  // namespace quipu::kafka
