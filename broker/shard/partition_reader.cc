#include "broker/shard/partition_reader.h"

#include <algorithm>
#include <utility>

namespace quipu {
namespace {

// A read from disk is worth at least this much, where the fetch has room for it.
constexpr size_t kColdShareBytesMin = size_t{64} << 10;

void SetPlan(const PartitionCore::ReadPlan& plan, ReadResult& out) {
  out.result.error = plan.error;
  out.result.high_watermark = plan.high_watermark;
  // Without transactions every record below the high watermark is stable.
  out.result.last_stable_offset = plan.high_watermark;
  out.result.log_start_offset = plan.log_start_offset;
  out.result.diverging_epoch = plan.diverging_epoch;
  out.result.diverging_end_offset = plan.diverging_end_offset;
  out.seen_end = plan.read_end;
}

}  // namespace

size_t BatchBytes(const std::vector<Bytes>& batches) {
  size_t bytes = 0;
  for (const Bytes& batch : batches) bytes += batch.size();
  return bytes;
}

void PartitionReader::Read(const std::vector<ReadSlot>& slots, size_t bytes_max, ReadDone done) {
  auto pending = std::make_shared<Pending>();
  pending->results.resize(slots.size());
  pending->done = std::move(done);
  size_t cold = 0;
  std::vector<Source> sources(slots.size());
  for (size_t i = 0; i < slots.size(); ++i) {
    sources[i] = Plan(slots[i], pending->results[i]);
    if (sources[i] == Source::kDisk) ++cold;
  }
  size_t left = std::max<size_t>(bytes_max, 1);
  for (size_t i = 0; i < slots.size(); ++i) {
    if (sources[i] == Source::kNothing) continue;
    ReadResult& out = pending->results[i];
    out.cut_short = true;
    if (left == 0) continue;
    if (sources[i] == Source::kMemory) {
      left -= std::min(left, ReadMemory(slots[i], std::min(left, slots[i].bytes_max), out));
      continue;
    }
    // What is read from disk is known only later, so each such slot gets its share beforehand.
    const size_t share =
        std::min({left, std::max(left / cold, kColdShareBytesMin), slots[i].bytes_max});
    --cold;
    StartColdRead(slots[i], out.seen_end, share, i, pending);
    left -= share;
  }
  Finish(pending);
}

PartitionReader::Source PartitionReader::Plan(const ReadSlot& slot, ReadResult& out) {
  out.slot = slot.slot;
  const PartitionHost* host = context_.Find(slot.uid);
  context_.TellLeader(slot.uid, host, out.result);
  if (host == nullptr) {
    const bool repairing = context_.under_repair.contains(slot.uid);
    out.result.error = repairing ? ErrorCode::kUnderRepair : ErrorCode::kNotLeaderOrFollower;
    return Source::kNothing;
  }
  const PartitionCore::ReadPlan plan = host->core.PlanRead(slot.input);
  SetPlan(plan, out);
  if (plan.error != ErrorCode::kNone || plan.diverging_epoch != kNoLeaderEpoch ||
      plan.read_end <= slot.input.fetch_offset) {
    return Source::kNothing;
  }
  return context_.tail.Covers(slot.uid, slot.input.fetch_offset) ? Source::kMemory : Source::kDisk;
}

size_t PartitionReader::ReadMemory(const ReadSlot& slot, size_t budget, ReadResult& out) {
  for (StoredBatch& batch :
       context_.tail.Read(slot.uid, slot.input.fetch_offset, out.seen_end, budget)) {
    out.cut_short = batch.last_offset + 1 < out.seen_end;
    out.result.batches.push_back(std::move(batch.bytes));
  }
  return BatchBytes(out.result.batches);
}

void PartitionReader::StartColdRead(const ReadSlot& slot, Offset end, size_t budget,
                                    size_t position, const std::shared_ptr<Pending>& pending) {
  ++pending->open;
  context_.ReadCold(
      [log_id = context_.Find(slot.uid)->log_id, from = slot.input.fetch_offset, end,
       budget](LogStore& store) { return store.Read(log_id, from, end, budget); },
      [this, slot, position, pending](absl::StatusOr<std::vector<StoredBatch>> batches) {
        OnColdRead(slot, std::move(batches), pending->results[position]);
        Finish(pending);
      });
}

void PartitionReader::OnColdRead(const ReadSlot& slot,
                                 absl::StatusOr<std::vector<StoredBatch>> batches,
                                 ReadResult& out) {
  PartitionHost* host = context_.Find(slot.uid);
  context_.TellLeader(slot.uid, host, out.result);
  if (host == nullptr) {
    out.result.error = ErrorCode::kNotLeaderOrFollower;
    return;
  }
  const PartitionCore::ReadPlan plan = host->core.PlanRead(slot.input);
  SetPlan(plan, out);
  if (plan.error != ErrorCode::kNone || plan.diverging_epoch != kNoLeaderEpoch) return;
  if (!batches.ok()) {
    DamageVerdict verdict = context_.OnDamage(slot.uid, batches.status());
    out.result.error = verdict.error;
    out.result.error_message = std::move(verdict.message);
    out.result.refused_end_offset = verdict.refused_end;
    return;
  }
  for (StoredBatch& batch : *batches) {
    if (batch.last_offset >= plan.read_end) break;
    out.cut_short = batch.last_offset + 1 < plan.read_end;
    out.result.batches.push_back(std::move(batch.bytes));
  }
}

void PartitionReader::Finish(const std::shared_ptr<Pending>& pending) {
  if (--pending->open > 0) return;
  const ReadDone done = std::move(pending->done);
  done(std::move(pending->results));
}

}  // namespace quipu
