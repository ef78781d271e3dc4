// DescribeConfigs: settings of topics and brokers, and where their values come from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error_code.h"
#include "core/kafka/api.h"
#include "core/kafka/field_visitor.h"

namespace quipu::kafka {

struct DescribeConfigsRequest {
  static constexpr ApiKey kApi = ApiKey::kDescribeConfigs;
  static constexpr MessageKind kKind = MessageKind::kRequest;

  struct Resource {
    // 2: topic; 4: broker; 8: broker logger; 16: client metrics; 32: group.
    int8_t resource_type = 0;
    std::string resource_name{};
    // Null: all.
    std::optional<std::vector<std::string>> configuration_keys{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Resource& a, const Resource& b) = default;
  };

  std::vector<Resource> resources{};
  bool include_synonyms = false;
  bool include_documentation = false;

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const DescribeConfigsRequest& a,
                         const DescribeConfigsRequest& b) = default;
};

struct DescribeConfigsResponse {
  static constexpr ApiKey kApi = ApiKey::kDescribeConfigs;
  static constexpr MessageKind kKind = MessageKind::kResponse;

  // Another place that sets the value; the one in force comes first.
  struct Synonym {
    std::string name{};
    std::optional<std::string> value{};
    // As `config_source`.
    int8_t source = 0;

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Synonym& a, const Synonym& b) = default;
  };

  struct Config {
    std::string name{};
    std::optional<std::string> value{};
    bool read_only = false;
    // 1: topic, 2: broker at run time, 3: all brokers at run time, 4: broker's file, 5: default,
    // 6: broker logger, 7: client metrics, 8: group; 0, -1: not known.
    int8_t config_source = -1;
    bool is_sensitive = false;
    std::vector<Synonym> synonyms{};
    // 1: boolean, 2: string, 3: int, 4: short, 5: long, 6: double, 7: list, 8: class, 9: password;
    // 0: not known.
    int8_t config_type = 0;
    std::optional<std::string> documentation{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Config& a, const Config& b) = default;
  };

  struct Result {
    ErrorCode error_code = ErrorCode::kNone;
    std::optional<std::string> error_message{};
    // 2: topic; 4: broker; 8: broker logger; 16: client metrics; 32: group.
    int8_t resource_type = 0;
    std::string resource_name{};
    std::vector<Config> configs{};

    void Describe(FieldVisitor& visitor);
    friend bool operator==(const Result& a, const Result& b) = default;
  };

  // The client is to pause so long; 0: not at all.
  int32_t throttle_time_ms = 0;
  std::vector<Result> results{};

  void Describe(FieldVisitor& visitor);
  friend bool operator==(const DescribeConfigsResponse& a,
                         const DescribeConfigsResponse& b) = default;
};

}  // namespace quipu::kafka
