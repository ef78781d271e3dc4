// The little that crosses a broker's threads: the newest metadata, and counters. Everything else
// has one owner.
#pragma once

#include <atomic>
#include <mutex>
#include <utility>

#include "core/metadata/metadata_image.h"

namespace quipu {

// Thread-safe.
class SharedState {
 public:
  // nullptr until the first metadata has come.
  [[nodiscard]] MetadataImagePtr image() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return image_;
  }
  void SetImage(MetadataImagePtr image) {
    const std::lock_guard<std::mutex> lock(mutex_);
    image_ = std::move(image);
  }

  std::atomic<ControllerId::ValueType> controller{kNoController.value()};
  std::atomic<BrokerEpoch::ValueType> broker_epoch{kNoBrokerEpoch.value()};
  // Below quipu.disk.free.bytes.min: produce is refused, everything else goes on (D6).
  std::atomic<bool> disk_full{false};
  std::atomic<bool> closing{false};
  // In force now: what is set at run time, else the broker's own configuration.
  std::atomic<int64_t> disk_free_bytes_min{0};  // quipu.disk.free.bytes.min
  std::atomic<size_t> in_flight_bytes_max{0};   // quipu.produce.in.flight.bytes.max
  // Bytes of produce requests not yet answered.
  std::atomic<size_t> in_flight_bytes{0};
  // Partitions of fetches not yet answered.
  std::atomic<size_t> fetch_partitions{0};
  // Forwarded for clients and not yet answered, as of the last second.
  std::atomic<size_t> admin_requests{0};

 private:
  mutable std::mutex mutex_;
  MetadataImagePtr image_;
};

}  // namespace quipu
