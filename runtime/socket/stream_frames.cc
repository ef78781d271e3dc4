#include "runtime/socket/stream_frames.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/big_endian.h"
#include "base/check.h"

namespace quipu {
namespace {

constexpr absl::string_view kMagic = "Quipu";
constexpr uint8_t kVersion = 1;
constexpr uint32_t kLastBit = uint32_t{1} << 31;
constexpr size_t kEndTextMax = 1024;

}  // namespace

Bytes FrameHead(size_t size, bool last) {
  std::string head;
  AppendBigEndian(head, static_cast<uint32_t>(size) | (last ? kLastBit : 0));
  return Bytes(std::move(head));
}

std::string EncodeOpening(const StreamOpening& opening) {
  std::string frame = FrameHead(kOpeningBytes - kFrameHeadBytes).ToString();
  frame.append(kMagic.data(), kMagic.size());
  frame.push_back(static_cast<char>(kVersion));
  frame.push_back(static_cast<char>(opening.purpose));
  frame.push_back(static_cast<char>(opening.lane));
  return frame;
}

absl::StatusOr<StreamOpening> DecodeOpening(absl::string_view frame) {
  const std::string begin = EncodeOpening({}).substr(0, kFrameHeadBytes + kMagic.size());
  if (frame.size() != kOpeningBytes || !absl::StartsWith(frame, begin)) {
    return absl::InvalidArgumentError(
        "not a stream between brokers: the peer listener is for brokers of the cluster alone");
  }
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(frame[begin.size() + at]); };
  if (byte(0) != kVersion) {
    return absl::InvalidArgumentError(absl::StrCat("version ", byte(0),
                                                   " of streams between "
                                                   "brokers; this broker knows version ",
                                                   kVersion));
  }
  const auto purpose = static_cast<StreamPurpose>(byte(1));
  if (purpose != StreamPurpose::kFollow && purpose != StreamPurpose::kListOffsets) {
    return absl::InvalidArgumentError(absl::StrCat("a stream of unknown purpose ", byte(1)));
  }
  return StreamOpening{.purpose = purpose, .lane = byte(2)};
}

std::string EncodeEnd(const absl::Status& reason) {
  std::string body;
  body.push_back(static_cast<char>(reason.code()));
  const absl::string_view text = reason.message().substr(0, kEndTextMax);
  body.append(text.data(), text.size());
  return body;
}

absl::Status DecodeEnd(absl::string_view body) {
  if (body.empty()) return absl::UnknownError("the peer gives no reason");
  const auto code = static_cast<absl::StatusCode>(static_cast<uint8_t>(body.front()));
  if (code > absl::StatusCode::kUnauthenticated) return absl::UnknownError(body.substr(1));
  return absl::Status(code, body.substr(1));
}

std::span<char> FrameReader::Space() {
  if (large_) return {large_.get() + large_got_, large_size_ - large_got_};
  if (!chunk_ || filled_ == kChunkBytes) NewChunk();
  return {chunk_.get() + filled_, kChunkBytes - filled_};
}

void FrameReader::NewChunk() {
  const std::shared_ptr<char[]> before = std::move(chunk_);
  chunk_ = std::make_shared_for_overwrite<char[]>(kChunkBytes);
  const size_t rest = filled_ - parsed_;
  QUIPU_CHECK(rest < kChunkBytes);
  if (rest > 0) std::memcpy(chunk_.get(), before.get() + parsed_, rest);
  parsed_ = 0;
  filled_ = rest;
  shared_ = false;
}

void FrameReader::MakeRoom(size_t body_size, bool last) {
  if (kFrameHeadBytes + body_size <= kChunkBytes - parsed_) return;
  if (body_size < kChunkBytes / 2) {
    NewChunk();
    return;
  }
  const char* begun = chunk_.get() + parsed_ + kFrameHeadBytes;
  large_ = std::make_shared_for_overwrite<char[]>(body_size);
  large_size_ = body_size;
  large_got_ = filled_ - parsed_ - kFrameHeadBytes;
  large_last_ = last;
  std::memcpy(large_.get(), begun, large_got_);
  parsed_ = filled_;
}

absl::Status FrameReader::Took(size_t got,
                               absl::FunctionRef<absl::Status(Bytes body, bool last)> on_frame) {
  if (large_) {
    large_got_ += got;
    if (large_got_ < large_size_) return absl::OkStatus();
    const char* data = large_.get();
    return on_frame(Bytes(std::shared_ptr<const void>(std::move(large_)), {data, large_size_}),
                    large_last_);
  }
  filled_ += got;
  while (filled_ - parsed_ >= kFrameHeadBytes) {
    const uint32_t word = LoadBigEndian<uint32_t>(chunk_.get() + parsed_);
    const bool last = (word & kLastBit) != 0;
    const size_t size = word & ~kLastBit;
    if (size > body_bytes_max_) {
      return absl::InvalidArgumentError(
          absl::StrCat("a frame of ", size, " bytes; up to ", body_bytes_max_,
                       " are taken here: not this protocol, or a message that is too large"));
    }
    if (filled_ - parsed_ - kFrameHeadBytes < size) {
      MakeRoom(size, last);
      break;
    }
    const absl::string_view body{chunk_.get() + parsed_ + kFrameHeadBytes, size};
    parsed_ += kFrameHeadBytes + size;
    shared_ = shared_ || size > kCopiedBytesMax;
    const absl::Status taken =
        on_frame(size > kCopiedBytesMax ? Bytes(std::shared_ptr<const void>(chunk_), body)
                                        : Bytes::CopyOf(body),
                 last);
    if (!taken.ok()) return taken;
  }
  if (parsed_ == filled_ && !shared_) parsed_ = filled_ = 0;
  return absl::OkStatus();
}

}  // namespace quipu
