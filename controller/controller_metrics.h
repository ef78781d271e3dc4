// A controller at one moment, as a scrape sees it.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "core/metadata/metadata_image.h"

namespace quipu {

struct ControllerMetrics {
  bool active = false;
  Term term;
  LogIndex commit_index;
  LogIndex applied_index;
  LogIndex last_index;
  LogIndex durable_index;
  LogIndex snapshot_index;
  uint64_t dropped_messages = 0;
  size_t uncommitted_bytes = 0;
  size_t waiting_answers = 0;
  size_t voters = 0;
  std::vector<std::pair<ControllerId, LogIndex>> match_indexes;  // of voters, while active
  MetadataImagePtr image;                                        // committed; while active
};

}  // namespace quipu
