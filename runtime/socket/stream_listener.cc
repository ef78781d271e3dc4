#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <asio/post.hpp>
#include <asio/read.hpp>
#include <asio/steady_timer.hpp>
#include <condition_variable>
#include <future>
#include <mutex>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/logging.h"
#include "runtime/socket/listen.h"
#include "runtime/socket/socket_stream.h"
#include "runtime/socket/stream_connection.h"

namespace quipu {
namespace {

// In this time an accepted connection says what it wants.
constexpr Duration kOpeningPatience = std::chrono::seconds(10);
// Connections that have not said what they want.
constexpr size_t kNewcomersMax = 256;
// Before the next try when the process has no file descriptor left.
constexpr Duration kAcceptPause = std::chrono::milliseconds(100);

}  // namespace

// Kept by what is under way on the loops. Without a note: on the thread of the first loop.
struct StreamListener::Parts : std::enable_shared_from_this<Parts> {
  // A connection that has not said what it wants.
  struct Newcomer {
    explicit Newcomer(asio::ip::tcp::socket given)
        : socket(std::move(given)), patience(socket.get_executor()) {}
    asio::ip::tcp::socket socket;
    asio::steady_timer patience;
    bool heard = false;
    std::string peer;
    std::array<char, kOpeningBytes> opening;
  };
  using NewcomerPtr = std::shared_ptr<Newcomer>;

  Parts(StreamListenerOptions given, SocketStreamAcceptor to)
      : options(std::move(given)), acceptor(std::move(to)) {}

  void AcceptNext();
  void OnAccepted(std::error_code error, asio::ip::tcp::socket socket);
  void ReadOpening(const NewcomerPtr& newcomer);
  void OnOpening(const NewcomerPtr& newcomer, std::error_code error, size_t got);
  // On the thread of `loop`.
  void Serve(const std::shared_ptr<SocketLoop>& loop, asio::ip::tcp::socket socket,
             const std::string& peer, const StreamOpening& opening);
  // ---- any thread ----
  void OnFault(const std::string& peer, const absl::Status& fault) const;
  void Forget(const std::shared_ptr<StreamConnection>& connection);
  [[nodiscard]] size_t open() const {
    const std::lock_guard<std::mutex> lock(mutex);
    return newcomers.size() + connections.size();
  }
  [[nodiscard]] bool IsFull() const {
    const std::lock_guard<std::mutex> lock(mutex);
    return newcomers.size() >= kNewcomersMax ||
           newcomers.size() + connections.size() >= options.connections_max;
  }

  const StreamListenerOptions options;
  const SocketStreamAcceptor acceptor;
  asio::io_context unserved;  // where `bound` belongs until there are loops
  std::unique_ptr<asio::ip::tcp::acceptor> bound;
  uint16_t port = 0;
  std::vector<std::shared_ptr<SocketLoop>> loops;
  std::unique_ptr<asio::ip::tcp::acceptor> listening;
  std::unique_ptr<asio::steady_timer> retry;

