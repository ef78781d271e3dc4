// FindCoordinator: the fields of request and response, version by version.
#include "core/kafka/group/find_coordinator.h"

namespace quipu::kafka {

void FindCoordinatorRequest::Describe(FieldVisitor& visitor) {
  visitor.Field("key", key, Until(3));
  visitor.Field("keyType", key_type, Since(1));
  visitor.Field("coordinatorKeys", coordinator_keys, Since(4));
}

void FindCoordinatorResponse::Coordinator::Describe(FieldVisitor& visitor) {
  visitor.Field("key", key);
  visitor.Field("nodeId", node_id);
  visitor.Field("host", host);
  visitor.Field("port", port);
  visitor.Field("errorCode", error_code);
  visitor.Field("errorMessage", error_message);
}

void FindCoordinatorResponse::Describe(FieldVisitor& visitor) {
  visitor.Field("throttleTimeMs", throttle_time_ms, Since(1));
  visitor.Field("errorCode", error_code, Until(3));
  visitor.Field("errorMessage", error_message, Between(1, 3));
  visitor.Field("nodeId", node_id, Until(3));
  visitor.Field("host", host, Until(3));
  visitor.Field("port", port, Until(3));
  visitor.Field("coordinators", coordinators, Since(4));
}

}  // namespace quipu::kafka
