#include "runtime/grpc/unary_client.h"

#include <grpcpp/generic/generic_stub.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "runtime/grpc/call_thread_impl.h"
#include "runtime/grpc/completion.h"

namespace quipu {
namespace {

// One call under way; deletes itself when it is done.
class UnaryCall final : public CancellableCall, public CompletionTag {
 public:
  UnaryCall(CallThread::Impl& calls, std::string address,
            std::function<void(absl::StatusOr<Bytes>)> done)
      : calls_(calls), address_(std::move(address)), done_(std::move(done)) {}

  static void Start(CallThread::Impl& calls, const std::shared_ptr<grpc::Channel>& channel,
                    std::string address, const std::string& method, Bytes request, Duration timeout,
                    std::function<void(absl::StatusOr<Bytes>)> done) {
    auto* call = new UnaryCall(calls, std::move(address), std::move(done));
    if (!calls.Register(call)) {
      call->done_(absl::CancelledError(absl::StrCat(call->address_, ": shutting down")));
      delete call;
      return;
    }
    call->channel_ = channel;
    call->context_.set_deadline(std::chrono::system_clock::now() + timeout);
    grpc::GenericStub stub(channel);
    call->reader_ = stub.PrepareUnaryCall(&call->context_, method,
                                          ToByteBuffer({std::move(request)}), calls.queue());
    call->reader_->StartCall();
    call->reader_->Finish(&call->response_, &call->status_, static_cast<CompletionTag*>(call));
  }

  void Cancel() override { context_.TryCancel(); }

  void OnEvent(bool ok) override {
    if (!ok) {
      done_(absl::CancelledError(absl::StrCat(address_, ": shutting down")));
    } else if (!status_.ok()) {
      done_(FromGrpcStatus(status_, address_));
    } else {
      done_(ToBytes(response_));
    }
    done_ = nullptr;  // what it holds may go with whoever waits for the end of all calls
    calls_.Unregister(this);
    delete this;
  }

 private:
  CallThread::Impl& calls_;
  const std::string address_;
  std::function<void(absl::StatusOr<Bytes>)> done_;
  std::shared_ptr<grpc::Channel> channel_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader_;
  grpc::ByteBuffer response_;
  grpc::Status status_;
};

}  // namespace

struct UnaryClient::Channel {
  std::string address;
  std::shared_ptr<grpc::Channel> channel;
};

UnaryClient::UnaryClient(CallThread& calls, const std::string& host, uint16_t port,
                         Duration connect_timeout)
    : calls_(calls),
      channel_(std::make_unique<Channel>(
          Channel{AddressText(host, port), MakeChannel(host, port, connect_timeout)})) {}

UnaryClient::~UnaryClient() = default;

void UnaryClient::CallRaw(const std::string& method, Bytes request, Duration timeout,
                          std::function<void(absl::StatusOr<Bytes>)> done) {
  UnaryCall::Start(calls_.impl(), channel_->channel, channel_->address, method, std::move(request),
                   timeout, std::move(done));
}

}  // namespace quipu
