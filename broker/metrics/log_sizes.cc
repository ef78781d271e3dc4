#include "broker/metrics/log_sizes.h"

#include <utility>

namespace quipu {

std::vector<PartitionUid> LogSizes::Due(const std::vector<const PartitionMetrics*>& all) {
  decltype(sizes_) sizes;
  absl::btree_map<PartitionUid, const PartitionMetrics*> changed;
  for (const PartitionMetrics* now : all) {
    Size& size = sizes[now->uid];
    const auto known = sizes_.find(now->uid);
    if (known != sizes_.end()) size = known->second;
    if (size.log_start != now->log_start || size.durable_end != now->durable_end)
      changed[now->uid] = now;
  }
  sizes_ = std::move(sizes);
  std::vector<PartitionUid> due;
  auto it = changed.lower_bound(next_);
  while (due.size() < kMeasuredMax && due.size() < changed.size()) {
    if (it == changed.end()) it = changed.begin();
    Size& size = sizes_[it->first];
    size.log_start = it->second->log_start;
    size.durable_end = it->second->durable_end;
    due.push_back(it->first);
    ++it;
  }
  if (!due.empty()) next_ = PartitionUid(due.back().value() + 1);
  return due;
}

void LogSizes::Measured(PartitionUid uid, int64_t bytes) {
  const auto it = sizes_.find(uid);
  if (it != sizes_.end()) it->second.bytes = bytes;
}

std::optional<int64_t> LogSizes::Of(PartitionUid uid) const {
  const auto it = sizes_.find(uid);
  return it == sizes_.end() ? std::nullopt : it->second.bytes;
}

}  // namespace quipu
