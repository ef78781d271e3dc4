#include "runtime/grpc/completion.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace quipu {
namespace {

// Below this a copy is cheaper than a reference-counted slice and its own write vector entry.
constexpr size_t kCopyBelowBytes = 1024;

void ReleaseOwner(void* owner) { delete static_cast<std::shared_ptr<const void>*>(owner); }

grpc::Slice ShareSlice(const Bytes& bytes) {
  // gRPC takes a non-const pointer for any user memory and only reads it.
  return grpc::Slice(const_cast<char*>(bytes.data()), bytes.size(), &ReleaseOwner,
                     new std::shared_ptr<const void>(bytes.owner()));
}

}  // namespace

grpc::ByteBuffer ToByteBuffer(const ByteChain& slices) {
  std::vector<grpc::Slice> out;
  std::string small;
  const auto flush = [&] {
    if (!small.empty()) out.emplace_back(small);
    small.clear();
  };
  for (const Bytes& bytes : slices) {
    if (bytes.size() < kCopyBelowBytes) {
      small.append(bytes.data(), bytes.size());
      continue;
    }
    flush();
    out.push_back(ShareSlice(bytes));
  }
  flush();
  // A message without a field has no bytes, but it is a message.
  if (out.empty()) out.emplace_back();
  return grpc::ByteBuffer(out.data(), out.size());
}

absl::StatusOr<Bytes> ToBytes(const grpc::ByteBuffer& buffer) {
  auto slice = std::make_shared<grpc::Slice>();
  if (!buffer.TrySingleSlice(slice.get()).ok()) {
    const grpc::Status dumped = buffer.DumpToSingleSlice(slice.get());
    if (!dumped.ok()) {
      return absl::InternalError("cannot read a received message: " + dumped.error_message());
    }
  }
  const absl::string_view view(reinterpret_cast<const char*>(slice->begin()), slice->size());
  return Bytes(std::move(slice), view);
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()));
}

}  // namespace quipu
