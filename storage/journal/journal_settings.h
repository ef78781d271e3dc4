// What may be set of a journal, and what it tells of itself.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quipu {

struct JournalSettings {
  uint64_t segment_bytes = uint64_t{64} << 20;  // quipu.journal.segment.bytes
  // Free segments that are kept, and made ahead of use (quipu.journal.spare.bytes).
  uint64_t spare_bytes = uint64_t{256} << 20;
  // Of the newest batches, kept in memory (quipu.journal.tail.bytes).
  size_t tail_bytes = size_t{32} << 20;
  // Groups that a start may have to apply again; with more, tables are written
  // (quipu.journal.replay.bytes).
  uint64_t replay_bytes = uint64_t{256} << 20;
};

// Numbers since the start of the process, and of now.
struct JournalStats {
  uint64_t segments = 0;         // that hold groups, or may
  uint64_t segment_bytes = 0;    // of these
  uint64_t spare_bytes = 0;      // of segments that are kept to be used again
  uint64_t made = 0;             // segments made of zeros
  uint64_t recycled = 0;         // segments made of free ones
  uint64_t freed = 0;            // segments in which nothing lived any more
  uint64_t moved_bytes = 0;      // of batches that lived in a segment that was mostly dead
  uint64_t unflushed_bytes = 0;  // of groups that a start would have to apply again
  uint64_t replayed_groups = 0;  // applied again at this start
  double replay_seconds = 0;     // how long that took, with the walk over the segments
  bool direct = false;           // written past the page cache
};

}  // namespace quipu
