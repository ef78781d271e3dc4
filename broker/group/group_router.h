// The way of a group request to its coordinator: group id -> partition of __consumer_offsets ->
// shard. Makes the topic when somebody first asks for a coordinator. Called from any thread.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/control/broker_control.h"
#include "broker/group/group_partition.h"
#include "broker/request_router.h"
#include "broker/shared_state.h"

namespace quipu {

class GroupRouter : public std::enable_shared_from_this<GroupRouter> {
 public:
  GroupRouter(std::shared_ptr<const BrokerConfig> config, BrokerPorts& ports,
              std::shared_ptr<SharedState> shared, std::shared_ptr<RequestRouter> router,
              std::shared_ptr<BrokerControl> control)
      : config_(std::move(config)),
        ports_(ports),
        shared_(std::move(shared)),
        router_(std::move(router)),
        control_(std::move(control)) {}

  // kCoordinatorNotAvailable while the topic is being made or the partition has no leader. The
  // topic gets min(offsets.topic.replication.factor, live brokers) replicas.
  void FindCoordinator(const message::FindCoordinatorRequest& request,
                       ReplyFn<message::FindCoordinatorResponse> reply);
  // The same of each of the groups, at once.
  std::vector<FoundCoordinator> FindCoordinators(const std::vector<std::string>& group_ids);
  // `handler` on the group's coordinator, as CoordinatorHost::Serve.
  template <typename Response, typename Handler>
  void Route(const std::string& group_id, Handler handler, ReplyFn<Response> reply) {
    ErrorCode error = ErrorCode::kNone;
    const PartitionUid uid = Locate(group_id, error);
    if (error != ErrorCode::kNone) {
      ports_.control_executor().Post([error, reply = std::move(reply)] {
        reply(CoordinatorHost::ErrorResponse<Response>(error));
      });
      return;
    }
    router_->Post(router_->ShardOf(uid),
                  [uid, handler = std::move(handler), reply = std::move(reply)](BrokerShard& at) {
                    at.coordinators().Serve<Response>(uid, handler, reply);
                  });
  }
  // The groups that this broker coordinates.
  void List(ReplyFn<message::ListGroupsResponse> reply);

 private:
  [[nodiscard]] PartitionUid Locate(const std::string& group_id, ErrorCode& error) const;
  // Makes the topic where the newest metadata lack it. Any thread.
  void NeedTopic();
  // Control executor only. 0: not yet.
  [[nodiscard]] int32_t ReplicationFactor(const MetadataImage& image);
  void CreateTopic(const MetadataImage& image);

  const std::shared_ptr<const BrokerConfig> config_;
  BrokerPorts& ports_;
  const std::shared_ptr<SharedState> shared_;
  const std::shared_ptr<RequestRouter> router_;
  const std::shared_ptr<BrokerControl> control_;
  std::atomic<bool> creating_{false};
  // Since when fewer brokers than offsets.topic.replication.factor are there. Control executor
  // only.
  std::optional<Instant> short_since_;
};

}  // namespace quipu
