// Reads partitions plainly, from their start to where they end now, without a group.
#pragma once

#include <functional>
#include <string>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"

namespace quipu::payments {

// One record; the views live during the call only. Resume markers are left out.
struct ReadRecord {
  PartitionIndex partition;
  Offset offset;
  absl::string_view key;
  absl::string_view value;
};

// Exclusive ends by partition.
using PartitionEnds = absl::btree_map<PartitionIndex, Offset>;

// The ends of all partitions of `topic` now: everything acknowledged before the call is below them.
absl::StatusOr<PartitionEnds> CurrentEnds(const std::string& bootstrap_servers,
                                          const std::string& topic);

// Calls `on_record` for every record of `topic` below `ends`, in offset order within a partition.
// An error when a partition cannot be read for `patience_ms`.
absl::Status ReadPartitions(const std::string& bootstrap_servers, const std::string& topic,
                            const PartitionEnds& ends, int patience_ms,
                            const std::function<void(const ReadRecord&)>& on_record);

}  // namespace quipu::payments
