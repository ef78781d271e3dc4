// Metadata: brokers as this protocol's clients reach them, topics, partitions and their leaders.
#include <optional>
#include <set>
#include <utility>

#include "base/status_macros.h"
#include "broker/kafka/admin_calls.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/authorized_operations.h"
#include "broker/kafka/topic_lookup.h"
#include "core/kafka/admin/metadata.h"
#include "core/metadata/topic_config.h"

namespace quipu::kafka {
namespace {

// Before it no topics means all of them.
constexpr int16_t kNullMeansAllSince = 1;
// Topics that one request makes.
constexpr size_t kMadeAtOnceMax = 100;

MetadataResponse::Topic ToTopic(const MetadataImage& image, const TopicImage& topic) {
  MetadataResponse::Topic out;
  out.name = topic.name;
  out.topic_id = topic.id;
  out.is_internal = IsInternalTopic(topic.name);
  for (const PartitionUid uid : topic.partitions) {
    const PartitionImage* partition = image.FindPartition(uid);
    if (partition != nullptr) DescribePartition(image, *partition, out.partitions.emplace_back());
  }
  return out;
}

MetadataResponse::Topic ToTopic(const MetadataImage* image, const MetadataRequest::Topic& asked) {
  MetadataResponse::Topic out{.name = asked.name, .topic_id = asked.topic_id};
  if (asked.name) {
    out.error_code = CheckTopicName(*asked.name, IsInternalTopic(*asked.name)).error;
    if (out.error_code != ErrorCode::kNone) return out;
  }
  if (image == nullptr) {
    out.error_code = ErrorCode::kLeaderNotAvailable;
    return out;
  }
  const FoundTopic found = FindTopic(image, asked.name.value_or(""), asked.topic_id);
  if (found.topic != nullptr) return ToTopic(*image, *found.topic);
  out.error_code = found.error;
  return out;
}

MetadataResponse Answer(const KafkaContext& context, const MetadataImage* image,
                        const MetadataRequest& request, bool all) {
  MetadataResponse response;
  if (image != nullptr) {
    std::vector<NodeEndpoint> endpoints;
    for (const auto& [id, broker] : image->brokers()) {
      if (!broker.fenced) AddEndpoint(image, id, endpoints);
    }
    for (NodeEndpoint& endpoint : endpoints) {
      response.brokers.push_back({.node_id = endpoint.node_id,
                                  .host = std::move(endpoint.host),
                                  .port = endpoint.port,
                                  .rack = std::move(endpoint.rack)});
    }
    response.cluster_id = image->cluster_id().ToText();
    // Every broker passes on what only the controller may decide.
    response.controller_id = context.config.broker_id;
  }
  if (all && image != nullptr) {
    for (const auto& [id, topic] : image->topics()) {
      response.topics.push_back(ToTopic(*image, topic));
    }
  } else if (!all) {
    // Each once: a name that is repeated would be answered with all partitions each time.
    std::set<std::pair<std::optional<std::string>, Uuid>> seen;
    for (const MetadataRequest::Topic& topic : *request.topics) {
      if (!seen.emplace(topic.name, topic.topic_id).second) continue;
      response.topics.push_back(ToTopic(image, topic));
    }
  }
  if (request.include_cluster_authorized_operations) {
    response.cluster_authorized_operations = kClusterOperations;
  }
  if (request.include_topic_authorized_operations) {
    for (MetadataResponse::Topic& topic : response.topics) {
      if (topic.error_code == ErrorCode::kNone)
        topic.topic_authorized_operations = kTopicOperations;
    }
  }
  return response;
}

// Places of topics that nobody has yet and that the request wants made. Those beyond kMadeAtOnceMax
// are made when the client asks again.
std::vector<size_t> ToMake(const KafkaContext& context, const MetadataRequest& request,
                           MetadataResponse& response) {
  std::vector<size_t> places;
  if (!context.auto_create_topics || !request.allow_auto_topic_creation) return places;
  for (size_t i = 0; i < response.topics.size(); ++i) {
    MetadataResponse::Topic& topic = response.topics[i];
    const bool missing = topic.error_code == ErrorCode::kUnknownTopicOrPartition;
    if (!missing || !topic.name || IsInternalTopic(*topic.name)) continue;
    topic.error_code = ErrorCode::kLeaderNotAvailable;  // upon which clients ask again
    if (places.size() < kMadeAtOnceMax) places.push_back(i);
  }
  return places;
}

void MakeAndAnswer(const KafkaContext& context, const KafkaCallPtr& call,
                   const std::vector<size_t>& places, MetadataResponse response) {
  std::vector<AdminCall> asked;
  for (const size_t place : places) {
    AdminCall& admin = asked.emplace_back(AdminCall{.place = place, .request = {}});
    auto* topic = admin.request.mutable_create_topic();
    topic->set_name(*response.topics[place].name);
    topic->set_partitions(-1);
    topic->set_replication_factor(-1);
  }
  AskControllers(context.node, call, std::move(response), std::move(asked),
                 [](MetadataResponse& answer, size_t place, const message::AdminResponse& made) {
                   const ErrorCode error = AdminError(ErrorOf(made.error_code()));
                   const bool there =
                       error == ErrorCode::kNone || error == ErrorCode::kTopicAlreadyExists;
                   if (!there) answer.topics[place].error_code = error;
                 });
}

}  // namespace

absl::Status HandleMetadata(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(const MetadataRequest request, call->Decode<MetadataRequest>());
  const bool all =
      !request.topics || (call->version() < kNullMeansAllSince && request.topics->empty());
  const MetadataImagePtr image = context.node.image();
  MetadataResponse response = Answer(context, image.get(), request, all);
  const std::vector<size_t> places = ToMake(context, request, response);
  if (places.empty()) {
    call->Answer(response);
  } else {
    MakeAndAnswer(context, call, places, std::move(response));
  }
  return absl::OkStatus();
}

}  // namespace quipu::kafka
