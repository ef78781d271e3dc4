// BrokerNode's consumer-group requests.

#include <utility>

#include "broker/broker_node.h"
#include "broker/broker_parts.h"

namespace quipu {

void BrokerNode::FindCoordinator(message::FindCoordinatorRequest request,
                                 ReplyFn<message::FindCoordinatorResponse> reply) {
  parts_->groups->FindCoordinator(request, std::move(reply));
}

std::vector<FoundCoordinator> BrokerNode::FindCoordinators(
    const std::vector<std::string>& group_ids) {
  return parts_->groups->FindCoordinators(group_ids);
}

void BrokerNode::GroupHeartbeat(message::GroupHeartbeatRequest request,
                                ReplyFn<message::GroupHeartbeatResponse> reply) {
  const std::string group_id = request.group_id();
  parts_->groups->Route<message::GroupHeartbeatResponse>(
      group_id,
      [request = std::move(request)](GroupCoordinatorCore& core, Now now,
                                     const GroupTopicView& topics) {
        return core.Heartbeat(request, request.client_host(), now, topics);
      },
      std::move(reply));
}

void BrokerNode::OffsetCommit(message::OffsetCommitRequest request,
                              ReplyFn<message::OffsetCommitResponse> reply) {
  const std::string group_id = request.group_id();
  parts_->groups->Route<message::OffsetCommitResponse>(
      group_id,
      [request = std::move(request)](GroupCoordinatorCore& core, Now now,
                                     const GroupTopicView& topics) {
        return core.OffsetCommit(request, now, topics);
      },
      std::move(reply));
}

void BrokerNode::OffsetFetch(message::OffsetFetchRequest request,
                             ReplyFn<message::OffsetFetchResponse> reply) {
  const std::string group_id = request.group_id();
  parts_->groups->Route<message::OffsetFetchResponse>(
      group_id,
      [request = std::move(request)](GroupCoordinatorCore& core, Now, const GroupTopicView&) {
        return core.OffsetFetch(request);
      },
      std::move(reply));
}

void BrokerNode::ListGroups(message::ListGroupsRequest /*request*/,
                            ReplyFn<message::ListGroupsResponse> reply) {
  parts_->groups->List(std::move(reply));
}

void BrokerNode::DescribeGroup(message::DescribeGroupRequest request,
                               ReplyFn<message::DescribeGroupResponse> reply) {
  const std::string group_id = request.group_id();
  parts_->groups->Route<message::DescribeGroupResponse>(
      group_id,
      [request = std::move(request)](GroupCoordinatorCore& core, Now,
                                     const GroupTopicView& topics) {
        return core.Describe(request, topics);
      },
      std::move(reply));
}

void BrokerNode::DeleteGroup(message::DeleteGroupRequest request,
                             ReplyFn<message::DeleteGroupResponse> reply) {
  const std::string group_id = request.group_id();
  parts_->groups->Route<message::DeleteGroupResponse>(
      group_id,
      [request = std::move(request)](GroupCoordinatorCore& core, Now, const GroupTopicView&) {
        return core.Delete(request);
      },
      std::move(reply));
}

void BrokerNode::OffsetDelete(message::OffsetDeleteRequest request,
                              ReplyFn<message::OffsetDeleteResponse> reply) {
  const std::string group_id = request.group_id();
  parts_->groups->Route<message::OffsetDeleteResponse>(
      group_id,
      [request = std::move(request)](GroupCoordinatorCore& core, Now,
                                     const GroupTopicView& topics) {
        return core.OffsetDelete(request, topics);
      },
      std::move(reply));
}

void BrokerNode::RemoveMembers(message::RemoveMembersRequest request,
                               ReplyFn<message::RemoveMembersResponse> reply) {
  const std::string group_id = request.group_id();
  parts_->groups->Route<message::RemoveMembersResponse>(
      group_id,
      [request = std::move(request)](GroupCoordinatorCore& core, Now now,
                                     const GroupTopicView& topics) {
        return core.RemoveStaticMembers(request, now, topics);
      },
      std::move(reply));
}

}  // namespace quipu
