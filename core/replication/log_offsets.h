// The four offsets of a log.
#pragma once

#include "base/fingerprint.h"
#include "base/ids.h"

namespace quipu {

// log_start_offset <= high_watermark <= durable_end_offset <= log_end_offset, and nothing else:
// every step asserts the order, and that what must not fall does not fall. All four are exclusive
// ends or first offsets kept.
//
//      log_start        high_watermark     durable_end        log_end
//   [trimmed|  committed       |   synced here   |   in flight    |
//
// Shard thread only. Keeps I26 (one replica's part) and I28 (its own durable end).
class LogOffsets {
 public:
  // A log as it was recovered: everything in it is durable. `high_watermark` is a lower bound that
  // is brought into [log_start, log_end].
  LogOffsets(Offset log_start, Offset high_watermark, Offset log_end);

  // The log grew to `log_end`.
  void Append(Offset log_end);
  // Everything below `durable_end` is synced. Older news, and what has been cut since, is ignored.
  // True when the durable end moved.
  bool AdvanceDurableEnd(Offset durable_end);
  // True when the high watermark moved; a lower value is ignored.
  bool AdvanceHighWatermark(Offset high_watermark);
  // What was committed is void (an unclean recovery): only what is trimmed cannot come back.
  void ForgetHighWatermark() { high_watermark_ = log_start_; }
  // `log_start` must not be above the high watermark. True when it moved.
  bool RaiseLogStart(Offset log_start);
  // The log is cut to `log_end`, never below the high watermark (PR5).
  void TruncateTo(Offset log_end);
  // Everything goes; the log is empty at `offset`, which is not below the high watermark (PR5).
  void RestartAt(Offset offset);

  [[nodiscard]] Offset log_start() const { return log_start_; }
  [[nodiscard]] Offset high_watermark() const { return high_watermark_; }
  [[nodiscard]] Offset durable_end() const { return durable_end_; }
  [[nodiscard]] Offset log_end() const { return log_end_; }
  [[nodiscard]] bool empty() const { return log_start_ == log_end_; }

  void CheckInvariants() const;
  void AddTo(Fingerprint& state) const {
    state.Add(log_start_, high_watermark_, durable_end_, log_end_);
  }

 private:
  Offset log_start_;
  Offset high_watermark_;
  Offset durable_end_;
  Offset log_end_;
};

}  // namespace quipu
