#include "core/client/consumer_core.h"

#include <utility>

namespace quipu {
namespace {

// The token of the reads that the core makes for itself.
constexpr uint64_t kOwnToken = uint64_t{1} << 63U;
constexpr Duration kOwnReadTimeout = std::chrono::seconds(30);

}  // namespace

ConsumerCore::ConsumerCore(ConsumerOptions options, Rng rng)
    : options_(std::move(options)),
      rng_(rng),
      metadata_(options_.metadata, ids_, rng_.Fork()),
      coordinator_(options_.group_id, metadata_, ids_, rng_.Fork()),
      offsets_(options_.group_id, coordinator_, ids_, rng_.Fork()),
      group_(options_, coordinator_, metadata_, ids_, rng_.Fork()),
      fetch_(options_, metadata_, ids_, rng_.Fork()) {}

void ConsumerCore::Subscribe(const std::vector<std::string>& topics) {
  for (const std::string& topic : topics) metadata_.AddTopic(topic);
  group_.Subscribe(topics);
}

void ConsumerCore::Unsubscribe() {
  const std::vector<TopicPartition> owned(group_.owned().begin(), group_.owned().end());
  for (const TopicPartition& partition : owned) fetch_.Unassign(partition);
  offsets_.Cancel(kOwnToken);
  offsets_.Withdraw(owned, ErrorCode::kRebalanceInProgress, withdrawn_);
  group_.Unsubscribe();
}

void ConsumerCore::ConfirmRevoked(Instant now) {
  for (const TopicPartition& partition : group_.revoking()) fetch_.Unassign(partition);
  offsets_.Withdraw(group_.revoking(), ErrorCode::kRebalanceInProgress, withdrawn_);
  group_.ConfirmRevoked(now);
}

bool ConsumerCore::Assign(const TopicPartition& partition,
                          const std::optional<OffsetAndMetadata>& start) {
  const TopicView* topic = metadata_.view().FindTopic(partition.topic_id);
  if (topic == nullptr) return false;
  fetch_.Assign(partition, topic->name, start);
  return true;
}

void ConsumerCore::Poll(Instant now, std::vector<ConsumerRecord>& records,
                        std::vector<PartitionError>& errors) {
  group_.OnPoll(now);
  fetch_.Poll(options_.poll_records_max, records);
  if (records.empty()) fetch_.TakeErrors(errors);
}

void ConsumerCore::CommitOffsets(uint64_t token, PartitionOffsets offsets, Instant deadline) {
  offsets_.Commit(token, std::move(offsets), deadline);
}

void ConsumerCore::ReadOffsets(uint64_t token, std::vector<TopicPartition> partitions,
                               Instant deadline) {
  offsets_.Read(token, partitions, deadline);
}

GroupIdentity ConsumerCore::Identity() const {
  if (!group_.is_member()) return {.member_id = {}, .may_commit = !group_.subscribed()};
  return {group_.member_id(), group_.member_epoch(), options_.instance_id};
}

void ConsumerCore::OnAnswered(Instant now, CallId id, const UnaryResponse& response,
                              ConsumerEffects& effects) {
  if (const auto* metadata = std::get_if<message::MetadataResponse>(&response)) {
    if (metadata_.OnAnswered(now, id, *metadata)) fetch_.OnMetadataChanged(now);
  } else if (const auto* list = std::get_if<message::ListOffsetsResponse>(&response)) {
    fetch_.OnAnswered(now, id, *list);
  } else if (const auto* find = std::get_if<message::FindCoordinatorResponse>(&response)) {
    coordinator_.OnAnswered(now, id, *find);
  } else if (const auto* heartbeat = std::get_if<message::GroupHeartbeatResponse>(&response)) {
    GroupEffects group;
    if (group_.OnAnswered(now, id, *heartbeat, group)) CarryOut(now, std::move(group), effects);
  } else {
    std::vector<OffsetOpResult> results;
    offsets_.OnAnswered(now, id, response, group_.owned(), results);
    RouteResults(now, std::move(results), effects);
  }
}

void ConsumerCore::OnCallFailed(Instant now, CallId id, const absl::Status& status,
                                ConsumerEffects& /*effects*/) {
  if (metadata_.OnFailed(now, id, status) || fetch_.OnCallFailed(now, id, status) ||
      coordinator_.OnCallFailed(now, id, status) || group_.OnCallFailed(now, id, status)) {
    return;
  }
  offsets_.OnCallFailed(now, id, status);
}

void ConsumerCore::OnFetchResponse(Instant now, const ServerAddress& address,
                                   const FetchResponse& response) {
  fetch_.OnFetchResponse(now, address, response);
}

void ConsumerCore::OnFetchStreamClosed(Instant now, const ServerAddress& address,
                                       const absl::Status& status) {
  fetch_.OnFetchStreamClosed(now, address, status);
}

void ConsumerCore::CarryOut(Instant now, GroupEffects group, ConsumerEffects& effects) {
  for (const TopicPartition& partition : group.revoke) {
    fetch_.StopForRevocation(partition);  // its position may still be committed
    effects.revoked.push_back(partition);
  }
  if (!group.lost.empty()) {
    offsets_.Cancel(kOwnToken);
    offsets_.Withdraw(group.lost, ErrorCode::kFencedMemberEpoch, effects.results);
  }
  for (const TopicPartition& partition : group.lost) {
    fetch_.Unassign(partition);
    effects.lost.push_back(partition);
  }
  if (!group.fetch_offsets.empty()) {
    offsets_.Cancel(kOwnToken);
    offsets_.Read(kOwnToken, group.fetch_offsets, now + kOwnReadTimeout);
  }
  for (const auto& [partition, offset] : group.assign) {
    std::optional<OffsetAndMetadata> start;
    if (offset.offset != kNoOffset) start = offset;
    Assign(partition, start);
    effects.assigned.emplace_back(partition, offset);
  }
}

void ConsumerCore::RouteResults(Instant now, std::vector<OffsetOpResult> results,
                                ConsumerEffects& effects) {
  for (OffsetOpResult& result : results) {
    if (result.token != kOwnToken) {
      effects.results.push_back(std::move(result));
      continue;
    }
    GroupEffects group;
    group_.OnOffsets(now, result.error, result.offsets, group);
    CarryOut(now, std::move(group), effects);
  }
}

void ConsumerCore::Pump(Instant now, ConsumerEffects& effects) {
  if (!options_.group_id.empty()) {
    GroupEffects group;
    group_.Pump(now, group, effects.calls);
    CarryOut(now, std::move(group), effects);
    std::vector<OffsetOpResult> results = std::move(withdrawn_);
    withdrawn_.clear();
    offsets_.Pump(now, Identity(), effects.calls, results);
    RouteResults(now, std::move(results), effects);
    coordinator_.Pump(now, effects.calls);
  }
  fetch_.Pump(now, effects.fetches, effects.calls, effects.fetch_resets);
  metadata_.Pump(now, effects.calls);
}

std::optional<Instant> ConsumerCore::NextDeadline() const {
  std::optional<Instant> next = Earlier(metadata_.NextDeadline(), fetch_.NextDeadline());
  if (options_.group_id.empty()) return next;
  next = Earlier(next, coordinator_.NextDeadline());
  next = Earlier(next, group_.NextDeadline());
  return Earlier(next, offsets_.NextDeadline());
}

}  // namespace quipu
