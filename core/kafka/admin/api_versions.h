// ApiVersions: which APIs and versions this broker serves; a connection's first request.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error_code.h"
#include "core/kafka/api.h"
#include "core/kafka/field_visitor.h"

namespace quipu::kafka {

struct ApiVersionsRequest {
  static constexpr ApiKey kApi = ApiKey::kApiVersions;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  // Letters, digits, dots and dashes.
  std::string client_software_name{};
  std::string client_software_version{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const ApiVersionsRequest& a, const ApiVersionsRequest& b) = default;
};

struct ApiVersionsResponse {
  static constexpr ApiKey kApi = ApiKey::kApiVersions;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  // Versions of one API, both ends inclusive.
  struct ApiVersion {
    int16_t api_key = 0;
    int16_t min_version = 0;
    int16_t max_version = 0;

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const ApiVersion& a, const ApiVersion& b) = default;
  };

  // Levels of a feature that this broker could run at.
  struct SupportedFeature {
    std::string name{};
    int16_t min_version = 0;
    int16_t max_version = 0;

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const SupportedFeature& a, const SupportedFeature& b) = default;
  };

  // Level of a feature that the cluster runs at.
  struct FinalizedFeature {
    std::string name{};
    int16_t max_version_level = 0;
    int16_t min_version_level = 0;

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const FinalizedFeature& a, const FinalizedFeature& b) = default;
  };

  ErrorCode error_code = ErrorCode::kNone;
  std::vector<ApiVersion> api_keys{};
  // The client is to pause so long; 0: not at all.
  int32_t throttle_time_ms = 0;
  std::vector<SupportedFeature> supported_features{};
  // Rises with each change; -1: not known.
  int64_t finalized_features_epoch = -1;
  std::vector<FinalizedFeature> finalized_features{};
  bool zk_migration_ready = false;

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const ApiVersionsResponse& a, const ApiVersionsResponse& b) = default;
};

}  // namespace quipu::kafka
