#include "runtime/metrics/metrics_server.h"

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <prometheus/metric_family.h>

#include <exception>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/error_code.h"

namespace quipu {
namespace {

constexpr absl::string_view kGroupLabel = "group";
constexpr absl::string_view kGroupLabelOfAliases = "consumergroup";
// A client that sends its request, or takes the answer, more slowly is cut off.
constexpr char kRequestTimeoutMs[] = "5000";
constexpr char kThreads[] = "2";

prometheus::MetricType TypeOf(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return prometheus::MetricType::Counter;
    case MetricType::kGauge:
      return prometheus::MetricType::Gauge;
    case MetricType::kHistogram:
      return prometheus::MetricType::Histogram;
    case MetricType::kSummary:
      return prometheus::MetricType::Summary;
  }
  return prometheus::MetricType::Untyped;
}

prometheus::ClientMetric Convert(const MetricDefinition& definition, const MetricRow& row,
                                 bool alias) {
  prometheus::ClientMetric metric;
  for (size_t i = 0; i < row.labels.size(); ++i) {
    const absl::string_view name = definition.labels[i];
    const bool renamed = alias && name == kGroupLabel;
    metric.label.push_back({std::string(renamed ? kGroupLabelOfAliases : name), row.labels[i]});
  }
  metric.counter.value = row.value;
  metric.gauge.value = row.value;
  uint64_t below = 0;
  for (size_t i = 0; i < row.counts.size(); ++i) {
    below += row.counts[i];
    if (i < row.bounds.size()) {
      metric.histogram.bucket.push_back({.cumulative_count = below, .upper_bound = row.bounds[i]});
    }
  }
  metric.histogram.sample_count = below;
  metric.histogram.sample_sum = row.sum;
  return metric;
}

prometheus::MetricFamily Convert(const MetricFamily& family, bool alias) {
  const MetricDefinition& definition = family.definition();
  prometheus::MetricFamily out;
  out.name = std::string(alias ? definition.alias : definition.name);
  out.help = std::string(definition.help);
  out.type = TypeOf(definition.type);
  for (const MetricRow& row : family.rows()) out.metric.push_back(Convert(definition, row, alias));
  return out;
}

class Collector final : public prometheus::Collectable {
 public:
  explicit Collector(MetricsServer::Source source) : source_(std::move(source)) {}

  std::vector<prometheus::MetricFamily> Collect() const override {
    const MetricSet set = source_();
    std::vector<prometheus::MetricFamily> out;
    for (const MetricFamily& family : set.families()) {
      if (family.rows().empty()) continue;
      out.push_back(Convert(family, /*alias=*/false));
      if (!family.definition().alias.empty()) out.push_back(Convert(family, /*alias=*/true));
    }
    return out;
  }

 private:
  const MetricsServer::Source source_;
};

}  // namespace

struct MetricsServer::Parts {
  std::shared_ptr<prometheus::Collectable> collector;
  std::unique_ptr<prometheus::Exposer> exposer;  // ends first
};

MetricsServer::MetricsServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
MetricsServer::~MetricsServer() = default;

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(const std::string& host,
                                                                    uint16_t port, Source source) {
  const bool ipv6 = host.find(':') != std::string::npos;
  const std::string address = absl::StrCat(ipv6 ? "[" : "", host, ipv6 ? "]" : "", ":", port);
  auto parts = std::make_unique<Parts>();
  parts->collector = std::make_shared<Collector>(std::move(source));
  // The library reports with exceptions; they end here.
  try {
    parts->exposer = std::make_unique<prometheus::Exposer>(
        std::vector<std::string>{"listening_ports", address, "num_threads", kThreads,
                                 "request_timeout_ms", kRequestTimeoutMs});
    parts->exposer->RegisterCollectable(parts->collector);
  } catch (const std::exception& error) {
    return ToStatus(ErrorCode::kStorageError,
                    absl::StrCat("metrics.listener: cannot listen on ", address, " (", error.what(),
                                 "); see who does with ss -ltnp, or take another port"));
  }
  return std::unique_ptr<MetricsServer>(new MetricsServer(std::move(parts)));
}

uint16_t MetricsServer::port() const {
  const std::vector<int> ports = parts_->exposer->GetListeningPorts();
  return ports.empty() ? 0 : static_cast<uint16_t>(ports.front());
}

}  // namespace quipu
