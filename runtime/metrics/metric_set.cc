#include "runtime/metrics/metric_set.h"

#include <utility>

#include "base/check.h"

namespace quipu {

void MetricFamily::Add(std::vector<std::string> labels, double value) {
  QUIPU_CHECK(labels.size() == definition_.labels.size());
  QUIPU_CHECK(definition_.type != MetricType::kHistogram);
  MetricRow row;
  row.labels = std::move(labels);
  row.value = value;
  rows_.push_back(std::move(row));
}

void MetricFamily::Add(std::vector<std::string> labels, const Histogram& histogram) {
  QUIPU_CHECK(labels.size() == definition_.labels.size());
  QUIPU_CHECK(definition_.type == MetricType::kHistogram);
  const double unit = histogram.bounds().data() == kLatencyBounds.data() ? 1e-9 : 1;
  MetricRow row;
  row.labels = std::move(labels);
  for (const int64_t bound : histogram.bounds()) {
    row.bounds.push_back(static_cast<double>(bound) * unit);
  }
  row.counts = histogram.counts();
  row.sum = static_cast<double>(histogram.sum()) * unit;
  rows_.push_back(std::move(row));
}

MetricFamily& MetricSet::Family(absl::string_view name) {
  for (MetricFamily& family : families_) {
    if (family.definition().name == name) return family;
  }
  const MetricDefinition* definition = FindMetric(name);
  QUIPU_CHECK_MSG(definition != nullptr, "a metric that is not in the table");
  return families_.emplace_back(*definition);
}

}  // namespace quipu
