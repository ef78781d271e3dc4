#include "client/admin.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "client/admin_calls.h"

namespace quipu {
namespace {

absl::Status Refused(ErrorCode error, const std::string& what, const std::string& message) {
  if (!message.empty()) return ToStatus(error, absl::StrCat(what, ": ", message));
  const absl::string_view text = ErrorDescription(error);
  return ToStatus(error, absl::StrCat(what, ": ", text));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Admin>> Admin::Create(const ConfigMap& config) {
  absl::StatusOr<AdminSettings> settings = ParseAdminConfig(config);
  if (!settings.ok()) return settings.status();
  return std::unique_ptr<Admin>(new Admin(std::make_unique<Calls>(*std::move(settings))));
}

Admin::Admin(std::unique_ptr<Calls> calls) : calls_(std::move(calls)) {}
Admin::~Admin() = default;

absl::StatusOr<message::MetadataResponse> Admin::DescribeCluster() {
  return calls_->Metadata({}, calls_->NewDeadline());
}

// ---- changes through the controller ------------------------------------------------------------

absl::StatusOr<message::AdminResponse> Admin::Change(const message::AdminRequest& request,
                                                     const std::string& what,
                                                     ErrorCode done_already) {
  const AdminDeadline deadline = calls_->NewDeadline();
  bool outcome_unknown = false;
  while (true) {
    absl::Status last;
    std::map<ServerAddress, std::string> failures;
    for (const ServerAddress& address : calls_->Servers()) {
      absl::StatusOr<message::AdminResponse> response =
          calls_->At<message::AdminRequest, message::AdminResponse>(
              address, "/quipu.rpc.Broker/Admin", request, deadline);
      if (!response.ok()) {
        // It may have been carried out although the answer was lost.
        outcome_unknown = outcome_unknown || !Calls::NothingSent(response.status());
        failures[address] = std::string(response.status().message());
        last = Calls::NotConnected(failures);
        continue;
      }
      const ErrorCode error = WireError(response->error_code());
      if (error == ErrorCode::kNone || (error == done_already && outcome_unknown)) return response;
      last = Refused(error, what, response->error_message());
      if (!IsRetriable(error) || error == ErrorCode::kUnknownTopicOrPartition) return last;
      if (error == ErrorCode::kRequestTimedOut) outcome_unknown = true;
      break;
    }
    if (deadline.passed()) {
      if (outcome_unknown) {
        return ToStatus(ErrorCode::kRequestTimedOut,
                        absl::StrCat(what, ": the outcome is unknown; ", last.message()));
      }
      return last;
    }
    deadline.Pause();
  }
}

absl::StatusOr<message::CreateTopicResult> Admin::CreateTopic(const TopicSpec& spec,
                                                              AdminMode mode) {
  message::AdminRequest request;
  request.set_validate_only(mode == AdminMode::kValidate);
  message::CreateTopic* create = request.mutable_create_topic();
  create->set_name(spec.name);
  create->set_partitions(spec.partitions);
  create->set_replication_factor(spec.replication_factor);
  create->set_if_not_exists(spec.if_not_exists);
  for (const std::vector<BrokerId>& replicas : spec.replicas) {
    message::ReplicaAssignment* assignment = create->add_assignments();
    for (const BrokerId replica : replicas) assignment->add_broker_ids(replica.value());
  }
  for (const auto& [key, value] : spec.configs) {
    message::ConfigEntry* entry = create->add_configs();
    entry->set_key(key);
    entry->set_value(value);
  }
  absl::StatusOr<message::AdminResponse> response =
      Change(request, absl::StrCat("topic ", spec.name),
             mode == AdminMode::kMake ? ErrorCode::kTopicAlreadyExists : ErrorCode::kNone);
  if (!response.ok()) return response.status();
  if (response->error_code() == 0) {
    if (mode == AdminMode::kValidate) response->mutable_create_topic()->clear_topic_id();
    return response->create_topic();
  }
  // An attempt whose answer was lost had made it.
  absl::StatusOr<message::TopicInfo> topic = DescribeTopic(spec.name);
  if (!topic.ok()) return topic.status();
  message::CreateTopicResult result;
  result.set_topic_id(topic->topic_id());
  result.set_partitions(topic->partitions_size());
  result.set_replication_factor(topic->partitions_size() > 0 ? topic->partitions(0).replicas_size()
                                                             : 0);
  return result;
}

absl::Status Admin::DeleteTopic(const std::string& name) {
  message::AdminRequest request;
  request.mutable_delete_topic()->set_name(name);
  return Change(request, absl::StrCat("topic ", name), ErrorCode::kUnknownTopicOrPartition)
      .status();
}

absl::Status Admin::AlterTopicConfig(const std::string& topic,
                                     const std::map<std::string, std::string>& set,
                                     const std::vector<std::string>& remove, AdminMode mode) {
  message::AdminRequest request;
  request.set_validate_only(mode == AdminMode::kValidate);
  message::AlterTopicConfig* alter = request.mutable_alter_topic_config();
  alter->set_topic(topic);
  for (const auto& [key, value] : set) {
    message::ConfigEntry* entry = alter->add_set();
    entry->set_key(key);
    entry->set_value(value);
  }
  for (const std::string& key : remove) alter->add_remove(key);
  return Change(request, absl::StrCat("topic ", topic), ErrorCode::kNone).status();
}

absl::StatusOr<int32_t> Admin::ElectLeaders(const std::string& topic,
                                            const std::vector<int32_t>& partitions) {
  message::AdminRequest request;
  request.mutable_elect_leaders()->set_topic(topic);
  for (const int32_t partition : partitions) {
    request.mutable_elect_leaders()->add_partitions(partition);
  }
  absl::StatusOr<message::AdminResponse> response =
      Change(request, topic.empty() ? "all topics" : absl::StrCat("topic ", topic),
             ErrorCode::kElectionNotNeeded);
  if (!response.ok()) {
    if (CodeOf(response.status()) == ErrorCode::kElectionNotNeeded) return 0;
    return response.status();
  }
  return response->elect_leaders().elected();
}

absl::StatusOr<message::RecoverPartitionResult> Admin::RecoverPartition(
    const message::RecoverPartition& recover) {
  message::AdminRequest request;
  *request.mutable_recover_partition() = recover;
  // When an answer was lost and the partition has a leader now, this may have been it or not: the
  // caller looks again.
  QUIPU_ASSIGN_OR_RETURN(
      const message::AdminResponse response,
      Change(request, absl::StrCat("topic ", recover.topic(), " partition ", recover.partition()),
             ErrorCode::kNone));
  return response.recover_partition();
}

absl::StatusOr<message::DescribeQuorumResult> Admin::DescribeQuorum() {
  message::AdminRequest request;
  request.mutable_describe_quorum();
  absl::StatusOr<message::AdminResponse> response = Change(request, "quorum", ErrorCode::kNone);
  if (!response.ok()) return response.status();
  return response->describe_quorum();
}

absl::Status Admin::ReplaceVoter(const message::ReplaceVoter& replacement) {
  message::AdminRequest request;
  *request.mutable_replace_voter() = replacement;
  return Change(request, absl::StrCat("controller ", replacement.controller_id()), ErrorCode::kNone)
      .status();
}

// ---- topics ------------------------------------------------------------------------------------

absl::StatusOr<std::vector<message::TopicInfo>> Admin::ListTopics(bool with_internal) {
  message::MetadataRequest request;
  request.set_all_topics(true);
  QUIPU_ASSIGN_OR_RETURN(const message::MetadataResponse response,
                         calls_->Metadata(request, calls_->NewDeadline()));
  std::vector<message::TopicInfo> topics;
  for (const message::TopicInfo& topic : response.topics()) {
    if (with_internal || !topic.internal()) topics.push_back(topic);
  }
  return topics;
}

absl::StatusOr<message::TopicInfo> Admin::DescribeTopic(const std::string& name) {
  QUIPU_ASSIGN_OR_RETURN(const auto topics, TopicsOf({name}));
  return topics.at(name);
}

absl::StatusOr<std::map<std::string, message::TopicInfo>> Admin::TopicsOf(
    const std::vector<std::string>& names) {
  const AdminDeadline deadline = calls_->NewDeadline();
  message::MetadataRequest request;
  for (const std::string& name : names) request.add_topics(name);
  // A topic that was just created takes a moment to be known everywhere.
  const AdminDeadline patience(std::chrono::seconds(1));
  while (true) {
    QUIPU_ASSIGN_OR_RETURN(const message::MetadataResponse response,
                           calls_->Metadata(request, deadline));
    std::map<std::string, message::TopicInfo> topics;
    absl::Status missing;
    for (const message::TopicInfo& topic : response.topics()) {
      const ErrorCode error = WireError(topic.error_code());
      if (error == ErrorCode::kNone) {
        topics[topic.name()] = topic;
      } else if (missing.ok()) {
        missing = Refused(error, absl::StrCat("topic ", topic.name()), "");
      }
    }
    for (const std::string& name : names) {
      if (missing.ok() && !topics.contains(name)) {
        missing = Refused(ErrorCode::kUnknownTopicOrPartition, absl::StrCat("topic ", name), "");
      }
    }
    if (missing.ok()) return topics;
    if (patience.passed() || CodeOf(missing) == ErrorCode::kInvalidTopic) return missing;
    patience.Pause();
  }
}

}  // namespace quipu
