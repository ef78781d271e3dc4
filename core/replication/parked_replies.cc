#include "core/replication/parked_replies.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace quipu {

void ParkedReplies::NoteDeadline(Instant deadline) {
  if (!next_deadline_ || deadline < *next_deadline_) next_deadline_ = deadline;
}

void ParkedReplies::ParkAck(ProduceReply reply, Instant deadline) {
  NoteDeadline(deadline);
  const bool in_order =
      first_ack_ == acks_.size() || acks_.back().reply.end_offset <= reply.end_offset;
  (in_order ? acks_ : repeats_).push_back({std::move(reply), deadline});
}

void ParkedReplies::ParkDelete(DeleteRecordsReply reply, Instant deadline) {
  NoteDeadline(deadline);
  deletes_.push_back({reply, deadline});
}

void ParkedReplies::AnswerAcks(Offset high_watermark, PartitionEffects& effects) {
  while (first_ack_ < acks_.size() && acks_[first_ack_].reply.end_offset <= high_watermark) {
    effects.replies.push_back(std::move(acks_[first_ack_].reply));
    ++first_ack_;
  }
  if (first_ack_ == acks_.size()) {
    acks_.clear();
    first_ack_ = 0;
  } else if (first_ack_ > acks_.size() / 2) {
    acks_.erase(acks_.begin(), acks_.begin() + static_cast<std::ptrdiff_t>(first_ack_));
    first_ack_ = 0;
  }
  if (!repeats_.empty()) {
    std::erase_if(repeats_, [&](const Ack& ack) {
      if (ack.reply.end_offset > high_watermark) return false;
      effects.replies.push_back(ack.reply);
      return true;
    });
  }
  if (acks() == 0 && deletes_.empty()) next_deadline_.reset();
}

void ParkedReplies::AnswerDeletes(Offset log_start, PartitionEffects& effects) {
  std::erase_if(deletes_, [&](const Delete& parked) {
    if (parked.reply.log_start_offset > log_start) return false;
    effects.delete_replies.push_back(parked.reply);
    return true;
  });
}

void ParkedReplies::AnswerExpired(Instant now, PartitionEffects& effects) {
  if (!next_deadline_ || *next_deadline_ > now) return;
  next_deadline_.reset();
  acks_.erase(acks_.begin(), acks_.begin() + static_cast<std::ptrdiff_t>(first_ack_));
  first_ack_ = 0;
  const auto ack_expired = [&](const Ack& ack) {
    if (ack.deadline > now) {
      NoteDeadline(ack.deadline);
      return false;
    }
    effects.replies.push_back(
        {.token = ack.reply.token, .error = ErrorCode::kRequestTimedOut, .message = {}});
    return true;
  };
  std::erase_if(acks_, ack_expired);
  std::erase_if(repeats_, ack_expired);
  std::erase_if(deletes_, [&](const Delete& parked) {
    if (parked.deadline > now) {
      NoteDeadline(parked.deadline);
      return false;
    }
    effects.delete_replies.push_back(
        {.token = parked.reply.token, .error = ErrorCode::kRequestTimedOut});
    return true;
  });
}

void ParkedReplies::Abandon(PartitionEffects& effects) {
  const auto give_up = [&](const Ack& ack) {
    effects.replies.push_back(
        {.token = ack.reply.token, .error = ErrorCode::kLeadershipLostAfterAppend, .message = {}});
  };
  for (size_t i = first_ack_; i < acks_.size(); ++i) give_up(acks_[i]);
  for (const Ack& ack : repeats_) give_up(ack);
  for (const Delete& parked : deletes_) {
    effects.delete_replies.push_back(
        {.token = parked.reply.token, .error = ErrorCode::kNotLeaderOrFollower});
  }
  acks_.clear();
  first_ack_ = 0;
  repeats_.clear();
  deletes_.clear();
  next_deadline_.reset();
}

void ParkedReplies::AddTo(Fingerprint& state) const {
  state.Add(acks(), deletes(), next_deadline_);
  const auto add_ack = [&state](const Ack& ack) {
    state.Add(ack.reply.token, ack.reply.base_offset, ack.reply.end_offset, ack.deadline);
  };
  std::for_each(acks_.begin() + static_cast<std::ptrdiff_t>(first_ack_), acks_.end(), add_ack);
  std::for_each(repeats_.begin(), repeats_.end(), add_ack);
  for (const Delete& waiting : deletes_) {
    state.Add(waiting.reply.token, waiting.reply.log_start_offset, waiting.deadline);
  }
}

void ParkedReplies::CheckInvariants(Offset high_watermark) const {
  for (size_t i = first_ack_; i < acks_.size(); ++i) {
    QUIPU_INVARIANT("I28", acks_[i].reply.end_offset > high_watermark);
  }
  for (const Ack& ack : repeats_) QUIPU_INVARIANT("I28", ack.reply.end_offset > high_watermark);
}

}  // namespace quipu
