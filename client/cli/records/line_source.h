// Lines of standard input or of a file.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quipu::cli {

// A longer line is refused: no record could carry it (max.message.bytes is at most 8 MiB), and an
// input without line ends must not fill the memory.
inline constexpr size_t kInputLineBytesMax = size_t{16} << 20;

// Reads lines, and never sleeps in a read for longer than it takes to ask whether to stop. One
// thread.
class LineSource {
 public:
  // `path` empty or "-": standard input. `stop` is asked between reads and while there is nothing
  // to read; once it says true the source is at its end. kStorageError when the file cannot be
  // opened.
  static absl::StatusOr<LineSource> Open(const std::string& path, std::function<bool()> stop);
  // Reads from an open descriptor, which stays the caller's.
  LineSource(int descriptor, std::function<bool()> stop)
      : descriptor_(descriptor), owned_(false), stop_(std::move(stop)) {}
  ~LineSource();
  LineSource(LineSource&& other) noexcept;
  LineSource(const LineSource&) = delete;
  LineSource& operator=(const LineSource&) = delete;
  LineSource& operator=(LineSource&&) = delete;

  // The next line without its end (\n, or \r\n); the last one may lack it. False at the end. When
  // stopped, what was read of an unfinished line is dropped.
  //   kInvalidRecord  longer than kInputLineBytesMax
  //   kStorageError   cannot be read
  absl::StatusOr<bool> Next(std::string& line);
  // Number of the line that Next gave last, from 1.
  [[nodiscard]] uint64_t line() const { return line_; }
  // `stop` has ended it.
  [[nodiscard]] bool stopped() const { return stopped_; }

 private:
  absl::Status Fill();

  int descriptor_;
  bool owned_;
  std::function<bool()> stop_;
  std::string buffer_;
  size_t at_ = 0;  // in buffer_: the first byte not given out
  uint64_t line_ = 0;
  bool at_end_ = false;
  bool stopped_ = false;
};

}  // namespace quipu::cli
