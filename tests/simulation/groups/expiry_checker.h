// Offsets of groups are forgotten when nobody needs them, and not before: I58.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "proto/record/group.pb.h"
#include "storage/log_store.h"

namespace quipu::sim {

// Follows what is committed to __consumer_offsets, and tells the age of what is removed there by
// the batches' own times: those are of the coordinators' clocks, as retention is.
class ExpiryChecker {
 public:
  explicit ExpiryChecker(Duration retention) : retention_ms_(ToMillis(retention)) {}

  // Operators delete this group now and then, when it has no members.
  void MayBeDeleted(std::string group_id) { may_be_deleted_.insert(std::move(group_id)); }
  // Batches of the coordinator's log, in the order of the log, once they are committed. Returns
  // groups that lost offsets.
  std::set<std::string> OnCommitted(const std::vector<StoredBatch>& batches);
  [[nodiscard]] uint64_t expired() const { return expired_; }

 private:
  struct Group {
    std::set<std::string> members;  // that the server assigns to
    int classic_members = 0;
    int64_t empty_since = 0;                 // batch time of the record that said so
    std::map<std::string, int64_t> offsets;  // batch time of the commit, by topic and partition
    [[nodiscard]] bool HasMembers() const { return !members.empty() || classic_members > 0; }
  };

  void Apply(const record::GroupRecord& record, int64_t now, std::set<std::string>& lost);
  void ApplyMembers(const record::GroupRecord& record, int64_t now);
  void ApplyOffset(const record::OffsetCommitted& record, int64_t now);
  void CheckAge(const std::string& group_id, const Group& group, int64_t committed,
                int64_t now) const;

  int64_t retention_ms_;
  std::set<std::string> may_be_deleted_;
  std::map<std::string, Group> groups_;
  uint64_t expired_ = 0;  // groups that went with their offsets
};

}  // namespace quipu::sim
