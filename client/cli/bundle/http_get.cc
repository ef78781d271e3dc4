#include "client/cli/bundle/http_get.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/error_code.h"
#include "base/status_macros.h"

namespace quipu::cli {
namespace {

using Clock = std::chrono::steady_clock;

// Without a code of ours, which HttpGet puts before the address.
absl::Status Failed(const std::string& what) { return absl::UnavailableError(what); }

// A socket that is closed at the end.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

  // Until it can be read or written, as `events` says.
  [[nodiscard]] absl::Status Await(int16_t events, Clock::time_point deadline) const {
    while (true) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
      if (left <= 0) return Failed("no answer in time");
      pollfd polled{.fd = fd_, .events = events, .revents = 0};
      const int ready = ::poll(&polled, 1, static_cast<int>(left));
      if (ready > 0) return absl::OkStatus();
      if (ready < 0 && errno != EINTR) return Failed(strerror(errno));
    }
  }

 private:
  const int fd_;
};

absl::Status Connect(const Socket& socket, const addrinfo& address, Clock::time_point deadline) {
  if (socket.fd() < 0) return Failed(strerror(errno));
  if (::connect(socket.fd(), address.ai_addr, address.ai_addrlen) == 0) return absl::OkStatus();
  if (errno != EINPROGRESS) return Failed(strerror(errno));
  QUIPU_RETURN_IF_ERROR(socket.Await(POLLOUT, deadline));
  int error = 0;
  socklen_t size = sizeof(error);
  if (::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  return error == 0 ? absl::OkStatus() : Failed(strerror(error));
}

absl::Status Send(const Socket& socket, absl::string_view request, Clock::time_point deadline) {
  while (!request.empty()) {
    QUIPU_RETURN_IF_ERROR(socket.Await(POLLOUT, deadline));
    const ssize_t sent = ::send(socket.fd(), request.data(), request.size(), MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (sent < 0) return Failed(strerror(errno));
    request.remove_prefix(static_cast<size_t>(sent));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Receive(const Socket& socket, size_t bytes_max,
                                    Clock::time_point deadline) {
  std::string answer;
  char buffer[64 << 10];
  while (true) {
    QUIPU_RETURN_IF_ERROR(socket.Await(POLLIN, deadline));
    const ssize_t got = ::recv(socket.fd(), buffer, sizeof(buffer), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got < 0) return Failed(strerror(errno));
    if (got == 0) return answer;
    answer.append(buffer, static_cast<size_t>(got));
    if (answer.size() > bytes_max) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the answer is longer than ", bytes_max, " bytes"));
    }
  }
}

// What `headers` promise; nullopt: nothing. Only who closes the connection knows then whether the
// answer is whole.
std::optional<uint64_t> LengthOf(absl::string_view headers) {
  constexpr absl::string_view kName = "content-length:";
  for (const absl::string_view line : absl::StrSplit(headers, "\r\n")) {
    uint64_t length = 0;
    if (absl::StartsWithIgnoreCase(line, kName) &&
        absl::SimpleAtoi(line.substr(kName.size()), &length)) {
      return length;
    }
  }
  return std::nullopt;
}

absl::StatusOr<std::string> BodyOf(const std::string& answer) {
  const size_t end = answer.find("\r\n\r\n");
  const std::string status = answer.substr(0, answer.find("\r\n"));
  if (end == std::string::npos || !absl::StartsWith(status, "HTTP/1.")) {
    return Failed("the answer is no HTTP");
  }
  const size_t code = status.find(' ');
  if (code == std::string::npos || status.substr(code + 1, 3) != "200") {
    return Failed(absl::StrCat("the answer is ", status.substr(0, 100)));
  }
  std::string body = answer.substr(end + 4);
  const std::optional<uint64_t> length = LengthOf(answer.substr(0, end + 2));
  if (length && *length != body.size()) {
    return Failed(absl::StrCat("the answer has ", body.size(), " bytes instead of ", *length));
  }
  return body;
}

absl::StatusOr<std::string> GetFrom(const addrinfo& address, const std::string& request,
                                    size_t bytes_max, Clock::time_point deadline) {
  const Socket socket(::socket(
      address.ai_family, address.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address.ai_protocol));
  QUIPU_RETURN_IF_ERROR(Connect(socket, address, deadline));
  QUIPU_RETURN_IF_ERROR(Send(socket, request, deadline));
  QUIPU_ASSIGN_OR_RETURN(const std::string answer, Receive(socket, bytes_max, deadline));
  return BodyOf(answer);
}

}  // namespace

absl::StatusOr<std::string> HttpGet(const std::string& host, uint16_t port, const std::string& path,
                                    Duration timeout, size_t bytes_max) {
  const Clock::time_point deadline =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(timeout);
  const std::string where = absl::StrCat(host, ":", port);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int known = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (known != 0) {
    return ToStatus(ErrorCode::kNotConnected, absl::StrCat(where, ": ", ::gai_strerror(known)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  const std::string request = absl::StrCat("GET ", path, " HTTP/1.0\r\nHost: ", where, "\r\n\r\n");
  absl::StatusOr<std::string> body = Failed("the name has no address");
  for (const addrinfo* address = found; address != nullptr && !body.ok();
       address = address->ai_next) {
    body = GetFrom(*address, request, bytes_max, deadline);
  }
  if (body.ok()) return body;
  return ToStatus(absl::IsResourceExhausted(body.status()) ? ErrorCode::kLimitReached
                                                           : ErrorCode::kNotConnected,
                  absl::StrCat(where, ": ", body.status().message()));
}

}  // namespace quipu::cli
