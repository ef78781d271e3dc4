#include "broker/metrics/lag_tracker.h"

#include <algorithm>

namespace quipu {

void LagTracker::AddEnd(Ends& ends, End end) {
  const size_t size = ends.size();
  // Of a time without new records the first and the last look say all.
  if (size >= 2 && ends[size - 1].offset == end.offset && ends[size - 2].offset == end.offset) {
    ends.back().at = end.at;
    return;
  }
  if (size >= kEndsMax) {
    Ends thinner;
    for (size_t i = 0; i < size; ++i) {
      if (i >= size / 2 || i % 2 == 0) thinner.push_back(ends[i]);
    }
    ends = std::move(thinner);
  }
  ends.push_back(end);
}

void LagTracker::Look(Instant now, const std::vector<Observation>& all) {
  decltype(ends_) ends;
  decltype(windows_) windows;
  for (const Observation& seen : all) {
    if (!ends.contains(seen.partition)) {
      const auto known = ends_.find(seen.partition);
      Ends& history = ends[seen.partition];
      if (known != ends_.end()) history = std::move(known->second);
      // A log that was cut begins anew.
      if (!history.empty() && history.back().offset > seen.end) history.clear();
      AddEnd(history, {.at = now, .offset = seen.end});
    }
    const auto key = std::make_pair(seen.group, seen.partition);
    const auto known = windows_.find(key);
    Window& window = windows[key];
    if (known != windows_.end()) window = std::move(known->second);
    if (window.size() == kWindow) window.pop_front();
    window.push_back({.offset = seen.committed,
                      .at = seen.committed_at,
                      .lag = std::max<int64_t>(seen.end - seen.committed, 0)});
  }
  ends_ = std::move(ends);
  windows_ = std::move(windows);
}

Duration LagTracker::Lag(Instant now, const TopicPartition& partition, Offset committed,
                         Offset end) const {
  if (committed >= end) return Duration(0);
  const auto it = ends_.find(partition);
  if (it == ends_.end()) return Duration(0);
  const Ends& ends = it->second;
  const auto after = std::find_if(ends.begin(), ends.end(),
                                  [&](const End& seen) { return seen.offset > committed; });
  // It came after the last look.
  if (after == ends.end()) return ends.empty() ? Duration(0) : (now - ends.back().at) / 2;
  if (after == ends.begin()) return now - after->at;
  const End& before = *std::prev(after);
  const double share = static_cast<double>(committed - before.offset) /
                       static_cast<double>(after->offset - before.offset);
  const auto into =
      Duration(static_cast<int64_t>(share * static_cast<double>((after->at - before.at).count())));
  return now - (before.at + into);
}

LagState LagTracker::Judge(const Window& window) {
  if (window.size() < kWindow) return LagState::kOk;
  bool grows = window.back().lag > window.front().lag;
  for (size_t i = 0; i < window.size(); ++i) {
    if (window[i].lag == 0) return LagState::kOk;
    if (i > 0 && window[i].lag < window[i - 1].lag) grows = false;
  }
  const bool same_offset = window.front().offset == window.back().offset;
  if (same_offset && window.front().at == window.back().at) return LagState::kStopped;
  if (same_offset) return LagState::kStalled;
  return grows ? LagState::kWarn : LagState::kOk;
}

LagState LagTracker::State(const std::string& group, const TopicPartition& partition) const {
  const auto it = windows_.find(std::make_pair(group, partition));
  return it == windows_.end() ? LagState::kOk : Judge(it->second);
}

}  // namespace quipu
