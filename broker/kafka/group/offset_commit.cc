// OffsetCommit: of a member of a group, or from outside of one without members.
#include <utility>

#include "base/status_macros.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/partition_slots.h"
#include "broker/kafka/topic_lookup.h"
#include "broker/kafka/wire_error.h"
#include "core/kafka/group/offset_commit.h"

namespace quipu::kafka {
namespace {

// A group that keeps as many offsets as it may keeps no more later either.
ErrorCode CommitError(const message::OffsetCommitResponse::Partition& result) {
  const ErrorCode error = ErrorOf(result.error_code());
  return error == ErrorCode::kLimitReached ? ErrorCode::kInvalidRequest : GroupError(error);
}

message::OffsetCommitRequest ToAsked(const OffsetCommitRequest& request, const MetadataImage* image,
                                     PartitionSlots& slots) {
  message::OffsetCommitRequest asked;
  asked.set_group_id(request.group_id);
  asked.set_member_id(request.member_id);
  asked.set_member_epoch(request.generation_id_or_member_epoch);
  asked.set_instance_id(request.group_instance_id.value_or(""));
  for (const auto& topic : request.topics) {
    const FoundTopic found = FindTopic(image, topic.name, topic.topic_id);
    for (const auto& partition : topic.partitions) {
      if (!slots.Add(found.error)) continue;
      auto* out = asked.add_partitions();
      out->set_topic_id(found.id().ToBytes());
      out->set_partition(partition.partition_index.value());
      out->set_offset(partition.committed_offset.value());
      out->set_leader_epoch(partition.committed_leader_epoch.value());
      out->set_metadata(partition.committed_metadata.value_or(""));
    }
  }
  return asked;
}

// `error_at` gives the error of a partition that was asked for, by its place.
template <typename ErrorAt>
OffsetCommitResponse ToResponse(const OffsetCommitRequest& request, const PartitionSlots& slots,
                                ErrorAt error_at) {
  OffsetCommitResponse response;
  slots.Shape(
      request.topics, response.topics,
      [](const auto& topic, auto& out) {
        out.name = topic.name;
        out.topic_id = topic.topic_id;
      },
      [&error_at](const auto& partition, auto& out, ErrorCode error, int place) {
        out.partition_index = partition.partition_index;
        out.error_code = error == ErrorCode::kNone ? error_at(place) : error;
      });
  return response;
}

}  // namespace

absl::Status HandleOffsetCommit(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(OffsetCommitRequest request, call->Decode<OffsetCommitRequest>());
  const MetadataImagePtr image = context.node.image();
  PartitionSlots slots;
  if (image == nullptr) {
    for (const auto& topic : request.topics) {
      for (size_t i = 0; i < topic.partitions.size(); ++i) slots.Add(ErrorCode::kNotCoordinator);
    }
    call->Answer(ToResponse(request, slots, [](int) { return ErrorCode::kNone; }));
    return absl::OkStatus();
  }
  message::OffsetCommitRequest asked = ToAsked(request, image.get(), slots);
  context.node.OffsetCommit(
      std::move(asked), [call, slots = std::move(slots), request = std::move(request)](
                            const message::OffsetCommitResponse& result) {
        const ErrorCode whole = GroupError(ErrorOf(result.error_code()));
        call->Answer(ToResponse(request, slots, [&](int place) {
          return whole == ErrorCode::kNone ? CommitError(result.partitions(place)) : whole;
        }));
      });
  return absl::OkStatus();
}

}  // namespace quipu::kafka
