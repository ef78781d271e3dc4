// Cuts what a socket delivers into frames: four bytes of size, then so many bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/bytes.h"

namespace quipu::kafka {

// Small frames pass through a small buffer, so that one read takes in several; of a larger one all
// but the beginning is read to where it stays, and what is decoded from it are slices of that.
// Memory follows what has arrived: beyond kFrameBytesTrusted no size is believed that a few bytes
// claim. One owner.
class FrameReader {
 public:
  // Frames up to this size get their memory at once; nobody touches it before bytes arrive.
  static constexpr size_t kFrameBytesTrusted = size_t{1} << 20U;
  static constexpr size_t kSmallBytes = 2048;

  // `frame_bytes_max`: socket.request.max.bytes; a frame of just that size is taken.
  explicit FrameReader(size_t frame_bytes_max) : frame_bytes_max_(frame_bytes_max) {}

  // Where the next bytes of the socket go; never empty, except after an error. Valid until the next
  // call of Commit.
  absl::Span<char> Space();
  // The first `size` bytes of Space() have arrived. kInvalidRequest, naming the size, when a frame
  // is longer than allowed, or has not even one byte; the reader then takes nothing more.
  absl::Status Commit(size_t size);
  // The next frame without its size; false: none is complete.
  bool Next(Bytes& frame);
  [[nodiscard]] bool has_frame() const { return !ready_.empty(); }

  // Memory of the frame that is arriving, if it is not a small one.
  [[nodiscard]] size_t arriving_bytes() const { return large_capacity_; }
  // Whether a frame has begun and is not complete: an end of the stream now cuts it.
  [[nodiscard]] bool in_frame() const { return large_size_ > 0 || small_end_ > 0; }

 private:
  // Takes the frames that are complete in the small buffer, and moves the rest to its front.
  absl::Status CutSmall();
  // The size of the frame that begins at `data`, four bytes.
  absl::Status CheckSize(const char* data, size_t& size) const;
  // Begins a frame of which `size` bytes are in the small buffer at `data`.
  void BeginLarge(size_t frame_size, const char* data, size_t size);
  void GrowLarge();

  size_t frame_bytes_max_;
  bool failed_ = false;
  std::array<char, kSmallBytes> small_{};
  size_t small_end_ = 0;
  // The frame that is too large for small_: its memory, its size, how much of it has arrived.
  std::unique_ptr<char[]> large_;
  size_t large_capacity_ = 0;
  size_t large_size_ = 0;
  size_t large_end_ = 0;
  std::deque<Bytes> ready_;
};

}  // namespace quipu::kafka
