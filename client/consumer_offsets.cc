// Commits and committed offsets of the SDK's consumer.
#include <future>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "client/consumer_impl.h"

namespace quipu {

NamedOffsets Consumer::Impl::Positions() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  NamedOffsets positions;
  for (const TopicPartition& id : core_.fetch().Assigned()) {
    const std::optional<OffsetAndMetadata> position = core_.fetch().Position(id);
    if (position && position->offset != kNoOffset) positions.emplace_back(NameOf(id), *position);
  }
  return positions;
}

absl::StatusOr<PartitionOffsets> Consumer::Impl::ResolveAll(const NamedOffsets& offsets) const {
  if (settings_.core.group_id.empty()) {
    return ToStatus(ErrorCode::kInvalidConfig, "group.id: is needed for committed offsets");
  }
  if (closed_) return ToStatus(ErrorCode::kClosed, "the consumer is closed");
  PartitionOffsets resolved;
  for (const auto& [partition, offset] : offsets) {
    const std::optional<TopicPartition> id = Resolve(partition);
    if (!id) {
      return ToStatus(ErrorCode::kUnknownTopicOrPartition,
                      absl::StrCat("topic ", partition.topic, " partition ",
                                   partition.partition.value(), " is not known"));
    }
    resolved.emplace_back(*id, offset);
  }
  return resolved;
}

void Consumer::Impl::Commit(const NamedOffsets& offsets, Duration timeout, CommitCallback done) {
  absl::Status refused;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    absl::StatusOr<PartitionOffsets> resolved = ResolveAll(offsets);
    if (resolved.ok() && !resolved->empty()) {
      const uint64_t token = ++last_token_;
      waiting_[token] = [this, offsets, callback = std::move(done)](const OffsetOpResult& result) {
        NoteCommit(offsets, result.error);
        if (callback) callback(ToStatus(result.error, result.message));
      };
      core_.CommitOffsets(token, *std::move(resolved), owner_.GetNow().mono + timeout);
      WakeLocked();
      return;
    }
    refused = resolved.status();  // OK when there is nothing to commit
  }
  if (done) done(refused);
}

absl::Status Consumer::Impl::CommitAndWait(const NamedOffsets& offsets, Duration timeout) {
  auto answer = std::make_shared<std::promise<absl::Status>>();
  Commit(offsets, timeout, [answer](const absl::Status& status) { answer->set_value(status); });
  // Bounded: every operation ends at its deadline or when the consumer is closed.
  return answer->get_future().get();
}

absl::StatusOr<NamedOffsets> Consumer::Impl::Committed(
    const std::vector<NamedPartition>& partitions, Duration timeout) {
  auto answer = std::make_shared<std::promise<OffsetOpResult>>();
  std::map<TopicPartition, NamedPartition> names;
  {
    std::unique_lock<std::mutex> lock(mutex_);
    for (const NamedPartition& partition : partitions) {
      const absl::Status known = WaitForTopic(lock, partition.topic);
      if (!known.ok()) return known;
    }
    NamedOffsets wanted;
    for (const NamedPartition& partition : partitions)
      wanted.emplace_back(partition, OffsetAndMetadata{});
    absl::StatusOr<PartitionOffsets> resolved = ResolveAll(wanted);
    if (!resolved.ok()) return resolved.status();
    std::vector<TopicPartition> ids;
    for (size_t i = 0; i < resolved->size(); ++i) {
      ids.push_back((*resolved)[i].first);
      names[ids.back()] = partitions[i];
    }
    const uint64_t token = ++last_token_;
    waiting_[token] = [answer](const OffsetOpResult& result) { answer->set_value(result); };
    core_.ReadOffsets(token, std::move(ids), owner_.GetNow().mono + timeout);
    WakeLocked();
  }
  const OffsetOpResult result = answer->get_future().get();
  if (result.error != ErrorCode::kNone) return ToStatus(result.error, result.message);
  std::map<NamedPartition, OffsetAndMetadata> found;
  for (const auto& [id, name] : names) found[name] = {};
  for (const auto& [id, offset] : result.offsets) {
    const auto name = names.find(id);
    if (name != names.end()) found[name->second] = offset;
  }
  return NamedOffsets(found.begin(), found.end());
}

void Consumer::Impl::AutoCommit(Instant now) {
  if (!settings_.auto_commit || now < next_auto_commit_) return;
  next_auto_commit_ = now + settings_.auto_commit_interval;
  PartitionOffsets positions;
  for (const TopicPartition& id : core_.fetch().Assigned()) {
    const std::optional<OffsetAndMetadata> position = core_.fetch().Position(id);
    if (position && position->offset != kNoOffset) positions.emplace_back(id, *position);
  }
  if (positions.empty() || settings_.core.group_id.empty()) return;
  NamedOffsets names;
  for (const auto& [id, offset] : positions) names.emplace_back(NameOf(id), offset);
  const uint64_t token = ++last_token_;
  waiting_[token] = [this, offsets = std::move(names)](const OffsetOpResult& result) {
    NoteCommit(offsets, result.error);
    // The next one covers what this one missed; a partition that is going was committed before.
    const bool told = result.error == ErrorCode::kRebalanceInProgress ||
                      result.error == ErrorCode::kClosed || result.error == ErrorCode::kNone;
    if (told) return;
    LogWarn("consumer.auto_commit_failed", {{"error", result.message}});
  };
  core_.CommitOffsets(token, std::move(positions), now + settings_.default_api_timeout);
  WakeLocked();
}

}  // namespace quipu
