#include "tests/disk_faults/call_errors.h"

#include <condition_variable>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/error_code.h"
#include "base/status_macros.h"
#include "storage/log_recovery.h"

namespace quipu::disk_faults {
namespace {

using faultfs::Call;
using faultfs::CallKind;
using faultfs::Fault;

constexpr int kOperationsOfALife = 14;

bool ReportsDamage(const LogStore& store) {
  for (const KnownLog& log : store.Logs()) {
    const auto read = store.Read(log.log_id, Offset(0), Offset::Max(), size_t{1} << 30);
    const auto recovered = store.Recover(log.log_id);
    if (DamagedPlaceOf(read.status()) || (recovered.ok() && !recovered->damaged.empty())) {
      return true;
    }
    if (!read.ok() || read->empty()) continue;
    const auto next =
        store.Read(log.log_id, read->back().last_offset + 1, Offset::Max(), size_t{1} << 30);
    if (DamagedPlaceOf(next.status())) return true;
  }
  return false;
}

}  // namespace

void CallErrorTrial::SetHook() {
  machine_.disk().SetHook([this](const Call& call) {
    if (error_ == CallError::kPowerOff || call.kind == CallKind::kRead) return Fault::kNone;
    const uint64_t number = call.number - calls_before_;
    if (error_ == CallError::kLie) {
      const bool lies = number >= call_ && call.kind == CallKind::kSync && IsLogFile(call.path);
      return lies ? Fault::kLie : Fault::kNone;
    }
    if (number != call_) return Fault::kNone;
    const std::lock_guard<std::mutex> lock(mutex_);
    fired_ = true;
    fired_call_ = call;
    fired_in_log_ =
        IsLogFile(call.path) && (call.kind == CallKind::kWrite || call.kind == CallKind::kSync);
    acknowledgements_at_fire_ = acknowledgements_;
    return error_ == CallError::kIoError ? Fault::kIoError : Fault::kNoSpace;
  });
}

absl::Status CallErrorTrial::Open() {
  bool formatted = true;
  QUIPU_ASSIGN_OR_RETURN(store_, machine_.OpenLog(formatted));
  writer_ = std::make_unique<WalWriter>(*store_, machine_.fatal());
  return absl::OkStatus();
}

void CallErrorTrial::Close() {
  writer_.reset();
  store_.reset();
  machine_.Close();
}

// Waits for the acknowledgement, or for the end of the process.
bool CallErrorTrial::Submit(const LogOperation& operation) {
  std::mutex mutex;
  std::condition_variable wake;
  bool done = false;
  bool ran = false;
  writer_->Submit(operation.group, [&] { done = true; });
  // Runs behind the group, or never when the writer gave up.
  writer_->RunOnWriter([&](LogStore&) {
    const std::lock_guard<std::mutex> lock(mutex);
    ran = true;
    wake.notify_one();
  });
  std::unique_lock<std::mutex> lock(mutex);
  while (!ran && !machine_.fatal_called()) wake.wait_for(lock, std::chrono::milliseconds(2));
  if (ran) return done;
  lock.unlock();
  writer_.reset();  // joins: nothing refers to this frame any more
  return done;
}

bool CallErrorTrial::Do(const LogOperation& operation) {
  if (operation.kind == LogOperation::Kind::kFlush) return store_->Flush().ok();
  if (operation.kind == LogOperation::Kind::kWrite) return Submit(operation);
  const absl::Status status = Apply(*store_, operation);
  if (!status.ok()) machine_.fatal()(status.ToString());  // as BrokerShard does
  return status.ok();
}

Violation CallErrorTrial::Work(int operations) {
  for (int i = 0; i < operations; ++i) {
    const bool flush = i == operations / 2;
    const LogOperation operation =
        flush
            ? LogOperation{.kind = LogOperation::Kind::kFlush, .group = {}, .uids = {}, .value = {}}
            : NextOperation(acknowledged_, rng_);
    may_hold_ = StatesWithin(acknowledged_, operation);
    const bool done = Do(operation);
    // The process of the product is gone at the first call of the fatal handler.
    if (!done || machine_.fatal_called()) {
      stopped_ = true;
      const std::lock_guard<std::mutex> lock(mutex_);
      if (done && fired_in_log_ && acknowledgements_ > acknowledgements_at_fire_) {
        return "an operation was acknowledged after a failed write or sync of the log (I63)";
      }
      return "";
    }
    acknowledged_ = MemoryLogStore(may_hold_.back());
    last_states_ = std::exchange(may_hold_, {acknowledged_});
    ++acknowledgements_;
  }
  return "";
}

Violation CallErrorTrial::Verify(CallErrorCounts& counts, const char* when) {
  machine_.disk().SetHook({});
  const absl::Status status = Open();
  if (!status.ok()) {
    if (error_ == CallError::kLie && CodeOf(status) == ErrorCode::kUnprovenDirectory) {
      ++counts.unproven;
      return "";
    }
    return absl::StrCat(when, ": does not open: ", status.ToString());
  }
  std::string difference;
  for (size_t i = may_hold_.size(); i-- > 0;) {
    difference = Difference(*store_, may_hold_[i]);
    if (!difference.empty()) continue;
    may_hold_ = {may_hold_[i]};
    return "";
  }
  // A group that is in RocksDB's tables is not looked for in the journal: a batch that is missing
  // there is reported when it is read (D5).
  if (error_ == CallError::kLie && machine_.journal() && ReportsDamage(*store_)) {
    ++counts.unproven;
    return "";
  }
  for (const MemoryLogStore& state : last_states_) {
    if (error_ != CallError::kLie || !Difference(*store_, state).empty()) continue;
    ++counts.last_group_lost;
    return "";
  }
  return absl::StrCat(when, ": ", difference, "; what failed was ",
                      faultfs::CallKindName(fired_call_.kind), " of ", fired_call_.path);
}

// After the list of operations: was the process ended when it had to be?
Violation CallErrorTrial::Judge(CallErrorCounts& counts) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (machine_.fatal_called()) {
    ++counts.fatal;
    return "";
  }
  if (stopped_) {
    ++counts.refused_open;
    return "";
  }
  if (!fired_) return "";
  if (fired_in_log_) {
    return absl::StrCat("call ", call_, " (", faultfs::CallKindName(fired_call_.kind), " of ",
                        fired_call_.path, ") failed, and the process went on (D3)");
  }
  ++counts.harmless;
  return "";
}

