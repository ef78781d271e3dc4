// What a shard counts at each effect, and what it tells a scrape.

#include "absl/container/btree_map.h"
#include "absl/strings/string_view.h"
#include "broker/shard/broker_shard.h"

namespace quipu {

void BrokerShard::Count(PartitionHost& host, const PartitionEffects& effects) {
  const bool leads = host.core.role() == PartitionRole::kLeader;
  if (effects.role_changed) {
    host.stages.Clear();
    if (leads) ++counters.leaderships;
  }
  if (effects.mutation.truncate_to) host.stages.Clear();
  const std::vector<StoredBatch>& appends = effects.mutation.appends;
  counters.CountAppends(host.core.identity().topic_id, appends, leads);
  if (leads && !appends.empty()) {
    const Instant now = GetNow().mono;
    for (const StoredBatch& batch : appends) host.stages.OnAppended(batch.last_offset + 1, now);
  }
  if (effects.high_watermark_moved && !host.stages.empty()) {
    host.stages.OnCommitted(host.core.high_watermark(), GetNow().mono,
                            counters.produce_replication);
  }
}

void BrokerShard::ForgetDeletedTopics() {
  for (auto it = counters.topics.begin(); it != counters.topics.end();) {
    it = image->FindTopic(it->first) == nullptr ? counters.topics.erase(it) : std::next(it);
  }
}

ShardMetrics BrokerShard::Metrics(size_t partitions_max) const {
  ShardMetrics out;
  out.counters = counters;
  out.fetch_waiters = waiters_.size();
  out.unsynced_bytes = tail.unsynced_bytes();
  out.undurable_pushed_bytes = fetcher_.undurable_bytes();
  out.damaged_batches = repairer_.damaged();
  out.repaired_batches = repairer_.repaired();
  out.repair_reads = repair_server_.reads();
  for (const auto& [uid, host] : hosts) {
    const PartitionCore& core = host->core;
    ++out.replicas[static_cast<size_t>(core.role())];
    out.parked_acks += core.parked_acks();
    if (out.partitions.size() >= partitions_max) {
      ++out.partitions_left_out;
      continue;
    }
    out.partitions.push_back({.uid = uid,
                              .topic = core.identity().topic_id,
                              .index = core.identity().index,
                              .role = core.role(),
                              .log_start = core.log_start_offset(),
                              .high_watermark = core.high_watermark(),
                              .log_end = core.log_end_offset(),
                              .durable_end = core.durable_end_offset(),
                              .followers = core.follower_lags()});
  }
  size_t room = partitions_max;
  out.group_requests_waiting = coordinators_.waiting();
  // The names are literals.
  absl::btree_map<std::pair<absl::string_view, absl::string_view>, size_t> by_state;
  coordinators_.ForEachLoaded([&out, &room, &by_state](const GroupCoordinatorCore& core) {
    out.group_bytes += core.held_bytes();
    core.ForEachGroup([&by_state](const std::string& /*group_id*/, const char* kind,
                                  const char* state,
                                  size_t /*members*/) { ++by_state[{kind, state}]; });
    for (const auto& [id, state] : core.groups()) {
      // Whole or not at all: a state that is judged by some partitions is none.
      if (state.offsets.size() > room) {
        out.group_partitions_left_out += state.offsets.size();
        continue;
      }
      room -= state.offsets.size();
      GroupMetrics group;
      group.group = id;
      const ClassicGroup* classic = core.classic().Find(id);
      group.members =
          state.membership.members.size() + (classic != nullptr ? classic->members.size() : 0);
      for (const auto& [partition, committed] : state.offsets) {
        group.offsets.push_back({.topic = partition.topic_id,
                                 .index = partition.partition,
                                 .offset = committed.offset,
                                 .at = committed.commit_time});
      }
      out.groups.push_back(std::move(group));
    }
  });
  for (const auto& [names, count] : by_state) {
    out.groups_by_state[{std::string(names.first), std::string(names.second)}] = count;
  }
  return out;
}

}  // namespace quipu
