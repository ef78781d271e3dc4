// IncrementalAlterConfigs: single settings of a resource are changed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/kafka/api.h"
#include "core/kafka/field_visitor.h"
#include "core/kafka/shared_structs.h"

namespace quipu::kafka {

struct IncrementalAlterConfigsRequest {
  static constexpr ApiKey kApi = ApiKey::kIncrementalAlterConfigs;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  struct Config {
    std::string name{};
    // 0: set, 1: delete, 2: append, 3: subtract.
    int8_t config_operation = 0;
    std::optional<std::string> value{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Config& a, const Config& b) = default;
  };

  struct Resource {
    // 2: topic; 4: broker; 8: broker logger; 16: client metrics; 32: group.
    int8_t resource_type = 0;
    std::string resource_name{};
    std::vector<Config> configs{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Resource& a, const Resource& b) = default;
  };

  std::vector<Resource> resources{};
  // Check, and change nothing.
  bool validate_only = false;

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const IncrementalAlterConfigsRequest& a,
                         const IncrementalAlterConfigsRequest& b) = default;
};

struct IncrementalAlterConfigsResponse {
  static constexpr ApiKey kApi = ApiKey::kIncrementalAlterConfigs;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  // The client is to pause so long; 0: not at all.
  int32_t throttle_time_ms = 0;
  std::vector<AlteredResource> responses{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const IncrementalAlterConfigsResponse& a,
                         const IncrementalAlterConfigsResponse& b) = default;
};

}  // namespace quipu::kafka
