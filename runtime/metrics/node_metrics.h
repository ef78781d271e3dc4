// What every process tells of itself.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "runtime/metrics/metric_set.h"
#include "runtime/refusals.h"

namespace quipu {

struct NodeMetrics {
  std::string role;  // broker or controller
  std::string node_id;
  std::string cluster_id;
  bool unsafe_plaintext_network = false;
  int64_t disk_free_bytes = -1;                        // -1: could not be measured, left out
  int64_t wal_files = -1;                              // the same
  int64_t wal_file_bytes = -1;                         // the same
  std::vector<std::pair<std::string, size_t>> queues;  // name, items
  Refusals::Counts refusals;
  size_t incomplete = 0;                                 // see quipu_scrape_incomplete
  std::vector<std::pair<std::string, size_t>> left_out;  // kind, items
  Duration gathered_in{};
};

// Adds all metrics of MetricOwner::kNode; reads the process's own state from /proc.
void AddNodeMetrics(const NodeMetrics& node, MetricSet& out);

}  // namespace quipu
