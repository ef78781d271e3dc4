// DeleteTopics: by name, or by id in newer versions.
#include <utility>

#include "base/status_macros.h"
#include "broker/kafka/admin_calls.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/topic_lookup.h"
#include "core/kafka/admin/delete_topics.h"

namespace quipu::kafka {
namespace {

// Older versions have names alone.
std::vector<DeleteTopicsRequest::Topic> TopicsOf(DeleteTopicsRequest request) {
  std::vector<DeleteTopicsRequest::Topic> topics = std::move(request.topics);
  for (std::string& name : request.topic_names) topics.push_back({.name = std::move(name)});
  return topics;
}

}  // namespace

absl::Status HandleDeleteTopics(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(DeleteTopicsRequest request, call->Decode<DeleteTopicsRequest>());
  const MetadataImagePtr image = context.node.image();
  std::vector<DeleteTopicsRequest::Topic> topics = TopicsOf(std::move(request));
  const auto key = [](const DeleteTopicsRequest::Topic& topic) {
    return std::pair(topic.name, topic.topic_id);
  };
  const auto repeated = DropRepeated(topics, key);
  DeleteTopicsResponse response;
  std::vector<AdminCall> asked;
  for (const DeleteTopicsRequest::Topic& topic : topics) {
    auto& out = response.responses.emplace_back();
    out.name = topic.name;
    out.topic_id = topic.topic_id;
    if (repeated.contains(key(topic))) {
      RefuseRepeated(out);
      continue;
    }
    if (topic.name.has_value() != topic.topic_id.IsZero()) {
      Refuse(ErrorCode::kInvalidRequest, "a topic is named either by its name or by its id", out);
      continue;
    }
    AdminCall admin{.place = response.responses.size() - 1, .request = {}};
    message::DeleteTopic& wanted = *admin.request.mutable_delete_topic();
    if (!topic.name) {
      const FoundTopic found = FindTopic(image.get(), topic.topic_id);
      if (found.topic == nullptr) {
        RefuseTopic(found.error, out);
        continue;
      }
      out.name = found.topic->name;
      wanted.set_topic_id(topic.topic_id.ToBytes());
    }
    wanted.set_name(*out.name);
    asked.push_back(std::move(admin));
  }
  AskControllers(context.node, call, std::move(response), std::move(asked),
                 [](DeleteTopicsResponse& all, size_t place, const message::AdminResponse& result) {
                   SetOutcome(result, all.responses[place]);
                 });
  return absl::OkStatus();
}

}  // namespace quipu::kafka
