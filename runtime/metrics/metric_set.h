// What one scrape tells: rows of the metrics of the table.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/measure/histogram.h"
#include "runtime/metrics/metric_table.h"

namespace quipu {

// One label set of a metric with its value.
struct MetricRow {
  std::vector<std::string> labels;  // values, in the order of the metric's labels
  double value = 0;                 // counters and gauges
  // Histograms: one more count than bounds; the bounds and the sum in the metric's unit.
  std::vector<double> bounds;
  std::vector<uint64_t> counts;
  double sum = 0;
};

// All rows of one metric. One owner.
class MetricFamily {
 public:
  explicit MetricFamily(const MetricDefinition& definition) : definition_(definition) {}

  // As many labels as the metric has: checked. Each label set is given once.
  void Add(std::vector<std::string> labels, double value);
  // Latencies (kLatencyBounds, in nanoseconds) become seconds; other bounds stay as they are.
  void Add(std::vector<std::string> labels, const Histogram& histogram);

  [[nodiscard]] const MetricDefinition& definition() const { return definition_; }
  [[nodiscard]] const std::vector<MetricRow>& rows() const { return rows_; }

 private:
  const MetricDefinition& definition_;
  std::vector<MetricRow> rows_;
};

// One owner.
class MetricSet {
 public:
  // The family of `name`, which is in the table (checked). Valid while the set lives.
  MetricFamily& Family(absl::string_view name);
  // A metric without labels.
  void Set(absl::string_view name, double value) { Family(name).Add({}, value); }

  [[nodiscard]] const std::deque<MetricFamily>& families() const { return families_; }

 private:
  std::deque<MetricFamily> families_;
};

}  // namespace quipu
