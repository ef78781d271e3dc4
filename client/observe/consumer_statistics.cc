// What the SDK's consumer tells of itself.
#include <algorithm>
#include <map>
#include <utility>

#include "client/consumer_impl.h"

namespace quipu {

void Consumer::Impl::NoteCommit(const NamedOffsets& offsets, ErrorCode error) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    observer_.CountCommit(error == ErrorCode::kNone);
  }
  if (error == ErrorCode::kNone) observer_.Committed(offsets);
}

ConsumerStatistics Consumer::Impl::StatisticsLocked() const {
  ConsumerStatistics told = observer_.Counters();
  told.time = owner_.GetNow().wall;
  told.member_id = core_.group().member_id();
  told.member_epoch = core_.group().member_epoch();
  std::map<NamedPartition, PartitionConsumed> partitions;
  for (PartitionConsumed& counted : told.partitions) {
    const NamedPartition name = counted.partition;
    partitions[name] = std::move(counted);
  }
  const FetchCore& fetch = core_.fetch();
  told.fetches = fetch.stats();
  for (const TopicPartition& id : fetch.Assigned()) {
    const NamedPartition name = NameOf(id);
    PartitionConsumed& known = partitions[name];
    known.partition = name;
    known.assigned = true;
    known.position = fetch.Position(id).value_or(OffsetAndMetadata{}).offset;
    known.high_watermark = fetch.HighWatermark(id).value_or(kNoOffset);
    if (known.position == kNoOffset || known.high_watermark == kNoOffset) continue;
    // The watermark is as old as the last fetch.
    known.lag = std::max<int64_t>(known.high_watermark - known.position, 0);
    told.lag += *known.lag;
  }
  for (const TopicPartition& id : fetch.Paused()) partitions[NameOf(id)].paused = true;
  told.partitions.clear();
  for (auto& [name, known] : partitions) told.partitions.push_back(std::move(known));
  return told;
}

void Consumer::Impl::TellStatistics() {
  ConsumerStatistics told;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    told = StatisticsLocked();
    told.fetch_latency = core_.fetch().TakeLatencies();
  }
  observer_.Tell(told);
  owner_.PostAfter(settings_.statistics_interval, [this] { TellStatistics(); });
}

}  // namespace quipu
