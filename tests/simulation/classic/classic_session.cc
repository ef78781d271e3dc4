#include "tests/simulation/classic/classic_session.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace quipu::sim {
namespace {

constexpr Duration kBackoff = std::chrono::milliseconds(100);
constexpr char kProtocolType[] = "consumer";

ErrorCode ErrorOf(int32_t code) { return static_cast<ErrorCode>(code); }

// The error of a commit as a whole, or of its first partition that has one.
ErrorCode CommitError(const message::OffsetCommitResponse& response) {
  if (response.error_code() != 0) return ErrorOf(response.error_code());
  for (const auto& partition : response.partitions()) {
    if (partition.error_code() != 0) return ErrorOf(partition.error_code());
  }
  return ErrorCode::kNone;
}

}  // namespace

std::string ClassicSession::TagOf(int32_t generation, const std::string& member_id) {
  return std::to_string(generation) + ' ' + member_id;
}

Duration ClassicSession::WaitForOthers() const {
  return std::chrono::milliseconds(options_.rebalance_ms) + options_.request_timeout;
}

void ClassicSession::Call(uint64_t& slot, Duration timeout, ClassicRequest request,
                          ClassicEffects& effects) {
  slot = ++last_id_;
  const bool finds = std::holds_alternative<message::FindCoordinatorRequest>(request);
  effects.calls.push_back({.id = slot,
                           .broker = finds ? kNoBroker : coordinator_,
                           .timeout = timeout,
                           .request = std::move(request)});
}

// ---- turns -----------------------------------------------------------------------------------

void ClassicSession::Pump(Instant now, ClassicEffects& effects) {
  if (phase_ == Phase::kEnded) return;
  if (coordinator_ == kNoBroker) {
    if (find_ != 0 || now < retry_at_) return;
    message::FindCoordinatorRequest request;
    request.set_group_id(options_.group_id);
    Call(find_, options_.request_timeout, std::move(request), effects);
    return;
  }
  if (phase_ == Phase::kMember && rejoins_) {
    phase_ = Phase::kGivingUp;
    if (!options_.cooperative) giving_up_ = owned_;
  }
  if (phase_ == Phase::kGivingUp) GiveUp(now, effects);
  if (phase_ == Phase::kUnjoined && commit_ == 0 && now >= retry_at_) Join(now, effects);
  if (phase_ != Phase::kMember) return;
  if (beat_ == 0 && now >= next_beat_) Report(now, effects);
  if (read_ == 0 && !unread_.empty() && now >= retry_at_) ReadOffsets(now, effects);
}

std::optional<Instant> ClassicSession::NextDeadline() const {
  if (phase_ == Phase::kEnded) return std::nullopt;
  if (coordinator_ == kNoBroker) return find_ == 0 ? std::optional(retry_at_) : std::nullopt;
  if (phase_ == Phase::kUnjoined) return commit_ == 0 ? std::optional(retry_at_) : std::nullopt;
  if (phase_ != Phase::kMember) return std::nullopt;
  std::optional<Instant> next;
  if (beat_ == 0) next = next_beat_;
  if (read_ == 0 && !unread_.empty()) next = next ? std::min(*next, retry_at_) : retry_at_;
  return next;
}

void ClassicSession::GiveUp(Instant now, ClassicEffects& effects) {
  if (!asked_for_last_commit_ && !giving_up_.empty()) {
    asked_for_last_commit_ = true;
    effects.last_commit = true;
    return;
  }
  if (commit_ != 0) return;
  asked_for_last_commit_ = false;
  for (const int32_t index : giving_up_) {
    owned_.erase(index);
    unread_.erase(index);
  }
  effects.stopped.merge(giving_up_);
  giving_up_.clear();
  phase_ = Phase::kUnjoined;
  retry_at_ = now;
}

void ClassicSession::Join(Instant /*now*/, ClassicEffects& effects) {
  rejoins_ = false;
  beat_ = 0;
  read_ = 0;
  ClassicJoinRequest request;
  request.group_id = options_.group_id;
  request.member_id = member_id_;
  request.instance_id = options_.instance_id;
  request.client_id = options_.client_id;
  request.client_host = "simulated";
  request.protocol_type = kProtocolType;
  ClassicClaim claim;
  if (options_.cooperative) claim = {.owned = owned_, .generation = owned_since_};
  request.protocols = {{.name = options_.cooperative ? kCooperative : kRange,
                        .metadata = EncodeSubscription(options_.topic, claim)}};
  request.session_timeout_ms = options_.session_ms;
  request.rebalance_timeout_ms = options_.rebalance_ms;
  request.require_known_member_id = options_.is_told_its_id;
  request.supports_skip_assignment = options_.skips_assignment;
  phase_ = Phase::kJoining;
  Call(join_, WaitForOthers(), std::move(request), effects);
}

