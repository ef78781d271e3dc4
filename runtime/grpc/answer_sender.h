// The sender of an accepted stream of messages.
#pragma once

#include <memory>
#include <utility>

#include "runtime/grpc/answer_errors.h"
#include "runtime/grpc/server.h"
#include "runtime/grpc/typed_stream.h"

namespace quipu {

// Encodes the answers of an accepted stream, counts what they refuse, and passes them on.
template <typename Out>
class AnswerSender final : public MessageSender<Out> {
 public:
  using EncodeFn = ByteChain (*)(const Out&);
  AnswerSender(std::shared_ptr<ServerStream> stream, EncodeFn encode)
      : stream_(std::move(stream)), encode_(encode) {}
  void Send(Out message) override {
    Count(message);
    stream_->Send(encode_(message));
  }
  // An answer that the peer does not want to be sent.
  void Count(const Out& message) const {
    AnswerRefusals<Out>::Count(stream_->method(), message, stream_->refusals());
  }
  [[nodiscard]] size_t queued_bytes() const override { return stream_->queued_bytes(); }
  void Close(absl::Status reason) override { stream_->Close(std::move(reason)); }

 private:
  const std::shared_ptr<ServerStream> stream_;
  const EncodeFn encode_;
};

}  // namespace quipu
