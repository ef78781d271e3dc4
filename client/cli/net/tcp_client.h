// A TCP connection for one question and its answer.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quipu::cli {

// Errors are kUnavailable with the reason alone, for who knows the address. Blocks until the
// deadline at most (looking the name up has the system's own). One owner.
class TcpClient {
 public:
  using Clock = std::chrono::steady_clock;

  // To the first address of `host` that takes the connection.
  static absl::StatusOr<TcpClient> Connect(const std::string& host, uint16_t port,
                                           Clock::time_point deadline);
  ~TcpClient();
  TcpClient(TcpClient&& other) noexcept;
  TcpClient& operator=(TcpClient&&) = delete;

  [[nodiscard]] absl::Status Send(absl::string_view bytes);
  // Adds what has come to `out`. False: the peer sends nothing more.
  [[nodiscard]] absl::StatusOr<bool> Receive(std::string& out);

 private:
  TcpClient(int fd, Clock::time_point deadline) : fd_(fd), deadline_(deadline) {}
  // Until it can be read or written, as `events` says.
  [[nodiscard]] absl::Status Await(int16_t events) const;

  int fd_;
  const Clock::time_point deadline_;
};

}  // namespace quipu::cli
