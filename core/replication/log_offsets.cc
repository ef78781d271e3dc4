#include "core/replication/log_offsets.h"

#include <algorithm>

#include "base/check.h"

namespace quipu {

LogOffsets::LogOffsets(Offset log_start, Offset high_watermark, Offset log_end)
    : log_start_(log_start), durable_end_(log_end), log_end_(log_end) {
  QUIPU_CHECK(Offset{0} <= log_start);
  QUIPU_CHECK(log_start <= log_end);
  high_watermark_ = std::clamp(high_watermark, log_start, log_end);
}

void LogOffsets::Append(Offset log_end) {
  QUIPU_CHECK(log_end > log_end_);
  log_end_ = log_end;
}

bool LogOffsets::AdvanceDurableEnd(Offset durable_end) {
  const Offset reached = std::min(durable_end, log_end_);
  if (reached <= durable_end_) return false;
  durable_end_ = reached;
  return true;
}

bool LogOffsets::AdvanceHighWatermark(Offset high_watermark) {
  if (high_watermark <= high_watermark_) return false;
  QUIPU_INVARIANT("I28", high_watermark <= durable_end_);
  high_watermark_ = high_watermark;
  return true;
}

bool LogOffsets::RaiseLogStart(Offset log_start) {
  if (log_start <= log_start_) return false;
  QUIPU_CHECK(log_start <= high_watermark_);
  log_start_ = log_start;
  return true;
}

void LogOffsets::TruncateTo(Offset log_end) {
  QUIPU_INVARIANT("PR5", log_end >= high_watermark_);
  QUIPU_CHECK(log_end <= log_end_);
  log_end_ = log_end;
  durable_end_ = std::min(durable_end_, log_end);
}

void LogOffsets::RestartAt(Offset offset) {
  QUIPU_INVARIANT("PR5", offset >= high_watermark_);
  log_start_ = high_watermark_ = durable_end_ = log_end_ = offset;
}

void LogOffsets::CheckInvariants() const {
  QUIPU_INVARIANT("I28", log_start_ <= high_watermark_);
  QUIPU_INVARIANT("I28", high_watermark_ <= durable_end_);
  QUIPU_INVARIANT("I28", durable_end_ <= log_end_);
}

}  // namespace quipu
