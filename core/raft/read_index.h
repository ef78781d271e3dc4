// Reads that wait until the leader knows that it still is one (Raft thesis 6.4).
#pragma once

#include <cstdint>
#include <deque>

#include "base/error_code.h"
#include "base/ids.h"
#include "core/raft/raft_types.h"

namespace quipu {

// A read remembers the commit index of its arrival and is answered once a majority has answered a
// heartbeat that left afterwards. Rounds are numbered; reads that arrive while one is under way
// share the next, so that any number of reads costs one round at a time. No leases (PR7, C11).
class ReadIndexQueue {
 public:
  [[nodiscard]] size_t size() const { return waiting_.size(); }
  // The round that heartbeats carry now.
  [[nodiscard]] uint64_t round() const { return round_; }
  // Whether reads wait for a round that has not left yet.
  [[nodiscard]] bool NeedsRound() const {
    return !waiting_.empty() && waiting_.back().round > round_;
  }
  // Whether the round that left last has been answered.
  [[nodiscard]] bool RoundIsOver() const { return confirmed_ >= round_; }

  // A read arrives; it belongs to the next round.
  void Add(RaftReadToken token) { waiting_.push_back({token, round_ + 1, LogIndex(0)}); }
  // The next round leaves now, with the reads that have arrived. `commit_index` covers everything
  // acknowledged before them and includes an entry of the own term (C12).
  void StartRound(LogIndex commit_index);
  // A majority has answered `round`.
  void OnConfirmed(uint64_t round, RaftEffects& effects);
  // Leadership is over.
  void FailAll(RaftEffects& effects);

 private:
  struct Waiting {
    RaftReadToken token;
    uint64_t round;
    LogIndex index;
  };

  std::deque<Waiting> waiting_;
  uint64_t round_ = 0;
  uint64_t confirmed_ = 0;
};

}  // namespace quipu
