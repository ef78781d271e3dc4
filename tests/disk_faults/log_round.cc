#include "tests/disk_faults/log_round.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/disk_faults/log_operations.h"

namespace quipu::disk_faults {
void RoundCounts::Add(const RoundCounts& other) {
  operations += other.operations;
  opens += other.opens;
  losses_in_open += other.losses_in_open;
  losses_in_write += other.losses_in_write;
  in_flight_kept += other.in_flight_kept;
  in_flight_lost += other.in_flight_lost;
  disk.power_losses += other.disk.power_losses;
  disk.files_kept_whole += other.disk.files_kept_whole;
  disk.files_cut += other.disk.files_cut;
  disk.files_prefix += other.disk.files_prefix;
  disk.files_torn += other.disk.files_torn;
  disk.files_holed += other.disk.files_holed;
  disk.files_zero_length += other.disk.files_zero_length;
  disk.names_lost += other.disk.names_lost;
  disk.synced_files_lost += other.disk.synced_files_lost;
  disk.removals_undone += other.disk.removals_undone;
  disk.renames_undone += other.disk.renames_undone;
}

Violation LogRound::Run() {
  const int64_t lives = rng_.Between(2, 4);
  for (int64_t life = 0; life <= lives; ++life) {
    const Violation violation = Life(life == lives);
    if (!violation.empty()) return absl::StrCat("life ", life + 1, ": ", violation);
  }
  counts_.disk = machine_.disk().losses();
  return "";
}

Violation LogRound::Life(bool last) {
  const bool in_open = !last && Percent(rng_, 35);
  machine_.Arm(in_open ? 1 + rng_.Below(kCallsOfOpen) : 0);
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
  Close();
  if (machine_.disk().has_power() && Percent(rng_, 50)) machine_.disk().CutPower();
  machine_.Restart(rng_.Next());
  return "";
}

bool LogRound::Open(Violation& violation) {
  absl::Status status = machine_.Open(NodeRole::kBroker, formatted_);
  if (status.ok()) {
    auto store = RocksdbLogStore::Open({.path = Machine::path() + "/log",
                                        .identity = "test",
                                        .fatal = machine_.fatal(),
                                        .trimmer = {.reclaim_bytes_min = 1, .garbage_ratio = 0.2},
                                        .env = &machine_.env()},
                                       machine_.watermark());
    status = store.status();
    if (store.ok()) store_ = *std::move(store);
  }
  if (!machine_.disk().has_power()) return false;  // whatever it says now
  if (!status.ok()) violation = absl::StrCat("does not open: ", status.ToString());
  return status.ok();
}

Violation LogRound::Verify() {
  // The newest possible state first: an operation that changes nothing counts as kept.
  std::string difference;
  for (size_t i = may_hold_.size(); i-- > 0;) {
    difference = Difference(*store_, may_hold_[i]);
    if (!difference.empty()) continue;
    if (may_hold_.size() > 1) ++(i == 0 ? counts_.in_flight_lost : counts_.in_flight_kept);
    may_hold_ = {may_hold_[i]};
    break;
  }
  if (!difference.empty()) {
    return absl::StrCat("holds neither what was acknowledged nor that and the call under way: ",
                        difference);
  }
  const BrokerEpoch epoch = machine_.watermark().broker_epoch();
  if (epoch < epoch_acknowledged_ || epoch > epoch_asked_) {
    return absl::StrCat("broker epoch ", epoch.value(), " is neither ", epoch_acknowledged_.value(),
                        " nor ", epoch_asked_.value());
  }
  epoch_acknowledged_ = epoch_asked_ = epoch;
  return "";
}

Violation LogRound::Work() {
  Violation violation;
  const uint64_t operations = 1 + rng_.Below(kOperationsMax);
  const uint64_t arm_at = rng_.Below(operations + 1);
  for (uint64_t i = 0; i < operations; ++i) {
    if (i == arm_at) machine_.Arm(1 + rng_.Below(12));
    violation = Step();
    if (!violation.empty()) return violation;
    if (!machine_.disk().has_power()) {
      ++counts_.losses_in_write;
      return "";
    }
    ++counts_.operations;
  }
  return "";
}

// An answer counts only when the machine still has power after it.
Violation LogRound::Step() {
  if (Percent(rng_, 5)) {
    epoch_asked_ = BrokerEpoch(epoch_asked_.value() + 1);
    const absl::Status status = machine_.watermark().StoreBrokerEpoch(epoch_asked_);
    if (machine_.disk().has_power()) epoch_acknowledged_ = epoch_asked_;
    return status.ok() ? "" : status.ToString();
  }
  const LogOperation operation = NextOperation(may_hold_[0], rng_);
  if (operation.kind == LogOperation::Kind::kFlush) {
    const absl::Status status = store_->Flush();
    return status.ok() ? "" : status.ToString();
  }
  may_hold_ = StatesWithin(may_hold_[0], operation);
  const absl::Status status = Apply(*store_, operation);
  if (!status.ok()) return status.ToString();
  if (!machine_.disk().has_power()) return "";
  may_hold_ = {MemoryLogStore(may_hold_.back())};
  for (const LogWrite& write : operation.group) {
    // As a shard does, once the log start is durable.
    if (write.mutation.state->log_start_offset > Offset(0)) {
      store_->PublishTrim(write.log_id, write.mutation.state->log_start_offset);
    }
  }
  return "";
}

void LogRound::Close() {
  store_.reset();
  machine_.Close();
}

}  // namespace quipu::disk_faults
