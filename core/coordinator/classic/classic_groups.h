// Kafka's classic group protocol, for the groups of one coordinator: members join, wait for each
// other, one of them assigns for all, and everybody fetches its part.
//
//   Empty --join--> PreparingRebalance --all joined, or time--> CompletingRebalance
//     ^                  ^                                            | the leader's SyncGroup
//     |                  +--- a member comes, changes, goes ---- Stable <-+
//     +--- nobody is left
//
// This is soft state, a part of GroupCoordinatorCore. Answers wait: a request is named by a token
// of the host's, and its answer comes out of Finish, often that of a later call. Durable is what
// Kafka makes durable: the group after its leader's SyncGroup, and when it has become empty; beyond
// that who has a static member's place, before it is told so. A step that has to be durable is
// staged: it happens in Finish, once its records are written, or not at all.
//
//   handler(token, ...);  TakeRecords(records);  append and replay;  replies = Finish(written, now)
//
// Every token is answered exactly once, except those that wait when the object is thrown away.
// Static members (KIP-345) keep their place, their assignment and mostly the generation when their
// process restarts; the one before is fenced. Source: Kafka 4.x, GroupMetadataManager.
// One owner; not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "base/time.h"
#include "core/coordinator/classic/classic_group.h"
#include "core/coordinator/classic/classic_messages.h"
#include "core/coordinator/group_options.h"
#include "core/coordinator/group_state.h"
#include "core/coordinator/member_timers.h"

namespace quipu {

class ClassicGroups {
 public:
  explicit ClassicGroups(const GroupCoordinatorOptions& options) : options_(options) {}

  // ---- requests; what they look like has been checked (ValidateClassic...) ----
  // `generation` is where an unknown group goes on from. Errors: kUnknownMemberId,
  // kFencedInstanceId, kMemberIdRequired, kInconsistentGroupProtocol, kGroupMaxSizeReached, and
  // kRebalanceInProgress to a JoinGroup that a later one of the same member replaces.
  void Join(uint64_t token, const ClassicJoinRequest& request, int32_t generation, Instant now);
  // kUnknownMemberId, kFencedInstanceId, kIllegalGeneration, kInconsistentGroupProtocol,
  // kRebalanceInProgress (join again), kInvalidRequest (the assignments are too large to store).
  void Sync(uint64_t token, const ClassicSyncRequest& request, Instant now);
  // kUnknownMemberId, kFencedInstanceId, kIllegalGeneration, kRebalanceInProgress (join again).
  void Heartbeat(uint64_t token, const ClassicHeartbeatRequest& request, Instant now);
  // Of each member: kUnknownMemberId, kFencedInstanceId.
  void Leave(uint64_t token, const ClassicLeaveRequest& request, Instant now);
  void Refuse(uint64_t token, ClassicAnswer answer) { Reply(token, std::move(answer)); }
  // The step that is staged is not taken, as if its records had been refused.
  void RefuseStaged(ErrorCode error);
  // An answer made elsewhere that holds only if what is written along with it was written.
  void AnswerIfWritten(uint64_t token, ClassicAnswer answer);
  // For a member that the request does not name.
  std::string MakeMemberId(const ClassicJoinRequest& request);
  // A member's commit of offsets was taken: it lives.
  void OnCommit(const std::string& group_id, const std::string& member_id, Instant now);

  // ---- time ----
  // Removes who fell silent and ends what was waited for long enough. Adds groups that have had no
  // members for classic_empty_group_ms to `idle`. Deals with about records_per_turn_max groups;
  // NextDeadline stays in the past until all is done.
  void OnTime(Instant now, std::vector<std::string>& idle);
  [[nodiscard]] std::optional<Instant> NextDeadline() const { return timers_.NextDeadline(); }

  // ---- the log ----
  // Adds what has to be written now; it is added again after a Finish that says it was refused.
  // `durable`: what the log says of all groups. A group that is told to be empty is so since `now`.
  void TakeRecords(const absl::btree_map<std::string, GroupState>& durable, TimestampMs now,
                   GroupRecords& records) const;
  // `written`: kNone when what TakeRecords gave was appended and replayed, or was nothing; else
  // why not. Returns the answers to give, each once the log end of this moment is committed.
  std::vector<ClassicReply> Finish(ErrorCode written, Instant now);
  // The log was replayed to its end and says this of the group.
  void Load(const std::string& group_id, const ClassicMembership& durable, Instant now);
  // Forgets a group without members.
  void ForgetEmpty(const std::string& group_id);
  // The server assigns from now on: forgets the group, and tells who waits in it to join again.
  void GiveUp(const std::string& group_id);
  // Answers that are to be given without a Finish, after GiveUp.
  std::vector<ClassicReply> TakeReplies() { return std::exchange(replies_, {}); }
  // The log is to be replayed from its start.
  void Reset();

