// What a leader knows of one follower's log, and how much it dares to send.
#pragma once

#include <cstddef>
#include <deque>

#include "base/ids.h"
#include "core/raft/raft_types.h"

namespace quipu {

//   kProbe      where the logs agree is not known: one APPEND at a time, until one is accepted
//   kReplicate  they agree: APPENDs follow each other without waiting, inside a window
//   kSnapshot   the entries that it needs are compacted away: nothing but the snapshot is sent
//
//     kProbe --accepted--> kReplicate --refused--> kProbe
//     kProbe, kReplicate --entries compacted--> kSnapshot --installed--> kProbe
//
//   [durable there ... match] [in flight ...] [next ... last_index of the leader]
class Progress {
 public:
  enum class State { kProbe, kReplicate, kSnapshot };

  // `next`: the first guess, one past the leader's log.
  explicit Progress(LogIndex next) : next_(next) {}

  [[nodiscard]] State state() const { return state_; }
  // The last entry known to be durable at the follower.
  [[nodiscard]] LogIndex match() const { return match_; }
  // The next entry to send. Always > match.
  [[nodiscard]] LogIndex next() const { return next_; }
  [[nodiscard]] size_t in_flight() const { return in_flight_.size(); }

  // Whether another APPEND with entries may leave: bounded in number and in bytes.
  [[nodiscard]] bool MaySend(const RaftOptions& options) const;
  // An APPEND left with entries up to `last`, `bytes` of them.
  void OnSent(LogIndex last, size_t bytes);
  // Everything up to `match` is durable at the follower. Late and repeated answers are harmless.
  void OnAccepted(LogIndex match);
  // The follower could not place an APPEND that followed `refused`. `agreeable` is where the logs
  // may agree at best. False: the answer is old and changes nothing.
  bool OnRefused(LogIndex refused, LogIndex agreeable);
  // The follower is alive: a probe that had no answer is taken as lost.
  void OnAlive() { probe_sent_ = false; }
  void BecomeSnapshot() {
    state_ = State::kSnapshot;
    in_flight_.clear();
    in_flight_bytes_ = 0;
  }
  // The snapshot that ends at `last` is durable at the follower.
  void OnSnapshotInstalled(LogIndex last);

 private:
  struct Sent {
    LogIndex last;
    size_t bytes;
  };

  void BecomeProbe();
  // Answers to APPENDs up to `match` are in.
  void Release(LogIndex match);

  State state_ = State::kProbe;
  LogIndex match_;
  LogIndex next_;
  bool probe_sent_ = false;
  std::deque<Sent> in_flight_;
  size_t in_flight_bytes_ = 0;
};

}  // namespace quipu
