#include "broker/shard/assignment.h"

#include <algorithm>

#include "base/check.h"
#include "core/metadata/topic_config.h"
#include "core/record/compression.h"

namespace quipu {
namespace {

bool SameReplicas(const std::vector<ReplicaInfo>& a, const std::vector<ReplicaInfo>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const ReplicaInfo& x, const ReplicaInfo& y) {
                      return x.broker == y.broker && x.epoch == y.epoch && x.fenced == y.fenced &&
                             x.in_controlled_shutdown == y.in_controlled_shutdown &&
                             x.disk_stalled == y.disk_stalled && x.draining == y.draining;
                    });
}

bool SameConfig(const PartitionConfig& a, const PartitionConfig& b) {
  return a.min_insync_replicas == b.min_insync_replicas &&
         a.message_bytes_max == b.message_bytes_max && a.timestamp_type == b.timestamp_type &&
         a.retention_ms == b.retention_ms && a.retention_bytes == b.retention_bytes &&
         a.compression == b.compression;
}

}  // namespace

bool HasReplica(const PartitionImage& partition, BrokerId broker) {
  return std::find(partition.replicas.begin(), partition.replicas.end(), broker) !=
         partition.replicas.end();
}

PartitionConfig ConfigOf(const TopicImage& topic) {
  const TopicConfigValues values = ReadTopicConfigs(topic.configs);
  return {.min_insync_replicas = values.min_insync_replicas,
          .message_bytes_max = static_cast<size_t>(values.message_bytes_max),
          .timestamp_type =
              values.log_append_time ? TimestampType::kLogAppendTime : TimestampType::kCreateTime,
          .retention_ms = values.retention_ms,
          .retention_bytes = values.retention_bytes,
          .compression = values.compression_type == "uncompressed"
                             ? Compression::kNone
                             : CodecOf(values.compression_type)};
}

PartitionIdentity IdentityOf(const MetadataImage& image, const PartitionImage& partition) {
  const TopicImage* topic = image.FindTopic(partition.topic_id);
  QUIPU_CHECK(topic != nullptr);
  return {.uid = partition.uid,
          .topic_id = topic->id,
          .index = partition.index,
          .topic_name = topic->name,
          .internal = IsInternalTopic(topic->name)};
}

PartitionAssignment AssignmentOf(const MetadataImage& image, const PartitionImage& partition) {
  PartitionAssignment assignment;
  assignment.leader_epoch = partition.leader_epoch;
  assignment.partition_epoch = partition.partition_epoch;
  assignment.leader = partition.leader;
  for (const BrokerId id : partition.replicas) {
    ReplicaInfo replica{.broker = id, .epoch = kNoBrokerEpoch};
    if (const BrokerImage* broker = image.FindBroker(id)) {
      replica.epoch = broker->epoch;
      replica.fenced = broker->fenced;
      replica.in_controlled_shutdown = broker->in_controlled_shutdown;
      replica.disk_stalled = broker->disk_stalled;
      replica.draining = broker->draining();
    }
    assignment.replicas.push_back(replica);
  }
  assignment.isr = partition.isr;
  assignment.elr = partition.elr;
  assignment.unclean_epoch = partition.unclean_epoch;
  const TopicImage* topic = image.FindTopic(partition.topic_id);
  QUIPU_CHECK(topic != nullptr);
  assignment.config = ConfigOf(*topic);
  return assignment;
}

bool SameAssignment(const PartitionAssignment& a, const PartitionAssignment& b) {
  return a.leader_epoch == b.leader_epoch && a.partition_epoch == b.partition_epoch &&
         a.leader == b.leader && a.isr == b.isr && a.elr == b.elr &&
         SameReplicas(a.replicas, b.replicas) && SameConfig(a.config, b.config);
}

bool IsDead(const MetadataImage& image, PartitionUid uid, LogIndex newest_acted) {
  return image.FindPartition(uid) == nullptr && uid < image.next_partition_uid() &&
         image.index() >= newest_acted;
}

}  // namespace quipu
