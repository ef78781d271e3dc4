// The sender of an accepted stream of messages.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "runtime/answer_errors.h"
#include "runtime/refusals.h"
#include "runtime/typed_stream.h"

namespace quipu {

// Encodes the answers of an accepted stream, counts what they refuse, and passes them on.
template <typename Out>
class AnswerSender final : public MessageSender<Out> {
 public:
  using EncodeFn = ByteChain (*)(const Out&);
  // `call` ("Log/Produce") is what the refusals are counted as.
  AnswerSender(std::shared_ptr<RawSender> stream, std::string call,
               std::shared_ptr<Refusals> refusals, EncodeFn encode)
      : stream_(std::move(stream)),
        call_(std::move(call)),
        refusals_(std::move(refusals)),
        encode_(encode) {}
  void Send(Out message) override {
    Count(message);
    stream_->Send(encode_(message));
  }
  // An answer that the peer does not want to be sent.
  void Count(const Out& message) const { AnswerRefusals<Out>::Count(call_, message, *refusals_); }
  [[nodiscard]] size_t queued_bytes() const override { return stream_->queued_bytes(); }
  void Close(absl::Status reason) override { stream_->Close(std::move(reason)); }

 private:
  const std::shared_ptr<RawSender> stream_;
  const std::string call_;
  const std::shared_ptr<Refusals> refusals_;
  const EncodeFn encode_;
};

}  // namespace quipu
