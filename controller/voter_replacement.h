// Replaces a voter whose disk is lost, step by step.
#pragma once

#include <optional>
#include <string>

#include "base/error_code.h"
#include "base/ids.h"
#include "base/log_events.h"
#include "base/time.h"
#include "controller/controller_node.h"
#include "controller/controller_ports.h"
#include "controller/raft_driver.h"
#include "core/raft/voters/voter_set.h"
#include "proto/message/admin.pb.h"

namespace quipu {

// The steps are configurations of the quorum in the Raft log, so that whoever leads finds there how
// far it has come, and goes on (docs/decisions/0018):
//
//   {1, 2, 3}  --Begin-->  {1, 2, 3} joining 2'  --2' has caught up-->  {1, 3} joining 2'
//                                 |                                            |
//                                 |  not in time: given up                     v
//                                 +------------> {1, 2, 3}                {1, 2', 3}
//
// Each is committed before the next (PR7, C05). Once the old voter is gone there is no giving up:
// the new one becomes a voter when it has caught up, or another takes its place as the one that
// joins.
//
// Controller's executor only, and only while this controller is active.
class VoterReplacement {
 public:
  // Everything outlives it.
  VoterReplacement(const ControllerConfig& config, ControllerPorts& ports, RaftDriver& raft)
      : config_(config), ports_(ports), raft_(raft) {}

  // Leadership begins. What a former leader began gets the whole time-out again.
  void Activate();

  // Checks the request and appends the first step. The same request again goes on with what is
  // under way, and does nothing when all is done.
  struct Begun {
    ErrorCode error = ErrorCode::kNone;
    std::string message;
    std::optional<LogIndex> index;  // of the step; none: nothing was appended
  };
  //   kInvalidRequest          malformed; or the voter answers, and `force` is not set
  //   kVoterNotFound           no voter has this id
  //   kDuplicateVoter          another voter has this directory id
  //   kReassignmentInProgress  another replacement is under way
  //   kNotEnoughReplicas       the other voters that answer are too few to decide without it
  //   kInconsistentVoterSet    it is the only voter
  Begun Begin(const message::ReplaceVoter& request);
  // The next step, when its time has come.
  void OnTick();

 private:
  struct Wanted {
    RaftVoter voter;
    bool force = false;
  };
  static std::optional<Wanted> Parse(const message::ReplaceVoter& request);
  // Why `old` may not go now; kNone: it may.
  [[nodiscard]] Begun CheckOld(const RaftVoter& old, bool force) const;
  // Whether `who` has been heard lately, or this leadership is too young to know.
  [[nodiscard]] bool MayBeAlive(const RaftIdentity& who) const;
  // Whether a majority of the voters without `old` answers.
  [[nodiscard]] bool OthersSuffice(const RaftIdentity& old) const;
  [[nodiscard]] bool JoinerIsCaughtUp(const RaftIdentity& joiner) const;
  Begun Append(VoterSet next);
  // Appends a step; a refusal is made good at the next tick.
  void Step(VoterSet next, LogEvent event, const RaftVoter& who);
  [[nodiscard]] Instant Now() const { return ports_.executor().GetNow().mono; }

  const ControllerConfig& config_;
  ControllerPorts& ports_;
  RaftDriver& raft_;
  Instant active_since_{};
  Instant deadline_{};
};

// Parses `host:port`. nullopt for another form.
std::optional<HostPort> ParseHostPort(const std::string& text);

}  // namespace quipu
