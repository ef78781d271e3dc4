// From the metadata image to what one partition is told. Pure.
#pragma once

#include <optional>

#include "core/metadata/metadata_image.h"
#include "core/replication/partition_types.h"

namespace quipu {

// The name of the topic that holds the groups' records.
inline constexpr char kOffsetsTopic[] = "__consumer_offsets";

[[nodiscard]] bool HasReplica(const PartitionImage& partition, BrokerId broker);

// `partition` must belong to a topic of `image`.
[[nodiscard]] PartitionIdentity IdentityOf(const MetadataImage& image,
                                           const PartitionImage& partition);
[[nodiscard]] PartitionAssignment AssignmentOf(const MetadataImage& image,
                                               const PartitionImage& partition);
[[nodiscard]] PartitionConfig ConfigOf(const TopicImage& topic);

// Whether both say the same to a PartitionCore.
[[nodiscard]] bool SameAssignment(const PartitionAssignment& a, const PartitionAssignment& b);

// A partition is dead only if the image knows of its end: absent, below the next uid to be given,
// and the image at least as new as the newest one that this directory has acted on.
[[nodiscard]] bool IsDead(const MetadataImage& image, PartitionUid uid, LogIndex newest_acted);

}  // namespace quipu
