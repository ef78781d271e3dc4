// What the applications were told against what the logs hold in the end: I25, I40, I41, I42, and
// that each record is what was sent, in whatever codec it is stored (wrong-record, wrong-codec).
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/record/record_batch.h"
#include "tests/simulation/checkers/archive.h"
#include "tests/simulation/checkers/group_checker.h"
#include "tests/simulation/checkers/partition_checker.h"
#include "tests/simulation/cluster.h"
#include "tests/simulation/sim_producer.h"

namespace quipu::sim {

struct HistoryCounters {
  uint64_t acknowledged = 0;
  uint64_t unknown = 0;
  uint64_t unknown_present = 0;
  uint64_t refused = 0;
  uint64_t recompressed = 0;  // payments that are stored in another codec than they were sent in
};

// What there is to be compared.
struct HistorySources {
  Cluster& cluster;
  const MetadataImage& image;
  const std::vector<std::unique_ptr<SimProducer>>& producers;
  const GroupChecker& group;
  // What was deleted of the logs.
  const Archive& archive;
  // The codecs in which records may be stored.
  const std::set<Compression>& codecs;
  // Reads along: what was deleted, since no group may have read that, and with `reads_all` the
  // rest.
  ClientHistory& auditor;
  bool reads_all = false;
};

// Reads the committed log of every partition of `topic` from its leader's disk and checks it. Call
// when the cluster has settled. Throws a Violation.
HistoryCounters CheckHistory(const HistorySources& sources, const std::string& topic);

}  // namespace quipu::sim
