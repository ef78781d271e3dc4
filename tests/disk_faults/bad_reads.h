// Storage over a disk whose reads fail, come back short, with a flipped bit, or from elsewhere.
#pragma once

#include <cstdint>

#include "tests/disk_faults/machine.h"
#include "tests/faultfs/fault_disk.h"

namespace quipu::disk_faults {

// What trials saw, summed up.
struct BadReadCounts {
  uint64_t trials = 0;
  uint64_t bad_reads = 0;     // calls of the disk that were answered badly
  uint64_t refused = 0;       // openings that were refused
  uint64_t unclean = 0;       // openings of a broker that marked its log as unproven
  uint64_t opened = 0;        // openings that were neither
  uint64_t batches = 0;       // served, each right
  uint64_t reads_failed = 0;  // reads of the store that reported an error
  uint64_t operations = 0;    // acknowledged while reads were bad
  uint64_t fatal = 0;         // the process was ended
};

// One data directory: filled, closed in order, opened again and read, given a few operations more,
// while reads of one kind of file, or of all, are answered with `fault` now and then; the disk
// itself stays sound. Checked, of brokers: the opening is refused, or the log is marked as
// unproven, or each read of it is right or reports an error (I60-I62); afterwards, with a disk that
// reads well, a log without a mark holds everything acknowledged, and one with it a prefix of what
// was there (D4). Of controllers, for which there is no mark: refused, or right.
Violation BadReadsOfBroker(uint64_t seed, faultfs::Fault fault, bool journal,
                           BadReadCounts& counts);
Violation BadReadsOfController(uint64_t seed, faultfs::Fault fault, BadReadCounts& counts);

}  // namespace quipu::disk_faults
