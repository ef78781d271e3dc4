// The log lines of gRPC and protobuf in our form.
#pragma once

namespace quipu {

// From now on gRPC's errors become warnings of event=grpc; its other lines are dropped: what it
// calls an error is a peer's or the network's, and each call reports its own. What protobuf says of
// a message becomes a warning of event=protobuf: strangers' bytes cause it at will, so it is
// limited as every event is. Call it in main before any thread exists: protobuf's half is not
// thread-safe.
void RouteLibraryLogs();

}  // namespace quipu
