#include "runtime/socket/frame_server.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <condition_variable>
#include <future>
#include <map>
#include <thread>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/logging.h"
#include "runtime/shard_thread.h"
#include "runtime/socket/listen.h"
#include "runtime/socket/socket_connection.h"

namespace quipu {
namespace {

constexpr Duration kIdleCheck = std::chrono::seconds(1);
// Before the next try when the process has no file descriptor left.
constexpr Duration kAcceptRetry = std::chrono::milliseconds(100);

}  // namespace

struct FrameServer::Parts {
  // A thread with the connections that belong to it.
  struct Loop {
    std::shared_ptr<asio::io_context> context = std::make_shared<asio::io_context>(1);
    asio::executor_work_guard<asio::io_context::executor_type> work{context->get_executor()};
    asio::steady_timer timer{*context};
    absl::flat_hash_set<std::shared_ptr<SocketConnection>> connections;
    bool draining = false;
    bool ended = false;  // nothing is timed any more
    std::thread thread;
  };

  Parts(FrameServerOptions options, FrameAcceptor given)
      : shared(std::make_shared<FrameServerShared>(std::move(options))),
        acceptor(std::move(given)) {
    for (size_t i = 0; i < std::max<size_t>(1, shared->options.threads); ++i) {
      loops.push_back(std::make_unique<Loop>());
    }
  }

  void Run(size_t index);
  void AcceptNext();
  void OnAccepted(std::error_code error, asio::ip::tcp::socket socket);
  // Counts the connection; false: there are too many.
  bool Admit(const std::string& host);
  void Forget(const std::string& host);
  // An admitted connection that cannot be served.
  void Refuse(std::error_code error, const std::string& host);
  void Open(size_t index, asio::ip::tcp::socket socket, const std::string& host);
  void CheckIdle(size_t index);

  const std::shared_ptr<FrameServerShared> shared;
  const FrameAcceptor acceptor;
  std::vector<std::unique_ptr<Loop>> loops;
  std::unique_ptr<asio::ip::tcp::acceptor> listening;
  std::unique_ptr<asio::steady_timer> accept_timer;
  size_t next_loop = 0;
  uint16_t port = 0;

