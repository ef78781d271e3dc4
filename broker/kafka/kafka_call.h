// One request of a Kafka client, from its frame to its answer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "core/kafka/message.h"
#include "runtime/refusals.h"
#include "runtime/socket/frame_server.h"

namespace quipu::kafka {

// Shared by whoever will answer; exactly one answer, from any thread.
class KafkaCall {
 public:
  // Errors in answers are counted in `refusals`, which must outlive the call.
  KafkaCall(std::shared_ptr<FrameConnection> connection, uint64_t number, RequestFrame frame,
            Refusals& refusals)
      : connection_(std::move(connection)),
        number_(number),
        frame_(std::move(frame)),
        refusals_(refusals) {}

  // The request. kInvalidRequest when the bytes are not such a message: return it, and the
  // connection ends.
  template <Message Request>
  absl::StatusOr<Request> Decode() const {
    return kafka::Decode<Request>(frame_);
  }
  template <Message Response>
  void Answer(const Response& response) const {
    AnswerAs(response, frame_.version);
  }
  // As `version`, where the client's own cannot be answered in. An answer that no frame can carry
  // ends the connection.
  template <Message Response>
  void AnswerAs(const Response& response, int16_t version) const {
    std::vector<ErrorCode> errors;
    ByteChain frame = EncodeResponse(response, version, frame_.correlation_id, &errors);
    if (frame.empty()) {
      LogWarn("kafka.answer_too_large",
              {{"api", std::string(frame_.api->name)}, {"peer", client_host()}});
      AnswerByEnding({ErrorCode::kMessageTooLarge});
      return;
    }
    connection_->Answer(number_, std::move(frame));
    Count(errors);
  }
  // The client does not want to hear (Produce with acks=0).
  void AnswerNothing() const { connection_->Answer(number_, {}); }

  // Nothing, and something is wrong: the connection ends, which is how the client notices.
  void AnswerByEnding(const std::vector<ErrorCode>& errors) const {
    connection_->Answer(number_, {});
    connection_->End();
    Count(errors);
  }

  [[nodiscard]] int16_t version() const { return frame_.version; }
  [[nodiscard]] const ApiInfo& api() const { return *frame_.api; }
  // Empty: none.
  [[nodiscard]] std::string client_id() const { return frame_.client_id.value_or(""); }
  // The address that the client came from.
  [[nodiscard]] const std::string& client_host() const { return connection_->peer_host(); }

 private:
  void Count(const std::vector<ErrorCode>& errors) const {
    if (errors.empty()) return;
    const std::string call = absl::StrCat("Kafka/", frame_.api->name);
    for (const ErrorCode error : errors) refusals_.Add(call, error);
  }

  const std::shared_ptr<FrameConnection> connection_;
  const uint64_t number_;
  const RequestFrame frame_;
  Refusals& refusals_;
};

using KafkaCallPtr = std::shared_ptr<const KafkaCall>;

}  // namespace quipu::kafka
