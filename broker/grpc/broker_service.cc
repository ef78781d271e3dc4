#include <memory>
#include <utility>

#include "broker/grpc/node_unary.h"
#include "broker/grpc/services.h"
#include "proto/rpc/services.grpc.pb.h"

namespace quipu {

void AddBrokerService(GrpcServer& server, const NodeHolder& node) {
  using Service = rpc::Broker::AsyncService;
  auto owned = std::make_unique<Service>();
  Service* service = owned.get();
  server.AddService(std::move(owned));
  AddNodeUnary(server, service, &Service::RequestMetadata, node, &BrokerNode::Metadata);
  AddNodeUnary(server, service, &Service::RequestListOffsets, node, &BrokerNode::ListOffsets);
  AddNodeUnary(server, service, &Service::RequestEpochEndOffsets, node,
               &BrokerNode::EpochEndOffsets);
  AddNodeUnary(server, service, &Service::RequestDeleteRecords, node, &BrokerNode::DeleteRecords);
  AddNodeUnary(server, service, &Service::RequestDescribePartitions, node,
               &BrokerNode::DescribePartitions);
  AddNodeUnary(server, service, &Service::RequestInitProducerId, node, &BrokerNode::InitProducerId);
  AddNodeUnary(server, service, &Service::RequestAdmin, node, &BrokerNode::Admin);
}

}  // namespace quipu
