#include "tests/disk_faults/raft_round.h"

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "tests/disk_faults/raft_operations.h"

namespace quipu::disk_faults {

absl::Status RaftRound::Open() {
  QUIPU_RETURN_IF_ERROR(machine_.Open(NodeRole::kController, formatted_));
  QUIPU_ASSIGN_OR_RETURN(store_, RocksdbRaftStore::Open({.path = Machine::path() + "/log",
                                                         .identity = "test",
                                                         .fatal = machine_.fatal(),
                                                         .env = &machine_.env()},
                                                        machine_.watermark()));
  return absl::OkStatus();
}

Violation RaftRound::Verify() {
  std::string difference;
  for (size_t i = may_hold_.size(); i-- > 0;) {
    difference = Difference(*store_, may_hold_[i]);
    if (!difference.empty()) continue;
    if (may_hold_.size() > 1) ++(i == 0 ? counts_.in_flight_lost : counts_.in_flight_kept);
    may_hold_ = {may_hold_[i]};
    return "";
  }
  return absl::StrCat("holds neither what was acknowledged nor that and the write under way: ",
                      difference);
}

Violation RaftRound::Step() {
  const RaftWrite write = NextWrite(may_hold_[0], rng_);
  may_hold_.push_back(may_hold_[0]);
  QUIPU_CHECK(may_hold_[1].Write(write).ok());
  const absl::Status status = store_->Write(write);
  if (!status.ok()) return status.ToString();
  if (machine_.disk().has_power()) may_hold_ = {MemoryRaftStore(may_hold_[1])};
  return "";
}

}  // namespace quipu::disk_faults
