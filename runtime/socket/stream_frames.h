// How a stream of messages lies on a TCP connection (docs/architecture.md, peer listener).
//
//   frame    length u32 (big-endian), body; the length's highest bit: the last frame, its body is
//            the reason of the end: status code u8, text
//   stream   the opener's first frame is the opening: "Quipu", version u8, purpose u8, lane u8
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/byte_chain.h"
#include "base/bytes.h"

namespace quipu {

// What a stream is for.
enum class StreamPurpose : uint8_t { kFollow = 1, kListOffsets = 2 };

// The first frame of a stream.
struct StreamOpening {
  StreamPurpose purpose = StreamPurpose::kFollow;
  // Streams of one lane are served by one thread: the shard that opens it.
  uint8_t lane = 0;
  friend bool operator==(const StreamOpening&, const StreamOpening&) = default;
};

inline constexpr size_t kFrameHeadBytes = 4;
inline constexpr size_t kOpeningBytes = kFrameHeadBytes + 8;

// The head of a frame whose body has `size` bytes.
Bytes FrameHead(size_t size, bool last = false);
// The first frame, with its head: kOpeningBytes.
std::string EncodeOpening(const StreamOpening& opening);
// INVALID_ARGUMENT: not this protocol, or a version or purpose that is not known here.
absl::StatusOr<StreamOpening> DecodeOpening(absl::string_view frame);
// Body of the last frame.
std::string EncodeEnd(const absl::Status& reason);
absl::Status DecodeEnd(absl::string_view body);

// Cuts what is read from a connection into frames. Small bodies are copied, others share the memory
// that they were read to: large ones have their own, so that no byte of them is moved twice.
// One owner.
class FrameReader {
 public:
  static constexpr size_t kChunkBytes = size_t{64} << 10;
  static constexpr size_t kCopiedBytesMax = 1024;
  // Up to here bodies are read to the chunk: no memory is taken because a length says so (PR9).
  static constexpr size_t kUntrustedBodyBytesMax = kChunkBytes / 2 - 1;

  explicit FrameReader(size_t body_bytes_max) : body_bytes_max_(body_bytes_max) {}
  // Of the frames behind the one that is handed out.
  void set_body_bytes_max(size_t bytes) { body_bytes_max_ = bytes; }

  // Where to read to next; never empty. Valid until Took.
  std::span<char> Space();
  // `got` bytes were put there. Hands out every frame that is whole. An error of `on_frame`, or
  // INVALID_ARGUMENT for a body that is too large, ends it: nothing may be read afterwards.
  absl::Status Took(size_t got, absl::FunctionRef<absl::Status(Bytes body, bool last)> on_frame);

 private:
  // The frame that begins at parsed_ is not whole: makes room for the rest of it.
  void MakeRoom(size_t body_size, bool last);
  void NewChunk();

  size_t body_bytes_max_;
  std::shared_ptr<char[]> chunk_;
  size_t filled_ = 0;
  size_t parsed_ = 0;
  bool shared_ = false;            // somebody may hold a part of chunk_
  std::shared_ptr<char[]> large_;  // a body of its own
  size_t large_size_ = 0;
  size_t large_got_ = 0;
  bool large_last_ = false;
};

}  // namespace quipu
