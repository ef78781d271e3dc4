#include "client/cli/measure/status_line.h"

#include <unistd.h>

#include <cstdio>
#include <string>

#include "client/cli/measure/terminal.h"

namespace quipu::cli {
namespace {

constexpr std::chrono::milliseconds kPause(200);

}  // namespace

StatusLine::StatusLine(bool wanted) : shown_(wanted && isatty(STDERR_FILENO) != 0) {}

void StatusLine::Show(absl::string_view text) {
  if (!due()) return;
  next_ = std::chrono::steady_clock::now() + kPause;
  visible_ = true;
  // The last column stays free: what is written there makes some terminals begin a new line.
  const std::string fits(text.substr(0, SizeOfTerminal(STDERR_FILENO).columns - 1));
  std::fprintf(stderr, "\r%s\x1b[K", fits.c_str());
  std::fflush(stderr);
}

void StatusLine::Clear() {
  if (!visible_) return;
  visible_ = false;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
}

}  // namespace quipu::cli
