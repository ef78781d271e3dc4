#include "core/raft/read_index.h"

#include <algorithm>

namespace quipu {

void ReadIndexQueue::StartRound(LogIndex commit_index) {
  ++round_;
  for (Waiting& waiting : waiting_) {
    if (waiting.round == round_) waiting.index = commit_index;
  }
}

void ReadIndexQueue::OnConfirmed(uint64_t round, RaftEffects& effects) {
  confirmed_ = std::max(confirmed_, round);
  while (!waiting_.empty() && waiting_.front().round <= confirmed_) {
    effects.reads.push_back({waiting_.front().token, ErrorCode::kNone, waiting_.front().index});
    waiting_.pop_front();
  }
}

void ReadIndexQueue::FailAll(RaftEffects& effects) {
  for (const Waiting& waiting : waiting_) {
    effects.reads.push_back({waiting.token, ErrorCode::kNotController, LogIndex(0)});
  }
  waiting_.clear();
}

}  // namespace quipu
