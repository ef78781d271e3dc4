// What the processes of the chain tell each other, and what one has used.
#pragma once

#include <sys/resource.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>

#include "tests/bench/floor/raw_journal.h"

namespace quipu::floor {

// A position is eight bytes. There are so few that a socket's buffer always has room for one; one
// that has closed is found out by who reads from it.
inline void SendPosition(int connection, uint64_t position) {
  const ssize_t sent = ::send(connection, &position, sizeof position, MSG_NOSIGNAL);
  if (sent != sizeof position && errno != EPIPE && errno != ECONNRESET) Fail("send");
}

// The newest of those that have come, if any. False: the other end has closed.
inline bool ReceivePosition(int connection, uint64_t& position) {
  uint64_t told[65];
  const ssize_t received = ::recv(connection, told, sizeof told - sizeof told[0], MSG_DONTWAIT);
  if (received < 0 && errno == EAGAIN) return true;
  if (received <= 0) return false;
  auto bytes = static_cast<size_t>(received);
  if (const size_t part = bytes % sizeof told[0]; part != 0) {  // the rest is on its way
    const size_t rest = sizeof told[0] - part;
    const ssize_t got =
        ::recv(connection, reinterpret_cast<char*>(told) + bytes, rest, MSG_WAITALL);
    if (got != static_cast<ssize_t>(rest)) return false;
    bytes += rest;
  }
  position = told[bytes / sizeof told[0] - 1];
  return true;
}

inline double CpuSeconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

}  // namespace quipu::floor
