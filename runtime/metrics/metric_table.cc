#include "runtime/metrics/metric_table.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/metrics/metric_definitions.h"

namespace quipu {
namespace {

using enum MetricType;
using enum MetricOwner;

absl::string_view OwnerText(MetricOwner owner) {
  switch (owner) {
    case kNode:
      return "Every broker and controller";
    case kBroker:
      return "Every broker";
    case kCoordinator:
      return "The broker that coordinates the group";
    case kController:
      return "Every controller";
    case kActiveController:
      return "The active controller";
    case kLibrary:
      return "Of prometheus-cpp, on every endpoint";
  }
  return "";
}

constexpr absl::string_view kIntroduction =
    R"(# Metrics

<!-- Made by `quipu-broker --describe-metrics`; a test compares. -->

With `metrics.listener=HOST:PORT` a broker or controller answers `GET /metrics` there in Prometheus' text format
(port 0 takes a free one, told in the log and in `listeners.file`). `quipu cluster up` gives every process one and
prints the addresses. Without the setting nothing listens. As the other listeners it must be on this machine unless
`quipu.unsafe.plaintext.network=true`: nobody is asked who they are.

- Names begin with `quipu_`; units are seconds and bytes; counters end in `_total` and begin at 0 with the process.
  Rates are Prometheus' to make: `rate(quipu_topic_produced_records_total[1m])`; `deploy/prometheus/` has rules for the
  usual ones, alerts, and a scrape configuration; `deploy/grafana/` has three dashboards.
- What a partition's log holds is told by its leader, what is committed about it (leader, replicas, ISR) by the active
  controller alone, what a group does by its coordinator, what a replica takes on disk by its own broker. So a sum over
  all processes counts nothing twice.
- A metric with the name of kafka_exporter beside it is exported under both, with equal values.
- A scrape never makes a thread of the data path wait. A thread that does not answer within
  `metrics.scrape.timeout.ms` is told as it was before, and `quipu_scrape_incomplete` counts it.
- Of more partitions than `metrics.partitions.max` the rest is left out, and `quipu_metrics_left_out` counts it.
- Every queue with a limit in [configuration.md](configuration.md) is here but for gRPC's buffers
  (`quipu.network.memory.bytes.max`): the library does not tell how much of them is used.
- Lag: see [decision 23](decisions/0023-coordinators-ask-leaders.md).
)";

}  // namespace

absl::string_view MetricTypeName(MetricType type) {
  switch (type) {
    case kCounter:
      return "counter";
    case kGauge:
      return "gauge";
    case kHistogram:
      return "histogram";
    case kSummary:
      return "summary";
  }
  return "";
}

std::span<const MetricDefinition> MetricTable() {
  static const std::vector<MetricDefinition> table = DefineMetrics();
  return table;
}

const MetricDefinition* FindMetric(absl::string_view name) {
  for (const MetricDefinition& definition : MetricTable()) {
    if (definition.name == name) return &definition;
  }
  return nullptr;
}

std::string MetricsDocument() {
  std::string out(kIntroduction);
  const MetricDefinition* before = nullptr;
  for (const MetricDefinition& metric : MetricTable()) {
    if (before == nullptr || before->owner != metric.owner) {
      absl::StrAppend(&out, "\n## ", OwnerText(metric.owner),
                      "\n\n| name | type | unit | labels | meaning |\n|---|---|---|---|---|\n");
    }
    before = &metric;
    absl::StrAppend(&out, "| `", metric.name, "`",
                    metric.alias.empty() ? "" : absl::StrCat(" <br> `", metric.alias, "`"), " | ",
                    MetricTypeName(metric.type), " | ", metric.unit, " | ",
                    absl::StrJoin(metric.labels, ", "), " | ", metric.help, " |\n");
  }
  return out;
}

}  // namespace quipu
