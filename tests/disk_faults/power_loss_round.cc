#include "tests/disk_faults/power_loss_round.h"

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

Violation PowerLossRound::Run() {
  const int64_t lives = rng_.Between(2, 4);
  for (int64_t life = 0; life <= lives; ++life) {
    const Violation violation = Life(life == lives);
    if (!violation.empty()) return absl::StrCat("life ", life + 1, ": ", violation);
  }
  counts_.disk = machine_.disk().losses();
  return "";
}

Violation PowerLossRound::Life(bool last) {
  machine_.Arm(!last && Percent(rng_, 35) ? 1 + rng_.Below(kCallsOfOpen) : 0);
  const absl::Status opened = Open();
  Violation violation;
  if (!machine_.disk().has_power()) {
    ++counts_.losses_in_open;  // whatever it says now
  } else if (!opened.ok()) {
    violation = absl::StrCat("does not open: ", opened.ToString());
  } else {
    ++counts_.opens;
    violation = Verify();
    if (violation.empty() && !last) violation = Work();
  }
  if (!violation.empty()) return violation;
  if (!last && Percent(rng_, 50)) machine_.disk().CutPower();
  CloseStore();
  machine_.Close();
  if (machine_.disk().has_power() && Percent(rng_, 50)) machine_.disk().CutPower();
  machine_.Restart(rng_.Next());
  return "";
}

Violation PowerLossRound::Work() {
  const uint64_t operations = 1 + rng_.Below(kOperationsMax);
  const uint64_t arm_at = rng_.Below(operations + 1);
  for (uint64_t i = 0; i < operations; ++i) {
    if (i == arm_at) machine_.Arm(1 + rng_.Below(CallsOfStep()));
    Violation violation = Step();
    if (!violation.empty()) return violation;
    if (!machine_.disk().has_power()) {
      ++counts_.losses_in_write;
      return "";
    }
    ++counts_.operations;
  }
  return "";
}

}  // namespace quipu::disk_faults
