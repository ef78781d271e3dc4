#include "runtime/socket/socket_loop.h"

#include <asio/post.hpp>
#include <chrono>

#include "runtime/socket/stream_connection.h"

namespace quipu {
namespace {

// Handlers in a row before the mailbox has its turn again.
constexpr int kHandlersPerPoll = 64;

}  // namespace

void SocketLoop::Poll() {
  for (int i = 0; i < kHandlersPerPoll && context_.poll_one() > 0; ++i) {
  }
}

void SocketLoop::Wait(std::optional<Instant> due) {
  if (due) {
    context_.run_one_until(std::chrono::steady_clock::time_point(
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(due->time_since_epoch())));
  } else {
    context_.run_one();
  }
  Poll();
}

void SocketLoop::Stop() {
  stopped_ = true;
  // One that ends leaves the set.
  const std::vector<std::shared_ptr<StreamConnection>> all(connections_.begin(),
                                                           connections_.end());
  for (const auto& connection : all) connection->Abandon();
  // Also what was to be begun, and what was waited for, is told that it is over.
  context_.poll();
}

bool SocketLoop::Add(const std::shared_ptr<StreamConnection>& connection) {
  if (!stopped_) connections_.insert(connection);
  return !stopped_;
}

void SocketLoop::Remove(const std::shared_ptr<StreamConnection>& connection) {
  connections_.erase(connection);
}

void SocketLoop::Wake() {
  asio::post(context_, [] {});
}

}  // namespace quipu
