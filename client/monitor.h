// The SDK's live view of a cluster: topics, partitions, producers and groups, with rates, lags and
// latencies.
//
//   auto monitor = quipu::ClusterMonitor::Create({{"bootstrap.servers", "127.0.0.1:9092"}});
//   while (running) {
//     auto progress = (*monitor)->Poll();  // every second or so
//     ...
//   }
#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "client/config_map.h"
#include "client/monitor/cluster_progress.h"

namespace quipu {

class Admin;

// Asks the brokers for metadata, offsets, counters, producers and groups, and says what changed
// since it asked before. Rates need two polls; lags in seconds need polls since before the record
// was written. One poll costs one request to each broker, one to each coordinator, and for each
// group one, with the metadata of all topics. One thread at a time.
class ClusterMonitor {
 public:
  // Of how many groups the offsets are asked at most; more are named in `missing`.
  static constexpr size_t kGroupsMax = 1000;
  // Of how many producers each thread of a broker tells, those with the newest batches. It looks at
  // all that its partitions remember for that.
  static constexpr int32_t kProducersMax = 200;

  // Settings are those of Admin. kInvalidConfig names key and value. Does not connect yet.
  static absl::StatusOr<std::unique_ptr<ClusterMonitor>> Create(
      const ConfigMap& config, Duration rate_window = std::chrono::seconds(10));
  // Over any other source of samples, for tests.
  ClusterMonitor(std::function<absl::StatusOr<ClusterSample>()> sample, Duration rate_window);
  ~ClusterMonitor();
  ClusterMonitor(const ClusterMonitor&) = delete;
  ClusterMonitor& operator=(const ClusterMonitor&) = delete;

  // Takes a sample. An error (kNotConnected, ...) changes nothing that is known; what only a part
  // of the cluster could not tell is in `missing`.
  absl::StatusOr<ClusterProgress> Poll();

 private:
  std::function<absl::StatusOr<ClusterSample>()> sample_;
  ProgressTracker tracker_;
};

}  // namespace quipu
