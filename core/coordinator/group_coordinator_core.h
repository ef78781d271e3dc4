// The consumer-group coordinator of one partition of __consumer_offsets, as a pure machine.
//
// Handlers look at the state and return records plus a response; they change nothing durable. The
// host appends the records as ONE batch (a batch is atomic), calls Replay for each of them at once,
// before the next handler, and parks the response, reads' too, until the log end that the handler
// saw is committed. Replay is the only function that changes durable state, so a core that replayed
// the log from its start is equal to the one that wrote it (SameStateAs). On losing the leadership
// the host drops the core.
//
//   load:   for each record from the log start: Replay;  OnLoaded(now);  append
//   OnTopicsChanged(view) serve:  result = Handler(...);  append, Replay;  park result.response
//   time:   at NextDeadline(): append, Replay what OnTime returns
//   bound:  when the log has grown well past StateRecordCount(): append Snapshot() in one go, with
//           no other record in between (several batches are fine), Replay it or not (it changes
//           nothing), and once it is committed raise the log start to its first offset
//
// Groups follow KIP-848: the server computes a target assignment at each group epoch; a member
// gives partitions up before its epoch moves, and gets a partition only when nobody else has it
// [I52]. A commit is checked against the epoch at which the partition was given to the member
// (KIP-1251) [I51]. Members that fall silent for their session time-out, or do not give partitions
// up within their rebalance time-out, are removed.
//
// A static member (group.instance.id, KIP-345) keeps its place while its process restarts: who
// joins with the instance id of a member takes over its partitions and its epoch under a member id
// of its own, and no group epoch is raised. The one before is fenced from that record on: its
// heartbeats, commits and reads get FENCED_INSTANCE_ID [I51, G03].
//
// Members of classic groups assign the partitions themselves (core/coordinator/classic). An empty
// group takes either kind of members. One with classic members goes over to assignment by the
// server when the first member of KIP-848 joins, and back when the last of them has gone; in
// between its classic members are served by group_mixed.cc. group.consumer.migration.policy may
// forbid either.
//
// Timers are soft state: they live in this object only and are restarted by OnLoaded.
// One owner; not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/strings/string_view.h"
#include "base/error_code.h"
#include "base/time.h"
#include "core/coordinator/classic/classic_groups.h"
#include "core/coordinator/group_options.h"
#include "core/coordinator/group_state.h"
#include "core/coordinator/member_timers.h"
#include "core/coordinator/topic_view.h"
#include "proto/message/client.pb.h"
#include "proto/record/group.pb.h"

namespace quipu {

// What a handler wants written and, once that is committed, answered. `records` may be empty.
template <typename Response>
struct GroupResult {
  GroupRecords records;
  Response response;
};

// Offsets that nobody needs any more.
struct ExpiredOffsets {
  GroupRecords records;  // that remove them
  size_t offsets = 0;
  size_t groups = 0;  // that go with their last offset
};

class GroupCoordinatorCore {
 public:
  explicit GroupCoordinatorCore(GroupCoordinatorOptions options);

  // ---- members ----
  // Joins (epoch 0), leaves (epoch -1) or keeps a member alive, and tells it its assignment; the
  // response always carries the whole assignment unless it is an error or a leave.
  //   kInvalidGroupId, kInvalidRequest, kUnsupportedAssignor, kInvalidSessionTimeout
  //   kUnknownMemberId     not a member (any more): join again
  //   kFencedMemberEpoch   the epoch is not the member's: give all partitions up and join again
  //   kFencedInstanceId    another member took the place of this static one (KIP-345): give all
  //                        partitions up and end
  //   kGroupIdNotFound     the group has classic members, and may not or cannot go over
  //   kGroupMaxSizeReached, kLimitReached
  GroupResult<message::GroupHeartbeatResponse> Heartbeat(
      const message::GroupHeartbeatRequest& request, absl::string_view client_host, Now now,
      const GroupTopicView& topics);

