// A frame server whose answers a test gives, and a peer of it: a blocking socket.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/big_endian.h"
#include "runtime/socket/frame_server.h"

namespace quipu {

inline std::string Frame(absl::string_view body) {
  std::string frame;
  AppendBigEndian(frame, static_cast<uint32_t>(body.size()));
  absl::StrAppend(&frame, body);
  return frame;
}

// The length apart from the body, so that answers have several slices.
inline ByteChain Framed(const Bytes& body) {
  std::string length;
  AppendBigEndian(length, static_cast<uint32_t>(body.size()));
  return {Bytes(std::move(length)), body};
}

// A blocking client socket; reads give up after ten seconds.
class Peer {
 public:
  explicit Peer(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    timeval wait{.tv_sec = 10, .tv_usec = 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Peer() { ::close(socket_); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  [[nodiscard]] bool connected() const { return connected_; }
  bool Send(absl::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  // Its end will be told as an error.
  void Reset() const {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  void EndHalf() const { ::shutdown(socket_, SHUT_WR); }
  // The body of the next frame; nullopt at the end of the connection.
  [[nodiscard]] std::optional<std::string> Next() const {
    const std::optional<std::string> length = Read(4);
    if (!length) return std::nullopt;
    return Read(LoadBigEndian<uint32_t>(length->data()));
  }
  // Whether the server has ended the connection, within ten seconds.
  [[nodiscard]] bool Ended() const {
    char byte = 0;
    const ssize_t got = ::recv(socket_, &byte, 1, 0);
    return got == 0 || (got < 0 && errno == ECONNRESET);
  }
  // So many bytes; nullopt when the connection ends first.
  [[nodiscard]] std::optional<std::string> Read(size_t size) const {
    std::string bytes(size, '\0');
    for (size_t got = 0; got < size;) {
      const ssize_t part = ::recv(socket_, bytes.data() + got, size - got, 0);
      if (part <= 0) return std::nullopt;
      got += static_cast<size_t>(part);
    }
    return bytes;
  }

 private:
  const int socket_;
  bool connected_ = false;
};

// Keeps what came in, and answers by itself ("echo") or when it is told to.
class Server {
 public:
  explicit Server(const FrameServerOptions& options = {}, bool echo = true)
      : server_(options, [this, echo](std::shared_ptr<FrameConnection> connection) {
          return Handler(std::move(connection), echo);
        }) {
    EXPECT_TRUE(server_.Bind().ok());
    server_.Serve();
  }

  [[nodiscard]] uint16_t port() const { return server_.port(); }
  FrameServer& server() { return server_; }
  struct Asked {
    std::shared_ptr<FrameConnection> connection;
    uint64_t number = 0;
    Bytes frame;
  };
  std::vector<Asked> AwaitAsked(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(10), [&] { return asked_.size() >= count; });
    return asked_;
  }
  size_t asked() {
    const std::lock_guard lock(mutex_);
    return asked_.size();
  }
  bool AwaitClosed(size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return closed_ >= count; });
  }

 private:
  FrameHandler Handler(std::shared_ptr<FrameConnection> connection, bool echo) {
    return {.on_frame =
                [this, connection, echo](uint64_t number, Bytes frame) {
                  if (frame.view() == "refuse me") return absl::InvalidArgumentError("refused");
                  if (echo) connection->Answer(number, Framed(frame));
                  const std::lock_guard lock(mutex_);
                  asked_.push_back({connection, number, std::move(frame)});
                  changed_.notify_all();
                  return absl::OkStatus();
                },
            .on_closed =
                [this] {
                  const std::lock_guard lock(mutex_);
                  ++closed_;
                  changed_.notify_all();
                }};
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Asked> asked_;
  size_t closed_ = 0;
  FrameServer server_;
};

template <typename Condition>
bool Eventually(Condition condition) {
  for (int i = 0; i < 2000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

}  // namespace quipu
