#include "broker/metrics/shard_metrics.h"

#include <algorithm>

#include "base/big_endian.h"
#include "core/record/batch_layout.h"

namespace quipu {

void ShardCounters::CountAppends(const TopicId& topic, const std::vector<StoredBatch>& appends,
                                 bool leads) {
  if (appends.empty()) return;
  size_t bytes = 0;
  int64_t records = 0;
  for (const StoredBatch& batch : appends) {
    bytes += batch.bytes.size();
    records += batch.last_offset - batch.base_offset + 1;
  }
  if (!leads) {
    replicated_bytes += bytes;
    return;
  }
  TopicCounters& counters = topics[topic];
  counters.produced_bytes += bytes;
  counters.produced_records += static_cast<uint64_t>(records);
}

void ShardCounters::CountIsr(const std::vector<BrokerId>& before,
                             const std::vector<BrokerId>& after) {
  const auto lacks_one = [](const std::vector<BrokerId>& list, const std::vector<BrokerId>& of) {
    return std::any_of(of.begin(), of.end(), [&](BrokerId member) {
      return std::find(list.begin(), list.end(), member) == list.end();
    });
  };
  if (lacks_one(after, before)) ++isr_shrinks;
  if (lacks_one(before, after)) ++isr_expands;
}

void ShardCounters::CountConsumed(const TopicId& topic, const std::vector<Bytes>& batches) {
  if (batches.empty()) return;
  TopicCounters& counters = topics[topic];
  for (const Bytes& batch : batches) {
    const absl::string_view bytes = batch.view();
    counters.consumed_bytes += bytes.size();
    if (bytes.size() < batch_layout::kRecordCount + sizeof(int32_t)) continue;
    const auto count = LoadBigEndian<int32_t>(bytes.data() + batch_layout::kRecordCount);
    if (count > 0) counters.consumed_records += static_cast<uint64_t>(count);
  }
}

}  // namespace quipu