  // ---- members of classic groups ----
  // The records are appended and replayed, then FinishClassic is called, with their refusal if they
  // were refused, before any other call. The answers come from there, also those of calls before.
  // Beside the errors in classic_groups.h: kInvalidGroupId, kInvalidRequest,
  // kInvalidSessionTimeout, kGroupMaxSizeReached (also: too many groups, or bytes of them),
  // kCoordinatorNotAvailable (too many bytes of groups for a leader's assignments),
  // kInconsistentGroupProtocol (the server assigns, to consumers only).
  [[nodiscard]] GroupRecords JoinGroup(uint64_t token, const ClassicJoinRequest& request, Now now,
                                       const GroupTopicView& topics);
  [[nodiscard]] GroupRecords SyncGroup(uint64_t token, const ClassicSyncRequest& request, Now now,
                                       const GroupTopicView& topics);
  [[nodiscard]] GroupRecords ClassicHeartbeat(uint64_t token,
                                              const ClassicHeartbeatRequest& request, Now now);
  [[nodiscard]] GroupRecords LeaveGroup(uint64_t token, const ClassicLeaveRequest& request, Now now,
                                        const GroupTopicView& topics);
  // Also after OnTime. Each answer is to be given once the log end of this moment is committed.
  [[nodiscard]] std::vector<ClassicReply> FinishClassic(ErrorCode written, Now now) {
    return classic_.Finish(written, now.mono);
  }
  // Answers that a Heartbeat's records led to, once they were replayed: to those who waited in a
  // classic group that has gone over.
  [[nodiscard]] std::vector<ClassicReply> TakeClassicReplies() { return classic_.TakeReplies(); }

  // ---- offsets ----
  // Of a member of a classic group member_epoch is its generation. Errors then: kUnknownMemberId,
  // kFencedInstanceId, kIllegalGeneration, kRebalanceInProgress (no assignment holds). Which
  // partitions it owns only its leader knows: all are taken.
  //
  // Errors of the whole request: kInvalidGroupId, kInvalidRequest, kFencedInstanceId,
  // kUnknownMemberId (also a commit
  // from outside into a group with members), kStaleMemberEpoch (an epoch that the member never
  // had), kOperationNotAttempted (a later attempt of the member came first), kLimitReached. Every
  // partition then carries the code too, and nothing is written. Errors of a partition, the others
  // are written: kStaleMemberEpoch (not the member's, or given to it at a later epoch [I51]),
  // kUnknownTopicId, kUnknownTopicOrPartition, kOffsetMetadataTooLarge, kInvalidRequest,
  // kLimitReached.
  GroupResult<message::OffsetCommitResponse> OffsetCommit(
      const message::OffsetCommitRequest& request, Now now, const GroupTopicView& topics);
  // kUnknownMemberId, kStaleMemberEpoch for a member's read. An unknown group has no offsets: -1. A
  // partition that is named several times has one answer. kInvalidRequest also for more than
  // offset_fetch_bytes_max.
  [[nodiscard]] GroupResult<message::OffsetFetchResponse> OffsetFetch(
      const message::OffsetFetchRequest& request) const;

  // Forgets offsets (KIP-496), so that the group begins there as if it had never committed. Errors
  // of the whole request: kInvalidGroupId, kInvalidRequest, kGroupIdNotFound, kNonEmptyGroup (of
  // members that are no consumers). Of a partition, the others are done: kGroupSubscribedToTopic (a
  // member reads the topic, or of a member nobody can tell). An offset that is not there is no
  // error.
  [[nodiscard]] GroupResult<message::OffsetDeleteResponse> OffsetDelete(
      const message::OffsetDeleteRequest& request, const GroupTopicView& topics) const;

  // ---- administration ----
  // Takes static members out at once, as if their sessions had ended, whether they run or have left
  // (KIP-345): one that runs is told with its next heartbeat that it is none (kUnknownMemberId).
  // Errors of the whole request, with nothing done: kInvalidGroupId, kInvalidRequest (no instance
  // id, or one that is none), kGroupIdNotFound. Of a member, the others go: kUnknownMemberId.
  [[nodiscard]] GroupResult<message::RemoveMembersResponse> RemoveStaticMembers(
      const message::RemoveMembersRequest& request, Now now, const GroupTopicView& topics);
  [[nodiscard]] GroupResult<message::ListGroupsResponse> List() const;
  // kGroupIdNotFound.
  [[nodiscard]] GroupResult<message::DescribeGroupResponse> Describe(
      const message::DescribeGroupRequest& request, const GroupTopicView& topics) const;
  // kGroupIdNotFound, kNonEmptyGroup.
  [[nodiscard]] GroupResult<message::DeleteGroupResponse> Delete(
      const message::DeleteGroupRequest& request) const;

