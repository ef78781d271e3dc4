// OffsetCommit: of a member of a group, or from outside of one without members.
#include <utility>

#include "base/status_macros.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/topic_lookup.h"
#include "broker/kafka/wire_error.h"
#include "core/kafka/group/offset_commit.h"

namespace quipu::kafka {
namespace {

// The node's request, and for each partition of the client's its place there, or why it has none.
struct CommitPlan {
  message::OffsetCommitRequest asked;
  std::vector<std::pair<ErrorCode, int>> slots;
};

CommitPlan PlanCommit(const OffsetCommitRequest& request, const MetadataImage* image) {
  CommitPlan plan;
  plan.asked.set_group_id(request.group_id);
  plan.asked.set_member_id(request.member_id);
  plan.asked.set_member_epoch(request.generation_id_or_member_epoch);
  plan.asked.set_instance_id(request.group_instance_id.value_or(""));
  for (const auto& topic : request.topics) {
    const FoundTopic found = FindTopic(image, topic.name, topic.topic_id);
    for (const auto& partition : topic.partitions) {
      const ErrorCode error = image == nullptr ? ErrorCode::kNotCoordinator : found.error;
      plan.slots.emplace_back(error, plan.asked.partitions_size());
      if (found.error != ErrorCode::kNone) continue;
      auto* out = plan.asked.add_partitions();
      out->set_topic_id(found.id().ToBytes());
      out->set_partition(partition.partition_index.value());
      out->set_offset(partition.committed_offset.value());
      out->set_leader_epoch(partition.committed_leader_epoch.value());
      out->set_metadata(partition.committed_metadata.value_or(""));
    }
  }
  return plan;
}

}  // namespace

absl::Status HandleOffsetCommit(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(OffsetCommitRequest request, call->Decode<OffsetCommitRequest>());
  CommitPlan plan = PlanCommit(request, context.node.image().get());
  context.node.OffsetCommit(
      std::move(plan.asked), [call, slots = std::move(plan.slots), request = std::move(request)](
                                 const message::OffsetCommitResponse& result) {
        const ErrorCode whole = GroupError(ErrorOf(result.error_code()));
        OffsetCommitResponse response;
        size_t next = 0;
        for (const auto& topic : request.topics) {
          auto& answered = response.topics.emplace_back();
          answered.name = topic.name;
          answered.topic_id = topic.topic_id;
          for (const auto& partition : topic.partitions) {
            const auto [error, slot] = slots[next++];
            auto& out = answered.partitions.emplace_back();
            out.partition_index = partition.partition_index;
            out.error_code = error != ErrorCode::kNone ? error
                             : whole != ErrorCode::kNone
                                 ? whole
                                 : GroupError(ErrorOf(result.partitions(slot).error_code()));
          }
        }
        call->Answer(response);
      });
  return absl::OkStatus();
}

}  // namespace quipu::kafka
