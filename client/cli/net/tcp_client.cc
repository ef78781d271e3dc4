#include "client/cli/net/tcp_client.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "base/status_macros.h"

namespace quipu::cli {
namespace {

absl::Status Failed(const char* why) { return absl::UnavailableError(why); }

}  // namespace

absl::StatusOr<TcpClient> TcpClient::Connect(const std::string& host, uint16_t port,
                                             Clock::time_point deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int known = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (known != 0) return Failed(::gai_strerror(known));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  absl::Status why = Failed("the name has no address");
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    TcpClient client(
        ::socket(at->ai_family, at->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, at->ai_protocol),
        deadline);
    int error = 0;
    if (client.fd_ < 0 || ::connect(client.fd_, at->ai_addr, at->ai_addrlen) != 0) error = errno;
    if (client.fd_ >= 0 && error == EINPROGRESS) {
      why = client.Await(POLLOUT);
      if (!why.ok()) continue;
      socklen_t size = sizeof(error);
      if (::getsockopt(client.fd_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    }
    if (error == 0) return client;
    why = Failed(strerror(error));
  }
  return why;
}

TcpClient::~TcpClient() {
  if (fd_ >= 0) ::close(fd_);
}

TcpClient::TcpClient(TcpClient&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), deadline_(other.deadline_) {}

absl::Status TcpClient::Await(int16_t events) const {
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
    if (left <= 0) return Failed("no answer in time");
    pollfd polled{.fd = fd_, .events = events, .revents = 0};
    const int ready = ::poll(&polled, 1, static_cast<int>(left));
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) return Failed(strerror(errno));
  }
}

absl::Status TcpClient::Send(absl::string_view bytes) {
  while (!bytes.empty()) {
    QUIPU_RETURN_IF_ERROR(Await(POLLOUT));
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (sent < 0) return Failed(strerror(errno));
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> TcpClient::Receive(std::string& out) {
  char buffer[64 << 10];
  while (true) {
    QUIPU_RETURN_IF_ERROR(Await(POLLIN));
    const ssize_t got = ::recv(fd_, buffer, sizeof(buffer), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got < 0) return Failed(strerror(errno));
    out.append(buffer, static_cast<size_t>(got));
    return got > 0;
  }
}

}  // namespace quipu::cli
