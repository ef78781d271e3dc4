#include "tests/disk_faults/raft_operations.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "tests/disk_faults/log_operations.h"

namespace quipu::disk_faults {
namespace {

RecoveredRaft Loaded(const MemoryRaftStore& store) {
  absl::StatusOr<RecoveredRaft> loaded = store.Load();
  QUIPU_CHECK(loaded.ok());
  return *std::move(loaded);
}

}  // namespace

RaftWrite NextWrite(const MemoryRaftStore& state, Rng& rng) {
  const RecoveredRaft raft = Loaded(state);
  const uint64_t covered = raft.snapshot.has_value() ? raft.snapshot->last_index.value() : 0;
  uint64_t last = raft.entries.empty() ? covered : raft.entries.back().index();
  RaftWrite write;
  if (Percent(rng, 25)) {
    write.hard_state =
        RaftHardState{.term = Term(raft.hard_state.term.value() + rng.Below(3)),
                      .voted_for = ControllerId(static_cast<int32_t>(rng.Between(-1, 3))),
                      .voted_directory = DirectoryId(7, rng.Below(4))};
  }
  const uint64_t kind = rng.Below(20);
  if (kind == 0 && last > covered) {  // a snapshot of this voter's own
    const uint64_t index = covered + 1 + rng.Below(last - covered);
    write.snapshot = RaftSnapshot{.last_index = LogIndex(index),
                                  .last_term = raft.hard_state.term,
                                  .data = std::string(rng.Below(30000), 's')};
    write.compact_to = LogIndex(index - std::min(index, rng.Below(3)));
    return write;
  }
  if (kind == 1) {  // the leader's, beyond the log
    last += 1 + rng.Below(20);
    write.snapshot = RaftSnapshot{.last_index = LogIndex(last),
                                  .last_term = raft.hard_state.term,
                                  .data = std::string(rng.Below(30000), 'l')};
    write.truncate_from = LogIndex(0);
    return write;
  }
  if (kind < 5 && last > covered) {
    last = covered + rng.Below(last - covered + 1);
    write.truncate_from = LogIndex(last + 1);
  }
  const uint64_t count = rng.Below(5);
  for (uint64_t i = 0; i < count; ++i) {
    message::RaftEntry entry;
    entry.set_index(++last);
    entry.set_term(raft.hard_state.term.value());
    entry.set_data(std::string(rng.Below(Percent(rng, 10) ? 40000 : 300), 'e'));
    write.append.push_back(std::move(entry));
  }
  return write;
}

std::string Difference(const RaftStore& found, const MemoryRaftStore& expected) {
  const auto there = found.Load();
  if (!there.ok()) return absl::StrCat("cannot be loaded: ", there.status().ToString());
  const RecoveredRaft here = Loaded(expected);
  if (!(there->hard_state == here.hard_state)) {
    return absl::StrCat("term ", there->hard_state.term.value(), " or vote differs from term ",
                        here.hard_state.term.value());
  }
  if (there->snapshot.has_value() != here.snapshot.has_value()) return "snapshot there or not";
  if (here.snapshot.has_value() && (there->snapshot->last_index != here.snapshot->last_index ||
                                    there->snapshot->last_term != here.snapshot->last_term ||
                                    there->snapshot->data != here.snapshot->data)) {
    return "snapshot differs";
  }
  if (there->entries.size() != here.entries.size()) {
    return absl::StrCat("has ", there->entries.size(), " entries, not ", here.entries.size());
  }
  for (size_t i = 0; i < here.entries.size(); ++i) {
    if (there->entries[i].SerializeAsString() != here.entries[i].SerializeAsString()) {
      return absl::StrCat("entry ", here.entries[i].index(), " differs");
    }
  }
  return "";
}

}  // namespace quipu::disk_faults
