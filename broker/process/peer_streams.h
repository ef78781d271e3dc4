// What a broker serves other brokers on its peer listener.
#pragma once

#include <memory>

#include "broker/grpc/services.h"
#include "runtime/refusals.h"
#include "runtime/socket/socket_stream.h"

namespace quipu {

// Replica streams, and ends of logs for coordinators. On the peer listener only: who can open one
// takes part in replication (CVE-2018-1288 is what happens otherwise). `node` must be there while
// the listener serves. What answers refuse is counted as Replica/Follow and Replica/ListOffsets.
SocketStreamAcceptor PeerStreams(const NodeHolder& node, std::shared_ptr<Refusals> refusals);

}  // namespace quipu
