#include "core/client/group/offset_ops.h"

#include <algorithm>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/strings/str_cat.h"

namespace quipu {
namespace {

constexpr Duration kOffsetCallTimeout = std::chrono::seconds(5);

// Another attempt may succeed.
bool IsRetriableOp(ErrorCode error) {
  return IsCoordinatorError(error) || IsRetriable(error) || error == ErrorCode::kStaleMemberEpoch ||
         error == ErrorCode::kUnknownServerError;
}

}  // namespace

OffsetOps::OffsetOps(const std::string& group_id, CoordinatorFinder& coordinator, CallIds& ids,
                     Rng rng)
    : group_id_(group_id), coordinator_(coordinator), ids_(ids), rng_(rng) {}

void OffsetOps::Commit(uint64_t token, PartitionOffsets offsets, Instant deadline) {
  ops_.push_back(
      {.token = token, .deadline = deadline, .commit = true, .offsets = std::move(offsets)});
}

void OffsetOps::Read(uint64_t token, const std::vector<TopicPartition>& partitions,
                     Instant deadline) {
  Op op{.token = token, .deadline = deadline, .commit = false, .offsets = {}};
  for (const TopicPartition& partition : partitions)
    op.offsets.emplace_back(partition, OffsetAndMetadata{});
  ops_.push_back(std::move(op));
}

void OffsetOps::Cancel(uint64_t token) {
  for (size_t i = 0; i < ops_.size();) {
    if (ops_[i].token != token) {
      ++i;
      continue;
    }
    if (i == 0) in_flight_ = 0;  // its answer is ignored
    ops_.erase(ops_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

void OffsetOps::Pump(Instant now, const GroupIdentity& identity, std::vector<UnaryCall>& calls,
                     std::vector<OffsetOpResult>& results) {
  while (ops_.size() > kWaitingMax) {
    results.push_back({.token = ops_.back().token,
                       .error = ErrorCode::kLimitReached,
                       .message = "too many offset operations are waiting",
                       .refused = {},
                       .offsets = {}});
    ops_.pop_back();
  }
  while (!ops_.empty() && now >= ops_.front().deadline) {
    in_flight_ = 0;
    Finish(ErrorCode::kRequestTimedOut, {}, results);
  }
  if (ops_.empty() || in_flight_ != 0 || now < not_before_) return;
  if (ops_.front().commit && !identity.may_commit) {
    Finish(ErrorCode::kUnknownMemberId, {}, results);
    return;
  }
  if (coordinator_.fatal() != ErrorCode::kNone) {
    Finish(coordinator_.fatal(), {}, results);
    return;
  }
  if (!coordinator_.address()) {
    coordinator_.Want();
    return;
  }
  const Op& op = ops_.front();
  UnaryRequest request;
  if (op.commit) {
    message::OffsetCommitRequest commit;
    commit.set_group_id(group_id_);
    commit.set_member_id(identity.member_id);
    commit.set_member_epoch(identity.member_epoch);
    commit.set_instance_id(identity.instance_id);
    if (!identity.member_id.empty()) commit.set_attempt(++attempts_);
    for (const auto& [partition, offset] : op.offsets) {
      message::OffsetCommitRequest::Partition* entry = commit.add_partitions();
      entry->set_topic_id(partition.topic_id.ToBytes());
      entry->set_partition(partition.partition.value());
      entry->set_offset(offset.offset.value());
      entry->set_leader_epoch(offset.leader_epoch.value());
      entry->set_metadata(offset.metadata);
    }
    request = std::move(commit);
  } else {
    message::OffsetFetchRequest read;
    read.set_group_id(group_id_);
    read.set_member_id(identity.member_id);
    read.set_member_epoch(identity.member_epoch);
    read.set_instance_id(identity.instance_id);
    absl::btree_map<TopicId, std::vector<PartitionIndex>> topics;
    for (const auto& [partition, offset] : op.offsets) {
      topics[partition.topic_id].push_back(partition.partition);
    }
    for (const auto& [topic_id, partitions] : topics) {
      record::TopicPartitions* entry = read.add_partitions();
      entry->set_topic_id(topic_id.ToBytes());
      for (PartitionIndex partition : partitions) entry->add_partitions(partition.value());
    }
    request = std::move(read);
  }
  in_flight_ = ids_.Next();
  asked_ = *coordinator_.address();
  const Duration timeout = std::min(kOffsetCallTimeout, op.deadline - now);
  calls.push_back(
      {.id = in_flight_, .address = asked_, .timeout = timeout, .request = std::move(request)});
}

void OffsetOps::Withdraw(const std::vector<TopicPartition>& partitions, ErrorCode error,
                         std::vector<OffsetOpResult>& results) {
  for (size_t i = 0; i < ops_.size();) {
    const bool named =
        ops_[i].commit &&
        std::any_of(ops_[i].offsets.begin(), ops_[i].offsets.end(), [&](const auto& offset) {
          return std::find(partitions.begin(), partitions.end(), offset.first) != partitions.end();
        });
    if (!named) {
      ++i;
      continue;
    }
    if (i == 0) in_flight_ = 0;  // its answer is ignored
    FinishAt(i, error, {}, results);
  }
}

void OffsetOps::Finish(ErrorCode error, PartitionOffsets offsets,
                       std::vector<OffsetOpResult>& results) {
  FinishAt(0, error, std::move(offsets), results);
}

void OffsetOps::FinishAt(size_t index, ErrorCode error, PartitionOffsets offsets,
                         std::vector<OffsetOpResult>& results) {
  const Op& op = ops_[index];
  std::string message;
  if (error != ErrorCode::kNone) {
    const absl::string_view text = ErrorDescription(error);
    message = absl::StrCat("group ", group_id_, ": ", text);
    if (error == ErrorCode::kRequestTimedOut && op.last_error != ErrorCode::kNone) {
      const absl::string_view last = ErrorName(op.last_error);
      absl::StrAppend(&message, " Last error: ", last);
    }
  }
  results.push_back({.token = op.token,
                     .error = error,
                     .message = std::move(message),
                     .refused = error == ErrorCode::kNone ? std::nullopt : op.refused,
                     .offsets = std::move(offsets)});
  ops_.erase(ops_.begin() + static_cast<std::ptrdiff_t>(index));
}

bool OffsetOps::Retry(Instant now, ErrorCode error) {
  if (!IsRetriableOp(error)) return false;
  // Bounded by the operation's deadline.
  ops_.front().last_error = error;
  if (IsCoordinatorError(error)) coordinator_.Forget(asked_);
  not_before_ = now + std::chrono::milliseconds(rng_.Between(20, 100));
  return true;
}

ErrorCode OffsetOps::CommitError(const message::OffsetCommitResponse& response) {
  ops_.front().refused.reset();
  const ErrorCode whole = WireError(response.error_code());
  if (whole != ErrorCode::kNone) return whole;
  for (const auto& partition : response.partitions()) {
    const ErrorCode error = WireError(partition.error_code());
    if (error == ErrorCode::kNone) continue;
    if (const std::optional<TopicId> topic_id = Uuid::FromBytes(partition.topic_id())) {
      ops_.front().refused = TopicPartition{*topic_id, PartitionIndex(partition.partition())};
    }
    return error;
  }
  return ErrorCode::kNone;
}

ErrorCode OffsetOps::ReadOffsets(const message::OffsetFetchResponse& response,
                                 PartitionOffsets& out) const {
  ErrorCode error = WireError(response.error_code());
  for (const auto& partition : response.partitions()) {
    if (error == ErrorCode::kNone) error = WireError(partition.error_code());
    const std::optional<TopicId> topic_id = Uuid::FromBytes(partition.topic_id());
    if (!topic_id) continue;
    out.emplace_back(TopicPartition{*topic_id, PartitionIndex(partition.partition())},
                     OffsetAndMetadata{.offset = Offset(partition.offset()),
                                       .leader_epoch = LeaderEpoch(partition.leader_epoch()),
                                       .metadata = partition.metadata()});
  }
  return error;
}

bool OffsetOps::OnAnswered(Instant now, CallId id, const UnaryResponse& response,
                           const absl::btree_set<TopicPartition>& owned,
                           std::vector<OffsetOpResult>& results) {
  if (id == 0 || id != in_flight_) return false;
  in_flight_ = 0;
  PartitionOffsets offsets;
  ErrorCode error = ErrorCode::kUnknownServerError;
  if (const auto* commit = std::get_if<message::OffsetCommitResponse>(&response)) {
    error = CommitError(*commit);
  } else if (const auto* read = std::get_if<message::OffsetFetchResponse>(&response)) {
    error = ReadOffsets(*read, offsets);
  }
  const Op& op = ops_.front();
  // No newer epoch makes another member's partition this one's.
  const bool lost = error == ErrorCode::kStaleMemberEpoch && op.commit &&
                    std::any_of(op.offsets.begin(), op.offsets.end(),
                                [&](const auto& offset) { return !owned.contains(offset.first); });
  if (error != ErrorCode::kNone && !lost && Retry(now, error)) return true;
  if (error != ErrorCode::kNone) offsets.clear();
  Finish(error, std::move(offsets), results);
  return true;
}

bool OffsetOps::OnCallFailed(Instant now, CallId id, const absl::Status& /*status*/) {
  if (id == 0 || id != in_flight_) return false;
  in_flight_ = 0;
  Retry(now, ErrorCode::kNotConnected);
  return true;
}

std::optional<Instant> OffsetOps::NextDeadline() const {
  if (ops_.empty()) return std::nullopt;
  if (in_flight_ != 0 || coordinator_.searching()) return ops_.front().deadline;
  return std::min(not_before_, ops_.front().deadline);
}

}  // namespace quipu
