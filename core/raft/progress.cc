#include "core/raft/progress.h"

#include <algorithm>

#include "base/check.h"

namespace quipu {

bool Progress::MaySend(const RaftOptions& options) const {
  switch (state_) {
    case State::kProbe:
      return !probe_sent_;
    case State::kReplicate:
      return in_flight_.size() < options.in_flight_appends_max &&
             in_flight_bytes_ < options.in_flight_bytes_max;
    case State::kSnapshot:
      return false;
  }
  return false;
}

void Progress::OnSent(LogIndex last, size_t bytes) {
  if (state_ == State::kProbe) {
    probe_sent_ = true;
    return;
  }
  QUIPU_CHECK(state_ == State::kReplicate);
  QUIPU_CHECK(last >= next_);
  in_flight_.push_back({last, bytes});
  in_flight_bytes_ += bytes;
  next_ = last + 1;
}

void Progress::OnAccepted(LogIndex match) {
  match_ = std::max(match_, match);
  next_ = std::max(next_, match_ + 1);
  if (state_ == State::kSnapshot) return;  // left by OnSnapshotInstalled only
  if (state_ == State::kProbe) {
    state_ = State::kReplicate;
    probe_sent_ = false;
    next_ = match_ + 1;
  }
  Release(match_);
}

bool Progress::OnRefused(LogIndex refused, LogIndex agreeable) {
  switch (state_) {
    case State::kSnapshot:
      return false;
    case State::kReplicate:
      // Entries up to match are there for good, so a refusal of them was overtaken.
      if (refused <= match_) return false;
      BecomeProbe();
      next_ = match_ + 1;
      return true;
    case State::kProbe:
      if (refused != next_ - 1 || refused <= match_) return false;
      next_ = std::max(std::min(refused, agreeable + 1), match_ + 1);
      probe_sent_ = false;
      return true;
  }
  return false;
}

void Progress::OnSnapshotInstalled(LogIndex last) {
  match_ = std::max(match_, last);
  if (state_ == State::kSnapshot) {
    BecomeProbe();
    next_ = match_ + 1;
  }
}

void Progress::BecomeProbe() {
  state_ = State::kProbe;
  probe_sent_ = false;
  in_flight_.clear();
  in_flight_bytes_ = 0;
}

void Progress::Release(LogIndex match) {
  while (!in_flight_.empty() && in_flight_.front().last <= match) {
    in_flight_bytes_ -= in_flight_.front().bytes;
    in_flight_.pop_front();
  }
}

}  // namespace quipu
