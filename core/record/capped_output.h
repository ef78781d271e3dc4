// An output buffer with a cap, and the two refusals that the codecs share. Pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/error_code.h"

namespace quipu {

// What a fresh output buffer holds before it has to grow.
inline constexpr size_t kFirstOutputBytes = size_t{16} << 10;

// kCorruptMessage: the compressed data are not what their codec makes.
inline absl::Status BrokenData(absl::string_view what) {
  return ToStatus(ErrorCode::kCorruptMessage, what);
}
// kMessageTooLarge: more than the cap would come out.
inline absl::Status OutputTooLarge() {
  return ToStatus(ErrorCode::kMessageTooLarge, "the decompressed records exceed the limit");
}

// An output buffer that doubles up to a cap. One byte more than the cap is allowed, so that
// output of exactly the cap can be told from output that goes on. One owner.
class CappedOutput {
 public:
  explicit CappedOutput(size_t bytes_max) : bytes_max_(bytes_max) {}

  // Makes room at the end. False when the cap is passed.
  bool MakeRoom() {
    if (used_ > bytes_max_) return false;
    if (used_ == text_.size()) {
      text_.resize(std::min(bytes_max_ + 1, std::max(kFirstOutputBytes, 2 * text_.size())));
    }
    return true;
  }
  // Where the next bytes go, valid until MakeRoom, and how many fit there.
  [[nodiscard]] char* room() { return text_.data() + used_; }
  [[nodiscard]] size_t room_bytes() const { return text_.size() - used_; }
  // `bytes` of the room were written.
  void Advance(size_t bytes) { used_ += bytes; }
  [[nodiscard]] bool IsOverCap() const { return used_ > bytes_max_; }
  // What was written. The buffer is of no use afterwards.
  std::string Take() {
    text_.resize(used_);
    return std::move(text_);
  }

 private:
  size_t bytes_max_;
  size_t used_ = 0;
  std::string text_;
};

}  // namespace quipu
