// The terminal that a command runs in.
#pragma once

#include <termios.h>

#include <chrono>
#include <cstddef>

namespace quipu::cli {

struct TerminalSize {
  size_t columns = 80;
  size_t rows = 24;
  friend bool operator==(const TerminalSize&, const TerminalSize&) = default;
};
// Of the terminal behind `descriptor`; the default where it tells none.
TerminalSize SizeOfTerminal(int descriptor);

// A screen that is drawn over and over, and keys that are read without Enter and not shown: from
// its construction, in the terminal's other screen, until its destruction, or until a second signal
// ends the process (see CatchInterrupts). After that the terminal is as it was. One at a time, one
// thread.
class FullScreen {
 public:
  // Standard input and output are the terminal; where input is none, no keys are read.
  FullScreen();
  ~FullScreen();
  FullScreen(const FullScreen&) = delete;
  FullScreen& operator=(const FullScreen&) = delete;

  enum class Woken { kTime, kQuit, kResized, kSignal };
  // Waits: for `duration`, for q (or the end of the input), for another size of the terminal, or
  // for a signal.
  Woken Wait(std::chrono::milliseconds duration);
  [[nodiscard]] TerminalSize size() const { return size_; }

 private:
  bool ReadQuit();

  bool reads_keys_;
  TerminalSize size_;
};

}  // namespace quipu::cli
