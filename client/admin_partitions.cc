// Admin calls that go to the leaders of partitions, and to all brokers.
#include <future>
#include <optional>
#include <set>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "client/admin.h"
#include "client/admin_calls.h"
#include "core/client/metadata_view.h"

namespace quipu {
namespace {

std::string Where(const NamedPartition& partition) {
  return absl::StrCat("topic ", partition.topic, " partition ", partition.partition.value());
}

absl::Status Failed(ErrorCode error, const NamedPartition& partition) {
  const absl::string_view text = ErrorDescription(error);
  return ToStatus(error, absl::StrCat(Where(partition), ": ", text));
}

std::vector<std::string> TopicNames(const std::vector<NamedPartition>& partitions) {
  std::set<std::string> names;
  for (const NamedPartition& partition : partitions) names.insert(partition.topic);
  return {names.begin(), names.end()};
}

using ByLeader = std::map<ServerAddress, std::vector<std::pair<NamedPartition, TopicPartition>>>;

// Sorts partitions by the address of their leader. Those without a leader now are left out.
absl::StatusOr<ByLeader> GroupByLeader(const message::MetadataResponse& response,
                                       const std::set<NamedPartition>& partitions) {
  MetadataView view;
  const ErrorCode error = view.Apply(response);
  if (error != ErrorCode::kNone) return ToStatus(error, "metadata");
  ByLeader by_leader;
  for (const NamedPartition& partition : partitions) {
    const TopicView* topic = view.FindTopic(partition.topic);
    if (topic == nullptr || partition.partition.value() < 0 ||
        static_cast<size_t>(partition.partition.value()) >= topic->partitions.size()) {
      return ToStatus(ErrorCode::kUnknownTopicOrPartition,
                      absl::StrCat(Where(partition), " does not exist"));
    }
    const TopicPartition id{topic->topic_id, partition.partition};
    const std::optional<ServerAddress> address = view.AddressOf(view.Leader(id).broker);
    if (address) by_leader[*address].emplace_back(partition, id);
  }
  return by_leader;
}

template <typename Answer>
bool IsFor(const Answer& answer, const TopicPartition& id) {
  return answer.partition() == id.partition.value() && answer.topic_id() == id.topic_id.ToBytes();
}

OffsetAndTimestamp ToTime(const message::ListOffsetsResponse::Partition& result) {
  return {.offset = Offset(result.offset()),
          .timestamp = TimestampMs(result.timestamp()),
          .leader_epoch = LeaderEpoch(result.leader_epoch())};
}

}  // namespace

// Asks the leaders of `open` until each partition has a final answer. `make` fills a request,
// `offset_of` reads an answer of one partition.
template <typename Request, typename Response, typename Fill, typename OffsetOf>
static auto AskLeaders(std::set<NamedPartition> open, const char* method,
                       const AdminDeadline& deadline,
                       const std::function<absl::StatusOr<message::MetadataResponse>()>& metadata,
                       const std::function<absl::StatusOr<Response>(
                           const ServerAddress&, const char*, const Request&)>& call,
                       Fill fill, OffsetOf offset_of) {
  using Entry = std::decay_t<decltype(std::declval<Response>().partitions(0))>;
  using Value = std::invoke_result_t<OffsetOf, const Entry&>;
  using Found = std::vector<std::pair<NamedPartition, Value>>;
  using Result = absl::StatusOr<Found>;
  std::map<NamedPartition, Value> found;
  absl::Status last = ToStatus(ErrorCode::kLeaderNotAvailable, "a partition has no leader");
  while (!open.empty()) {
    const absl::StatusOr<message::MetadataResponse> response = metadata();
    if (!response.ok()) return Result(response.status());
    const absl::StatusOr<ByLeader> by_leader = GroupByLeader(*response, open);
    if (!by_leader.ok()) return Result(by_leader.status());
    for (const auto& [address, partitions] : *by_leader) {
      Request request;
      for (const auto& [name, id] : partitions) fill(*request.add_partitions(), name, id);
      absl::StatusOr<Response> answer = call(address, method, request);
      if (!answer.ok()) {
        last = ToStatus(ErrorCode::kNotConnected, answer.status().message());
        continue;
      }
      for (const auto& [name, id] : partitions) {
        for (const auto& result : answer->partitions()) {
          if (!IsFor(result, id)) continue;
          const ErrorCode error = WireError(result.error_code());
          if (error == ErrorCode::kNone) {
            found[name] = offset_of(result);
            open.erase(name);
          } else if (IsRetriable(error)) {
            last = Failed(error, name);
          } else {
            return Result(Failed(error, name));
          }
        }
      }
    }
    if (open.empty()) break;
    if (deadline.passed()) return Result(last);
    deadline.Pause();
  }
  return Result(Found(found.begin(), found.end()));
}

absl::StatusOr<NamedOffsets> Admin::ListOffsets(const std::vector<NamedPartition>& partitions,
                                                int64_t timestamp) {
  const AdminDeadline deadline = calls_->NewDeadline();
  QUIPU_RETURN_IF_ERROR(TopicsOf(TopicNames(partitions)).status());
  message::MetadataRequest metadata;
  for (const std::string& name : TopicNames(partitions)) metadata.add_topics(name);
  return AskLeaders<message::ListOffsetsRequest, message::ListOffsetsResponse>(
      {partitions.begin(), partitions.end()}, "/quipu.rpc.Broker/ListOffsets", deadline,
      [&] { return calls_->Metadata(metadata, deadline); },
      [&](const ServerAddress& address, const char* method,
          const message::ListOffsetsRequest& request) {
        return calls_->At<message::ListOffsetsRequest, message::ListOffsetsResponse>(
            address, method, request, deadline);
      },
      [&](message::ListOffsetsRequest::Partition& entry, const NamedPartition& /*name*/,
          const TopicPartition& id) {
        entry.set_topic_id(id.topic_id.ToBytes());
        entry.set_partition(id.partition.value());
        entry.set_current_leader_epoch(-1);
        entry.set_timestamp(timestamp);
      },
      [](const message::ListOffsetsResponse::Partition& result) {
        return OffsetAndMetadata{.offset = Offset(result.offset()),
                                 .leader_epoch = LeaderEpoch(result.leader_epoch()),
                                 .metadata = {}};
      });
}

absl::StatusOr<NamedTimes> Admin::OffsetsForTimes(
    const std::map<NamedPartition, TimestampMs>& timestamps) {
  const AdminDeadline deadline = calls_->NewDeadline();
  std::set<NamedPartition> partitions;
  for (const auto& [name, timestamp] : timestamps) {
    if (timestamp < TimestampMs(0)) return Failed(ErrorCode::kInvalidTimestamp, name);
    partitions.insert(name);
  }
  const std::vector<std::string> names = TopicNames({partitions.begin(), partitions.end()});
  QUIPU_RETURN_IF_ERROR(TopicsOf(names).status());
  message::MetadataRequest metadata;
  for (const std::string& name : names) metadata.add_topics(name);
  return AskLeaders<message::ListOffsetsRequest, message::ListOffsetsResponse>(
      partitions, "/quipu.rpc.Broker/ListOffsets", deadline,
      [&] { return calls_->Metadata(metadata, deadline); },
      [&](const ServerAddress& address, const char* method,
          const message::ListOffsetsRequest& request) {
        return calls_->At<message::ListOffsetsRequest, message::ListOffsetsResponse>(
            address, method, request, deadline);
      },
      [&](message::ListOffsetsRequest::Partition& entry, const NamedPartition& name,
          const TopicPartition& id) {
        entry.set_topic_id(id.topic_id.ToBytes());
        entry.set_partition(id.partition.value());
        entry.set_current_leader_epoch(-1);
        entry.set_timestamp(timestamps.at(name).value());
      },
      ToTime);
}

absl::StatusOr<NamedTimes> Admin::RecordsAt(const std::map<NamedPartition, Offset>& offsets) {
  const AdminDeadline deadline = calls_->NewDeadline();
  std::set<NamedPartition> partitions;
  for (const auto& [name, offset] : offsets) partitions.insert(name);
  const std::vector<std::string> names = TopicNames({partitions.begin(), partitions.end()});
  QUIPU_RETURN_IF_ERROR(TopicsOf(names).status());
  message::MetadataRequest metadata;
  for (const std::string& name : names) metadata.add_topics(name);
  return AskLeaders<message::ListOffsetsRequest, message::ListOffsetsResponse>(
      partitions, "/quipu.rpc.Broker/ListOffsets", deadline,
      [&] { return calls_->Metadata(metadata, deadline); },
      [&](const ServerAddress& address, const char* method,
          const message::ListOffsetsRequest& request) {
        return calls_->At<message::ListOffsetsRequest, message::ListOffsetsResponse>(
            address, method, request, deadline);
      },
      [&](message::ListOffsetsRequest::Partition& entry, const NamedPartition& name,
          const TopicPartition& id) {
        entry.set_topic_id(id.topic_id.ToBytes());
        entry.set_partition(id.partition.value());
        entry.set_current_leader_epoch(-1);
        entry.set_by_offset(true);
        entry.set_from_offset(offsets.at(name).value());
      },
      ToTime);
}

absl::StatusOr<NamedOffsets> Admin::DeleteRecords(const NamedOffsets& before) {
  const AdminDeadline deadline = calls_->NewDeadline();
  std::map<NamedPartition, OffsetAndMetadata> wanted(before.begin(), before.end());
  std::vector<NamedPartition> partitions;
  for (const auto& [name, offset] : wanted) partitions.push_back(name);
  QUIPU_RETURN_IF_ERROR(TopicsOf(TopicNames(partitions)).status());
  message::MetadataRequest metadata;
  for (const std::string& name : TopicNames(partitions)) metadata.add_topics(name);
  return AskLeaders<message::DeleteRecordsRequest, message::DeleteRecordsResponse>(
      {partitions.begin(), partitions.end()}, "/quipu.rpc.Broker/DeleteRecords", deadline,
      [&] { return calls_->Metadata(metadata, deadline); },
      [&](const ServerAddress& address, const char* method,
          const message::DeleteRecordsRequest& request) {
        return calls_->At<message::DeleteRecordsRequest, message::DeleteRecordsResponse>(
            address, method, request, deadline);
      },
      [&](message::DeleteRecordsRequest::Partition& entry, const NamedPartition& name,
          const TopicPartition& id) {
        entry.set_topic_id(id.topic_id.ToBytes());
        entry.set_partition(id.partition.value());
        entry.set_before_offset(wanted[name].offset.value());
      },
      [](const message::DeleteRecordsResponse::Partition& result) {
        return OffsetAndMetadata{.offset = Offset(result.log_start_offset()), .metadata = {}};
      });
}

absl::StatusOr<std::vector<BrokerReport>> Admin::AskBrokers(
    const message::DescribePartitionsRequest& request, std::vector<SilentBroker>& silent) {
  const AdminDeadline deadline = calls_->NewDeadline();
  QUIPU_ASSIGN_OR_RETURN(const message::MetadataResponse cluster, calls_->Metadata({}, deadline));
  // At the same time: one that hangs must not take the others' time.
  std::vector<std::future<absl::StatusOr<message::DescribePartitionsResponse>>> answers;
  for (const message::BrokerInfo& broker : cluster.brokers()) {
    answers.push_back(
        calls_->Begin<message::DescribePartitionsRequest, message::DescribePartitionsResponse>(
            AddressOf(broker.endpoint()), "/quipu.rpc.Broker/DescribePartitions", request,
            deadline));
  }
  std::vector<BrokerReport> reports;
  for (size_t i = 0; i < answers.size(); ++i) {
    const message::BrokerInfo& broker = cluster.brokers(static_cast<int>(i));
    auto response = answers[i].get();
    if (response.ok()) {
      reports.push_back({.broker = BrokerId(broker.broker_id()), .state = *std::move(response)});
    } else {
      silent.push_back({.broker = BrokerId(broker.broker_id()),
                        .fenced = broker.fenced(),
                        .address = AddressOf(broker.endpoint()),
                        .reason = std::string(response.status().message())});
    }
  }
  return reports;
}

absl::StatusOr<std::vector<ReplicaReport>> Admin::DescribePartitions(
    const std::vector<std::string>& topics, std::vector<SilentBroker>* silent) {
  message::DescribePartitionsRequest request;
  if (!topics.empty()) {
    QUIPU_ASSIGN_OR_RETURN(const auto infos, TopicsOf(topics));
    for (const auto& [name, info] : infos) request.add_topic_ids(info.topic_id());
  }
  std::vector<SilentBroker> left_out;
  QUIPU_ASSIGN_OR_RETURN(const std::vector<BrokerReport> brokers, AskBrokers(request, left_out));
  if (silent != nullptr) *silent = std::move(left_out);
  std::vector<ReplicaReport> reports;
  for (const BrokerReport& broker : brokers) {
    for (const auto& state : broker.state.partitions()) {
      reports.push_back({.broker = broker.broker, .state = state});
    }
  }
  return reports;
}

absl::StatusOr<std::vector<BrokerReport>> Admin::DescribeLoad(int32_t producers_max,
                                                              std::vector<std::string>& missing) {
  message::DescribePartitionsRequest request;
  request.set_producers_max(producers_max);
  request.set_with_load(true);
  std::vector<SilentBroker> silent;
  QUIPU_ASSIGN_OR_RETURN(std::vector<BrokerReport> reports, AskBrokers(request, silent));
  for (const SilentBroker& broker : silent) {
    if (broker.fenced) continue;  // it leads nothing
    missing.push_back(
        absl::StrCat("broker ", broker.broker.value(), " (", broker.address, "): ", broker.reason));
  }
  return reports;
}

// ---- groups ------------------------------------------------------------------------------------

absl::StatusOr<GroupListing> Admin::ListGroups() {
  const AdminDeadline deadline = calls_->NewDeadline();
  message::MetadataRequest request;
  request.set_all_topics(true);
  std::optional<GroupListing> former;
  while (true) {
    const absl::StatusOr<message::MetadataResponse> cluster = calls_->Metadata(request, deadline);
    if (!cluster.ok()) {
      if (former) return *std::move(former);
      return cluster.status();
    }
    GroupListing listing;
    std::map<std::string, message::ListGroupsResponse::Group> groups;
    // Each coordinator knows its own groups. All are asked at the same time: one that hangs must
    // not take the others' time.
    std::vector<std::pair<std::string, std::future<absl::StatusOr<message::ListGroupsResponse>>>>
        answers;
    for (const message::BrokerInfo& broker : cluster->brokers()) {
      if (broker.fenced()) continue;  // leads nothing
      const ServerAddress address = AddressOf(broker.endpoint());
      answers.emplace_back(absl::StrCat("groups of broker ", broker.broker_id(), " (", address),
                           calls_->Begin<message::ListGroupsRequest, message::ListGroupsResponse>(
                               address, "/quipu.rpc.Groups/ListGroups", {}, deadline));
    }
    for (auto& [who, answer] : answers) {
      const absl::StatusOr<message::ListGroupsResponse> response = answer.get();
      if (!response.ok()) {
        listing.missing.push_back(absl::StrCat(who, "): ", response.status().message()));
        continue;
      }
      for (const auto& group : response->groups()) groups[group.group_id()] = group;
      const ErrorCode error = WireError(response->error_code());
      if (error == ErrorCode::kNone) continue;
      listing.missing.push_back(absl::StrCat(who, "): ", ErrorDescription(error)));
    }
    for (const message::TopicInfo& topic : cluster->topics()) {
      if (topic.name() != "__consumer_offsets") continue;
      for (const message::PartitionInfo& partition : topic.partitions()) {
        if (partition.leader() >= 0) continue;
        listing.missing.push_back(absl::StrCat("groups of partition ", partition.partition(),
                                               " of __consumer_offsets: it has no leader now"));
      }
    }
    for (auto& [id, group] : groups) listing.groups.push_back(std::move(group));
    if (listing.missing.empty()) return listing;
    // The calls of a round that the deadline cut failed for want of time: the one before knows
    // more.
    if (deadline.passed()) return former.value_or(std::move(listing));
    former = std::move(listing);
    deadline.Pause();
  }
}

absl::StatusOr<message::DescribeGroupResponse> Admin::DescribeGroup(const std::string& group_id) {
  message::DescribeGroupRequest request;
  request.set_group_id(group_id);
  QUIPU_ASSIGN_OR_RETURN(
      const auto response,
      (calls_->AtCoordinator<message::DescribeGroupRequest, message::DescribeGroupResponse>(
          group_id, "/quipu.rpc.Groups/DescribeGroup", request)));
  const ErrorCode error = WireError(response.error_code());
  if (error == ErrorCode::kNone) return response;
  const absl::string_view text = ErrorDescription(error);
  return ToStatus(error, absl::StrCat("group ", group_id, ": ", text));
}

absl::StatusOr<NamedOffsets> Admin::ListGroupOffsets(const std::string& group_id) {
  message::OffsetFetchRequest request;
  request.set_group_id(group_id);
  request.set_member_epoch(-1);
  QUIPU_ASSIGN_OR_RETURN(
      const auto response,
      (calls_->AtCoordinator<message::OffsetFetchRequest, message::OffsetFetchResponse>(
          group_id, "/quipu.rpc.Groups/OffsetFetch", request)));
  const ErrorCode error = WireError(response.error_code());
  if (error != ErrorCode::kNone) {
    const absl::string_view text = ErrorDescription(error);
    return ToStatus(error, absl::StrCat("group ", group_id, ": ", text));
  }
  QUIPU_ASSIGN_OR_RETURN(const std::vector<message::TopicInfo> topics, ListTopics(true));
  std::map<std::string, std::string> names;
  for (const message::TopicInfo& topic : topics) names[topic.topic_id()] = topic.name();
  NamedOffsets offsets;
  for (const auto& partition : response.partitions()) {
    const auto name = names.find(partition.topic_id());
    if (name == names.end()) continue;  // the topic is gone
    offsets.emplace_back(NamedPartition{name->second, PartitionIndex(partition.partition())},
                         OffsetAndMetadata{.offset = Offset(partition.offset()),
                                           .leader_epoch = LeaderEpoch(partition.leader_epoch()),
                                           .metadata = partition.metadata()});
  }
  return offsets;
}

absl::Status Admin::AlterGroupOffsets(const std::string& group_id, const NamedOffsets& offsets) {
  std::vector<NamedPartition> partitions;
  for (const auto& [name, offset] : offsets) partitions.push_back(name);
  QUIPU_ASSIGN_OR_RETURN(auto topics, TopicsOf(TopicNames(partitions)));
  message::OffsetCommitRequest request;
  request.set_group_id(group_id);
  request.set_member_epoch(-1);
  for (const auto& [name, offset] : offsets) {
    message::OffsetCommitRequest::Partition* entry = request.add_partitions();
    entry->set_topic_id(topics[name.topic].topic_id());
    entry->set_partition(name.partition.value());
    entry->set_offset(offset.offset.value());
    entry->set_leader_epoch(offset.leader_epoch.value());
    entry->set_metadata(offset.metadata);
  }
  QUIPU_ASSIGN_OR_RETURN(
      const auto response,
      (calls_->AtCoordinator<message::OffsetCommitRequest, message::OffsetCommitResponse>(
          group_id, "/quipu.rpc.Groups/OffsetCommit", request)));
  ErrorCode error = WireError(response.error_code());
  for (const auto& partition : response.partitions()) {
    if (error == ErrorCode::kNone) error = WireError(partition.error_code());
  }
  // So it is told to whoever commits from outside into a group with members.
  if (error == ErrorCode::kUnknownMemberId) error = ErrorCode::kNonEmptyGroup;
  const absl::string_view text = ErrorDescription(error);
  return ToStatus(error, absl::StrCat("group ", group_id, ": ", text));
}

absl::Status Admin::DeleteGroup(const std::string& group_id) {
  message::DeleteGroupRequest request;
  request.set_group_id(group_id);
  QUIPU_ASSIGN_OR_RETURN(
      const auto response,
      (calls_->AtCoordinator<message::DeleteGroupRequest, message::DeleteGroupResponse>(
          group_id, "/quipu.rpc.Groups/DeleteGroup", request)));
  const ErrorCode error = WireError(response.error_code());
  const absl::string_view text = ErrorDescription(error);
  return ToStatus(error, absl::StrCat("group ", group_id, ": ", text));
}

}  // namespace quipu
