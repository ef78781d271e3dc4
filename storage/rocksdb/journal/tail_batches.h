// The newest batches of a journal, in memory: what was just written past the page cache is what
// followers and consumers read next.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "base/bytes.h"

namespace quipu {

// Thread-safe.
class TailBatches {
 public:
  explicit TailBatches(size_t bytes_max) : bytes_max_(bytes_max) {}

  void Add(uint64_t segment, uint32_t position, const Bytes& batch) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const Place place{segment, position};
    if (!batches_.emplace(place, batch).second) return;
    order_.push_back(place);
    bytes_ += batch.size();
    while (bytes_ > bytes_max_) {
      const auto oldest = batches_.find(order_.front());
      bytes_ -= oldest->second.size();
      batches_.erase(oldest);
      order_.pop_front();
    }
  }
  [[nodiscard]] std::optional<Bytes> Find(uint64_t segment, uint32_t position) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = batches_.find(Place{segment, position});
    if (found == batches_.end()) return std::nullopt;
    return found->second;
  }

 private:
  using Place = std::pair<uint64_t, uint32_t>;
  const size_t bytes_max_;
  mutable std::mutex mutex_;
  absl::flat_hash_map<Place, Bytes> batches_;  // under mutex_
  std::deque<Place> order_;                    // under mutex_; the oldest first
  size_t bytes_ = 0;                           // under mutex_
};

}  // namespace quipu
