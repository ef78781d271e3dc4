// A client, a leader and two followers as four processes that do nothing but what three durable
// copies need. No protocol: a connection carries one stream of bytes down and positions in it up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/measure/latency.h"

namespace quipu::floor {

struct ChainOptions {
  std::string folder;       // of the journals; empty: the copies stay in memory
  size_t batch_bytes = 0;   // what is acknowledged as a whole
  size_t record_bytes = 0;  // the client copies each batch together of such; 0: it has them
  size_t in_flight = 0;     // batches that may be unacknowledged
  double rate = 0;          // batches per second; 0: as many as go
  double warm_up_seconds = 1;
  double seconds = 5;
  size_t journal_bytes = size_t{256} << 20;
};

// What a server used from its start to its end.
struct NodeUse {
  double cpu_seconds = 0;
  int64_t rss_kib = 0;  // largest
  uint64_t syncs = 0;
  uint64_t bytes_written = 0;
};

struct ChainResult {
  double seconds = 0;      // measured
  uint64_t batches = 0;    // acknowledged within them
  uint64_t all_bytes = 0;  // acknowledged, with the warm-up
  double all_seconds = 0;  // with the warm-up
  double client_cpu_seconds = 0;
  NodeUse nodes[3];            // the leader first
  LatencyHistogram latencies;  // of the batches due within them; from when each was due
};

// Starts the servers, runs the load, and ends them.
ChainResult RunChain(const ChainOptions& options);

}  // namespace quipu::floor
