#include "client/cli/records/interrupt.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <thread>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace quipu::cli {
namespace {

// How long after a signal a pause ends, at the latest.
constexpr std::chrono::milliseconds kPausePart(20);
// Marks a status as that of a verb that a signal has ended.
constexpr char kInterruptedUrl[] = "quipu.cli/interrupted";

std::atomic<int> g_signal{0};
std::atomic<void (*)()> g_last_words{nullptr};
static_assert(std::atomic<void (*)()>::is_always_lock_free, "a signal handler may use it");
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may use it");

void OnSignal(int number) {
  int none = 0;
  if (g_signal.compare_exchange_strong(none, number)) return;
  if (void (*last_words)() = g_last_words.load()) last_words();
  _exit(128 + number);
}

}  // namespace

void CatchInterrupts() {
  struct sigaction action{};
  action.sa_handler = OnSignal;
  sigemptyset(&action.sa_mask);
  for (const int number : {SIGINT, SIGTERM}) sigaction(number, &action, nullptr);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, nullptr);
}

void SetLastWords(void (*last_words)()) { g_last_words = last_words; }

int InterruptSignal() { return g_signal.load(); }

int InterruptExitCode() {
  const int number = InterruptSignal();
  return number == 0 ? 0 : 128 + number;
}

bool PauseUnlessInterrupted(std::chrono::nanoseconds duration) {
  const auto end = std::chrono::steady_clock::now() + duration;
  while (InterruptSignal() == 0) {
    const auto left = end - std::chrono::steady_clock::now();
    if (left <= std::chrono::nanoseconds(0)) return true;
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(left, kPausePart));
  }
  return false;
}

absl::Status Interrupted(absl::string_view what) {
  absl::Status status = absl::CancelledError(absl::StrCat("interrupted: ", what));
  status.SetPayload(kInterruptedUrl, absl::Cord());
  return status;
}

bool IsInterrupted(const absl::Status& status) {
  return status.GetPayload(kInterruptedUrl).has_value();
}

}  // namespace quipu::cli
