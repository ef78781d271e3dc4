// The replicas of a shard.
#pragma once

#include <memory>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "base/check.h"
#include "base/ids.h"
#include "broker/shard/partition_host.h"

namespace quipu {

// Walked in the order of their uids, so that every run from a seed is the same; found by a hash,
// for each batch looks up its replica several times. The shard's thread only.
class PartitionHosts {
 public:
  using Map = absl::btree_map<PartitionUid, std::unique_ptr<PartitionHost>>;

  // nullptr: there is none.
  [[nodiscard]] PartitionHost* Find(PartitionUid uid) const {
    const auto found = found_.find(uid);
    return found == found_.end() ? nullptr : found->second;
  }
  [[nodiscard]] Map::const_iterator begin() const { return hosts_.begin(); }
  [[nodiscard]] Map::const_iterator end() const { return hosts_.end(); }
  // The first one at or behind `uid`.
  [[nodiscard]] Map::const_iterator From(PartitionUid uid) const { return hosts_.lower_bound(uid); }

  // There must be none of that uid.
  void Add(PartitionUid uid, std::unique_ptr<PartitionHost> host) {
    found_[uid] = host.get();
    QUIPU_CHECK(hosts_.emplace(uid, std::move(host)).second);
  }
  void Remove(PartitionUid uid) {
    found_.erase(uid);
    hosts_.erase(uid);
  }

 private:
  Map hosts_;
  absl::flat_hash_map<PartitionUid, PartitionHost*> found_;  // looked up only, never walked
};

}  // namespace quipu
