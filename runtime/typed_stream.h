// From raw streams to streams of messages: protobuf messages, and plain structs with a codec.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "runtime/message_stream.h"
#include "runtime/raw_stream.h"

namespace quipu {

// Encodes each message and passes it on.
template <typename Out>
class EncodingSender final : public MessageSender<Out> {
 public:
  using EncodeFn = ByteChain (*)(const Out&);
  EncodingSender(std::shared_ptr<RawSender> raw, EncodeFn encode)
      : raw_(std::move(raw)), encode_(encode) {}
  void Send(Out message) override { raw_->Send(encode_(message)); }
  [[nodiscard]] size_t queued_bytes() const override { return raw_->queued_bytes(); }
  void Close(absl::Status reason) override { raw_->Close(std::move(reason)); }

 private:
  std::shared_ptr<RawSender> raw_;
  EncodeFn encode_;
};

// Bytes that `decode` refuses end the stream with INVALID_ARGUMENT and the reason.
template <typename In>
RawHandler DecodeWith(absl::StatusOr<In> (*decode)(const Bytes&), MessageHandler<In> handler) {
  return RawHandler{.on_message =
                        [decode, on_message = std::move(handler.on_message)](const Bytes& bytes) {
                          absl::StatusOr<In> message = decode(bytes);
                          if (!message.ok())
                            return absl::InvalidArgumentError(message.status().message());
                          on_message(*std::move(message));
                          return absl::OkStatus();
                        },
                    .on_closed = std::move(handler.on_closed)};
}

template <typename Out>
ByteChain EncodeProto(const Out& message) {
  return {Bytes(message.SerializeAsString())};
}

template <typename In>
absl::StatusOr<In> DecodeProto(const Bytes& bytes) {
  In message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::InvalidArgumentError(
        absl::StrCat("not a ", message.GetTypeName(), ": ", bytes.size(), " bytes do not parse"));
  }
  return message;
}

// Protobuf messages to `handler`.
template <typename In>
RawHandler ProtoHandler(MessageHandler<In> handler) {
  return DecodeWith<In>(&DecodeProto<In>, std::move(handler));
}

}  // namespace quipu