  // ---- events ----
  // After each change of the metadata image, and after OnLoaded. Deals out new partitions; drops
  // partitions and offsets of deleted topics. `topics` must be as new as MetadataGroupTopicView
  // says: what it lacks is taken for deleted. A call deals with about records_per_turn_max records;
  // append, replay and call again until none come back.
  [[nodiscard]] GroupRecords OnTopicsChanged(const GroupTopicView& topics) const;
  // Removes members whose time is up. Bounded as OnTopicsChanged: NextDeadline stays in the past
  // until all is done.
  [[nodiscard]] GroupRecords OnTime(Now now, const GroupTopicView& topics);
  // Every offsets_retention_check_ms, and otherwise nothing: removes offsets that are older than
  // offsets_retention_ms. The age of one counts from its commit, in a group without members from
  // when the last one went, if that was later. A group with members keeps what they subscribe, and
  // everything while it rebalances, or when it cannot be told what they subscribe. Groups without
  // members go with their last offset. Bounded as OnTime.
  [[nodiscard]] ExpiredOffsets ExpireOffsets(Now now, const GroupTopicView& topics);
  // When OnTime or ExpireOffsets has something to do next; nullopt: never as things stand.
  [[nodiscard]] std::optional<Instant> NextDeadline() const;

  // ---- durable state ----
  // Applies one record of the log, in log order. Replaying a record or a whole snapshot again
  // changes nothing. A record that this version does not know is skipped.
  void Replay(const record::GroupRecord& record);
  // The log has been replayed to its end: gives every member its full time again. Offsets expire
  // from the first check after this on.
  void OnLoaded(Instant now);
  // The whole state as records, framed by SnapshotBegin and SnapshotEnd. `snapshot_id` tells
  // snapshots of one log apart; the log end offset will do.
  [[nodiscard]] GroupRecords Snapshot(uint64_t snapshot_id) const;
  // Records of Snapshot() without its frame.
  [[nodiscard]] size_t StateRecordCount() const;

  // ---- checks ----
  // I52 and the state's own consistency; aborts when broken. Called by tests and the simulator.
  void CheckInvariants() const;
  [[nodiscard]] bool SameStateAs(const GroupCoordinatorCore& other) const {
    return groups_ == other.groups_;
  }
  // The durable state, one line per fact, in a fixed order.
  [[nodiscard]] std::string DebugString() const;
  [[nodiscard]] const absl::btree_map<std::string, GroupState>& groups() const { return groups_; }
  // Classic groups as they are right now, those too of which nothing is durable yet.
  [[nodiscard]] const ClassicGroups& classic() const { return classic_; }
  // What all groups take in memory, about; GroupCoordinatorOptions::bytes_max bounds it.
  [[nodiscard]] size_t held_bytes() const { return durable_bytes_ + classic_.held_bytes(); }
  // Calls visit(group id, kind, state, number of members) for each group, in no certain order.
  template <typename Visit>
  void ForEachGroup(Visit visit) const {
    for (const auto& [group_id, group] : groups_) VisitGroup(group_id, &group, visit);
    for (const auto& [group_id, classic] : classic_.groups()) {
      if (!groups_.contains(group_id)) VisitGroup(group_id, nullptr, visit);
    }
  }

 private:
  using HeartbeatResult = GroupResult<message::GroupHeartbeatResponse>;

