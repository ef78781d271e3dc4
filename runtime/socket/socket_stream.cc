#include "runtime/socket/socket_stream.h"

#include "absl/strings/str_cat.h"
#include "runtime/socket/stream_connection.h"

namespace quipu {
namespace {

// What the caller holds: when it goes, the stream is closed.
class StreamHandle final : public RawSender {
 public:
  explicit StreamHandle(std::shared_ptr<StreamConnection> stream) : stream_(std::move(stream)) {}
  ~StreamHandle() override { stream_->Close(absl::CancelledError("closed by its owner")); }
  StreamHandle(const StreamHandle&) = delete;
  StreamHandle& operator=(const StreamHandle&) = delete;
  void Send(ByteChain message) override { stream_->Send(std::move(message)); }
  [[nodiscard]] size_t queued_bytes() const override { return stream_->queued_bytes(); }
  void Close(absl::Status reason) override { stream_->Close(std::move(reason)); }

 private:
  const std::shared_ptr<StreamConnection> stream_;
};

}  // namespace

std::unique_ptr<RawSender> OpenRawSocketStream(const std::shared_ptr<SocketLoop>& loop,
                                               const SocketStreamTarget& target,
                                               RawHandler handler) {
  auto stream = std::make_shared<StreamConnection>(
      loop, absl::StrCat(target.host, ":", target.port), target.queue_bytes_max, nullptr);
  stream->Open(target.host, target.port, target.connect_timeout, target.opening,
               std::move(handler));
  return std::make_unique<StreamHandle>(std::move(stream));
}

}  // namespace quipu
