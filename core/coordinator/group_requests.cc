#include "core/coordinator/group_requests.h"

#include <algorithm>

#include "core/coordinator/group_state.h"
#include "core/coordinator/rebalance.h"
#include "core/request/wire_format.h"

namespace quipu {
namespace {

bool AreTopicPartitions(const TopicPartitionsField& field, const GroupCoordinatorOptions& options) {
  if (CountPartitions(field) > options.partitions_per_request_max) return false;
  for (const record::TopicPartitions& topic : field) {
    if (topic.topic_id().size() != TopicId::kBytes) return false;
  }
  return true;
}

}  // namespace

bool IsName(const std::string& name, const GroupCoordinatorOptions& options) {
  // A record could not hold other bytes.
  return !name.empty() && name.size() <= options.name_bytes_max && IsUtf8(name);
}

bool AreTopicNames(const std::vector<std::string>& names, const GroupCoordinatorOptions& options) {
  return names.size() <= options.subscribed_topics_max &&
         std::all_of(names.begin(), names.end(),
                     [&options](const std::string& name) { return IsName(name, options); });
}

ErrorCode ValidateGroupId(const std::string& group_id, const GroupCoordinatorOptions& options) {
  return IsName(group_id, options) ? ErrorCode::kNone : ErrorCode::kInvalidGroupId;
}

ErrorCode ValidateHeartbeat(const message::GroupHeartbeatRequest& request,
                            const GroupCoordinatorOptions& options) {
  if (!IsName(request.group_id(), options)) return ErrorCode::kInvalidGroupId;
  if (!IsName(request.member_id(), options)) return ErrorCode::kInvalidRequest;
  if (request.member_epoch() < kLeaveStaticEpoch) return ErrorCode::kInvalidRequest;
  const bool is_static = !request.instance_id().empty();
  if (is_static && !IsName(request.instance_id(), options)) return ErrorCode::kInvalidRequest;
  if (request.member_epoch() == kLeaveStaticEpoch && !is_static) return ErrorCode::kInvalidRequest;
  if (request.client_id().size() > options.name_bytes_max) return ErrorCode::kInvalidRequest;
  if (!request.assignor().empty() && !IsAssignor(request.assignor())) {
    return ErrorCode::kUnsupportedAssignor;
  }
  const auto topics = static_cast<size_t>(request.subscribed_topics_size());
  if (topics > options.subscribed_topics_max) return ErrorCode::kInvalidRequest;
  for (const std::string& topic : request.subscribed_topics()) {
    if (!IsName(topic, options)) return ErrorCode::kInvalidRequest;
  }
  if (!AreTopicPartitions(request.owned(), options)) return ErrorCode::kInvalidRequest;
  if (request.member_epoch() == kJoinEpoch && CountPartitions(request.owned()) > 0) {
    return ErrorCode::kInvalidRequest;
  }
  const int32_t session = request.session_timeout_ms();
  if (session != 0 &&
      (session < options.session_timeout_ms_min || session > options.session_timeout_ms_max)) {
    return ErrorCode::kInvalidSessionTimeout;
  }
  return ErrorCode::kNone;
}

ErrorCode ValidateOffsetCommit(const message::OffsetCommitRequest& request,
                               const GroupCoordinatorOptions& options) {
  if (!IsName(request.group_id(), options)) return ErrorCode::kInvalidGroupId;
  // A member names itself and its epoch; a commit from outside names neither.
  const bool is_member = !request.member_id().empty();
  if (is_member != (request.member_epoch() >= 0)) return ErrorCode::kInvalidRequest;
  if (request.attempt() < 0) return ErrorCode::kInvalidRequest;
  const auto partitions = static_cast<size_t>(request.partitions_size());
  if (partitions > options.partitions_per_request_max) return ErrorCode::kInvalidRequest;
  return ErrorCode::kNone;
}

ErrorCode ValidateOffsetFetch(const message::OffsetFetchRequest& request,
                              const GroupCoordinatorOptions& options) {
  if (!IsName(request.group_id(), options)) return ErrorCode::kInvalidGroupId;
  if (!AreTopicPartitions(request.partitions(), options)) return ErrorCode::kInvalidRequest;
  return ErrorCode::kNone;
}

ErrorCode ValidateOffsetDelete(const message::OffsetDeleteRequest& request,
                               const GroupCoordinatorOptions& options) {
  if (!IsName(request.group_id(), options)) return ErrorCode::kInvalidGroupId;
  const bool none = CountPartitions(request.partitions()) == 0;
  if (none || !AreTopicPartitions(request.partitions(), options)) return ErrorCode::kInvalidRequest;
  return ErrorCode::kNone;
}

ErrorCode ValidateRemoveMembers(const message::RemoveMembersRequest& request,
                                const GroupCoordinatorOptions& options) {
  if (!IsName(request.group_id(), options)) return ErrorCode::kInvalidGroupId;
  const auto count = static_cast<size_t>(request.instance_ids_size());
  if (count == 0 || count > options.members_per_group_max) return ErrorCode::kInvalidRequest;
  const bool names =
      std::all_of(request.instance_ids().begin(), request.instance_ids().end(),
                  [&options](const std::string& instance) { return IsName(instance, options); });
  return names ? ErrorCode::kNone : ErrorCode::kInvalidRequest;
}

}  // namespace quipu