  mutable std::mutex mutex;
  std::condition_variable none_open;
  bool stopping = false;
  absl::flat_hash_set<NewcomerPtr> newcomers;
  absl::flat_hash_set<std::shared_ptr<StreamConnection>> connections;
};

// ---- accepting -------------------------------------------------------------------------------

void StreamListener::Parts::AcceptNext() {
  if (listening == nullptr) return;  // shut down while it waited to try again
  listening->async_accept(
      [self = shared_from_this()](std::error_code error, asio::ip::tcp::socket socket) {
        self->OnAccepted(error, std::move(socket));
      });
}

void StreamListener::Parts::OnAccepted(std::error_code error, asio::ip::tcp::socket socket) {
  if (listening == nullptr || error == asio::error::operation_aborted) return;
  if (error) {
    LogWarn("listener.accept_failed", {{"listener", options.name}, {"error", error.message()}});
    retry->expires_after(kAcceptPause);
    retry->async_wait([self = shared_from_this()](std::error_code stopped) {
      if (!stopped) self->AcceptNext();
    });
    return;
  }
  auto newcomer = std::make_shared<Newcomer>(std::move(socket));
  std::error_code gone;
  const auto endpoint = newcomer->socket.remote_endpoint(gone);
  if (!gone) {
    newcomer->peer = absl::StrCat(endpoint.address().to_string(), ":", endpoint.port());
    if (IsFull()) {
      LogWarn("listener.too_many_connections",
              {{"listener", options.name}, {"peer", newcomer->peer}});
    } else {
      ReadOpening(newcomer);
    }
  }
  AcceptNext();
}

void StreamListener::Parts::ReadOpening(const NewcomerPtr& newcomer) {
  {
    const std::lock_guard<std::mutex> lock(mutex);
    if (stopping) return;
    newcomers.insert(newcomer);
  }
  newcomer->patience.expires_after(kOpeningPatience);
  newcomer->patience.async_wait([self = shared_from_this(), newcomer](std::error_code stopped) {
    if (stopped || newcomer->heard) return;
    self->OnFault(newcomer->peer, absl::DeadlineExceededError("it did not say what it wants"));
    std::error_code ignored;
    newcomer->socket.close(ignored);
  });
  asio::async_read(newcomer->socket, asio::buffer(newcomer->opening),
                   [self = shared_from_this(), newcomer](std::error_code error, size_t got) {
                     self->OnOpening(newcomer, error, got);
                   });
}

void StreamListener::Parts::OnOpening(const NewcomerPtr& newcomer, std::error_code error,
                                      size_t got) {
  newcomer->heard = true;
  newcomer->patience.cancel();
  const absl::StatusOr<StreamOpening> opening =
      error ? absl::InvalidArgumentError("it did not say what it wants")
            : DecodeOpening({newcomer->opening.data(), newcomer->opening.size()});
  // Shutdown may have closed it after it was read.
  if (opening.ok() && newcomer->socket.is_open()) {
    // The socket moves to the thread that it will belong to.
    const std::shared_ptr<SocketLoop>& loop = loops[opening->lane % loops.size()];
    std::error_code failed;
    const auto protocol = newcomer->socket.local_endpoint(failed).protocol();
    const auto native = newcomer->socket.release();
    asio::post(loop->context(), [self = shared_from_this(), loop, protocol, native,
                                 peer = newcomer->peer, opening = *opening] {
      std::error_code no_socket;
      asio::ip::tcp::socket moved(loop->context());
      moved.assign(protocol, native, no_socket);
      if (no_socket) {
        ::close(native);
        self->OnFault(peer, absl::ResourceExhaustedError(no_socket.message()));
        return;
      }
      self->Serve(loop, std::move(moved), peer, opening);
    });
  } else if (error != asio::error::operation_aborted && (!error || got > 0)) {
    // Who just looks whether somebody is there is none.
    OnFault(newcomer->peer, opening.status());
    // As much as is possible without waiting: it may be another version of a broker.
    const std::string end = EncodeEnd(opening.status());
    const std::string frame = FrameHead(end.size(), /*last=*/true).ToString() + end;
    (void)::send(newcomer->socket.native_handle(), frame.data(), frame.size(),
                 MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  std::error_code ignored;
  newcomer->socket.close(ignored);
  const std::lock_guard<std::mutex> lock(mutex);
  newcomers.erase(newcomer);
  if (newcomers.empty() && connections.empty()) none_open.notify_all();
}

void StreamListener::Parts::Serve(const std::shared_ptr<SocketLoop>& loop,
                                  asio::ip::tcp::socket socket, const std::string& peer,
                                  const StreamOpening& opening) {
  auto connection = std::make_shared<StreamConnection>(
      loop, peer, options.queue_bytes_max,
      [self = shared_from_this()](const auto& gone) { self->Forget(gone); });
  {
    const std::lock_guard<std::mutex> lock(mutex);
    if (stopping) return;
    connections.insert(connection);
  }
  connection->Accept(
      std::move(socket), opening.purpose,
      [this, &opening](std::shared_ptr<RawSender> sender) {
        return acceptor(opening, std::move(sender));
      },
      [self = shared_from_this(), peer](const absl::Status& fault) { self->OnFault(peer, fault); });
}

void StreamListener::Parts::OnFault(const std::string& peer, const absl::Status& fault) const {
  LogWarn("listener.connection_refused",
          {{"listener", options.name}, {"peer", peer}, {"error", std::string(fault.message())}});
  if (options.refusals) options.refusals->Add("Replica/Stream", ErrorCode::kInvalidRequest);
}

void StreamListener::Parts::Forget(const std::shared_ptr<StreamConnection>& connection) {
  const std::lock_guard<std::mutex> lock(mutex);
  connections.erase(connection);
  if (newcomers.empty() && connections.empty()) none_open.notify_all();
}

// ---- the listener ----------------------------------------------------------------------------

StreamListener::StreamListener(StreamListenerOptions options, SocketStreamAcceptor acceptor)
    : parts_(std::make_shared<Parts>(std::move(options), std::move(acceptor))) {}

StreamListener::~StreamListener() { Shutdown(); }

absl::Status StreamListener::Bind() {
  const StreamListenerOptions& options = parts_->options;
  auto bound = ListenOn(parts_->unserved, options.name, options.host, options.port);
  if (!bound.ok()) return bound.status();
  parts_->bound = *std::move(bound);
  parts_->port = parts_->bound->local_endpoint().port();
  return absl::OkStatus();
}

void StreamListener::Serve(std::vector<std::shared_ptr<SocketLoop>> loops) {
  QUIPU_CHECK(parts_->bound != nullptr && !loops.empty());
  parts_->loops = std::move(loops);
  asio::post(parts_->loops.front()->context(), [parts = parts_] {
    asio::io_context& context = parts->loops.front()->context();
    const auto protocol = parts->bound->local_endpoint().protocol();
    parts->listening =
        std::make_unique<asio::ip::tcp::acceptor>(context, protocol, parts->bound->release());
    parts->retry = std::make_unique<asio::steady_timer>(context);
    parts->AcceptNext();
  });
}

uint16_t StreamListener::port() const { return parts_->port; }

size_t StreamListener::connections() const { return parts_->open(); }

void StreamListener::Shutdown() {
  if (parts_->loops.empty()) return;
  std::vector<std::shared_ptr<StreamConnection>> open;
  {
    const std::lock_guard<std::mutex> lock(parts_->mutex);
    if (std::exchange(parts_->stopping, true)) return;
    open.assign(parts_->connections.begin(), parts_->connections.end());
  }
  std::promise<void> closed;
  asio::post(parts_->loops.front()->context(), [parts = parts_, &closed] {
    std::error_code ignored;
    parts->listening.reset();
    parts->retry.reset();
    const std::lock_guard<std::mutex> lock(parts->mutex);
    for (const Parts::NewcomerPtr& newcomer : parts->newcomers) newcomer->socket.close(ignored);
    closed.set_value();
  });
  closed.get_future().wait();
  for (const auto& connection : open) connection->Close(absl::UnavailableError("shutting down"));
  std::unique_lock<std::mutex> lock(parts_->mutex);
  parts_->none_open.wait(
      lock, [this] { return parts_->newcomers.empty() && parts_->connections.empty(); });
}

}  // namespace quipu
