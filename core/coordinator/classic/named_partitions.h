// Between the partitions of the classic protocol, which names topics, and those of the coordinator.
#pragma once

#include "core/coordinator/classic/consumer_protocol.h"
#include "core/coordinator/group_state.h"
#include "core/coordinator/topic_view.h"

namespace quipu {

// Without those that are not there.
TopicPartitions ToIds(const NamedPartitions& named, const GroupTopicView& topics);
NamedPartitions ToNames(const TopicPartitions& partitions, const GroupTopicView& topics);

}  // namespace quipu
