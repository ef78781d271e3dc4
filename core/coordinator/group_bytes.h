// What groups take in memory, about: their texts and sequences, and a flat amount for each thing
// with its clocks and its places in maps. Bounded by GroupCoordinatorOptions::bytes_max.
#pragma once

#include <cstddef>

#include "core/coordinator/group_state.h"

namespace quipu {

inline constexpr size_t kHeldGroupBytes = 512;    // beside its id and what is in it
inline constexpr size_t kHeldMemberBytes = 1024;  // beside its texts and partitions
inline constexpr size_t kHeldOffsetBytes = 128;   // beside its metadata

size_t HeldBytes(const GroupMember& member);
size_t HeldBytes(const GroupMembership& membership);
size_t HeldBytes(const ClassicMembership& membership);
size_t HeldBytes(const CommittedOffset& offset);
// All that is durable of a group of this id.
size_t HeldBytes(const std::string& group_id, const GroupState& group);

}  // namespace quipu
