#include "core/kafka/frame_reader.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/big_endian.h"
#include "base/check.h"
#include "base/error_code.h"

namespace quipu::kafka {
namespace {

constexpr size_t kSizeBytes = 4;

// What the first bytes of a connection are, if they are another protocol's.
absl::string_view OtherProtocol(absl::string_view size_bytes) {
  if (absl::StartsWith(size_bytes, "\x16\x03")) return " (the client speaks TLS)";
  for (const absl::string_view method : {"GET ", "POST", "HEAD", "PUT ", "OPTI", "PRI "}) {
    if (size_bytes == method) return " (the client speaks HTTP)";
  }
  return "";
}

}  // namespace

absl::Span<char> FrameReader::Space() {
  if (failed_) return {};
  if (large_size_ == 0) return absl::MakeSpan(small_).subspan(small_end_);
  if (large_end_ == large_capacity_) GrowLarge();
  return {large_.get() + large_end_, large_capacity_ - large_end_};
}

absl::Status FrameReader::Commit(size_t size) {
  QUIPU_CHECK(!failed_);
  if (large_size_ == 0) {
    QUIPU_CHECK(size <= small_.size() - small_end_);
    small_end_ += size;
    return CutSmall();
  }
  QUIPU_CHECK(size <= large_capacity_ - large_end_);
  large_end_ += size;
  if (large_end_ < large_size_) return absl::OkStatus();
  const std::shared_ptr<char[]> owner = std::move(large_);
  ready_.emplace_back(owner, absl::string_view(owner.get(), large_size_));
  large_capacity_ = large_size_ = large_end_ = 0;
  return absl::OkStatus();
}

absl::Status FrameReader::CutSmall() {
  size_t begin = 0;
  while (small_end_ - begin >= kSizeBytes) {
    size_t size = 0;
    if (absl::Status status = CheckSize(small_.data() + begin, size); !status.ok()) {
      failed_ = true;
      return status;
    }
    const char* const data = small_.data() + begin + kSizeBytes;
    const size_t arrived = small_end_ - begin - kSizeBytes;
    if (arrived < size) {
      if (kSizeBytes + size <= small_.size()) break;
      BeginLarge(size, data, arrived);
      small_end_ = 0;
      return absl::OkStatus();
    }
    ready_.push_back(Bytes::CopyOf({data, size}));
    begin += kSizeBytes + size;
  }
  std::memmove(small_.data(), small_.data() + begin, small_end_ - begin);
  small_end_ -= begin;
  return absl::OkStatus();
}

absl::Status FrameReader::CheckSize(const char* data, size_t& size) const {
  const auto told = LoadBigEndian<int32_t>(data);
  if (told > 0 && static_cast<size_t>(told) <= frame_bytes_max_) {
    size = static_cast<size_t>(told);
    return absl::OkStatus();
  }
  return ToStatus(ErrorCode::kInvalidRequest,
                  absl::StrCat("a frame of ", told,
                               " bytes; from 1 to socket.request.max.bytes=", frame_bytes_max_,
                               " are allowed", OtherProtocol({data, kSizeBytes})));
}

void FrameReader::BeginLarge(size_t frame_size, const char* data, size_t size) {
  large_size_ = frame_size;
  large_capacity_ = std::min(frame_size, kFrameBytesTrusted);
  large_ = std::make_unique_for_overwrite<char[]>(large_capacity_);
  std::memcpy(large_.get(), data, size);
  large_end_ = size;
}

void FrameReader::GrowLarge() {
  const size_t capacity = std::min(large_size_, 2 * large_capacity_);
  QUIPU_CHECK(capacity > large_end_);
  auto grown = std::make_unique_for_overwrite<char[]>(capacity);
  std::memcpy(grown.get(), large_.get(), large_end_);
  large_ = std::move(grown);
  large_capacity_ = capacity;
}

bool FrameReader::Next(Bytes& frame) {
  if (ready_.empty()) return false;
  frame = std::move(ready_.front());
  ready_.pop_front();
  return true;
}

}  // namespace quipu::kafka
