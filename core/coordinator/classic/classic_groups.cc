#include "core/coordinator/classic/classic_groups.h"

#include <chrono>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "base/planted_bug.h"
#include "core/coordinator/group_bytes.h"

namespace quipu {
namespace {

MemberTimers::MemberKey PhaseKey(const ClassicGroup& group) { return {group.id, ""}; }

}  // namespace

ClassicAnswer WithError(const ClassicAnswer& like, ErrorCode error) {
  return std::visit(
      [error](const auto& each) -> ClassicAnswer {
        std::decay_t<decltype(each)> answer;
        answer.error = error;
        return answer;
      },
      like);
}

const ClassicGroup* ClassicGroups::Find(const std::string& group_id) const {
  const auto it = groups_.find(group_id);
  return it != groups_.end() ? &it->second : nullptr;
}

ClassicGroup* ClassicGroups::FindLive(const std::string& group_id) {
  const auto it = groups_.find(group_id);
  return it != groups_.end() ? &it->second : nullptr;
}

bool ClassicGroups::HasMembers(const std::string& group_id) const {
  const ClassicGroup* group = Find(group_id);
  return group != nullptr && !group->members.empty();
}

void ClassicGroups::Reply(uint64_t token, ClassicAnswer answer) {
  replies_.push_back({.token = token, .answer = std::move(answer)});
}

void ClassicGroups::AnswerIfWritten(uint64_t token, ClassicAnswer answer) {
  if_written_.insert(token);
  Reply(token, std::move(answer));
}

void ClassicGroups::StartSession(const std::string& group_id, const std::string& member_id,
                                 int32_t session_timeout_ms, Instant now) {
  timers_.Set({group_id, member_id}, MemberTimers::Kind::kSession,
              now + std::chrono::milliseconds(session_timeout_ms));
}

void ClassicGroups::StartPhase(const ClassicGroup& group, int32_t milliseconds, Instant now) {
  timers_.Set(PhaseKey(group), MemberTimers::Kind::kSession,
              now + std::chrono::milliseconds(milliseconds));
}

void ClassicGroups::StopPhase(const ClassicGroup& group) { timers_.ClearAll(PhaseKey(group)); }

void ClassicGroups::OnCommit(const std::string& group_id, const std::string& member_id,
                             Instant now) {
  const ClassicGroup* group = Find(group_id);
  const LiveClassicMember* member = group != nullptr ? group->Find(member_id) : nullptr;
  if (member == nullptr || member->is_new) return;
  StartSession(group_id, member_id, member->session_timeout_ms, now);
}

// ---- time ------------------------------------------------------------------------------------

void ClassicGroups::OnTime(Instant now, std::vector<std::string>& idle) {
  absl::btree_set<std::string> seen;
  for (const MemberTimers::MemberKey& key : timers_.Due(now)) {
    // One that is done may have set back the clocks of those behind it.
    if (!timers_.IsDue(key, MemberTimers::Kind::kSession, now)) continue;
    seen.insert(key.first);
    if (seen.size() > options_.records_per_turn_max) return;
    ClassicGroup* group = FindLive(key.first);
    if (group == nullptr) {
      timers_.ClearAll(key);
    } else if (key.second.empty()) {
      OnPhaseEnd(*group, now, idle);
    } else {
      OnSilence(*group, key.second, now);
    }
    Recount(key.first);
  }
}

void ClassicGroups::OnPhaseEnd(ClassicGroup& group, Instant now, std::vector<std::string>& idle) {
  StopPhase(group);
  switch (group.state) {
    case ClassicGroupState::kEmpty:
      if (unsaved_.contains(group.id)) return;  // it is only here to be written
      // Its clock goes on until the group is forgotten: that may be refused.
      StartPhase(group, options_.classic_empty_group_ms, now);
      if (group.pending_members.empty()) idle.push_back(group.id);
      return;
    case ClassicGroupState::kPreparingRebalance:
      if (group.is_initial && group.new_member_added && group.remaining_ms > 0) {
        ExtendInitialDelay(group, now);
      } else {
        CompleteJoin(group, now);
      }
      return;
    case ClassicGroupState::kCompletingRebalance:
    case ClassicGroupState::kStable:
      ExpirePendingSyncs(group, now);
      return;
  }
}

void ClassicGroups::OnSilence(ClassicGroup& group, const std::string& member_id, Instant now) {
  timers_.ClearAll({group.id, member_id});
  if (group.RemovePending(member_id)) {
    MaybeCompleteJoin(group, now);
    ForgetVoid(group.id);
    return;
  }
  const LiveClassicMember* member = group.Find(member_id);
  // Whoever waits for an answer cannot report; its session goes on with the answer.
  const bool waits = member != nullptr && !member->is_new &&
                     (member->join_token.has_value() || member->sync_token.has_value());
  if (member == nullptr || waits || IsPlanted(PlantedBug::kClassicSilentMemberStays)) return;
  RemoveMember(group, member_id);
  AfterRemoval(group, now);
}

// ---- the log ---------------------------------------------------------------------------------

void ClassicGroups::TakeRecords(const absl::btree_map<std::string, GroupState>& durable,
                                TimestampMs now, GroupRecords& records) const {
  absl::btree_set<std::string> said;
  const auto say = [&](const std::string& group_id, const ClassicMembership& membership) {
    said.insert(group_id);
    records.push_back(ClassicGroupRecord(group_id, membership));
  };
  if (staged_) say(staged_->next.id, staged_->next.ToDurable());
  size_t left = options_.records_per_turn_max;
  for (const auto& [group_id, membership] : unsaved_) {
    if (left-- == 0) break;
    ClassicMembership empty = membership;
    empty.empty_since = now;
    say(group_id, empty);
  }
  for (const std::string& group_id : told_) {
    const ClassicGroup* group = Find(group_id);
    const auto before = durable.find(group_id);
    // What is written anyway says more.
    if (group == nullptr || before == durable.end() || said.contains(group_id)) continue;
    const ClassicMembership taken = WithPlacesTaken(before->second.classic, *group);
    if (taken != before->second.classic) say(group_id, taken);
  }
}

std::vector<ClassicReply> ClassicGroups::Finish(ErrorCode written, Instant now) {
  if (std::optional<Staged> staged = std::exchange(staged_, std::nullopt)) {
    if (written == ErrorCode::kNone) {
      ClassicGroup* group = FindLive(staged->next.id);
      QUIPU_CHECK(group != nullptr);
      *group = std::move(staged->next);
      Recount(group->id);
      for (const std::string& member_id : staged->heard) {
        StartSession(group->id, member_id, group->Find(member_id)->session_timeout_ms, now);
      }
      if (group->pending_syncs.empty()) StopPhase(*group);
      for (ClassicReply& reply : staged->replies) replies_.push_back(std::move(reply));
    } else {
      Reply(staged->refused.token, WithError(staged->refused.answer, written));
    }
  }
  told_.clear();
  for (ClassicReply& reply : replies_) {
    // As if the answer were lost: the member asks again.
    const bool unwritten = written != ErrorCode::kNone && if_written_.contains(reply.token);
    if (unwritten) reply.answer = WithError(reply.answer, written);
  }
  if_written_.clear();
  size_t taken = written == ErrorCode::kNone ? options_.records_per_turn_max : 0;
  for (auto it = unsaved_.begin(); it != unsaved_.end();) {
    const bool is_written = taken > 0;
    const ClassicGroup* group = Find(it->first);
    if (group != nullptr && group->state == ClassicGroupState::kEmpty) {
      StartPhase(*group, is_written ? options_.classic_empty_group_ms : 0, now);
    }
    if (is_written) --taken;
    it = is_written ? unsaved_.erase(it) : std::next(it);
  }
  return std::exchange(replies_, {});
}

void ClassicGroups::Load(const std::string& group_id, const ClassicMembership& durable,
                         Instant now) {
  ClassicGroup& group = groups_[group_id] = ClassicGroup::FromDurable(group_id, durable);
  for (const auto& [member_id, member] : group.members) {
    StartSession(group_id, member_id, member.session_timeout_ms, now);
  }
  Recount(group_id);
  if (group.members.empty()) {
    StartPhase(group, options_.classic_empty_group_ms, now);
  } else if (durable.rebalance_due) {
    Prepare(group, now);
  }
}

void ClassicGroups::GiveUp(const std::string& group_id) {
  ClassicGroup* group = FindLive(group_id);
  if (group == nullptr) return;
  while (!group->members.empty()) {
    const std::string member_id = group->members.begin()->first;  // goes with its entry
    AnswerSuperseded(group->members.begin()->second, ErrorCode::kRebalanceInProgress);
    RemoveMember(*group, member_id);
  }
  ForgetEmpty(group_id);
}

void ClassicGroups::ForgetEmpty(const std::string& group_id) {
  const auto it = groups_.find(group_id);
  // Also one whose only member has left before its first rebalance was over.
  if (it == groups_.end() || !it->second.members.empty()) return;
  StopPhase(it->second);
  for (const std::string& member_id : it->second.pending_members) {
    timers_.ClearAll({group_id, member_id});
  }
  unsaved_.erase(group_id);
  Erase(group_id);
}

void ClassicGroups::ForgetVoid(const std::string& group_id) {
  const ClassicGroup* group = Find(group_id);
  const bool is_void = group != nullptr && group->state == ClassicGroupState::kEmpty &&
                       group->pending_members.empty() && !unsaved_.contains(group_id) &&
                       !timers_.IsSet(PhaseKey(*group), MemberTimers::Kind::kSession);
  if (is_void) Erase(group_id);
}

void ClassicGroups::Recount(const std::string& group_id) {
  ClassicGroup* group = FindLive(group_id);
  if (group == nullptr) return;
  const size_t held = group->HeldBytes();
  held_bytes_ += held - group->counted_bytes;
  group->counted_bytes = held;
}

const LiveClassicMember* ClassicGroups::FindMember(const ClassicJoinRequest& request) const {
  const ClassicGroup* group = Find(request.group_id);
  if (group == nullptr) return nullptr;
  const std::string member_id = group->MemberOfInstance(request.instance_id);
  return group->Find(member_id.empty() ? request.member_id : member_id);
}

int64_t ClassicGroups::GrowthBy(const ClassicJoinRequest& request) const {
  LiveClassicMember said;
  said.instance_id = request.instance_id;
  TakeUp(request, options_, said);
  const size_t after = HeldBytes(request.member_id, said);
  const LiveClassicMember* member = FindMember(request);
  const size_t before = member != nullptr ? HeldBytes(request.member_id, *member) : 0;
  return static_cast<int64_t>(after) - static_cast<int64_t>(before);
}

int64_t ClassicGroups::StagedGrowth(const ClassicMembership& before) const {
  if (!staged_) return 0;
  const size_t durable = HeldBytes(staged_->next.ToDurable());
  return static_cast<int64_t>(durable + staged_->next.HeldBytes()) -
         static_cast<int64_t>(HeldBytes(before) + staged_->next.counted_bytes);
}

void ClassicGroups::RefuseStaged(ErrorCode error) {
  QUIPU_CHECK(staged_.has_value());
  Reply(staged_->refused.token, WithError(staged_->refused.answer, error));
  staged_.reset();
}

void ClassicGroups::Erase(const std::string& group_id) {
  const auto it = groups_.find(group_id);
  QUIPU_CHECK(it != groups_.end());
  held_bytes_ -= it->second.counted_bytes;
  groups_.erase(it);
}

void ClassicGroups::Reset() {
  groups_.clear();
  held_bytes_ = 0;
  timers_.Reset();
  staged_.reset();
  unsaved_.clear();
  told_.clear();
  if_written_.clear();
  replies_.clear();
}

// ---- checks ----------------------------------------------------------------------------------

void ClassicGroups::CheckGroup(const ClassicGroup& group, const ClassicMembership& durable) const {
  using State = ClassicGroupState;
  const bool has_members = !group.members.empty();
  group.CheckCounts();
  QUIPU_CHECK(group.counted_bytes == group.HeldBytes());
  QUIPU_CHECK(has_members ? group.members.contains(group.leader) : group.leader.empty());
  QUIPU_CHECK(has_members
                  ? group.state != State::kEmpty
                  : group.state == State::kEmpty || group.state == State::kPreparingRebalance);
  const bool goes_on = !IsPlanted(PlantedBug::kClassicGenerationReused);
  QUIPU_CHECK(group.generation >= durable.generation || !goes_on);
  absl::btree_set<std::string> instances;
  for (const auto& [member_id, member] : group.members) {
    // Two processes in one place would both own its partitions.
    const bool alone = member.instance_id.empty() || instances.insert(member.instance_id).second;
    QUIPU_CHECK(alone && !group.pending_members.contains(member_id));
    QUIPU_CHECK(!member.join_token || group.state == State::kPreparingRebalance);
    QUIPU_CHECK(!member.sync_token || group.state == State::kCompletingRebalance);
    // Nobody is a member for ever without saying anything.
    QUIPU_CHECK(member.join_token || member.sync_token ||
                timers_.IsSet({group.id, member_id}, MemberTimers::Kind::kSession));
  }
  for (const std::string& member_id : group.pending_syncs) {
    QUIPU_CHECK(group.members.contains(member_id));
    QUIPU_CHECK(group.state == State::kCompletingRebalance || group.state == State::kStable);
  }
  // What is waited for comes or is given up.
  const bool is_timed = timers_.IsSet(PhaseKey(group), MemberTimers::Kind::kSession);
  const bool waits = group.state == State::kPreparingRebalance || !group.pending_syncs.empty();
  QUIPU_CHECK(is_timed || !waits);
  if (group.state == State::kStable) QUIPU_CHECK(group.ToDurable() == durable || !goes_on);
  if (group.state == State::kCompletingRebalance) {
    QUIPU_CHECK((durable.generation < group.generation || !goes_on) &&
                !group.pending_syncs.empty());
  }
  if (group.state == State::kEmpty) {
    QUIPU_CHECK(durable.members.empty() || unsaved_.contains(group.id));
  }
}

}  // namespace quipu