void ClassicSession::Sync(const ClassicJoinAnswer& joined, ClassicEffects& effects) {
  ClassicSyncRequest request;
  request.group_id = options_.group_id;
  request.member_id = member_id_;
  request.instance_id = options_.instance_id;
  request.generation = generation_;
  request.protocol_type = kProtocolType;
  request.protocol = joined.protocol;
  if (joined.leader == member_id_ && !joined.skip_assignment) {
    ClassicClaims claims;
    for (const ClassicJoinAnswer::Member& member : joined.members) {
      const auto claim = DecodeSubscription(member.metadata);
      QUIPU_CHECK(claim.has_value());
      claims[member.member_id] = *claim;
    }
    const ClassicPlan plan = joined.protocol == kCooperative
                                 ? PlanCooperative(claims, options_.partitions)
                                 : PlanRange(claims, options_.partitions);
    for (const auto& [member, partitions] : plan) {
      request.assignments.emplace_back(member, EncodeAssignment(options_.topic, partitions));
    }
  }
  phase_ = Phase::kSyncing;
  Call(join_, WaitForOthers(), std::move(request), effects);
}

void ClassicSession::Report(Instant now, ClassicEffects& effects) {
  next_beat_ = now + options_.heartbeat_interval;
  Call(beat_, options_.request_timeout,
       ClassicHeartbeatRequest{.group_id = options_.group_id,
                               .member_id = member_id_,
                               .instance_id = options_.instance_id,
                               .generation = generation_},
       effects);
}

void ClassicSession::ReadOffsets(Instant /*now*/, ClassicEffects& effects) {
  message::OffsetFetchRequest request;
  request.set_group_id(options_.group_id);
  record::TopicPartitions* topic = request.add_partitions();
  topic->set_topic_id(options_.topic_id.ToBytes());
  for (const int32_t index : unread_) topic->add_partitions(index);
  Call(read_, options_.request_timeout, std::move(request), effects);
}

bool ClassicSession::MayCommit() const {
  const bool is_member = phase_ == Phase::kMember || phase_ == Phase::kGivingUp;
  return is_member && commit_ == 0 && coordinator_ != kNoBroker;
}

void ClassicSession::Commit(const IndexOffsets& offsets, ClassicEffects& effects) {
  QUIPU_CHECK(MayCommit() && !offsets.empty());
  message::OffsetCommitRequest request;
  request.set_group_id(options_.group_id);
  request.set_member_id(member_id_);
  request.set_member_epoch(generation_);
  request.set_instance_id(options_.instance_id);
  for (const auto& [index, offset] : offsets) {
    auto* partition = request.add_partitions();
    partition->set_topic_id(options_.topic_id.ToBytes());
    partition->set_partition(index);
    partition->set_offset(offset.offset.value());
    partition->set_leader_epoch(offset.leader_epoch.value());
    partition->set_metadata(TagOf(generation_, member_id_));
  }
  Call(commit_, options_.request_timeout, std::move(request), effects);
}

ClassicLeaveRequest ClassicSession::MakeLeave(bool by_instance) const {
  ClassicLeaveRequest request;
  request.group_id = options_.group_id;
  request.members = {
      {.member_id = by_instance ? "" : member_id_, .instance_id = options_.instance_id}};
  return request;
}

// ---- answers ---------------------------------------------------------------------------------

void ClassicSession::OnAnswered(Instant now, uint64_t id, const ClassicResponse& response,
                                ClassicEffects& effects) {
  if (phase_ == Phase::kEnded || id == 0) return;
  if (id == find_) {
    find_ = 0;
    OnFound(now, std::get<message::FindCoordinatorResponse>(response));
  } else if (id == join_) {
    join_ = 0;
    if (const auto* joined = std::get_if<ClassicJoinAnswer>(&response)) {
      OnJoined(now, *joined, effects);
    } else {
      OnSynced(now, std::get<ClassicSyncAnswer>(response), effects);
    }
  } else if (id == beat_) {
    beat_ = 0;
    OnError(now, std::get<ClassicHeartbeatAnswer>(response).error, effects);
  } else if (id == read_) {
    read_ = 0;
    OnOffsets(now, std::get<message::OffsetFetchResponse>(response), effects);
  } else if (id == commit_) {
    commit_ = 0;
    OnError(now, CommitError(std::get<message::OffsetCommitResponse>(response)), effects);
  }
}

