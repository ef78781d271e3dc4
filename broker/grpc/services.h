// A broker's gRPC services over its BrokerNode: codecs and nothing else.
#pragma once

#include <memory>

#include "broker/broker_node.h"
#include "runtime/grpc/server.h"

namespace quipu {

// A listener must be bound before the node is made, which has to know its ports: so services refer
// to where the node will be. It must be there before Serve and stay until after Shutdown.
using NodeHolder = std::unique_ptr<BrokerNode>;

// Call these before `server` is bound.

// Produce and Fetch streams (client listener).
void AddLogService(GrpcServer& server, const NodeHolder& node);
// Metadata, offsets, producers, admin (client listener).
void AddBrokerService(GrpcServer& server, const NodeHolder& node);
// Consumer groups (client listener).
void AddGroupsService(GrpcServer& server, const NodeHolder& node);

}  // namespace quipu
