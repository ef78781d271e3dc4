#include "core/raft/write_queue.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "base/planted_bug.h"

namespace quipu {

void WriteQueue::OnTruncated(LogIndex kept) {
  durable_index_ = std::min(durable_index_, kept);
  if (IsPlanted(PlantedBug::kLateAppendCounted)) return;
  for (Pending& pending : pending_) pending.last_index = std::min(pending.last_index, kept);
}

void WriteQueue::Flush(LogIndex last_index, RaftEffects& effects) {
  if (!current_.empty()) {
    effects.persists.push_back({++last_id_, std::move(current_)});
    current_ = RaftWrite();
    pending_.push_back({last_id_, last_index, {}, std::nullopt});
  }
  if (pending_.empty()) {
    QUIPU_CHECK(!held_vote_.has_value());
    std::move(held_.begin(), held_.end(), std::back_inserter(effects.messages));
  } else {
    std::move(held_.begin(), held_.end(), std::back_inserter(pending_.back().messages));
    if (held_vote_) pending_.back().own_vote = held_vote_;
  }
  held_.clear();
  held_vote_.reset();
}

WriteQueue::Completed WriteQueue::OnPersisted(RaftWriteId id) {
  Completed completed;
  if (id > last_id_) return completed;
  while (!pending_.empty() && pending_.front().id <= id) {
    Pending& front = pending_.front();
    durable_index_ = std::max(durable_index_, front.last_index);
    std::move(front.messages.begin(), front.messages.end(), std::back_inserter(completed.messages));
    if (front.own_vote) completed.own_vote = front.own_vote;
    pending_.pop_front();
  }
  return completed;
}

}  // namespace quipu
