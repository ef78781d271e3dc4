// Producer state on its way to a follower that begins anew, or that damage keeps from knowing it.
#pragma once

#include <optional>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "core/replication/partition_types.h"

namespace quipu {

// Most bytes that EncodeProducers makes: well inside one message of a replica stream.
inline constexpr size_t kProducerStateBytesMax = size_t{6} << 20;

// The entries as bytes. Of many producers only the newest batches are told: a retry of an older one
// is known then, but not where it is. Beyond the limit the entries with the lowest producer ids
// (the oldest sessions) are left out: such a producer is refused later, never stored twice.
Bytes EncodeProducers(const std::vector<ProducerEntry>& producers);
// nullopt: not what EncodeProducers makes.
std::optional<std::vector<ProducerEntry>> DecodeProducers(absl::string_view bytes);

}  // namespace quipu
