// The one line that tells a person at a terminal how far a command is.
#pragma once

#include <chrono>

#include "absl/strings/string_view.h"

namespace quipu::cli {

// Written to standard error over itself, and taken away at the end. Writes nothing when it is not
// wanted or standard error is no terminal. One thread.
class StatusLine {
 public:
  explicit StatusLine(bool wanted);
  ~StatusLine() { Clear(); }
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;

  // Whether Show would write now: it does so at most five times a second.
  [[nodiscard]] bool due() const { return shown_ && std::chrono::steady_clock::now() >= next_; }
  // At most what fits into the terminal's width is shown.
  void Show(absl::string_view text);
  // Takes the line away, so that something else can be printed.
  void Clear();

 private:
  const bool shown_;
  bool visible_ = false;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace quipu::cli