void ClassicSession::OnFailed(Instant now, uint64_t id) {
  if (id == 0 || phase_ == Phase::kEnded) return;
  const bool joins = id == join_;
  bool known = false;
  for (uint64_t* slot : {&find_, &join_, &beat_, &read_, &commit_}) {
    if (*slot != id) continue;
    *slot = 0;
    known = true;
  }
  if (!known) return;
  if (joins) phase_ = Phase::kUnjoined;
  LoseCoordinator(now);
}

void ClassicSession::OnFound(Instant now, const message::FindCoordinatorResponse& found) {
  if (found.error_code() != 0) return LoseCoordinator(now);
  coordinator_ = BrokerId(found.broker_id());
}

void ClassicSession::OnJoined(Instant now, const ClassicJoinAnswer& answer,
                              ClassicEffects& effects) {
  phase_ = Phase::kUnjoined;
  if (answer.error == ErrorCode::kMemberIdRequired) {
    member_id_ = answer.member_id;
    return;
  }
  if (answer.error != ErrorCode::kNone) return OnError(now, answer.error, effects);
  member_id_ = answer.member_id;
  generation_ = answer.generation;
  Sync(answer, effects);
}

void ClassicSession::OnSynced(Instant now, const ClassicSyncAnswer& answer,
                              ClassicEffects& effects) {
  phase_ = Phase::kUnjoined;
  if (answer.error != ErrorCode::kNone) return OnError(now, answer.error, effects);
  const auto assigned = DecodeAssignment(answer.assignment);
  QUIPU_CHECK(assigned.has_value());
  owned_since_ = generation_;
  // A member that gives up at once owns nothing by now.
  for (const int32_t index : owned_) {
    if (!assigned->contains(index)) giving_up_.insert(index);
  }
  for (const int32_t index : *assigned) {
    if (owned_.insert(index).second) unread_.insert(index);
  }
  phase_ = giving_up_.empty() ? Phase::kMember : Phase::kGivingUp;
  next_beat_ = now + options_.heartbeat_interval;
}

void ClassicSession::OnOffsets(Instant now, const message::OffsetFetchResponse& response,
                               ClassicEffects& effects) {
  if (response.error_code() != 0) return OnError(now, ErrorOf(response.error_code()), effects);
  for (const auto& partition : response.partitions()) {
    QUIPU_CHECK(partition.error_code() == 0);
    if (unread_.erase(partition.partition()) == 0) continue;
    effects.started[partition.partition()] = {.offset = Offset(partition.offset()),
                                              .leader_epoch = LeaderEpoch(partition.leader_epoch()),
                                              .metadata = partition.metadata()};
  }
}

void ClassicSession::OnError(Instant now, ErrorCode error, ClassicEffects& effects) {
  switch (error) {
    case ErrorCode::kNone:
      return;
    case ErrorCode::kRebalanceInProgress:
      rejoins_ = true;
      retry_at_ = now + (phase_ == Phase::kUnjoined ? kBackoff : Duration(0));
      return;
    case ErrorCode::kIllegalGeneration:
      LoseAll(now, effects);
      return;
    case ErrorCode::kUnknownMemberId:
      member_id_.clear();
      LoseAll(now, effects);
      return;
    case ErrorCode::kNotCoordinator:
    case ErrorCode::kCoordinatorNotAvailable:
    case ErrorCode::kBrokerShuttingDown:
    case ErrorCode::kRequestTimedOut:
      LoseCoordinator(now);
      return;
    case ErrorCode::kCoordinatorLoadInProgress:
    case ErrorCode::kLimitReached:
      retry_at_ = now + kBackoff;
      return;
    default:
      End(error, effects);
  }
}

void ClassicSession::LoseCoordinator(Instant now) {
  coordinator_ = kNoBroker;
  retry_at_ = now + kBackoff;
}

void ClassicSession::LoseAll(Instant now, ClassicEffects& effects) {
  generation_ = -1;
  owned_since_ = -1;
  effects.stopped.merge(owned_);
  owned_.clear();
  unread_.clear();
  giving_up_.clear();
  asked_for_last_commit_ = false;
  beat_ = 0;
  read_ = 0;
  phase_ = Phase::kUnjoined;
  retry_at_ = now + kBackoff;
}

void ClassicSession::End(ErrorCode error, ClassicEffects& effects) {
  effects.stopped.merge(owned_);
  owned_.clear();
  ended_ = error;
  phase_ = Phase::kEnded;
}

}  // namespace quipu::sim
