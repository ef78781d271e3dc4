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
  AddNodeUnary(server, "Broker/Metadata", service, &Service::RequestMetadata, node,
               &BrokerNode::Metadata);
  AddNodeUnary(server, "Broker/ListOffsets", service, &Service::RequestListOffsets, node,
               &BrokerNode::ListOffsets);
  AddNodeUnary(server, "Broker/EpochEndOffsets", service, &Service::RequestEpochEndOffsets, node,
               &BrokerNode::EpochEndOffsets);
  AddNodeUnary(server, "Broker/DeleteRecords", service, &Service::RequestDeleteRecords, node,
               &BrokerNode::DeleteRecords);
  AddNodeUnary(server, "Broker/DescribePartitions", service, &Service::RequestDescribePartitions,
               node, &BrokerNode::DescribePartitions);
  AddNodeUnary(server, "Broker/InitProducerId", service, &Service::RequestInitProducerId, node,
               &BrokerNode::InitProducerId);
  AddNodeUnary(server, "Broker/Admin", service, &Service::RequestAdmin, node, &BrokerNode::Admin);
}

}  // namespace quipu