Violation CallErrorTrial::Run(CallErrorCounts& counts) {
  ++counts.trials;
  bool formatted = false;
  if (!machine_.Open(NodeRole::kBroker, formatted).ok()) return "cannot be formatted";
  machine_.Close();
  // The first opening makes the families; RocksDB's own failure there ends the process by an
  // assertion of the library, which is an end as good as any but not one that a test survives.
  if (!Open().ok()) return "cannot be opened";
  Close();
  calls_before_ = machine_.disk().calls();
  SetHook();
  Violation violation;
  for (int life = 0; life < 2 && violation.empty() && !stopped_; ++life) {
    if (!Open().ok()) {
      stopped_ = true;
      break;
    }
    violation = Work(kOperationsOfALife);
    if (life == 0 || stopped_) Close();
  }
  calls_made_ = machine_.disk().calls() - calls_before_;
  counts.acknowledged += acknowledgements_;
  if (violation.empty()) violation = Judge(counts);
  if (error_ == CallError::kLie) {
    // The disk that lied loses its power while the process runs.
    machine_.disk().CutPower();
    Close();
    machine_.Restart(seed_ + call_);
    return violation.empty() ? Verify(counts, "after the power loss") : violation;
  }
  Close();
  machine_.Restart(0);
  if (violation.empty()) violation = Verify(counts, "after the restart");
  // What was found now counts: it is served.
  machine_.disk().CutPower();
  Close();
  machine_.Restart(seed_ + call_);
  if (violation.empty()) violation = Verify(counts, "after the power loss");
  Close();
  return violation;
}

}  // namespace quipu::disk_faults
