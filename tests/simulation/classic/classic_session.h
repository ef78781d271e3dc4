// What a consumer of Kafka does to be a member of a classic group, as a pure machine: it finds its
// coordinator, joins, assigns for all when it leads, syncs, reports, and begins again whenever it
// is told to. Modelled on Kafka's Java consumer (AbstractCoordinator, ConsumerCoordinator).
//
// A turn: any inputs, then Pump until it asks for no last commit any more. At most one commit is
// under way, and none while it joins: so commits of one member reach the coordinator in order.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/time.h"
#include "core/client/consumer_types.h"
#include "core/coordinator/classic/classic_messages.h"
#include "proto/message/client.pb.h"
#include "tests/simulation/classic/classic_plan.h"

namespace quipu::sim {

struct ClassicOptions {
  std::string group_id;
  std::string topic;
  TopicId topic_id;
  int32_t partitions = 0;
  std::string client_id;
  std::string instance_id;  // empty: a dynamic member
  int32_t session_ms = 0;
  int32_t rebalance_ms = 0;
  Duration heartbeat_interval{};
  Duration request_timeout{};    // of all that does not wait for other members
  bool cooperative = false;      // gives up only what it has to, and later (KIP-429)
  bool is_told_its_id = true;    // as JoinGroup 4 and later (KIP-394)
  bool skips_assignment = true;  // as JoinGroup 9 and later (KIP-814)
};

using ClassicRequest = std::variant<message::FindCoordinatorRequest, ClassicJoinRequest,
                                    ClassicSyncRequest, ClassicHeartbeatRequest,
                                    message::OffsetFetchRequest, message::OffsetCommitRequest>;
using ClassicResponse = std::variant<message::FindCoordinatorResponse, ClassicJoinAnswer,
                                     ClassicSyncAnswer, ClassicHeartbeatAnswer,
                                     message::OffsetFetchResponse, message::OffsetCommitResponse>;

struct ClassicCall {
  uint64_t id = 0;
  BrokerId broker = kNoBroker;  // kNoBroker: any
  Duration timeout{};
  ClassicRequest request;
};

using IndexOffsets = std::map<int32_t, OffsetAndMetadata>;  // by partition

struct ClassicEffects {
  std::vector<ClassicCall> calls;
  bool last_commit = false;  // partitions are about to be given up: commit now, and Pump again
  Indices stopped;           // the member does not own them any more
  IndexOffsets started;      // it reads these from there (kNoOffset: nothing is committed)
};

class ClassicSession {
 public:
  enum class Phase { kUnjoined, kGivingUp, kJoining, kSyncing, kMember, kEnded };

  explicit ClassicSession(ClassicOptions options) : options_(std::move(options)) {}

  void Pump(Instant now, ClassicEffects& effects);
  [[nodiscard]] std::optional<Instant> NextDeadline() const;
  void OnAnswered(Instant now, uint64_t id, const ClassicResponse& response,
                  ClassicEffects& effects);
  // Nobody knows whether it was done.
  void OnFailed(Instant now, uint64_t id);

  // The member owns partitions in its generation, and no commit is under way.
  [[nodiscard]] bool MayCommit() const;
  void Commit(const IndexOffsets& offsets, ClassicEffects& effects);
  // The application wants the group to assign anew.
  void Rejoin() { rejoins_ = true; }
  [[nodiscard]] ClassicLeaveRequest MakeLeave(bool by_instance) const;

  [[nodiscard]] Phase phase() const { return phase_; }
  // Why it has ended: kFencedInstanceId, kInconsistentGroupProtocol, or what no client expects.
  [[nodiscard]] ErrorCode ended() const { return ended_; }
  // A member that owns what it was given and knows where to read it from.
  [[nodiscard]] bool IsSettled() const {
    return phase_ == Phase::kMember && unread_.empty() && !rejoins_;
  }
  [[nodiscard]] BrokerId coordinator() const { return coordinator_; }
  [[nodiscard]] int32_t generation() const { return generation_; }
  [[nodiscard]] const std::string& member_id() const { return member_id_; }
  [[nodiscard]] const Indices& owned() const { return owned_; }
  [[nodiscard]] const ClassicOptions& options() const { return options_; }
  // What a commit of this member says in its metadata, by which the log tells whose it was.
  static std::string TagOf(int32_t generation, const std::string& member_id);

 private:
  void Call(uint64_t& slot, Duration timeout, ClassicRequest request, ClassicEffects& effects);
  void Join(Instant now, ClassicEffects& effects);
  void Sync(const ClassicJoinAnswer& joined, ClassicEffects& effects);
  void GiveUp(Instant now, ClassicEffects& effects);
  void Report(Instant now, ClassicEffects& effects);
  void ReadOffsets(Instant now, ClassicEffects& effects);
  void OnFound(Instant now, const message::FindCoordinatorResponse& found);
  void OnJoined(Instant now, const ClassicJoinAnswer& answer, ClassicEffects& effects);
  void OnSynced(Instant now, const ClassicSyncAnswer& answer, ClassicEffects& effects);
  void OnOffsets(Instant now, const message::OffsetFetchResponse& response,
                 ClassicEffects& effects);
  // What every answer may say.
  void OnError(Instant now, ErrorCode error, ClassicEffects& effects);
  void LoseCoordinator(Instant now);
  // The member is none any more, as it has just learnt.
  void LoseAll(Instant now, ClassicEffects& effects);
  void End(ErrorCode error, ClassicEffects& effects);
  [[nodiscard]] Duration WaitForOthers() const;

  ClassicOptions options_;
  Phase phase_ = Phase::kUnjoined;
  ErrorCode ended_ = ErrorCode::kNone;
  BrokerId coordinator_ = kNoBroker;
  std::string member_id_;
  int32_t generation_ = -1;
  int32_t owned_since_ = -1;  // the generation of its last assignment
  std::string protocol_;
  Indices owned_;
  Indices unread_;     // owned, and where to begin is not known yet
  Indices giving_up_;  // owned until their last commit is over
  bool asked_for_last_commit_ = false;
  bool rejoins_ = false;
  Instant retry_at_{};
  Instant next_beat_{};
  // Ids of the calls under way; 0: none.
  uint64_t last_id_ = 0;
  uint64_t find_ = 0;
  uint64_t join_ = 0;  // or sync
  uint64_t beat_ = 0;
  uint64_t read_ = 0;
  uint64_t commit_ = 0;
};

}  // namespace quipu::sim
