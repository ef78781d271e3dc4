// Drives a RaftCore on the controller's executor: persist, then tell, then apply.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "controller/controller_node.h"
#include "controller/controller_ports.h"

namespace quipu {

class RaftCore;

// Owns one RaftCore and carries out its effects through ControllerPorts. It adds no rule of its
// own: what may be told before what is durable is the core's business, what is applied is told by
// the core, and this class keeps order between the two.
//
// While one write is on its way to the disk, the next ones gather and go together (group commit).
//
// Lifetime: `ports` outlives the driver. The driver may be destroyed at any moment on the
// executor; work it has posted then does nothing, and reads that wait are not answered.
// Threads: everything runs on ports.executor(); Start too, unless nothing else runs yet.
class RaftDriver {
 public:
  // Called on the executor, one after the other: never on the stack of Propose or ReadIndex, and
  // never inside another callback, so a callback may call any method of the driver but not destroy
  // it.
  struct Callbacks {
    // A committed entry, in the order of the log, once per life of the process. No-op entries are
    // told too (kind NO_OP, empty data): the state machine takes the index and nothing else.
    std::function<void(const message::RaftEntry& entry)> on_committed;
    // The whole state machine is replaced by `data`, the state as of entry `last` (at start, and
    // when a leader has sent a snapshot). Later entries follow through on_committed.
    std::function<void(LogIndex last, absl::string_view data)> on_restore;
    // The state as of the last entry given to on_committed (or on_restore).
    std::function<std::string()> make_snapshot;
    // is_leader = true: only after this leader's own no-op is committed and given to on_committed,
    // so that every entry of former terms has been applied (the active controller may act).
    // is_leader = false: at once when leadership ends, and whenever the term or the known leader
    // changes (`leader` is kNoController while unknown, and this node itself between its election
    // and is_leader = true).
    std::function<void(bool is_leader, Term term, ControllerId leader)> on_role;
  };

  RaftDriver(const ControllerConfig& config, ControllerPorts& ports, Callbacks callbacks);
  ~RaftDriver();
  RaftDriver(const RaftDriver&) = delete;
  RaftDriver& operator=(const RaftDriver&) = delete;

  // Loads the store, restores the snapshot through on_restore, tells on_role that this node follows
  // nobody yet (both before it returns), and begins to take part.
  //   kCorruptMessage       the store is damaged (C15): the process must not start
  //   kInconsistentVoterSet the config's voters do not hold this id with this directory (unless
  //                         it is an observer's), or are not one, three or five different ids
  absl::Status Start();

  // A message of another voter.
  void Step(message::RaftMessage message);

  // Appends `data` as a command and returns its index. It is decided when on_committed is called
  // with this index: it is this command if the entry has the term of now, another one if not. A
  // leadership that ends first leaves it unknown for the time being.
  //   kNotController  not the leader (any more), or the own no-op is not committed yet
  //   kLimitReached   uncommitted proposals would exceed proposal_bytes_max, or `data` alone would
  absl::StatusOr<LogIndex> Propose(std::string data);

  // Appends the next configuration of the quorum and returns its index; it is in force at once.
  // Errors as RaftCore::ChangeVoters, kNotController also before the own no-op is committed.
  absl::StatusOr<LogIndex> ChangeVoters(VoterSet next);

  // Calls `done` with an index when everything acknowledged before this call has been applied here
  // and this node was the leader after the call (Raft thesis 6.4).
  //   kNotController  not the leader, or leadership ended before it was confirmed
  //   kLimitReached   too many reads wait
  void ReadIndex(std::function<void(absl::StatusOr<LogIndex>)> done);

  // A leader among several leads no more; the others elect at once. Nothing otherwise.
  void Resign();

  // For checkers, and for term() and leader(). Valid after Start.
  [[nodiscard]] const RaftCore& core() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace quipu
