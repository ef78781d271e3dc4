// What lies in each segment of a journal, by log: says when a segment is free.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "storage/key_encoding.h"

namespace quipu {

// Thread-safe.
class SegmentUses {
 public:
  // Stands for batches that are not known: no log has this id, and it never dies.
  static constexpr LogId kUnknown{0};

  void Add(uint64_t segment, LogId log_id, Offset last_offset, uint64_t bytes);
  // Something of the segment could not be read: it is never free.
  void AddUnknown(uint64_t segment);
  // What a former process has written down; added to what is known already.
  void Merge(uint64_t segment, const SegmentUse& use);
  void Remove(const std::vector<uint64_t>& segments);

  [[nodiscard]] SegmentUse Get(uint64_t segment) const;
  // Of EncodeSegmentUse, at most.
  [[nodiscard]] size_t EncodedBytes(uint64_t segment) const;
  // Of which something is known.
  [[nodiscard]] std::set<uint64_t> Segments() const;

 private:
  mutable std::mutex mutex_;
  std::map<uint64_t, SegmentUse> uses_;  // under mutex_
};

}  // namespace quipu