  [[nodiscard]] const GroupState* FindGroup(const std::string& group_id) const;
  [[nodiscard]] const GroupMembership& MembershipOf(const std::string& group_id) const;
  // nullptr unless it has members.
  [[nodiscard]] const ClassicGroup* FindClassic(const std::string& group_id) const;
  // Whether it is there, or one more may be.
  [[nodiscard]] bool HasRoomForGroup(const std::string& group_id) const;
  // Whether so much more may be held; what takes nothing more always may. `goes_on`: for somebody
  // who was let in before, such as a member that joins again and says more of itself.
  [[nodiscard]] bool HasRoomForBytes(int64_t growth, bool goes_on) const;
  // How much more is held once the group's membership is `after`; less than 0: less.
  [[nodiscard]] int64_t GrowthTo(const std::string& group_id, const GroupMembership& after) const;
  // "consumer" or "classic". Without members the kind it had last; a group that only ever held
  // offsets is a classic one, as in Kafka.
  [[nodiscard]] static const char* KindOf(const GroupState* group, const ClassicGroup* classic);
  [[nodiscard]] static const char* StateOf(const GroupState* group, const ClassicGroup* classic);
  template <typename Visit>
  void VisitGroup(const std::string& group_id, const GroupState* group, Visit& visit) const {
    const ClassicGroup* classic = classic_.Find(group_id);
    visit(group_id, KindOf(group, classic), StateOf(group, classic),
          (group != nullptr ? group->membership.members.size() : 0) +
              (classic != nullptr ? classic->members.size() : 0));
  }
  void DescribeClassic(const ClassicGroup& group, const GroupTopicView& topics,
                       message::DescribeGroupResponse& response) const;
  // Topics that members read, as far as it can be told: nullopt when a classic member's
  // subscription cannot be read, so that it may be any.
  [[nodiscard]] std::optional<absl::btree_set<TopicId>> SubscribedTopics(
      const std::string& group_id, const GroupState& group, const GroupTopicView& topics) const;
  // Generations and group epochs are one sequence, whichever protocol counts: this is the last
  // generation.
  [[nodiscard]] int32_t ClassicGeneration(const std::string& group_id) const;
  // The group goes over to assignment by the server: what says so. Empty when it need not be said.
  [[nodiscard]] GroupRecords RetireClassic(const std::string& group_id) const;
  void AddClassicTimeouts(Instant now, GroupRecords& records);
  [[nodiscard]] HeartbeatResult Leave(const message::GroupHeartbeatRequest& request,
                                      const GroupTopicView& topics) const;
  // A static member goes and keeps its place for its session time-out.
  HeartbeatResult LeaveStatic(const message::GroupHeartbeatRequest& request, Now now);
  // kFencedInstanceId when another member holds `instance_id`, else kNone.
  [[nodiscard]] static ErrorCode CheckInstance(const GroupMembership& membership,
                                               const std::string& instance_id,
                                               const std::string& member_id);
  // Whether the request's sender may take part; `member` is nullptr when it is unknown.
  [[nodiscard]] ErrorCode CheckSender(const message::GroupHeartbeatRequest& request,
                                      const GroupMembership& membership,
                                      const GroupMember* member) const;
  // The member's part of the membership after the request.
  [[nodiscard]] GroupMember Updated(const message::GroupHeartbeatRequest& request,
                                    absl::string_view client_host, const GroupMember* member) const;
  void RestartTimers(const std::string& group_id, const GroupMember& member, size_t pending_before,
                     Instant now);
  // From now on its session, and nothing else.
  void RestartSession(const std::string& group_id, const GroupMember& member, Instant now);
  // The member has its rebalance time-out from the first call to move on.
  void StartMoveClock(const std::string& group_id, const GroupMember& member, Instant now);
  // For the partitions of all topics that the members read.
  [[nodiscard]] bool HasRoomForPartitions(const GroupMembership& membership,
                                          const GroupTopicView& topics) const;

