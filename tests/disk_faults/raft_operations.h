// Random work for a RaftStore, always such as a voter could give it.
#pragma once

#include <string>

#include "base/rng.h"
#include "storage/memory_raft_store.h"
#include "storage/raft_store.h"

namespace quipu::disk_faults {

// The next write of a voter that holds `state`.
RaftWrite NextWrite(const MemoryRaftStore& state, Rng& rng);

// Empty when both hold the same; else what differs, or why `found` cannot be loaded.
std::string Difference(const RaftStore& found, const MemoryRaftStore& expected);

}  // namespace quipu::disk_faults
