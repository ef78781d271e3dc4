#include "broker/group/group_router.h"

#include <algorithm>
#include <utility>

#include "base/logging.h"
#include "broker/shard/assignment.h"
#include "core/metadata/topic_config.h"

namespace quipu {
namespace {

constexpr Duration kIncompleteClusterWait = std::chrono::seconds(3);

FoundCoordinator CoordinatorIn(const MetadataImage* image, const std::string& group_id) {
  if (group_id.empty()) return {.error = ErrorCode::kInvalidGroupId, .broker = kNoBroker};
  const FoundCoordinator none{.error = ErrorCode::kCoordinatorNotAvailable, .broker = kNoBroker};
  const TopicImage* topic = image == nullptr ? nullptr : image->FindTopicByName(kOffsetsTopic);
  if (topic == nullptr) return none;
  const PartitionIndex index = GroupPartition(group_id, topic->partitions.size());
  const PartitionImage* partition = image->FindPartition(topic->id, index);
  const BrokerImage* leader = partition == nullptr ? nullptr : image->FindBroker(partition->leader);
  if (leader == nullptr) return none;
  return {.error = ErrorCode::kNone, .broker = leader->id};
}

}  // namespace

PartitionUid GroupRouter::Locate(const std::string& group_id, ErrorCode& error) const {
  const MetadataImagePtr image = shared_->image();
  const TopicImage* topic = image == nullptr ? nullptr : image->FindTopicByName(kOffsetsTopic);
  if (shared_->closing.load(std::memory_order_relaxed)) error = ErrorCode::kBrokerShuttingDown;
  if (topic == nullptr || topic->partitions.empty()) error = ErrorCode::kCoordinatorNotAvailable;
  if (group_id.empty()) error = ErrorCode::kInvalidGroupId;
  if (error != ErrorCode::kNone) return PartitionUid();
  const PartitionIndex index = GroupPartition(group_id, topic->partitions.size());
  return topic->partitions[static_cast<size_t>(index.value())];
}

std::vector<FoundCoordinator> GroupRouter::FindCoordinators(
    const std::vector<std::string>& group_ids) {
  const MetadataImagePtr image = shared_->image();
  std::vector<FoundCoordinator> all;
  bool missing = false;
  for (const std::string& group_id : group_ids) {
    const FoundCoordinator& found = all.emplace_back(CoordinatorIn(image.get(), group_id));
    missing |= found.error == ErrorCode::kCoordinatorNotAvailable;
  }
  if (missing && image != nullptr && image->FindTopicByName(kOffsetsTopic) == nullptr) NeedTopic();
  return all;
}

void GroupRouter::FindCoordinator(const message::FindCoordinatorRequest& request,
                                  ReplyFn<message::FindCoordinatorResponse> reply) {
  ports_.control_executor().Post([self = shared_from_this(), group_id = request.group_id(),
                                  reply = std::move(reply)] {
    const MetadataImagePtr image = self->shared_->image();
    const FoundCoordinator found = self->FindCoordinators({group_id}).front();
    auto response = CoordinatorHost::ErrorResponse<message::FindCoordinatorResponse>(found.error);
    response.set_broker_id(found.broker.value());
    const BrokerImage* broker = image == nullptr ? nullptr : image->FindBroker(found.broker);
    if (broker != nullptr) {
      response.mutable_endpoint()->set_host(broker->client_endpoint.host);
      response.mutable_endpoint()->set_port(broker->client_endpoint.port);
    }
    reply(response);
  });
}

void GroupRouter::NeedTopic() {
  ports_.control_executor().Post([self = shared_from_this()] {
    const MetadataImagePtr image = self->shared_->image();
    if (image->FindTopicByName(kOffsetsTopic) == nullptr) self->CreateTopic(*image);
  });
}

int32_t GroupRouter::ReplicationFactor(const MetadataImage& image) {
  int32_t live = 0;
  for (const auto& [id, broker] : image.brokers()) live += broker.fenced ? 0 : 1;
  const int32_t wanted = config_->offsets_topic_replication_factor;
  if (live >= wanted) {
    short_since_.reset();
    return wanted;
  }
  // A cluster that is just starting gets time to become complete: the topic would stay with too few
  // replicas for ever.
  const Instant now = ports_.control_executor().GetNow().mono;
  if (!short_since_) short_since_ = now;
  return now - *short_since_ < kIncompleteClusterWait ? 0 : live;
}

void GroupRouter::CreateTopic(const MetadataImage& image) {
  const int32_t replicas = ReplicationFactor(image);
  if (replicas == 0 || creating_.exchange(true)) return;
  message::AdminRequest request;
  auto* create = request.mutable_create_topic();
  create->set_name(kOffsetsTopic);
  create->set_partitions(config_->offsets_topic_partitions);
  create->set_replication_factor(replicas);
  create->set_internal(true);
  create->set_if_not_exists(true);
  // A coordinator writes what belongs together as one batch, however large the request was.
  auto* size = create->add_configs();
  size->set_key(std::string(kMaxMessageBytesKey.data(), kMaxMessageBytesKey.size()));
  size->set_value(std::to_string(kMaxMessageBytesMax));
  control_->Admin(std::move(request),
                  [weak = weak_from_this()](const message::AdminResponse& response) {
                    if (const auto self = weak.lock()) self->creating_.store(false);
                    if (response.error_code() == 0) return;
                    LogWarn("group.topic_not_made", {{"error", response.error_message()}});
                  });
}

void GroupRouter::List(ReplyFn<message::ListGroupsResponse> reply) {
  auto store = [](message::ListGroupsResponse& all, size_t /*slot*/,
                  message::ListGroupsResponse part) {
    const int32_t error = part.error_code();
    all.MergeFrom(part);
    if (error != 0) all.set_error_code(error);
  };
  auto join =
      std::make_shared<ListGroupsJoin>(ports_.shard_executor(0), 0, message::ListGroupsResponse(),
                                       config_->num_shards, store, std::move(reply));
  for (size_t shard = 0; shard < config_->num_shards; ++shard) {
    router_->Post(shard, [join](BrokerShard& at) { at.coordinators().List(join); });
  }
}

}  // namespace quipu
