// The HTTP endpoint that Prometheus scrapes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/metrics/metric_set.h"

namespace quipu {

// Serves GET /metrics on one address with prometheus-cpp, on two threads of its own. Nothing else
// of the product sees that library.
class MetricsServer {
 public:
  // What to tell. Called on the server's threads, by two at a time at most; it must return within
  // seconds whatever the state of the process is.
  using Source = std::function<MetricSet()>;

  // Listens at once; port 0 takes a free one. kStorageError when the address cannot be listened on.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(const std::string& host,
                                                              uint16_t port, Source source);
  // Waits for scrapes that are under way. `source` is not called afterwards.
  ~MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

  [[nodiscard]] uint16_t port() const;

 private:
  struct Parts;
  explicit MetricsServer(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace quipu