  // ---- looks ----
  // nullptr: no classic group of this id is known here.
  [[nodiscard]] const ClassicGroup* Find(const std::string& group_id) const;
  [[nodiscard]] bool HasMembers(const std::string& group_id) const;
  [[nodiscard]] const absl::btree_map<std::string, ClassicGroup>& groups() const { return groups_; }
  // What all of them take in memory, about.
  [[nodiscard]] size_t held_bytes() const { return held_bytes_; }
  // The member that asks to join again; nullptr: there is none, it is new.
  [[nodiscard]] const LiveClassicMember* FindMember(const ClassicJoinRequest& request) const;
  // How much more it is once the member of this request is as it says; less than 0: less.
  [[nodiscard]] int64_t GrowthBy(const ClassicJoinRequest& request) const;
  // The same of the step that is staged, with what is durable of its group: `before` until now.
  // 0: nothing is staged.
  [[nodiscard]] int64_t StagedGrowth(const ClassicMembership& before) const;
  // Aborts when the soft state contradicts itself. `durable` is what the log says of the group.
  void CheckGroup(const ClassicGroup& group, const ClassicMembership& durable) const;

 private:
  // A step that waits for its records.
  struct Staged {
    ClassicGroup next;
    std::vector<ClassicReply> replies;
    std::vector<std::string> heard;  // members whose session starts anew
    ClassicReply refused;            // the answer if the records are refused; without the error
  };

  ClassicGroup* FindLive(const std::string& group_id);
  // ---- joining (classic_join.cc) ----
  [[nodiscard]] ErrorCode CheckRoom(const ClassicGroup& group,
                                    const ClassicJoinRequest& request) const;
  void JoinNew(uint64_t token, const ClassicJoinRequest& request, ClassicGroup& group, Instant now);
  void JoinAgain(uint64_t token, const ClassicJoinRequest& request, ClassicGroup& group,
                 Instant now);
  void JoinInPlace(uint64_t token, const ClassicJoinRequest& request, const std::string& former,
                   ClassicGroup& group, Instant now);
  void AddMember(uint64_t token, const ClassicJoinRequest& request, const std::string& member_id,
                 ClassicGroup& group, Instant now);
  // The member waits in this JoinGroup now, with what it says.
  void UpdateMember(uint64_t token, const ClassicJoinRequest& request, const std::string& member_id,
                    ClassicGroup& group);
  void RefuseJoin(uint64_t token, const ClassicJoinRequest& request, ErrorCode error);
  // ---- rebalance (classic_rebalance.cc) ----
  void Rebalance(ClassicGroup& group, Instant now);
  void Prepare(ClassicGroup& group, Instant now);
  void MaybeCompleteJoin(ClassicGroup& group, Instant now);
  void CompleteJoin(ClassicGroup& group, Instant now);
  void ExpirePendingSyncs(ClassicGroup& group, Instant now);
  void ExtendInitialDelay(ClassicGroup& group, Instant now);
  // Takes the member out and answers what it waited for; the group's state stays as it is.
  void RemoveMember(ClassicGroup& group, const std::string& member_id);
  // Members were removed.
  void AfterRemoval(ClassicGroup& group, Instant now);
  // Another request of a member took the place of the one that waited.
  void AnswerSuperseded(LiveClassicMember& member, ErrorCode error);
  void OnPhaseEnd(ClassicGroup& group, Instant now, std::vector<std::string>& idle);
  void OnSilence(ClassicGroup& group, const std::string& member_id, Instant now);
  // Brings the sum of what groups take up to date.
  void Recount(const std::string& group_id);
  void Erase(const std::string& group_id);
  // Forgets a group of which nothing was ever to be kept and nobody is there any more.
  void ForgetVoid(const std::string& group_id);
  // ---- syncing (classic_sync.cc) ----
  void StageAssignment(uint64_t token, const ClassicSyncRequest& request,
                       const ClassicGroup& group);
  ErrorCode LeaveOne(const ClassicLeaveRequest::Member& leaver, ClassicGroup& group);

  void Reply(uint64_t token, ClassicAnswer answer);
  void StartSession(const std::string& group_id, const std::string& member_id,
                    int32_t session_timeout_ms, Instant now);
  void StartPhase(const ClassicGroup& group, int32_t milliseconds, Instant now);
  void StopPhase(const ClassicGroup& group);

  GroupCoordinatorOptions options_;
  absl::btree_map<std::string, ClassicGroup> groups_;
  size_t held_bytes_ = 0;
  // Of each member, pending ones too, its session; under an empty member id the group's own clock:
  // how long its state may last.
  MemberTimers timers_;
  std::optional<Staged> staged_;
  // Groups that became empty, which the log has still to be told.
  absl::btree_map<std::string, ClassicMembership> unsaved_;
  // Groups whose static members are being told their ids, which the log may not know; and the
  // requests whose answers, this one or another, hold only if what is to be written is written.
  absl::btree_set<std::string> told_;
  absl::btree_set<uint64_t> if_written_;
  std::vector<ClassicReply> replies_;
  uint64_t member_ids_made_ = 0;
};

// What a member says of itself, as far as it may change.
void TakeUp(const ClassicJoinRequest& request, const GroupCoordinatorOptions& options,
            LiveClassicMember& member);
// The answer of a member's JoinGroup in the group's present generation.
ClassicJoinAnswer JoinedAnswer(const ClassicGroup& group, const std::string& member_id);
// An answer to the same kind of request that says nothing but this error.
ClassicAnswer WithError(const ClassicAnswer& like, ErrorCode error);

}  // namespace quipu
