// A controller's gRPC services over its ControllerNode: codecs and nothing else.
#pragma once

#include <memory>

#include "controller/controller_node.h"
#include "runtime/grpc/server.h"

namespace quipu {

// Services refer to where the node will be: it must be there before Serve and stay until after
// Shutdown.
using ControllerHolder = std::unique_ptr<ControllerNode>;

// Call these before `server` is bound.

// Control streams of brokers.
void AddControlService(GrpcServer& server, const ControllerHolder& node);
// Messages of the other voters.
void AddRaftService(GrpcServer& server, const ControllerHolder& node);

}  // namespace quipu
