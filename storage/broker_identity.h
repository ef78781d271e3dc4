// The small durable facts of a broker's directory that lie outside the log database, so that they
// prove something about it (D4).
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "base/ids.h"

namespace quipu {

// The watermark file: last synced group and last granted broker epoch. Any thread; serialised.
class WatermarkFile {
 public:
  virtual ~WatermarkFile() = default;
  // Durable on return. A failure stops the process (D3).
  virtual absl::Status StoreBrokerEpoch(BrokerEpoch epoch) = 0;
  [[nodiscard]] virtual BrokerEpoch broker_epoch() const = 0;
  virtual absl::Status StoreLastGroup(uint64_t group) = 0;
  [[nodiscard]] virtual uint64_t last_group() const = 0;
};

}  // namespace quipu
