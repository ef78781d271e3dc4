// A TCP server of one connection.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>

namespace quipu::cli {

// Takes one connection, reads the request, says `answer`, and closes; without one it only waits for
// the other end to close.
class OneAnswer {
 public:
  explicit OneAnswer(std::string answer) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(fd_, plain, size), 0);
    EXPECT_EQ(listen(fd_, 1), 0);
    EXPECT_EQ(getsockname(fd_, plain, &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, answer = std::move(answer)] {
      const int peer = accept(fd_, nullptr, nullptr);
      char buffer[4096];
      const ssize_t got = read(peer, buffer, sizeof(buffer));
      request_.assign(buffer, static_cast<size_t>(std::max<ssize_t>(got, 0)));
      if (answer.empty()) {
        while (read(peer, buffer, sizeof(buffer)) > 0) {
        }
      } else {
        (void)send(peer, answer.data(), answer.size(), MSG_NOSIGNAL);
      }
      close(peer);
    });
  }
  ~OneAnswer() {
    if (thread_.joinable()) thread_.join();
    close(fd_);
  }
  // Waits until the connection has ended.
  void Join() { thread_.join(); }
  [[nodiscard]] uint16_t port() const { return port_; }
  [[nodiscard]] const std::string& request() const { return request_; }

 private:
  const int fd_;
  uint16_t port_ = 0;
  std::string request_;
  std::thread thread_;
};

}  // namespace quipu::cli
