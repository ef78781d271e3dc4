// InitProducerId: the fields of request and response, version by version.
#include "core/kafka/log/init_producer_id.h"

namespace quipu::kafka {

void InitProducerIdRequest::Describe(FieldVisitor& visitor) {
  visitor.Field("transactionalId", transactional_id);
  visitor.Field("transactionTimeoutMs", transaction_timeout_ms);
  visitor.Field("producerId", producer_id, Since(3));
  visitor.Field("producerEpoch", producer_epoch, Since(3));
}

void InitProducerIdResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("throttleTimeMs", throttle_time_ms);
  visitor.Field("errorCode", error_code);
  visitor.Field("producerId", producer_id);
  visitor.Field("producerEpoch", producer_epoch);
}

}  // namespace quipu::kafka
