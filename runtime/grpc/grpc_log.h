// gRPC's own log lines in our form.
#pragma once

namespace quipu {

// From now on gRPC's errors become warnings of event=grpc; its other lines are dropped: what it
// calls an error is a peer's or the network's, and each call reports its own.
void RouteGrpcLog();

}  // namespace quipu
