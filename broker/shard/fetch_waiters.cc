#include "broker/shard/fetch_waiters.h"

#include <algorithm>
#include <utility>

#include "absl/container/btree_set.h"

namespace quipu {

void FetchWaiters::Start(FetchJob job) {
  if (waits_.size() >= waiters_max_) {
    job.response.error = ErrorCode::kLimitReached;
    job.reply(std::move(job.response));
    return;
  }
  const uint64_t wait_id = next_wait_id_++;
  auto wait = std::make_unique<Wait>();
  wait->started = context_.GetNow().mono;
  wait->deadline = wait->started + job.wait_max;
  wait->seen_ends.assign(job.slots.size(), kNoOffset);
  wait->job = std::move(job);
  waits_.emplace(wait_id, std::move(wait));
  ReadAll(wait_id);
}

std::vector<size_t> FetchWaiters::ShardsOf(const FetchJob& job) {
  absl::btree_set<size_t> shards;
  for (const FetchJob::Slot& slot : job.slots) {
    if (slot.resolved) shards.insert(slot.shard);
  }
  return {shards.begin(), shards.end()};
}

void FetchWaiters::ReadAll(uint64_t wait_id) {
  Wait& wait = *waits_.at(wait_id);
  wait.read_began = context_.GetNow().mono;
  const std::vector<size_t> shards = ShardsOf(wait.job);
  wait.shards_reading = shards.size();
  wait.bytes = 0;
  wait.cut_short = false;
  if (shards.empty()) {
    wait.final = true;
    Evaluate(wait_id);
    return;
  }
  for (const size_t shard : shards) {
    std::vector<ReadSlot> slots;
    for (size_t i = 0; i < wait.job.slots.size(); ++i) {
      const FetchJob::Slot& slot = wait.job.slots[i];
      if (!slot.resolved || slot.shard != shard) continue;
      slots.push_back(
          {.slot = i, .uid = slot.uid, .input = slot.input, .bytes_max = slot.bytes_max});
    }
    // The last call may answer and end the wait: nothing of it is touched afterwards.
    peers_.read(shard, wait_id, std::move(slots), wait.job.bytes_max);
    if (!waits_.contains(wait_id)) return;
  }
}

void FetchWaiters::OnRead(uint64_t wait_id, std::vector<ReadResult> results) {
  const auto it = waits_.find(wait_id);
  if (it == waits_.end()) return;
  Wait& wait = *it->second;
  for (ReadResult& found : results) {
    FetchPartitionResult& target = wait.job.response.partitions[found.slot];
    found.result.topic_id = target.topic_id;
    found.result.partition = target.partition;
    if (found.result.error != ErrorCode::kNone || found.result.diverging_epoch != kNoLeaderEpoch) {
      wait.final = true;
    }
    wait.bytes += BatchBytes(found.result.batches);
    wait.cut_short |= found.cut_short;
    wait.seen_ends[found.slot] = found.seen_end;
    target = std::move(found.result);
  }
  if (--wait.shards_reading == 0) Evaluate(wait_id);
}

void FetchWaiters::Evaluate(uint64_t wait_id) {
  Wait& wait = *waits_.at(wait_id);
  const bool errors =
      std::any_of(wait.job.response.partitions.begin(), wait.job.response.partitions.end(),
                  [](const FetchPartitionResult& p) { return p.error != ErrorCode::kNone; });
  // What the limits hold back can never be waited for: the answer is as full as it gets.
  const bool full = wait.bytes > 0 && wait.cut_short;
  if (wait.final || errors || full || wait.bytes >= wait.job.min_bytes ||
      context_.GetNow().mono >= wait.deadline) {
    Finish(wait_id);
    return;
  }
  BeginWaiting(wait_id, wait);
}

void FetchWaiters::BeginWaiting(uint64_t wait_id, Wait& wait) {
  wait.watching = true;
  context_.PostAfter(wait.deadline - context_.GetNow().mono, [this, wait_id] {
    const auto it = waits_.find(wait_id);
    if (it == waits_.end() || it->second->final) return;
    it->second->final = true;
    if (it->second->shards_reading == 0) ReadAll(wait_id);
  });
  for (const size_t shard : ShardsOf(wait.job)) {
    std::vector<WatchRequest> watches;
    for (size_t i = 0; i < wait.job.slots.size(); ++i) {
      const FetchJob::Slot& slot = wait.job.slots[i];
      if (!slot.resolved || slot.shard != shard) continue;
      watches.push_back({.uid = slot.uid, .seen_end = wait.seen_ends[i]});
    }
    peers_.watch(shard, wait_id, std::move(watches));
    if (!waits_.contains(wait_id)) return;
  }
}

void FetchWaiters::OnProgress(uint64_t wait_id, size_t bytes, bool look) {
  const auto it = waits_.find(wait_id);
  if (it == waits_.end() || it->second->final) return;
  Wait& wait = *it->second;
  wait.bytes += bytes;
  if (!look && wait.bytes < wait.job.min_bytes) return;
  wait.final = true;
  ReadAll(wait_id);
}

void FetchWaiters::Trim(FetchJob& job) {
  // Shards read side by side, so together they may have read more than the request allows.
  size_t bytes = 0;
  for (FetchPartitionResult& partition : job.response.partitions) {
    size_t keep = 0;
    for (const Bytes& batch : partition.batches) {
      if (bytes > 0 && bytes + batch.size() > job.bytes_max) break;
      bytes += batch.size();
      ++keep;
    }
    partition.batches.resize(keep);
  }
}

void FetchWaiters::Count(const Wait& wait) {
  const Instant now = context_.GetNow().mono;
  context_.counters.fetch_read.Observe(now - wait.read_began);
  context_.counters.fetch_total.Observe(now - wait.started);
  for (const FetchPartitionResult& partition : wait.job.response.partitions) {
    context_.counters.CountConsumed(partition.topic_id, partition.batches);
  }
}

void FetchWaiters::Finish(uint64_t wait_id) {
  const auto it = waits_.find(wait_id);
  const std::unique_ptr<Wait> wait = std::move(it->second);
  waits_.erase(it);
  if (wait->watching) {
    for (const size_t shard : ShardsOf(wait->job)) {
      std::vector<PartitionUid> uids;
      for (const FetchJob::Slot& slot : wait->job.slots) {
        if (slot.resolved && slot.shard == shard) uids.push_back(slot.uid);
      }
      peers_.unwatch(shard, wait_id, std::move(uids));
    }
  }
  Trim(wait->job);
  Count(*wait);
  wait->job.reply(std::move(wait->job.response));
}

void FetchWaiters::FailAll(ErrorCode error) {
  while (!waits_.empty()) {
    Wait& wait = *waits_.begin()->second;
    wait.job.response.error = error;
    for (FetchPartitionResult& partition : wait.job.response.partitions) {
      partition.batches.clear();
      partition.error = error;
    }
    Finish(waits_.begin()->first);
  }
}

}  // namespace quipu
