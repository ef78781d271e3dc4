// Bytes <-> the messages of log_messages.h, in protobuf wire format (proto/message/stream.proto),
// so that a client in any language can use generated stubs. Encoding yields a chain of slices in
// which record batches are the very Bytes of the message; decoding yields slices of the input.
// Pure; thread-safe.
#pragma once

#include "absl/status/statusor.h"
#include "base/byte_chain.h"
#include "base/bytes.h"
#include "core/request/log_messages.h"

namespace quipu {

ByteChain Encode(const ProduceRequest& message);
ByteChain Encode(const ProduceResponse& message);
ByteChain Encode(const FetchRequest& message);
ByteChain Encode(const FetchResponse& message);
ByteChain Encode(const ReplicaToLeader& message);
ByteChain Encode(const LeaderToReplica& message);

// kInvalidRequest when the bytes are not such a message. Unknown fields are skipped. An unknown
// error number becomes kUnknownServerError. Never allocates by a length that the bytes do not have.
// In FetchPartitionResult and ReplicaPush the records are split into one Bytes per batch; a
// partial batch is kCorruptMessage.
absl::StatusOr<ProduceRequest> DecodeProduceRequest(const Bytes& bytes);
absl::StatusOr<ProduceResponse> DecodeProduceResponse(const Bytes& bytes);
absl::StatusOr<FetchRequest> DecodeFetchRequest(const Bytes& bytes);
absl::StatusOr<FetchResponse> DecodeFetchResponse(const Bytes& bytes);
absl::StatusOr<ReplicaToLeader> DecodeReplicaToLeader(const Bytes& bytes);
absl::StatusOr<LeaderToReplica> DecodeLeaderToReplica(const Bytes& bytes);

}  // namespace quipu
