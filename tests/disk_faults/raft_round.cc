#include "tests/disk_faults/raft_round.h"

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "tests/disk_faults/log_operations.h"
#include "tests/disk_faults/raft_operations.h"

namespace quipu::disk_faults {

Violation RaftRound::Run() {
  const int64_t lives = rng_.Between(2, 4);
  for (int64_t life = 0; life <= lives; ++life) {
    const Violation violation = Life(life == lives);
    if (!violation.empty()) return absl::StrCat("life ", life + 1, ": ", violation);
  }
  counts_.disk = machine_.disk().losses();
  return "";
}

Violation RaftRound::Life(bool last) {
  machine_.Arm(!last && Percent(rng_, 35) ? 1 + rng_.Below(kCallsOfOpen) : 0);
  Violation violation;
  if (Open(violation)) {
    ++counts_.opens;
    violation = Verify();
    if (violation.empty() && !last) violation = Work();
  } else if (violation.empty()) {
    ++counts_.losses_in_open;
  }
  if (!violation.empty()) return violation;
  if (!last && Percent(rng_, 50)) machine_.disk().CutPower();
  store_.reset();
  machine_.Close();
  if (machine_.disk().has_power() && Percent(rng_, 50)) machine_.disk().CutPower();
  machine_.Restart(rng_.Next());
  return "";
}

bool RaftRound::Open(Violation& violation) {
  absl::Status status = machine_.Open(NodeRole::kController, formatted_);
  if (status.ok()) {
    auto store = RocksdbRaftStore::Open({.path = Machine::path() + "/log",
                                         .identity = "test",
                                         .fatal = machine_.fatal(),
                                         .env = &machine_.env()},
                                        machine_.watermark());
    status = store.status();
    if (store.ok()) store_ = *std::move(store);
  }
  if (!machine_.disk().has_power()) return false;  // whatever it says now
  if (!status.ok()) violation = absl::StrCat("does not open: ", status.ToString());
  return status.ok();
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

Violation RaftRound::Work() {
  const uint64_t operations = 1 + rng_.Below(kOperationsMax);
  const uint64_t arm_at = rng_.Below(operations + 1);
  for (uint64_t i = 0; i < operations; ++i) {
    if (i == arm_at) machine_.Arm(1 + rng_.Below(6));
    const RaftWrite write = NextWrite(may_hold_[0], rng_);
    may_hold_.push_back(may_hold_[0]);
    QUIPU_CHECK(may_hold_[1].Write(write).ok());
    const absl::Status status = store_->Write(write);
    if (!status.ok()) return status.ToString();
    if (!machine_.disk().has_power()) {
      ++counts_.losses_in_write;
      return "";
    }
    may_hold_ = {MemoryRaftStore(may_hold_[1])};
    ++counts_.operations;
  }
  return "";
}

}  // namespace quipu::disk_faults
