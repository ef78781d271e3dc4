// What a completion queue's tags point to, and bytes across gRPC's border; for users of raw gRPC.
#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/byte_buffer.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/byte_chain.h"
#include "base/bytes.h"
#include "base/time.h"
#include "runtime/raw_stream.h"

namespace quipu {

// The tag of one kind of operation of one call.
class CompletionTag {
 public:
  virtual ~CompletionTag() = default;
  virtual void OnEvent(bool ok) = 0;
};

// A tag that calls a member function.
template <typename Owner>
class MemberTag final : public CompletionTag {
 public:
  MemberTag(Owner* owner, void (Owner::*method)(bool)) : owner_(owner), method_(method) {}
  void OnEvent(bool ok) override { (owner_->*method_)(ok); }

 private:
  Owner* owner_;
  void (Owner::*method_)(bool);
};

// Small slices are copied together, large ones keep their owner and are not copied.
grpc::ByteBuffer ToByteBuffer(const ByteChain& slices);
// Shares the memory of a message that lies in one piece; else copies once.
absl::StatusOr<Bytes> ToBytes(const grpc::ByteBuffer& buffer);

// gRPC's code numbers are Abseil's.
grpc::Status ToGrpcStatus(const absl::Status& status);

// Keepalive settings that both ends agree on: a dead peer is noticed within 15 s.
inline constexpr int kKeepaliveTimeMs = 10000;
inline constexpr int kKeepaliveTimeoutMs = 5000;
// Headers and trailers of a call; ours are far below.
inline constexpr int kMetadataBytesMax = 8192;

}  // namespace quipu
