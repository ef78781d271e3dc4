// Admin calls about groups that put several answers together, or change offsets.
#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "client/admin.h"
#include "client/admin_calls.h"

namespace quipu {
namespace {

struct LogBounds {
  Offset start = kNoOffset;
  Offset end = kNoOffset;
  int32_t leader_epoch = -1;
};

Duration SinceTimestamp(TimestampMs timestamp) {
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  // A producer's clock may be ahead of this one.
  return std::chrono::milliseconds(std::max<int64_t>(now - timestamp.value(), 0));
}

// Log start and high watermark where a leader answers; others are left out.
absl::StatusOr<std::map<NamedPartition, LogBounds>> BoundsOf(
    Admin& admin, const std::vector<message::TopicInfo>& topics,
    const std::map<NamedPartition, PartitionLag>& lags) {
  std::map<std::string, std::string> names;
  for (const message::TopicInfo& topic : topics) {
    const auto first = lags.lower_bound({topic.name(), PartitionIndex(0)});
    if (first != lags.end() && first->first.topic == topic.name()) {
      names[topic.topic_id()] = topic.name();
    }
  }
  std::map<NamedPartition, LogBounds> bounds;
  if (names.empty()) return bounds;
  std::vector<std::string> wanted;
  for (const auto& [id, name] : names) wanted.push_back(name);
  QUIPU_ASSIGN_OR_RETURN(const std::vector<ReplicaReport> replicas,
                         admin.DescribePartitions(wanted));
  for (const ReplicaReport& replica : replicas) {
    const auto name = names.find(replica.state.topic_id());
    if (name == names.end() || !replica.state.is_leader()) continue;
    LogBounds& known = bounds[{name->second, PartitionIndex(replica.state.partition())}];
    // A deposed leader may still think that it leads.
    if (known.leader_epoch >= replica.state.leader_epoch()) continue;
    known = {.start = Offset(replica.state.log_start_offset()),
             .end = Offset(replica.state.high_watermark()),
             .leader_epoch = replica.state.leader_epoch()};
  }
  return bounds;
}

}  // namespace

absl::StatusOr<std::vector<PartitionLag>> Admin::DescribeGroupLag(const std::string& group_id) {
  QUIPU_ASSIGN_OR_RETURN(const message::DescribeGroupResponse group, DescribeGroup(group_id));
  QUIPU_ASSIGN_OR_RETURN(const NamedOffsets committed, ListGroupOffsets(group_id));
  QUIPU_ASSIGN_OR_RETURN(const std::vector<message::TopicInfo> topics, ListTopics(true));
  std::map<std::string, std::string> names;
  for (const message::TopicInfo& topic : topics) names[topic.topic_id()] = topic.name();
  std::map<NamedPartition, PartitionLag> lags;
  for (const auto& [partition, offset] : committed) lags[partition].committed = offset.offset;
  for (const auto& member : group.members()) {
    for (const record::TopicPartitions& topic : member.assignment()) {
      const auto name = names.find(topic.topic_id());
      if (name == names.end()) continue;  // the topic is gone
      for (const int32_t index : topic.partitions()) {
        lags[{name->second, PartitionIndex(index)}].member_id = member.member_id();
      }
    }
  }
  QUIPU_ASSIGN_OR_RETURN(const auto bounds, BoundsOf(*this, topics, lags));
  std::map<NamedPartition, Offset> behind;
  for (auto& [partition, lag] : lags) {
    lag.partition = partition;
    const auto known = bounds.find(partition);
    if (known == bounds.end()) continue;
    lag.log_start = known->second.start;
    lag.log_end = known->second.end;
    if (lag.committed == kNoOffset) continue;
    // The watermark that a leader tells may be older than the commit, and what was trimmed is not
    // there to be consumed.
    const Offset next = std::max(lag.committed, lag.log_start);
    lag.records = std::max<int64_t>(lag.log_end - next, 0);
    if (*lag.records == 0) lag.time = Duration(0);
    if (*lag.records > 0) behind[partition] = next;
  }
  if (!behind.empty()) {
    // Without an answer the times stay unknown; the rest is worth showing.
    const absl::StatusOr<NamedTimes> oldest = RecordsAt(behind);
    for (const auto& [partition, found] : oldest.ok() ? *oldest : NamedTimes{}) {
      if (found.offset != kNoOffset) lags[partition].time = SinceTimestamp(found.timestamp);
    }
  }
  std::vector<PartitionLag> result;
  for (auto& [partition, lag] : lags) result.push_back(std::move(lag));
  return result;
}

absl::Status Admin::DeleteGroupOffsets(const std::string& group_id,
                                       const std::vector<NamedPartition>& partitions) {
  std::map<std::string, std::vector<int32_t>> by_topic;
  for (const NamedPartition& partition : partitions) {
    by_topic[partition.topic].push_back(partition.partition.value());
  }
  std::vector<std::string> names;
  for (const auto& [name, indexes] : by_topic) names.push_back(name);
  QUIPU_ASSIGN_OR_RETURN(const auto topics, TopicsOf(names));
  message::OffsetDeleteRequest request;
  request.set_group_id(group_id);
  for (const auto& [name, indexes] : by_topic) {
    record::TopicPartitions* topic = request.add_partitions();
    topic->set_topic_id(topics.at(name).topic_id());
    for (const int32_t index : indexes) topic->add_partitions(index);
  }
  QUIPU_ASSIGN_OR_RETURN(
      const auto response,
      (calls_->AtCoordinator<message::OffsetDeleteRequest, message::OffsetDeleteResponse>(
          group_id, "/quipu.rpc.Groups/OffsetDelete", request)));
  ErrorCode error = WireError(response.error_code());
  std::string where;
  for (const auto& partition : response.partitions()) {
    if (error != ErrorCode::kNone || partition.error_code() == 0) continue;
    error = WireError(partition.error_code());
    for (const auto& [name, info] : topics) {
      if (info.topic_id() == partition.topic_id()) where = absl::StrCat(" topic ", name, ":");
    }
  }
  const absl::string_view text = ErrorDescription(error);
  return ToStatus(error, absl::StrCat("group ", group_id, ":", where, " ", text));
}

absl::Status Admin::RemoveMembers(const std::string& group_id,
                                  const std::vector<std::string>& instance_ids) {
  message::RemoveMembersRequest request;
  request.set_group_id(group_id);
  for (const std::string& instance_id : instance_ids) request.add_instance_ids(instance_id);
  QUIPU_ASSIGN_OR_RETURN(
      const auto response,
      (calls_->AtCoordinator<message::RemoveMembersRequest, message::RemoveMembersResponse>(
          group_id, "/quipu.rpc.Groups/RemoveMembers", request)));
  const ErrorCode error = WireError(response.error_code());
  if (error != ErrorCode::kNone) {
    return ToStatus(error, absl::StrCat("group ", group_id, ": ", ErrorDescription(error)));
  }
  std::vector<std::string> strangers;
  for (const auto& member : response.members()) {
    if (member.error_code() != 0) strangers.push_back(member.instance_id());
  }
  if (strangers.empty()) return absl::OkStatus();
  return ToStatus(
      ErrorCode::kUnknownMemberId,
      absl::StrCat("group ", group_id, " has no static member ", absl::StrJoin(strangers, ", "),
                   "; `quipu group describe` shows those that it has"));
}

}  // namespace quipu
