// The sockets of one thread.
#pragma once

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <memory>

#include "absl/container/flat_hash_set.h"
#include "runtime/event_source.h"

namespace quipu {

class StreamConnection;

// An io_context that somebody's thread drives: ShardThread(name, loop). Handlers run on it. What is
// not said to be for any thread is for that one.
class SocketLoop final : public EventSource {
 public:
  void Poll() override;
  void Wait(std::optional<Instant> due) override;
  void Stop() override;
  void Wake() override;

  // Any thread.
  [[nodiscard]] asio::io_context& context() { return context_; }
  // Connections that Stop has to end. False: it has been.
  [[nodiscard]] bool Add(const std::shared_ptr<StreamConnection>& connection);
  void Remove(const std::shared_ptr<StreamConnection>& connection);

 private:
  asio::io_context context_{1};
  const asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
  absl::flat_hash_set<std::shared_ptr<StreamConnection>> connections_;
  bool stopped_ = false;
};

}  // namespace quipu
