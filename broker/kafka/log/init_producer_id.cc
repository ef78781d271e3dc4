// InitProducerId: an identity for an idempotent producer, or its next epoch. KIP-98, KIP-360.
#include <utility>

#include "base/status_macros.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/wire_error.h"
#include "core/kafka/log/init_producer_id.h"

namespace quipu::kafka {

namespace {

// Older producers of Java give up at any other code that means "later".
ErrorCode ProducerIdError(ErrorCode error) {
  const bool passes = error == ErrorCode::kNotController || error == ErrorCode::kRequestTimedOut ||
                      error == ErrorCode::kLimitReached || error == ErrorCode::kBrokerShuttingDown;
  return passes ? ErrorCode::kCoordinatorLoadInProgress : error;
}

}  // namespace

absl::Status HandleInitProducerId(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(const InitProducerIdRequest request,
                         call->Decode<InitProducerIdRequest>());
  if (request.transactional_id.has_value()) {
    call->Answer(InitProducerIdResponse{.error_code = ErrorCode::kUnsupportedVersion});
    return absl::OkStatus();
  }
  message::InitProducerIdRequest asked;
  asked.set_producer_id(request.producer_id.value());
  asked.set_producer_epoch(request.producer_epoch.value());
  context.node.InitProducerId(
      std::move(asked), [call](const message::InitProducerIdResponse& result) {
        InitProducerIdResponse response;
        response.error_code = ProducerIdError(ErrorOf(result.error_code()));
        if (response.error_code == ErrorCode::kNone) {
          response.producer_id = ProducerId(result.producer_id());
          response.producer_epoch = ProducerEpoch(static_cast<int16_t>(result.producer_epoch()));
        }
        call->Answer(response);
      });
  return absl::OkStatus();
}

}  // namespace quipu::kafka