  mutable std::mutex mutex;
  std::map<std::string, size_t> by_host;
  std::condition_variable none_open;
  size_t open = 0;
};

void FrameServer::Parts::Run(size_t index) {
  const std::string name = absl::StrCat(shared->options.name, "-", index).substr(0, 15);
  pthread_setname_np(pthread_self(), name.c_str());
  CheckIdle(index);
  loops[index]->context->run();
}

void FrameServer::Parts::CheckIdle(size_t index) {
  Loop& loop = *loops[index];
  const Instant now = ReadClocks().mono;
  // A connection that ends leaves the set.
  const std::vector<std::shared_ptr<SocketConnection>> all(loop.connections.begin(),
                                                           loop.connections.end());
  for (const auto& connection : all) connection->CheckIdle(now);
  loop.timer.expires_after(kIdleCheck);
  loop.timer.async_wait([this, index](std::error_code error) {
    // A timer that had rung already could not be cancelled any more.
    if (!error && !loops[index]->ended) CheckIdle(index);
  });
}

// ---- accepting -------------------------------------------------------------------------------

void FrameServer::Parts::AcceptNext() {
  listening->async_accept([this](std::error_code error, asio::ip::tcp::socket socket) {
    OnAccepted(error, std::move(socket));
  });
}

void FrameServer::Parts::OnAccepted(std::error_code error, asio::ip::tcp::socket socket) {
  if (error == asio::error::operation_aborted || !listening->is_open()) return;
  if (error) {
    LogWarn("listener.accept_failed",
            {{"listener", shared->options.name}, {"error", error.message()}});
    accept_timer->expires_after(kAcceptRetry);
    accept_timer->async_wait([this](std::error_code stopped) {
      if (!stopped) AcceptNext();
    });
    return;
  }
  std::error_code gone;
  const auto endpoint = socket.remote_endpoint(gone);
  if (!gone) {
    const std::string host = endpoint.address().to_string();
    if (Admit(host)) {
      const size_t index = next_loop++ % loops.size();
      // The socket moves to the thread that it will belong to.
      const auto protocol = endpoint.protocol();
      const auto native = socket.release();
      asio::post(*loops[index]->context, [this, index, protocol, native, host] {
        std::error_code failed;
        asio::ip::tcp::socket moved(*loops[index]->context);
        moved.assign(protocol, native, failed);
        if (failed) {
          Refuse(failed, host);
          ::close(native);
        } else {
          ++shared->accepted;
          Open(index, std::move(moved), host);
        }
      });
    } else {
      ++shared->refused;
      LogWarn("listener.too_many_connections",
              {{"listener", shared->options.name}, {"peer", host}});
    }
  }
  AcceptNext();
}

bool FrameServer::Parts::Admit(const std::string& host) {
  const std::lock_guard<std::mutex> lock(mutex);
  size_t& count = by_host[host];
  if (open >= shared->options.connections_max || count >= shared->options.connections_per_ip_max) {
    if (count == 0) by_host.erase(host);
    return false;
  }
  ++count;
  ++open;
  return true;
}

void FrameServer::Parts::Forget(const std::string& host) {
  const std::lock_guard<std::mutex> lock(mutex);
  const auto it = by_host.find(host);
  QUIPU_CHECK(it != by_host.end());
  if (--it->second == 0) by_host.erase(it);
  if (--open == 0) none_open.notify_all();
}

void FrameServer::Parts::Refuse(std::error_code error, const std::string& host) {
  ++shared->refused;
  LogWarn("listener.accept_failed",
          {{"listener", shared->options.name}, {"peer", host}, {"error", error.message()}});
  Forget(host);
}

void FrameServer::Parts::Open(size_t index, asio::ip::tcp::socket socket, const std::string& host) {
  Loop& loop = *loops[index];
  auto connection = std::make_shared<SocketConnection>(
      shared, loop.context, std::move(socket), [this, &loop, host](SocketConnection* gone) {
        Forget(host);
        // Kept until the caller, one of its own methods, has returned.
        asio::post(*loop.context,
                   [&loop, kept = gone->shared_from_this()] { loop.connections.erase(kept); });
      });
  loop.connections.insert(connection);
  connection->Start(acceptor);
  if (loop.draining) connection->Drain();
}

// ---- the server ------------------------------------------------------------------------------

FrameServer::FrameServer(FrameServerOptions options, FrameAcceptor acceptor)
    : parts_(std::make_unique<Parts>(std::move(options), std::move(acceptor))) {}

FrameServer::~FrameServer() { Shutdown(Duration(0)); }

absl::Status FrameServer::Bind() {
  const FrameServerOptions& options = parts_->shared->options;
  asio::io_context& context = *parts_->loops.front()->context;
  auto listening = ListenOn(context, options.name, options.host, options.port);
  if (!listening.ok()) return listening.status();
  parts_->listening = *std::move(listening);
  parts_->port = parts_->listening->local_endpoint().port();
  parts_->accept_timer = std::make_unique<asio::steady_timer>(context);
  return absl::OkStatus();
}

void FrameServer::Serve() {
  QUIPU_CHECK(parts_->listening != nullptr);
  parts_->AcceptNext();
  for (size_t i = 0; i < parts_->loops.size(); ++i) {
    parts_->loops[i]->thread = std::thread([this, i] { parts_->Run(i); });
  }
}

uint16_t FrameServer::port() const { return parts_->port; }

void FrameServer::Shutdown(Duration grace) {
  const bool served = parts_->loops.front()->thread.joinable();
  if (!served) return;
  // On the threads, so that nothing is done beside a handler.
  const auto on_each = [this](const std::function<void(size_t)>& work) {
    std::vector<std::future<void>> done;
    for (size_t i = 0; i < parts_->loops.size(); ++i) {
      auto finished = std::make_shared<std::promise<void>>();
      done.push_back(finished->get_future());
      asio::post(*parts_->loops[i]->context, [i, &work, finished] {
        work(i);
        finished->set_value();
      });
    }
    for (std::future<void>& each : done) each.wait();
  };
  on_each([this](size_t i) {
    if (i == 0) {
      std::error_code ignored;
      parts_->listening->close(ignored);
      parts_->accept_timer->cancel();
    }
  });
  on_each([this](size_t i) {
    Parts::Loop& loop = *parts_->loops[i];
    loop.draining = true;
    const std::vector<std::shared_ptr<SocketConnection>> all(loop.connections.begin(),
                                                             loop.connections.end());
    for (const auto& connection : all) connection->Drain();
  });
  {
    std::unique_lock<std::mutex> lock(parts_->mutex);
    parts_->none_open.wait_for(lock, grace, [this] { return parts_->open == 0; });
  }
  on_each([this](size_t i) {
    Parts::Loop& loop = *parts_->loops[i];
    loop.ended = true;
    loop.timer.cancel();
    const std::vector<std::shared_ptr<SocketConnection>> all(loop.connections.begin(),
                                                             loop.connections.end());
    for (const auto& connection : all) connection->Close();
  });
  for (const auto& loop : parts_->loops) loop->work.reset();
  for (const auto& loop : parts_->loops) {
    loop->thread.join();  // ends when nothing is left to do
    loop->connections.clear();
  }
}

FrameServerCounts FrameServer::counts() const {
  const FrameServerShared& shared = *parts_->shared;
  FrameServerCounts counts;
  {
    const std::lock_guard<std::mutex> lock(parts_->mutex);
    counts.connections = parts_->open;
  }
  counts.accepted = shared.accepted;
  counts.refused = shared.refused;
  counts.closed_idle = shared.closed_idle;
  counts.closed_stalled = shared.closed_stalled;
  counts.closed_faulty = shared.closed_faulty;
  counts.received_bytes = shared.received_bytes;
  counts.sent_bytes = shared.sent_bytes;
  counts.memory_bytes = shared.memory.taken();
  counts.answer_bytes = shared.answer_bytes;
  counts.paused = shared.memory.paused();
  return counts;
}

}  // namespace quipu
