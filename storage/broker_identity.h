// The small durable facts of a broker's directory that lie outside the log database, so that they
// prove something about it (D4).
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "base/ids.h"

namespace quipu {

// The watermark file: last synced group, last granted broker epoch, and whether the log is
// unproven. Any thread; serialised.
class WatermarkFile {
 public:
  virtual ~WatermarkFile() = default;
  // Durable on return. A failure stops the process (D3). The controllers have committed the
  // registration that this epoch stands for, so whatever it said of the log is in the metadata, and
  // the unclean mark ends in the same write.
  virtual absl::Status StoreBrokerEpoch(BrokerEpoch epoch) = 0;
  [[nodiscard]] virtual BrokerEpoch broker_epoch() const = 0;
  virtual absl::Status StoreLastGroup(uint64_t group) = 0;
  [[nodiscard]] virtual uint64_t last_group() const = 0;
  // The log could not be shown to be complete when it was opened, in this or in an earlier start,
  // and no registration has told the controllers yet (D4).
  [[nodiscard]] virtual bool unclean() const = 0;
};

}  // namespace quipu
