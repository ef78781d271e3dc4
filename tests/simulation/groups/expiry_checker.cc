#include "tests/simulation/groups/expiry_checker.h"

#include <algorithm>

#include "tests/simulation/checkers/group_records.h"
#include "tests/simulation/checkers/violation.h"

namespace quipu::sim {
namespace {

template <typename Record>
std::string PlaceOf(const Record& record) {
  return record.topic_id() + std::to_string(record.partition());
}

}  // namespace

std::set<std::string> ExpiryChecker::OnCommitted(const std::vector<StoredBatch>& batches) {
  std::set<std::string> lost;
  for (const StoredBatch& batch : batches) {
    const auto view = RecordBatchView::Parse(batch.bytes);
    Require(view.ok(), "I62", [] { return std::string("a damaged batch in a coordinator's log"); });
    const int64_t now = view->max_timestamp().value();
    ForEachGroupRecord({batch},
                       [&](const record::GroupRecord& record) { Apply(record, now, lost); });
  }
  return lost;
}

void ExpiryChecker::Apply(const record::GroupRecord& record, int64_t now,
                          std::set<std::string>& lost) {
  if (record.has_member() || record.has_member_removed() || record.has_classic_group()) {
    ApplyMembers(record, now);
  } else if (record.has_offset()) {
    ApplyOffset(record.offset(), now);
  } else if (record.has_offset_removed()) {
    const record::OffsetRemoved& removed = record.offset_removed();
    Group& group = groups_[removed.group_id()];
    const auto offset = group.offsets.find(PlaceOf(removed));
    if (offset == group.offsets.end()) return;
    CheckAge(removed.group_id(), group, offset->second, now);
    group.offsets.erase(offset);
    lost.insert(removed.group_id());
  } else if (record.has_group_removed()) {
    const std::string& id = record.group_removed().group_id();
    const Group& group = groups_[id];
    if (!group.offsets.empty()) {
      lost.insert(id);
      ++expired_;
      for (const auto& [place, committed] : group.offsets) CheckAge(id, group, committed, now);
    }
    groups_.erase(id);
  }
}

void ExpiryChecker::ApplyMembers(const record::GroupRecord& record, int64_t now) {
  const std::string& id = record.has_member()           ? record.member().group_id()
                          : record.has_member_removed() ? record.member_removed().group_id()
                                                        : record.classic_group().group_id();
  Group& group = groups_[id];
  const bool had_members = group.HasMembers();
  if (record.has_member()) {
    group.members.insert(record.member().member_id());
  } else if (record.has_member_removed()) {
    group.members.erase(record.member_removed().member_id());
  } else {
    group.classic_members = record.classic_group().members_size();
  }
  if (had_members && !group.HasMembers()) group.empty_since = now;
}

void ExpiryChecker::ApplyOffset(const record::OffsetCommitted& record, int64_t now) {
  // A snapshot repeats what was committed before.
  int64_t& committed = groups_[record.group_id()].offsets[PlaceOf(record)];
  const bool repeats = committed != 0 && record.commit_timestamp_ms() != now;
  if (!repeats) committed = now;
}

void ExpiryChecker::CheckAge(const std::string& group_id, const Group& group, int64_t committed,
                             int64_t now) const {
  // Operators see that a group has no members before the log says so, where it cannot be written.
  if (may_be_deleted_.contains(group_id)) return;
  Require(!group.HasMembers(), "I58",
          [&] { return "group " + group_id + " lost offsets of a topic that its members read"; });
  const int64_t age = now - std::max(committed, group.empty_since);
  Require(age >= retention_ms_, "I58", [&] {
    return "group " + group_id + " lost an offset that is " + std::to_string(age) + " ms old, of " +
           std::to_string(retention_ms_);
  });
}

}  // namespace quipu::sim
