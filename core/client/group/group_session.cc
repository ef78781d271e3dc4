#include "core/client/group/group_session.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/ids.h"

namespace quipu {
namespace {

std::string RandomMemberId(Rng& rng) { return Uuid::Random(rng).ToText(); }

constexpr Duration kHeartbeatTimeout = std::chrono::seconds(5);
constexpr Duration kRebalanceTimeout = std::chrono::seconds(60);
constexpr int32_t kLeaveEpoch = -1;
constexpr int32_t kLeaveStaticEpoch = -2;  // the place is kept until the session ends

template <typename Set>
void AddTopicPartitions(const Set& partitions,
                        google::protobuf::RepeatedPtrField<record::TopicPartitions>* out) {
  record::TopicPartitions* entry = nullptr;
  TopicId last;
  for (const TopicPartition& partition : partitions) {
    if (entry == nullptr || partition.topic_id != last) {
      entry = out->Add();
      entry->set_topic_id(partition.topic_id.ToBytes());
      last = partition.topic_id;
    }
    entry->add_partitions(partition.partition.value());
  }
}

}  // namespace

GroupSession::GroupSession(const ConsumerOptions& options, CoordinatorFinder& coordinator,
                           ClientMetadata& metadata, CallIds& ids, Rng rng)
    : options_(options),
      coordinator_(coordinator),
      metadata_(metadata),
      ids_(ids),
      rng_(rng),
      member_id_(RandomMemberId(rng_)) {}

void GroupSession::Subscribe(std::vector<std::string> topics) {
  std::sort(topics.begin(), topics.end());
  topics.erase(std::unique(topics.begin(), topics.end()), topics.end());
  if (topics == topics_) return;
  topics_ = std::move(topics);
  send_subscription_ = true;
  next_heartbeat_ = Instant();
  leaving_ = topics_.empty() && member_epoch_ > 0;
}

void GroupSession::Unsubscribe() {
  Subscribe({});
  GroupEffects given_up;  // by the application itself: no news to it
  LoseAll(given_up);
  send_owned_ = true;
}

void GroupSession::Pump(Instant now, GroupEffects& effects, std::vector<UnaryCall>& calls) {
  if (fatal_ != ErrorCode::kNone) return;
  if (coordinator_.fatal() != ErrorCode::kNone && (subscribed() || leaving_)) {
    fatal_ = coordinator_.fatal();
    LoseAll(effects);
    return;
  }
  const bool polled = last_poll_ == Instant() || now < last_poll_ + options_.poll_interval_max;
  if (!polled && is_member() && !leaving_) {
    // Whoever does not poll does not read: its partitions go to others.
    leaving_ = true;
    poll_expired_ = true;
    LoseAll(effects);
  }
  if (step_ == Step::kSettled && is_member() && !leaving_ && now >= not_before_) {
    Reconcile(effects);
  }
  if (!leaving_ && (!subscribed() || (poll_expired_ && !polled))) return;
  if (in_flight_ != 0 || now < not_before_) return;
  const bool due =
      leaving_ || member_epoch_ == 0 || send_owned_ || send_subscription_ || now >= next_heartbeat_;
  if (!due) return;
  if (!coordinator_.address()) {
    coordinator_.Want();
    return;
  }
  poll_expired_ = poll_expired_ && leaving_;
  SendHeartbeat(now, calls);
}

void GroupSession::SendHeartbeat(Instant now, std::vector<UnaryCall>& calls) {
  message::GroupHeartbeatRequest request;
  request.set_group_id(options_.group_id);
  request.set_member_id(member_id_);
  request.set_client_id(options_.client_id);
  request.set_instance_id(options_.instance_id);
  const bool joining = member_epoch_ == 0;
  if (leaving_) {
    request.set_member_epoch(options_.instance_id.empty() ? kLeaveEpoch : kLeaveStaticEpoch);
  } else {
    request.set_member_epoch(member_epoch_);
    if (joining || send_subscription_) {
      request.set_subscription_present(true);
      for (const std::string& topic : topics_) request.add_subscribed_topics(topic);
      request.set_rebalance_timeout_ms(static_cast<int32_t>(ToMillis(kRebalanceTimeout)));
      request.set_session_timeout_ms(static_cast<int32_t>(ToMillis(options_.session_timeout)));
      request.set_assignor(options_.assignor);
    }
    if (joining || send_owned_) {
      request.set_owned_present(true);
      AddTopicPartitions(owned_, request.mutable_owned());
    }
  }
  in_flight_ = ids_.Next();
  in_flight_leave_ = leaving_;
  in_flight_owned_ = request.owned_present();
  send_subscription_ = false;
  send_owned_ = false;
  asked_ = *coordinator_.address();
  next_heartbeat_ = now + interval_;
  calls.push_back({.id = in_flight_,
                   .address = asked_,
                   .timeout = kHeartbeatTimeout,
                   .request = std::move(request)});
}

bool GroupSession::OnAnswered(Instant now, CallId id,
                              const message::GroupHeartbeatResponse& response,
                              GroupEffects& effects) {
  if (id == 0 || id != in_flight_) return false;
  in_flight_ = 0;
  const ErrorCode error = WireError(response.error_code());
  if (error != ErrorCode::kLimitReached) limit_since_.reset();
  if (error == ErrorCode::kLimitReached && !limit_since_) limit_since_ = now;
  if (in_flight_leave_) {
    // Refused or not, this member has gone; a moved coordinator expires it with the session.
    in_flight_leave_ = false;
    leaving_ = false;
    member_epoch_ = 0;
    send_subscription_ = true;
    LoseAll(effects);
    return true;
  }
  if (error != ErrorCode::kNone) {
    ApplyError(now, response, effects);
    return true;
  }
  member_epoch_ = response.member_epoch();
  LeaveIfUnsubscribed();
  if (response.heartbeat_interval_ms() > 0) {
    interval_ = std::chrono::milliseconds(response.heartbeat_interval_ms());
  }
  next_heartbeat_ = now + interval_;
  if (response.assignment_present()) {
    target_.clear();
    for (const record::TopicPartitions& topic : response.assignment()) {
      const std::optional<TopicId> topic_id = Uuid::FromBytes(topic.topic_id());
      if (!topic_id) continue;
      for (int32_t partition : topic.partitions()) {
        target_.insert({*topic_id, PartitionIndex(partition)});
      }
    }
    if (step_ == Step::kSettled && !leaving_) Reconcile(effects);
  }
  return true;
}

// The application unsubscribed while this member joined, or may have joined: the group must hear of
// it, or it waits for a member that nobody drives until the session ends.
void GroupSession::LeaveIfUnsubscribed() {
  if (!subscribed()) leaving_ = true;
}

void GroupSession::ApplyError(Instant now, const message::GroupHeartbeatResponse& response,
                              GroupEffects& effects) {
  const ErrorCode error = WireError(response.error_code());
  send_subscription_ = true;
  if (in_flight_owned_) send_owned_ = true;
  not_before_ = now + std::chrono::milliseconds(rng_.Between(20, 100));
  if (IsCoordinatorError(error)) {
    coordinator_.Forget(asked_);
    LeaveIfUnsubscribed();
    return;
  }
  if (error == ErrorCode::kUnknownMemberId || error == ErrorCode::kFencedMemberEpoch ||
      error == ErrorCode::kStaleMemberEpoch || error == ErrorCode::kIllegalGeneration) {
    // Somebody else may own the partitions already: join as a new member.
    member_epoch_ = 0;
    // A group that was deleted, or expired, begins with its first epoch again: what this member
    // sent to the former one and is still on its way must not pass as of the new one.
    if (error == ErrorCode::kUnknownMemberId) member_id_ = RandomMemberId(rng_);
    LoseAll(effects);
    return;
  }
  if (IsRetriable(error) || error == ErrorCode::kUnknownServerError) {
    LeaveIfUnsubscribed();
    return;
  }
  fatal_ = error;
  fatal_message_ = error == ErrorCode::kFencedInstanceId
                       ? absl::StrCat("a newer consumer with group.instance.id ",
                                      options_.instance_id, " took this one's place")
                       : response.error_message();
  member_epoch_ = 0;
  LoseAll(effects);
}

bool GroupSession::OnCallFailed(Instant now, CallId id, const absl::Status& status) {
  if (id == 0 || id != in_flight_) return false;
  in_flight_ = 0;
  const absl::string_view text = status.message();
  metadata_.NoteUnreachable(asked_, std::string(text.data(), text.size()));
  coordinator_.Forget(asked_);
  if (in_flight_leave_) {
    in_flight_leave_ = false;
    leaving_ = false;
    member_epoch_ = 0;
    send_subscription_ = true;
    return true;
  }
  LeaveIfUnsubscribed();
  send_subscription_ = true;
  if (in_flight_owned_) send_owned_ = true;
  next_heartbeat_ = now;
  not_before_ = now + std::chrono::milliseconds(rng_.Between(20, 100));
  return true;
}

void GroupSession::Reconcile(GroupEffects& effects) {
  QUIPU_CHECK(step_ == Step::kSettled);
  for (const TopicPartition& partition : owned_) {
    if (!target_.contains(partition)) revoking_.push_back(partition);
  }
  if (!revoking_.empty()) {
    step_ = Step::kRevoking;
    effects.revoke = revoking_;
    return;
  }
  fetching_.clear();
  for (const TopicPartition& partition : target_) {
    if (owned_.contains(partition)) continue;
    // Without its name the records cannot be handed out; the metadata will tell.
    if (metadata_.view().FindTopic(partition.topic_id) == nullptr) {
      metadata_.RequestRefresh();
      continue;
    }
    fetching_.insert(partition);
  }
  if (fetching_.empty()) return;
  step_ = Step::kFetchingOffsets;
  effects.fetch_offsets.assign(fetching_.begin(), fetching_.end());
}

void GroupSession::ConfirmRevoked(Instant /*now*/) {
  if (step_ != Step::kRevoking) return;
  for (const TopicPartition& partition : revoking_) owned_.erase(partition);
  revoking_.clear();
  step_ = Step::kSettled;
  send_owned_ = true;
}

void GroupSession::OnOffsets(Instant now, ErrorCode error, const PartitionOffsets& offsets,
                             GroupEffects& effects) {
  if (step_ != Step::kFetchingOffsets) return;
  step_ = Step::kSettled;
  if (error != ErrorCode::kNone) {
    // The next Pump asks again; a heartbeat tells whether this is still a member.
    not_before_ = now + std::chrono::milliseconds(rng_.Between(20, 100));
    next_heartbeat_ = now;
    return;
  }
  for (const TopicPartition& partition : fetching_) {
    // Taken away again while the offsets were read.
    if (!target_.contains(partition)) continue;
    OffsetAndMetadata start;
    for (const auto& [id, offset] : offsets) {
      if (id == partition) start = offset;
    }
    owned_.insert(partition);
    effects.assign.emplace_back(partition, start);
  }
  fetching_.clear();
  send_owned_ = true;
}

void GroupSession::LoseAll(GroupEffects& effects) {
  effects.lost.insert(effects.lost.end(), owned_.begin(), owned_.end());
  owned_.clear();
  target_.clear();
  revoking_.clear();
  fetching_.clear();
  step_ = Step::kSettled;
  send_owned_ = false;
}

std::optional<Instant> GroupSession::NextDeadline() const {
  if (fatal_ != ErrorCode::kNone || (!subscribed() && !leaving_)) return std::nullopt;
  std::optional<Instant> next;
  if (is_member() && last_poll_ != Instant() && !leaving_) {
    next = last_poll_ + options_.poll_interval_max;
  }
  if (in_flight_ != 0 || coordinator_.searching() || (poll_expired_ && !leaving_)) return next;
  const bool due = leaving_ || member_epoch_ == 0 || send_owned_ || send_subscription_;
  return Earlier(next, due ? not_before_ : std::max(not_before_, next_heartbeat_));
}

}  // namespace quipu
