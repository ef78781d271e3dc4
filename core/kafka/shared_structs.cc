// Fields of the shared structs. They have the same ones in every version that has the struct.
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

void Cursor::Describe(FieldVisitor& visitor) {
  visitor.Field("topicName", topic_name);
  visitor.Field("partitionIndex", partition_index);
}

size_t Records::size() const {
  size_t total = 0;
  for (const Bytes& slice : slices) total += slice.size();
  return total;
}

bool operator==(const Records& a, const Records& b) {
  if (a.is_null != b.is_null || a.size() != b.size()) return false;
  std::string left;
  std::string right;
  for (const Bytes& slice : a.slices) left.append(slice.data(), slice.size());
  for (const Bytes& slice : b.slices) right.append(slice.data(), slice.size());
  return left == right;
}

}  // namespace quipu::kafka
