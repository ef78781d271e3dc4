// Fields of the shared structs, which have the same ones in every version.
#include "core/kafka/shared_structs.h"

namespace quipu::kafka {

void LeaderIdAndEpoch::Describe(FieldVisitor& visitor) {
  visitor.Field("leaderId", leader_id);
  visitor.Field("leaderEpoch", leader_epoch);
}

void NodeEndpoint::Describe(FieldVisitor& visitor) {
  visitor.Field("nodeId", node_id);
  visitor.Field("host", host);
  visitor.Field("port", port);
  visitor.Field("rack", rack);
}

void AlteredResource::Describe(FieldVisitor& visitor) {
  visitor.Field("errorCode", error_code);
  visitor.Field("errorMessage", error_message);
  visitor.Field("resourceType", resource_type);
  visitor.Field("resourceName", resource_name);
}

void Cursor::Describe(FieldVisitor& visitor) {
  visitor.Field("topicName", topic_name);
  visitor.Field("partitionIndex", partition_index);
}

}  // namespace quipu::kafka
