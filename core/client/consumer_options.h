// Settings of a consumer's brain.
#pragma once

#include <cstdint>
#include <string>

#include "core/client/client_metadata.h"

namespace quipu {

// Where reading starts when there is no offset to start from.
enum class OffsetReset { kEarliest, kLatest, kNone };

struct ConsumerOptions {
  ClientMetadataOptions metadata;
  std::string client_id = "quipu";                           // client.id
  std::string group_id;                                      // group.id; empty: none
  std::string instance_id;                                   // group.instance.id; empty: dynamic
  std::string assignor;                                      // group.remote.assignor
  OffsetReset offset_reset = OffsetReset::kEarliest;         // auto.offset.reset
  bool read_committed = true;                                // isolation.level
  int32_t fetch_min_bytes = 1;                               // fetch.min.bytes
  Duration fetch_max_wait = std::chrono::milliseconds(500);  // fetch.max.wait.ms
  int32_t fetch_max_bytes = 1 << 20;                         // fetch.max.bytes
  int32_t partition_fetch_bytes = 1 << 20;                   // max.partition.fetch.bytes
  size_t poll_records_max = 500;                             // max.poll.records
  Duration poll_interval_max = std::chrono::minutes(5);      // max.poll.interval.ms
  Duration session_timeout = Duration(0);  // session.timeout.ms; 0: the coordinator's default
  Duration request_timeout = std::chrono::seconds(30);  // request.timeout.ms
  // Fetch requests under way to one broker; each holds other partitions.
  size_t fetches_in_flight_max = 4;
};

}  // namespace quipu