  // ---- classic members among others (group_mixed.cc) ----
  // nullptr unless the server assigns the group's partitions.
  [[nodiscard]] const GroupState* FindMixed(const std::string& group_id) const;
  [[nodiscard]] static ErrorCode CheckClassicSender(const GroupState& group,
                                                    const std::string& member_id,
                                                    const std::string& instance_id,
                                                    int32_t generation);
  // `former`: whose place the sender takes or has; nullptr: nobody's.
  [[nodiscard]] ErrorCode CheckMixedJoin(const ClassicJoinRequest& request,
                                         const GroupMembership& membership,
                                         const GroupMember* former, bool holds_something) const;
  GroupRecords JoinMixed(uint64_t token, const ClassicJoinRequest& request, const GroupState& group,
                         Now now, const GroupTopicView& topics);
  void SyncMixed(uint64_t token, const ClassicSyncRequest& request, const GroupState& group,
                 Now now, const GroupTopicView& topics);
  void BeatMixed(uint64_t token, const ClassicHeartbeatRequest& request, const GroupState& group,
                 Now now);
  GroupRecords LeaveMixed(uint64_t token, const ClassicLeaveRequest& request,
                          const GroupState& group, const GroupTopicView& topics);
  // ---- from one protocol to the other (group_migration.cc) ----
  // The classic group's members as those of a group whose partitions the server assigns, at the
  // epoch from which it goes on. nullopt: it may not go over, or cannot.
  [[nodiscard]] std::optional<GroupMembership> Upgraded(const ClassicGroup& live,
                                                        const GroupState* group,
                                                        const GroupTopicView& topics) const;
  // What makes a classic group of the group with the members of `after`. Empty: it is none, or may
  // not go over.
  [[nodiscard]] GroupRecords Downgraded(const std::string& group_id, const GroupMembership& after,
                                        const GroupTopicView& topics) const;

  [[nodiscard]] message::GroupHeartbeatResponse HeartbeatAnswer(const GroupMembership& membership,
                                                                const GroupMember& member) const;
  [[nodiscard]] ErrorCode CheckCommitter(const message::OffsetCommitRequest& request,
                                         const GroupState* group) const;
  [[nodiscard]] ErrorCode CheckReader(const message::OffsetFetchRequest& request,
                                      const GroupState* group) const;
  // False for an attempt of a member that a later one of its own has overtaken.
  bool IsNewestAttempt(const message::OffsetCommitRequest& request);
  // The group without the members named, as records.
  void RemoveMembers(const std::string& group_id, const std::vector<std::string>& member_ids,
                     const GroupTopicView& topics, GroupRecords& records) const;
  // Adds the group's expired offsets; false: not all, since there are enough records.
  [[nodiscard]] bool ExpireGroup(const std::string& group_id, const GroupState& group,
                                 TimestampMs now, const GroupTopicView& topics,
                                 ExpiredOffsets& expired) const;
  void DropGoneOffsets(const std::string& group_id, const GroupState& group,
                       const GroupTopicView& topics, GroupRecords& records) const;

  GroupState& AddGroup(const std::string& group_id);
  void EraseGroup(absl::btree_map<std::string, GroupState>::iterator group);
  void ReplayGroup(const record::GroupMetadata& record);
  void ReplayMember(const record::GroupMember& record);
  void ReplayClassicGroup(const record::ClassicGroup& record);
  void ReplayMemberRemoved(const record::GroupMemberRemoved& record);
  void ReplayOffset(const record::OffsetCommitted& record);
  void ReplayOffsetRemoved(const record::OffsetRemoved& record);
  void ReplayGroupRemoved(const record::GroupRemoved& record);
  void ReplaySnapshotEnd(const record::SnapshotEnd& record);

  GroupCoordinatorOptions options_;
  absl::btree_map<std::string, GroupState> groups_;
  size_t durable_bytes_ = 0;  // that groups_ takes
  ClassicGroups classic_;
  MemberTimers timers_;
  Now clock_{.mono = Instant(), .wall = TimestampMs(0)};  // the latest that a handler was told
  std::optional<Instant> expiry_at_;  // the next look for offsets that expire; set by OnLoaded
  std::string expiry_next_;           // the look goes on with this group id
  // Of each member the newest commit that it was heard to attempt. Soft state, like the timers.
  absl::btree_map<MemberTimers::MemberKey, int64_t> commit_attempts_;
  // The snapshot being replayed, to check its frame.
  std::optional<uint64_t> snapshot_id_;
  uint64_t snapshot_records_ = 0;
};

}  // namespace quipu
