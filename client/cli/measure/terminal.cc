#include "client/cli/measure/terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "client/cli/records/interrupt.h"

namespace quipu::cli {
namespace {

constexpr std::chrono::milliseconds kLookEvery(50);
constexpr char kEnter[] = "\x1b[?1049h\x1b[?25l";  // the other screen, no cursor
constexpr char kLeave[] = "\x1b[?25h\x1b[?1049l";

// As it was before FullScreen. For Restore, which a signal handler may run.
termios g_before;
volatile bool g_changed_input = false;

void WriteOut(const char* text, size_t bytes) {
  // There is nobody to tell of a failure: the terminal itself is gone.
  [[maybe_unused]] const ssize_t written = write(STDOUT_FILENO, text, bytes);
}

void Restore() {
  WriteOut(kLeave, sizeof(kLeave) - 1);
  if (g_changed_input) tcsetattr(STDIN_FILENO, TCSANOW, &g_before);
}

}  // namespace

TerminalSize SizeOfTerminal(int descriptor) {
  TerminalSize size;
  winsize told{};
  if (ioctl(descriptor, TIOCGWINSZ, &told) != 0) return size;
  if (told.ws_col > 0) size.columns = told.ws_col;
  if (told.ws_row > 0) size.rows = told.ws_row;
  return size;
}

FullScreen::FullScreen()
    : reads_keys_(isatty(STDIN_FILENO) != 0 && tcgetattr(STDIN_FILENO, &g_before) == 0),
      size_(SizeOfTerminal(STDOUT_FILENO)) {
  if (reads_keys_) {
    termios now = g_before;
    now.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);  // Ctrl-C stays a signal
    now.c_cc[VMIN] = 0;
    now.c_cc[VTIME] = 0;
    g_changed_input = true;
    tcsetattr(STDIN_FILENO, TCSANOW, &now);
  }
  SetLastWords(Restore);
  WriteOut(kEnter, sizeof(kEnter) - 1);
}

FullScreen::~FullScreen() {
  Restore();
  g_changed_input = false;
  SetLastWords(nullptr);
}

bool FullScreen::ReadQuit() {
  char key = 0;
  const ssize_t bytes = read(STDIN_FILENO, &key, 1);
  // Readable and without a byte: the terminal has hung up.
  return bytes <= 0 || key == 'q' || key == 'Q';
}

FullScreen::Woken FullScreen::Wait(std::chrono::milliseconds duration) {
  const auto end = std::chrono::steady_clock::now() + duration;
  while (InterruptSignal() == 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    if (left <= std::chrono::milliseconds(0)) return Woken::kTime;
    const TerminalSize size = SizeOfTerminal(STDOUT_FILENO);
    if (!(size == size_)) {
      size_ = size;
      return Woken::kResized;
    }
    const auto wait = static_cast<int>(std::min(left, kLookEvery).count());
    pollfd input{.fd = reads_keys_ ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0};
    if (poll(&input, 1, wait) > 0 && ReadQuit()) return Woken::kQuit;
  }
  return Woken::kSignal;
}

}  // namespace quipu::cli
