// The frame that a connection is receiving; for runtime/socket only.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>

#include "absl/strings/string_view.h"
#include "base/big_endian.h"
#include "base/bytes.h"

namespace quipu {

// A 4-byte length, then a body in one piece, in room that grows with what has come: a length alone
// costs nothing. One owner.
class IncomingFrame {
 public:
  // Past its first room it has this much, then four times what it had, and all of it once an eighth
  // fits: a large frame is copied in part, and has room for eight times what has come at most.
  static constexpr size_t kLargeRoom = size_t{1} << 20;

  // Takes bytes of the length off the front of `bytes`. True: it is complete.
  bool TakeLength(absl::string_view& bytes) {
    const size_t part = std::min(length_.size() - length_got_, bytes.size());
    std::memcpy(length_.data() + length_got_, bytes.data(), part);
    length_got_ += part;
    bytes.remove_prefix(part);
    if (sized()) size_ = LoadBigEndian<uint32_t>(length_.data());
    return sized();
  }
  // A byte of it has come.
  [[nodiscard]] bool begun() const { return length_got_ > 0; }
  // Its length is complete.
  [[nodiscard]] bool sized() const { return length_got_ == length_.size(); }
  // ---- once it is sized; all 0 before ----
  // Of the body, as announced.
  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] size_t got() const { return got_; }
  [[nodiscard]] size_t missing() const { return size_ - got_; }
  [[nodiscard]] size_t room() const { return room_; }
  [[nodiscard]] size_t room_left() const { return room_ - got_; }
  [[nodiscard]] size_t next_room() const {
    const size_t more = std::max(kLargeRoom, 4 * room_);
    return 2 * more >= size_ && room_ >= kLargeRoom ? size_ : std::min(size_, more);
  }
  // Of `room`, at most size(); keeps what has come.
  void Grow(size_t room) {
    auto grown = std::make_shared_for_overwrite<char[]>(room);
    if (got_ > 0) std::memcpy(grown.get(), data_.get(), got_);
    data_ = std::move(grown);
    room_ = room;
  }
  // Where the next bytes go, up to room_left(); Advance says how many came.
  [[nodiscard]] char* end() const { return data_.get() + got_; }
  void Advance(size_t bytes) { got_ += bytes; }
  // Its body, when nothing is missing. Empty afterwards, for the next.
  Bytes Finish() {
    const char* data = data_.get();
    Bytes body(std::shared_ptr<const void>(std::move(data_)), {data, size_});
    *this = {};
    return body;
  }

 private:
  std::array<char, 4> length_{};
  size_t length_got_ = 0;
  size_t size_ = 0;
  std::shared_ptr<char[]> data_;
  size_t room_ = 0;
  size_t got_ = 0;
};

}  // namespace quipu
