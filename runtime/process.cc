#include "runtime/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/error_code.h"
#include "base/logging.h"

namespace quipu {
namespace {

sigset_t TerminationSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

}  // namespace

void BlockTerminationSignals() {
  const sigset_t set = TerminationSignals();
  QUIPU_CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  QUIPU_CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
}

std::string AwaitTerminationSignal() {
  for (;;) {
    if (auto name = TerminationSignalWithin(std::chrono::seconds(5))) return *std::move(name);
  }
}

std::optional<std::string> TerminationSignalWithin(Duration timeout) {
  const sigset_t set = TerminationSignals();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
  const timespec pause{.tv_sec = seconds.count(),
                       .tv_nsec = std::chrono::nanoseconds(timeout - seconds).count()};
  const int number = sigtimedwait(&set, nullptr, &pause);
  if (number >= 0) return number == SIGTERM ? "SIGTERM" : "SIGINT";
  QUIPU_CHECK(errno == EAGAIN || errno == EINTR);
  LogSuppressedLines(false);  // also when nothing else is logged
  return std::nullopt;
}

void RequestTermination() { QUIPU_CHECK(kill(getpid(), SIGTERM) == 0); }

absl::Status WriteListenersFile(const std::string& path,
                                const std::vector<std::pair<std::string, std::string>>& endpoints) {
  std::string text;
  for (const auto& [name, endpoint] : endpoints) absl::StrAppend(&text, name, "=", endpoint, "\n");
  const std::string temporary = absl::StrCat(path, ".", getpid());
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  bool good = fd >= 0;
  if (good) {
    good = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    close(fd);
  }
  good = good && rename(temporary.c_str(), path.c_str()) == 0;
  if (good) return absl::OkStatus();
  return ToStatus(ErrorCode::kInvalidConfig,
                  absl::StrCat("cannot write listeners.file=", path, ": ", std::strerror(errno)));
}

void EndProcessNow(const std::string& reason) {
  LogLastWords("process.stopped", {{"reason", reason}});
  std::_Exit(static_cast<int>(ExitCode::kFailure));
}

void WarnOfPlaintext() {
  LogWarn("config.unsafe", {{"key", "quipu.unsafe.plaintext.network"},
                            {"meaning", "nothing is encrypted, authenticated or authorised"}});
}

uint64_t SystemRandomSeed() {
  uint64_t seed = 0;
  ssize_t n = -1;
  while ((n = getrandom(&seed, sizeof(seed), 0)) < 0 && errno == EINTR) {
  }
  QUIPU_CHECK(n == static_cast<ssize_t>(sizeof(seed)));
  return seed;
}

bool IsLoopbackHost(const std::string& host) {
  if (host == "localhost") return true;
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24U) == 127;
  in6_addr v6{};
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool IsWildcardHost(const std::string& host) {
  if (host.empty() || host == "*") return true;
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return v4.s_addr == INADDR_ANY;
  in6_addr v6{};
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_UNSPECIFIED(&v6);
}

}  // namespace quipu
