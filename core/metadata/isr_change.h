// Whether a leader may change its ISR as it asks (KIP-497, KIP-903).
#pragma once

#include "base/error_code.h"
#include "core/metadata/leader_selector.h"
#include "core/metadata/metadata_image.h"
#include "proto/message/control.pb.h"

namespace quipu {

// Checks one change asked for by `broker` against the state in `image`. `partition` may be nullptr
// (unknown). kNone: allowed. Errors, in this order:
//   kUnknownTopicOrPartition  no such partition
//   kFencedLeaderEpoch        an older leader epoch (R12)
//   kNotController            an epoch that this image has not seen: we are behind
//   kInvalidRequest           the broker does not lead it, or the new ISR is no set of replicas
//                             with the leader in it
//   kInvalidUpdateVersion     another partition epoch: compare and set failed (R12)
//   kIneligibleReplica        an added member is fenced, shutting down or unknown, or was seen by
//                             the leader under another broker epoch (R13)
ErrorCode CheckIsrChange(const MetadataImage& image, const LeaderSelector& selector,
                         const PartitionImage* partition, BrokerId broker,
                         const message::IsrChange& change);

}  // namespace quipu
