#include "client/cli/records/interrupt.h"

#include <unistd.h>

#include <atomic>
#include <csignal>

namespace quipu::cli {
namespace {

std::atomic<int> g_signal{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may use it");

void OnSignal(int number) {
  int none = 0;
  if (g_signal.compare_exchange_strong(none, number)) return;
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

int InterruptSignal() { return g_signal.load(); }

int InterruptExitCode() {
  const int number = InterruptSignal();
  return number == 0 ? 0 : 128 + number;
}

}  // namespace quipu::cli
