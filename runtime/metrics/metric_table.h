// Every metric of a broker and of a controller, described once: what is exported, docs/metrics.md
// and the tests all follow this table.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace quipu {

enum class MetricType { kCounter, kGauge, kHistogram, kSummary };

// Which process exports it.
enum class MetricOwner {
  kNode,              // brokers and controllers
  kBroker,            // each broker
  kCoordinator,       // the broker that coordinates the group
  kController,        // each controller
  kActiveController,  // the active controller alone: the cluster as it is committed
  kLibrary,           // prometheus-cpp itself, on every endpoint
};

struct MetricDefinition {
  absl::string_view name;
  MetricType type;
  MetricOwner owner;
  absl::string_view unit;
  std::vector<absl::string_view> labels;
  absl::string_view help;
  // Name under which kafka_exporter knows it; empty: none. Exported too, with the same values, and
  // with kafka_exporter's `consumergroup` for the label `group`.
  absl::string_view alias;
};

// All of them, in the order of the document.
std::span<const MetricDefinition> MetricTable();
// nullptr: none of that name. Aliases are no names here.
const MetricDefinition* FindMetric(absl::string_view name);
// docs/metrics.md.
std::string MetricsDocument();

// "counter", "gauge", "histogram" or "summary".
absl::string_view MetricTypeName(MetricType type);

}  // namespace quipu
