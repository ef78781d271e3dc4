// What a RaftCore is told about itself, its quorum and its limits.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace quipu {

// A voter is its node id together with its data directory: the same id on a new disk is somebody
// else, who has not cast the old one's votes (PR7, C06, KIP-853).
struct RaftIdentity {
  ControllerId id = kNoController;
  DirectoryId directory_id;
  friend bool operator==(const RaftIdentity&, const RaftIdentity&) = default;
};

struct RaftOptions {
  ClusterId cluster_id;
  RaftIdentity self;
  std::vector<RaftIdentity> voters;  // one, three or five, `self` among them
  Duration election_timeout = std::chrono::milliseconds(1000);
  Duration heartbeat_interval = std::chrono::milliseconds(100);
  uint64_t seed = 0;  // of the election timeouts

  // Leader: entries in one APPEND. An entry larger than the limit goes alone.
  size_t append_bytes_max = size_t{1} << 20;
  // Leader: unanswered APPENDs to one follower, and the bytes in them.
  size_t in_flight_appends_max = 64;
  size_t in_flight_bytes_max = size_t{4} << 20;
  // Leader: entries that are proposed and not committed; more are refused with kLimitReached.
  size_t proposal_bytes_max = size_t{16} << 20;
  // Leader: reads that wait for their round; more are refused with kLimitReached.
  size_t reads_max = 10000;
  size_t snapshot_chunk_bytes = size_t{256} << 10;
  // Follower: a longer snapshot is refused before anything is allocated for it (PR9).
  size_t snapshot_bytes_max = size_t{1} << 30;
};

}  // namespace quipu
