// ElectLeaders: preferred leaders. A leader that may lack records is a person's choice, made with
// `quipu partition recover`.
#include <map>
#include <set>
#include <utility>

#include "base/status_macros.h"
#include "broker/kafka/admin_calls.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/topic_lookup.h"
#include "core/kafka/admin/elect_leaders.h"

namespace quipu::kafka {
namespace {

// Kafka's ElectionType.
constexpr int8_t kPreferred = 0;
constexpr int8_t kUnclean = 1;

// What can be said without asking; kNone: ask.
void FillKnown(const MetadataImage* image, const FoundTopic& found, int8_t election_type,
               ElectLeadersResponse::Partition& out) {
  if (found.topic == nullptr) return RefuseTopic(found.error, out);
  const PartitionImage* partition = image->FindPartition(found.id(), out.partition_id);
  if (partition == nullptr) {
    return Refuse(ErrorCode::kUnknownTopicOrPartition, "the topic has no such partition", out);
  }
  if (election_type == kPreferred) return;
  if (partition->leader != kNoBroker) {
    return Refuse(ErrorCode::kElectionNotNeeded, "the partition has a leader", out);
  }
  Refuse(ErrorCode::kEligibleLeadersNotAvailable,
         "no replica is known to have all records; `quipu partition recover` lets one lead that "
         "may lack some",
         out);
}

// Results of one topic, or of all when none was named.
void Fill(const message::AdminResponse& result, ElectLeadersResponse& all, size_t place) {
  const ErrorCode error = AdminError(ErrorOf(result.error_code()));
  std::map<PartitionIndex, ErrorCode> errors;
  for (const auto& partition : result.elect_leaders().partitions()) {
    errors[PartitionIndex(partition.partition())] = ErrorOf(partition.error_code());
  }
  for (auto& partition : all.replica_election_results[place].partition_result) {
    if (partition.error_code != ErrorCode::kNone) continue;
    if (error != ErrorCode::kNone) {
      SetOutcome(result, partition);
      continue;
    }
    // No word of it is no success.
    const auto told = errors.find(partition.partition_id);
    partition.error_code = told == errors.end() ? ErrorCode::kUnknownServerError : told->second;
    if (partition.error_code != ErrorCode::kNone) {
      partition.error_message = std::string(ErrorDescription(partition.error_code));
    }
  }
}

// Of all topics: those that were elected or could not be.
void FillAll(const message::AdminResponse& result, ElectLeadersResponse& all) {
  all.error_code = AdminError(ErrorOf(result.error_code()));
  std::map<std::string, std::vector<ElectLeadersResponse::Partition>> topics;
  for (const auto& partition : result.elect_leaders().partitions()) {
    auto& out = topics[partition.topic()].emplace_back();
    out.partition_id = PartitionIndex(partition.partition());
    out.error_code = ErrorOf(partition.error_code());
    if (out.error_code == ErrorCode::kNone) continue;
    out.error_message = std::string(ErrorDescription(out.error_code));
  }
  for (auto& [name, partitions] : topics) {
    all.replica_election_results.push_back(
        {.topic = name, .partition_result = std::move(partitions)});
  }
}

// Of an unclean election of all topics: those that have no leader, and get none.
void AddLeaderless(const MetadataImage* image, ElectLeadersResponse& response) {
  if (image == nullptr) {
    response.error_code = ErrorCode::kNotController;
    return;
  }
  for (const auto& [id, topic] : image->topics()) {
    ElectLeadersResponse::Topic out{.topic = topic.name};
    for (const PartitionUid uid : topic.partitions) {
      const PartitionImage* partition = image->FindPartition(uid);
      if (partition == nullptr || partition->leader != kNoBroker) continue;
      auto& result = out.partition_result.emplace_back();
      result.partition_id = partition->index;
      FillKnown(image, {.topic = &topic}, kUnclean, result);
    }
    if (!out.partition_result.empty()) response.replica_election_results.push_back(std::move(out));
  }
}

// One call for each topic of which something has to be asked.
std::vector<AdminCall> Plan(const ElectLeadersRequest& request, const MetadataImage* image,
                            ElectLeadersResponse& response) {
  std::map<std::string, std::set<PartitionIndex>> topics;
  for (const auto& topic : *request.topic_partitions) {
    topics[topic.topic].insert(topic.partitions.begin(), topic.partitions.end());
  }
  std::vector<AdminCall> asked;
  for (const auto& [name, indexes] : topics) {
    const FoundTopic found = FindTopic(image, name);
    ElectLeadersResponse::Topic& out_topic = response.replica_election_results.emplace_back();
    out_topic.topic = name;
    AdminCall admin{.place = response.replica_election_results.size() - 1, .request = {}};
    message::ElectLeaders& wanted = *admin.request.mutable_elect_leaders();
    wanted.set_topic(name);
    for (const PartitionIndex index : indexes) {
      auto& out = out_topic.partition_result.emplace_back();
      out.partition_id = index;
      FillKnown(image, found, request.election_type, out);
      if (out.error_code == ErrorCode::kNone) wanted.add_partitions(index.value());
    }
    if (!wanted.partitions().empty()) asked.push_back(std::move(admin));
  }
  return asked;
}

}  // namespace

absl::Status HandleElectLeaders(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(const ElectLeadersRequest request, call->Decode<ElectLeadersRequest>());
  ElectLeadersResponse response;
  if (request.election_type != kPreferred && request.election_type != kUnclean) {
    response.error_code = ErrorCode::kInvalidRequest;
    call->Answer(response);
    return absl::OkStatus();
  }
  std::vector<AdminCall> asked;
  const bool all = !request.topic_partitions.has_value();
  if (!all) {
    asked = Plan(request, context.node.image().get(), response);
  } else if (request.election_type == kPreferred) {
    asked.emplace_back().request.mutable_elect_leaders();
  } else {
    AddLeaderless(context.node.image().get(), response);
  }
  AskControllers(
      context.node, call, std::move(response), std::move(asked),
      [all](ElectLeadersResponse& answer, size_t place, const message::AdminResponse& result) {
        if (all) return FillAll(result, answer);
        Fill(result, answer, place);
      });
  return absl::OkStatus();
}

}  // namespace quipu::kafka
