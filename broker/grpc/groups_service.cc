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
  AddNodeUnary(server, service, &Service::RequestFindCoordinator, node,
               &BrokerNode::FindCoordinator);
  AddNodeUnary(server, service, &Service::RequestHeartbeat, node, &BrokerNode::GroupHeartbeat);
  AddNodeUnary(server, service, &Service::RequestOffsetCommit, node, &BrokerNode::OffsetCommit);
  AddNodeUnary(server, service, &Service::RequestOffsetFetch, node, &BrokerNode::OffsetFetch);
  AddNodeUnary(server, service, &Service::RequestListGroups, node, &BrokerNode::ListGroups);
  AddNodeUnary(server, service, &Service::RequestDescribeGroup, node, &BrokerNode::DescribeGroup);
  AddNodeUnary(server, service, &Service::RequestDeleteGroup, node, &BrokerNode::DeleteGroup);
  AddNodeUnary(server, service, &Service::RequestOffsetDelete, node, &BrokerNode::OffsetDelete);
}

}  // namespace quipu
