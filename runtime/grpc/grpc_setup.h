// What gRPC, protobuf and Abseil are told once in a program.
#pragma once

namespace quipu {

// From now on gRPC's errors become warnings of event=grpc; its other lines are dropped: what it
// calls an error is a peer's or the network's, and each call reports its own. What protobuf says of
// a message becomes a warning of event=protobuf: strangers' bytes cause it at will, so it is
// limited as every event is. Call it in main before any thread exists: protobuf's half is not
// thread-safe.
void RouteLibraryLogs();

// Debian's Abseil looks for deadlocks at each lock of a mutex, under one lock of the whole process:
// gRPC takes several for each message. Off from now on. Not for a library: it is the program's.
void StopDeadlockSearch();

}  // namespace quipu
