// What a broker's threads share, as a scrape sees it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "broker/metrics/shard_metrics.h"
#include "core/metadata/metadata_image.h"

namespace quipu {

struct BrokerMetricsState {
  MetadataImagePtr image;  // nullptr until the first metadata has come
  BrokerEpoch broker_epoch = kNoBrokerEpoch;
  bool disk_full = false;
  int64_t disk_free_bytes_min = 0;  // in force
  size_t in_flight_bytes = 0;
  size_t admin_requests = 0;
};

}  // namespace quipu
