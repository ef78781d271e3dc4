// What the active controller does: answers brokers, fences the silent, publishes the metadata.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "base/error_code.h"
#include "controller/broker_sessions.h"
#include "controller/commit_waiters.h"
#include "controller/controller_node.h"
#include "controller/controller_ports.h"
#include "controller/metadata_publisher.h"
#include "controller/metadata_state_machine.h"
#include "controller/raft_driver.h"
#include "controller/voter_replacement.h"
#include "core/metadata/controller_core.h"

namespace quipu {

// Joins ControllerCore (decides), RaftDriver (makes it durable), BrokerSessions (who asks) and
// MetadataPublisher (who is told). Every controller has one; it is active only while it leads and
// has applied all entries of former terms. Not active, it answers every request with NotController.
//
// Order of one command: decide on the speculative image -> append -> Replay -> park the answer ->
// committed -> publish -> answer. Controller's executor only.
class ActiveController {
 public:
  struct Ports {
    ControllerPorts& outside;
    RaftDriver& raft;
    const MetadataStateMachine& committed;
  };
  // Everything in `ports` must outlive it.
  ActiveController(const ControllerConfig& config, Ports ports);

  // ---- role ----
  void Activate(Term term);
  // Drops every parked answer and closes every stream: what they asked for has an unknown outcome.
  void Deactivate();
  [[nodiscard]] bool active() const { return core_.active(); }
  // The leader that followers point to.
  void OnLeader(ControllerId leader) { leader_ = leader; }

  // ---- the log ----
  void OnCommitted(LogIndex index, record::MetadataBatch batch);
  void OnRestored(LogIndex last);

  // ---- brokers ----
  void OnStreamOpened(const ControlStreamPtr& stream) { sessions_.Open(stream); }
  void OnStreamClosed(const ControlStreamPtr& stream);
  void OnRequest(const ControlStreamPtr& stream, message::BrokerToController request);

  // ---- time; every kTickInterval while active ----
  void OnTick();
  static constexpr Duration kTickInterval = std::chrono::milliseconds(100);

  [[nodiscard]] const ControllerCore& core() const { return core_; }
  // Answers that wait for a commit or a read index; of each kind at most kRequestsMax.
  [[nodiscard]] size_t waiting_answers() const { return waiters_.size() + reads_; }
  void CheckInvariants() const { core_.CheckInvariants(); }

  static constexpr size_t kRequestsMax = 10000;  // quipu.controller.requests.max

 private:
  using Request = message::BrokerToController;
  using Answer = message::ControllerToBroker;

  void Register(const ControlStreamPtr& stream, const Request& request);
  void Heartbeat(const ControlStreamPtr& stream, const Request& request);
  void AlterPartitions(const ControlStreamPtr& stream, const Request& request);
  void AllocateProducerIds(const ControlStreamPtr& stream, const Request& request);
  void Admin(const ControlStreamPtr& stream, const Request& request);
  void ReplaceVoter(const ControlStreamPtr& stream, const Request& request);
  void Subscribe(const ControlStreamPtr& stream, const Request& request);

  // Appends and replays; nullopt with `error` set when it cannot.
  std::optional<LogIndex> Append(const record::MetadataBatch& batch, ErrorCode& error);
  // Appends `batch` if it has records and parks the answer. `fill`, if any, puts the entry's index
  // into the answer. Without records the answer waits for a read index, so that it is true of a
  // moment after the question, whoever else may lead by now (I13).
  void Commit(const ControlStreamPtr& stream, const Request& request,
              const record::MetadataBatch& batch, Answer answer,
              const std::function<void(LogIndex, Answer&)>& fill = nullptr);
  void AnswerAfterRead(const ControlStreamPtr& stream, const Request& request, Answer answer);
  void ParkAnswer(LogIndex index, const ControlStreamPtr& stream, Answer answer);
  void Refuse(const ControlStreamPtr& stream, const Request& request, ErrorCode error);
  void CloseStream(const ControlStreamPtr& stream, const absl::Status& reason);
  void Probe(BrokerId broker, BrokerEpoch epoch, Term term);
  void FenceRefused(BrokerId broker, BrokerEpoch epoch, Term term);
  void Publish();

  const ControllerConfig config_;
  Ports ports_;
  ControllerCore core_;
  BrokerSessions sessions_;
  CommitWaiters waiters_;
  MetadataPublisher publisher_;
  VoterReplacement replacement_;
  Term term_;  // of the present activity
  ControllerId leader_ = kNoController;
  LogIndex appended_{0};  // newest entry replayed on the speculative image
  size_t reads_ = 0;      // answers that wait for a read index
  // Work posted elsewhere asks it whether this object still lives.
  std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

// The answer of a quorum's leader about itself.
message::DescribeQuorumResult DescribeQuorum(const RaftCore& raft, Instant now);

}  // namespace quipu
