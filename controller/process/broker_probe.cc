#include "controller/process/broker_probe.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace quipu {
namespace {

bool IsRefused(const addrinfo& address, Duration timeout) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return false;
  int error = 0;
  if (connect(fd, address.ai_addr, address.ai_addrlen) != 0) error = errno;
  if (error == EINPROGRESS) {
    pollfd watched{.fd = fd, .events = POLLOUT, .revents = 0};
    error = ETIMEDOUT;
    if (poll(&watched, 1, static_cast<int>(ToMillis(timeout))) == 1) {
      socklen_t size = sizeof(error);
      if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    }
  }
  close(fd);
  return error == ECONNREFUSED;
}

}  // namespace

bool ConnectionIsRefused(const std::string& host, uint16_t port, Duration timeout) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return false;
  // Where a name has several addresses, each must refuse: one that does not may be the broker.
  bool refused = found != nullptr;
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    refused = refused && IsRefused(*address, timeout);
  }
  freeaddrinfo(found);
  return refused;
}

}  // namespace quipu
