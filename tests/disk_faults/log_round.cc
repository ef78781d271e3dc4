#include "tests/disk_faults/log_round.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "tests/disk_faults/log_operations.h"

namespace quipu::disk_faults {

absl::Status LogRound::Open() {
  QUIPU_ASSIGN_OR_RETURN(store_, machine_.OpenLog(formatted_));
  return absl::OkStatus();
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
  if (Percent(rng_, 50)) {
    const absl::Status after = store_->AfterWrite();
    if (!after.ok()) return after.ToString();
  }
  may_hold_ = {MemoryLogStore(may_hold_.back())};
  for (const LogWrite& write : operation.group) {
    // As a shard does, once the log start is durable.
    if (write.mutation.state->log_start_offset > Offset(0)) {
      store_->PublishTrim(write.log_id, write.mutation.state->log_start_offset);
    }
  }
  return "";
}

}  // namespace quipu::disk_faults
