// How many bytes each replica's log holds, measured a few at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/btree_map.h"
#include "base/ids.h"
#include "broker/metrics/shard_metrics.h"

namespace quipu {

// To measure a log takes a few reads of the store, so one look measures at most kMeasuredMax logs,
// in turn, and none that has not changed. The store has what is durable, so it is the durable end
// that counts. What a look does not name is forgotten. Pure; one owner.
class LogSizes {
 public:
  static constexpr size_t kMeasuredMax = 64;

  // The logs to measure now, of all replicas here.
  std::vector<PartitionUid> Due(const std::vector<const PartitionMetrics*>& all);
  // One of them holds so many bytes.
  void Measured(PartitionUid uid, int64_t bytes);
  // As measured last; nullopt: not yet.
  [[nodiscard]] std::optional<int64_t> Of(PartitionUid uid) const;

 private:
  struct Size {
    Offset log_start = kNoOffset;  // when it became due last
    Offset durable_end = kNoOffset;
    std::optional<int64_t> bytes;
  };
  absl::btree_map<PartitionUid, Size> sizes_;
  PartitionUid next_{0};  // whose turn it is
};

}  // namespace quipu
