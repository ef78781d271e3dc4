// The producer's identity on disk, so that a killed producer goes on without a double.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"

namespace quipu::payments {

// How many times one life of the program may raise its producer epoch; the file holds the highest
// epoch that it may reach, so that the next life's epoch is above every one that was used.
inline constexpr int kEpochBumpsMax = 8;
// After so many a life of the program ends: well before, since it looks only now and then.
inline constexpr int kEpochBumpsStop = 4;

using ProducerIdentityPair = std::pair<ProducerId, ProducerEpoch>;

// The identity to take up, or nothing at the first start. A damaged file is an error.
absl::StatusOr<std::optional<ProducerIdentityPair>> LoadProducerState(const std::string& directory);
// Durable on return. To be called before the first record is sent under `identity`.
absl::Status SaveProducerState(const std::string& directory, const ProducerIdentityPair& identity);

}  // namespace quipu::payments
