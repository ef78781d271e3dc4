#include "client/cli/measure/delivery_check.h"

#include <algorithm>

#include "base/big_endian.h"
#include "base/check.h"

namespace quipu::cli {

void WriteMark(const RunMark& mark, std::string& value) {
  QUIPU_CHECK(value.size() >= kRunMarkBytes);
  StoreBigEndian(mark.run, value.data());
  StoreBigEndian(mark.number, value.data() + sizeof(uint64_t));
}

std::optional<RunMark> ReadMark(absl::string_view value) {
  if (value.size() < kRunMarkBytes) return std::nullopt;
  return RunMark{.run = LoadBigEndian<uint64_t>(value.data()),
                 .number = LoadBigEndian<uint64_t>(value.data() + sizeof(uint64_t))};
}

DeliveryCheck::DeliveryCheck(uint64_t records, uint64_t keys) : fates_(records), newest_(keys) {}

void DeliveryCheck::OnSent() {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++counts_.sent;
}

void DeliveryCheck::OnReported(uint64_t number, bool ok, Persisted persisted) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Fate& fate = fates_.at(number);
  if (ok) {
    fate.acknowledged = true;
    ++counts_.acknowledged;
  } else if (persisted == Persisted::kNo) {
    fate.not_stored = true;
    ++counts_.not_stored;
    return;
  } else {
    fate.unknown = true;
    ++counts_.unknown;
  }
  if (!fate.received) ++outstanding_;
}

bool DeliveryCheck::OnReceived(uint64_t number, bool intact) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!intact || number >= fates_.size()) {
    ++counts_.damaged;
    return false;
  }
  Fate& fate = fates_[number];
  if (fate.received) {
    ++counts_.doubled;
    return false;
  }
  fate.received = true;
  ++counts_.received;
  if (fate.acknowledged || fate.unknown) --outstanding_;
  uint64_t& newest = newest_[number % newest_.size()];
  if (number < newest) ++counts_.out_of_order;
  newest = std::max(newest, number + 1);
  return true;
}

bool DeliveryCheck::HasAll() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return outstanding_ == 0;
}

DeliveryVerdict DeliveryCheck::Counts() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return counts_;
}

DeliveryVerdict DeliveryCheck::Verdict() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  DeliveryVerdict verdict = counts_;
  for (const Fate& fate : fates_) {
    if (fate.acknowledged && !fate.received) ++verdict.missing;
    if (fate.not_stored && fate.received) ++verdict.refuted;
  }
  return verdict;
}

}  // namespace quipu::cli
