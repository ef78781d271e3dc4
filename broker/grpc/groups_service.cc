#include <memory>
#include <utility>

#include "broker/grpc/node_unary.h"
#include "broker/grpc/services.h"
#include "proto/rpc/services.grpc.pb.h"

namespace quipu {

void AddGroupsService(GrpcServer& server, const NodeHolder& node) {
  using Service = rpc::Groups::AsyncService;
  auto owned = std::make_unique<Service>();
  Service* service = owned.get();
  server.AddService(std::move(owned));
  AddNodeUnary(server, "Groups/FindCoordinator", service, &Service::RequestFindCoordinator, node,
               &BrokerNode::FindCoordinator);
  AddNodeUnary(server, "Groups/Heartbeat", service, &Service::RequestHeartbeat, node,
               &BrokerNode::GroupHeartbeat);
  AddNodeUnary(server, "Groups/OffsetCommit", service, &Service::RequestOffsetCommit, node,
               &BrokerNode::OffsetCommit);
  AddNodeUnary(server, "Groups/OffsetFetch", service, &Service::RequestOffsetFetch, node,
               &BrokerNode::OffsetFetch);
  AddNodeUnary(server, "Groups/ListGroups", service, &Service::RequestListGroups, node,
               &BrokerNode::ListGroups);
  AddNodeUnary(server, "Groups/DescribeGroup", service, &Service::RequestDescribeGroup, node,
               &BrokerNode::DescribeGroup);
  AddNodeUnary(server, "Groups/DeleteGroup", service, &Service::RequestDeleteGroup, node,
               &BrokerNode::DeleteGroup);
  AddNodeUnary(server, "Groups/OffsetDelete", service, &Service::RequestOffsetDelete, node,
               &BrokerNode::OffsetDelete);
  AddNodeUnary(server, "Groups/RemoveMembers", service, &Service::RequestRemoveMembers, node,
               &BrokerNode::RemoveMembers);
}

}  // namespace quipu
