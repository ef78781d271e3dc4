#include "broker/repair/scrubber.h"

#include <algorithm>

#include "storage/log_recovery.h"

namespace quipu {
namespace {

constexpr size_t kScrubReadBytes = size_t{1} << 20;
// What a read costs besides its bytes, so that many small partitions take their time too.
constexpr size_t kScrubReadOverheadBytes = size_t{16} << 10;

}  // namespace

void Scrubber::Start() {
  if (context_.config->scrub_bytes_per_second > 0) ScheduleStep(context_.config->scrub_interval);
}

void Scrubber::ScheduleStep(Duration delay) {
  context_.PostAfter(delay, [this] { Step(); });
}

Duration Scrubber::TimeFor(size_t bytes) const {
  const double rate = static_cast<double>(context_.config->scrub_bytes_per_second) /
                      static_cast<double>(context_.config->num_shards);
  const double seconds = static_cast<double>(bytes + kScrubReadOverheadBytes) / rate;
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

void Scrubber::LeavePartition() {
  uid_ = uid_ + 1;
  offset_ = Offset(0);
}

void Scrubber::Step() {
  const auto host = context_.hosts.From(uid_);
  if (host == context_.hosts.end()) {
    uid_ = PartitionUid(0);
    offset_ = Offset(0);
    ScheduleStep(context_.config->scrub_interval);
    return;
  }
  if (host->first != uid_) offset_ = Offset(0);
  uid_ = host->first;
  const PartitionCore& core = host->second->core;
  const Offset from = std::max(offset_, core.log_start_offset());
  const Offset end = core.durable_end_offset();
  if (from >= end || host->second->dropping || host->second->recovering) {
    LeavePartition();
    ScheduleStep(TimeFor(0));
    return;
  }
  context_.ReadCold([log_id = host->second->log_id, from, end](
                        LogStore& store) { return store.Read(log_id, from, end, kScrubReadBytes); },
                    [this, from](const absl::StatusOr<std::vector<StoredBatch>>& batches) {
                      OnRead(from, batches);
                    });
}

void Scrubber::OnRead(Offset from, const absl::StatusOr<std::vector<StoredBatch>>& batches) {
  size_t bytes = 0;
  if (!batches.ok()) {
    context_.OnDamage(uid_, batches.status());
    const std::optional<DamagedBatch> place = DamagedPlaceOf(batches.status());
    // Damage of more than a batch hides where the next one is: this partition is left for now.
    if (place) {
      offset_ = place->last_offset + 1;
    } else {
      LeavePartition();
    }
  } else if (batches->empty()) {
    LeavePartition();
  } else {
    for (const StoredBatch& batch : *batches) bytes += batch.bytes.size();
    offset_ = std::max(from, batches->back().last_offset + 1);
  }
  ScheduleStep(TimeFor(bytes));
}

}  // namespace quipu
