// BrokerNode's requests of the classic group protocol.

#include <utility>

#include "broker/broker_node.h"
#include "broker/broker_parts.h"

namespace quipu {

void BrokerNode::JoinGroup(ClassicJoinRequest request, ReplyFn<ClassicJoinAnswer> reply) {
  const std::string group_id = request.group_id;
  parts_->groups->Route<ClassicJoinAnswer>(
      group_id,
      [request = std::move(request)](GroupCoordinatorCore& core, uint64_t token, Now now,
                                     const GroupTopicView& topics) {
        return core.JoinGroup(token, request, now, topics);
      },
      std::move(reply));
}

void BrokerNode::SyncGroup(ClassicSyncRequest request, ReplyFn<ClassicSyncAnswer> reply) {
  const std::string group_id = request.group_id;
  parts_->groups->Route<ClassicSyncAnswer>(
      group_id,
      [request = std::move(request)](GroupCoordinatorCore& core, uint64_t token, Now now,
                                     const GroupTopicView& topics) {
        return core.SyncGroup(token, request, now, topics);
      },
      std::move(reply));
}

void BrokerNode::ClassicHeartbeat(ClassicHeartbeatRequest request,
                                  ReplyFn<ClassicHeartbeatAnswer> reply) {
  const std::string group_id = request.group_id;
  parts_->groups->Route<ClassicHeartbeatAnswer>(
      group_id,
      [request = std::move(request)](GroupCoordinatorCore& core, uint64_t token, Now now,
                                     const GroupTopicView&) {
        return core.ClassicHeartbeat(token, request, now);
      },
      std::move(reply));
}

void BrokerNode::LeaveGroup(ClassicLeaveRequest request, ReplyFn<ClassicLeaveAnswer> reply) {
  const std::string group_id = request.group_id;
  parts_->groups->Route<ClassicLeaveAnswer>(
      group_id,
      [request = std::move(request)](GroupCoordinatorCore& core, uint64_t token, Now now,
                                     const GroupTopicView& topics) {
        return core.LeaveGroup(token, request, now, topics);
      },
      std::move(reply));
}

}  // namespace quipu
