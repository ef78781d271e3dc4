// CreatePartitions: more partitions for topics.
#include <utility>

#include "base/status_macros.h"
#include "broker/kafka/admin_calls.h"
#include "broker/kafka/api_handlers.h"
#include "core/kafka/admin/create_partitions.h"

namespace quipu::kafka {
namespace {

void ToAsked(const CreatePartitionsRequest::Topic& topic, message::CreatePartitions& out) {
  out.set_topic(topic.name);
  out.set_count(topic.count);
  // Kafka's clients have no way to say that they know what it means, and their tools warn of it.
  out.set_allow_key_remap(true);
  if (!topic.assignments) return;
  for (const auto& assignment : *topic.assignments) {
    auto* replicas = out.add_assignments();
    for (const BrokerId broker : assignment.broker_ids) replicas->add_broker_ids(broker.value());
  }
}

}  // namespace

absl::Status HandleCreatePartitions(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(CreatePartitionsRequest request, call->Decode<CreatePartitionsRequest>());
  const auto repeated = DropRepeated(request.topics, [](const auto& topic) { return topic.name; });
  CreatePartitionsResponse response;
  std::vector<AdminCall> asked;
  for (const auto& topic : request.topics) {
    auto& out = response.results.emplace_back();
    out.name = topic.name;
    if (repeated.contains(topic.name)) {
      RefuseRepeated(out);
      continue;
    }
    AdminCall admin{.place = response.results.size() - 1, .request = {}};
    admin.request.set_validate_only(request.validate_only);
    ToAsked(topic, *admin.request.mutable_create_partitions());
    asked.push_back(std::move(admin));
  }
  AskControllers(
      context.node, call, std::move(response), std::move(asked),
      [](CreatePartitionsResponse& all, size_t place, const message::AdminResponse& result) {
        SetOutcome(result, all.results[place]);
      });
  return absl::OkStatus();
}

}  // namespace quipu::kafka
