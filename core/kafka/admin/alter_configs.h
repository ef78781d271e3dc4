// AlterConfigs: all settings of a resource are replaced.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/kafka/api.h"
#include "core/kafka/field_visitor.h"
#include "core/kafka/shared_structs.h"

namespace quipu::kafka {

struct AlterConfigsRequest {
  static constexpr ApiKey kApi = ApiKey::kAlterConfigs;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  struct Config {
    std::string name{};
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
  friend bool operator==(const AlterConfigsRequest& a, const AlterConfigsRequest& b) = default;
};

struct AlterConfigsResponse {
  static constexpr ApiKey kApi = ApiKey::kAlterConfigs;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  // The client is to pause so long; 0: not at all.
  int32_t throttle_time_ms = 0;
  std::vector<AlteredResource> responses{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const AlterConfigsResponse& a, const AlterConfigsResponse& b) = default;
};

}  // namespace quipu::kafka
