#include "broker/shard/offset_queries.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <queue>
#include <utility>

#include "base/logging.h"
#include "core/replication/producer_table.h"

namespace quipu {
namespace {

using ListAnswer = ListOffsetsQuery::Part;

struct FoundRecord {
  Offset offset;
  TimestampMs timestamp;
  LeaderEpoch epoch = kNoLeaderEpoch;  // of its batch
};

int32_t Wire(ErrorCode error) { return static_cast<int32_t>(error); }

ListAnswer ListError(ErrorCode error) {
  ListAnswer answer;
  answer.set_error_code(Wire(error));
  answer.set_offset(kNoOffset.value());
  answer.set_timestamp(kNoTimestamp.value());
  answer.set_leader_epoch(kNoLeaderEpoch.value());
  return answer;
}

ListAnswer ListFound(const PartitionCore::OffsetAnswer& found) {
  ListAnswer answer = ListError(found.error);
  answer.set_offset(found.offset.value());
  answer.set_leader_epoch(found.epoch.value());
  return answer;
}

// What `of` finds in the records of `batch` from `from` on, each with its time.
template <typename Of>
absl::StatusOr<std::optional<FoundRecord>> FindIn(const StoredBatch& batch, Offset from, Of of) {
  auto view = RecordBatchView::Parse(batch.bytes);
  if (!view.ok()) return view.status();
  auto decoded = DecodedBatch::Decode(*view);
  if (!decoded.ok()) return decoded.status();
  const bool stamped = view->timestamp_type() == TimestampType::kLogAppendTime;
  std::optional<FoundRecord> found;
  for (const RecordView& record : decoded->records()) {
    if (record.offset < from) continue;
    const TimestampMs time = stamped ? view->max_timestamp() : record.timestamp;
    if (of(found, time)) found = FoundRecord{record.offset, time, view->leader_epoch()};
  }
  return found;
}

// The first record of `batch` from `from` on that is not older than `timestamp`.
absl::StatusOr<std::optional<FoundRecord>> FirstOf(const StoredBatch& batch, Offset from,
                                                   TimestampMs timestamp) {
  return FindIn(batch, from, [timestamp](const auto& found, TimestampMs time) {
    return !found && time >= timestamp;
  });
}

// The first record in [start, end) that is not older than `timestamp`.
absl::StatusOr<std::optional<FoundRecord>> SearchLog(LogStore& store, LogId log_id,
                                                     TimestampMs timestamp, Offset start,
                                                     Offset end) {
  auto batch = store.FindByTimestamp(log_id, timestamp);
  if (!batch.ok()) return batch.status();
  if (!batch->has_value()) return std::optional<FoundRecord>();
  auto found = FirstOf(**batch, start, timestamp);
  if (!found.ok() || found->has_value()) return found;
  // The log start lies behind these records, in that batch or where the store does not know of it
  // yet: what follows is searched one batch after the other.
  for (Offset from = std::max((*batch)->last_offset + 1, start); from < end;) {
    auto next = store.Read(log_id, from, end, 1);
    if (!next.ok()) return next.status();
    if (next->empty()) break;
    const StoredBatch& one = next->front();
    if (one.max_timestamp >= timestamp) {
      found = FirstOf(one, start, timestamp);
      if (!found.ok() || found->has_value()) return found;
    }
    from = one.last_offset + 1;
  }
  return std::optional<FoundRecord>();
}

// The first record with the largest timestamp. Where the log start lies in the batch that has it,
// the largest of that batch's records that are left.
absl::StatusOr<std::optional<FoundRecord>> NewestOf(LogStore& store, LogId log_id, Offset start) {
  auto batch = store.FindLargestTimestamp(log_id, start);
  if (!batch.ok()) return batch.status();
  if (!batch->has_value()) return std::optional<FoundRecord>();
  return FindIn(**batch, start, [](const auto& found, TimestampMs time) {
    return !found || time > found->timestamp;
  });
}

// The first record in [from, end). Control batches hold none.
absl::StatusOr<std::optional<FoundRecord>> FirstFrom(LogStore& store, LogId log_id, Offset from,
                                                     Offset end) {
  while (from < end) {
    auto batches = store.Read(log_id, from, end, 1);
    if (!batches.ok()) return batches.status();
    if (batches->empty()) break;
    auto view = RecordBatchView::Parse(batches->front().bytes);
    if (!view.ok()) return view.status();
    auto decoded = DecodedBatch::Decode(*view);
    if (!decoded.ok()) return decoded.status();
    for (const RecordView& record : decoded->records()) {
      if (record.offset < from || view->is_control()) continue;
      const bool stamped = view->timestamp_type() == TimestampType::kLogAppendTime;
      return std::make_optional(FoundRecord{
          record.offset, stamped ? view->max_timestamp() : record.timestamp, view->leader_epoch()});
    }
    from = view->end_offset();
  }
  return std::optional<FoundRecord>();
}

}  // namespace

void OffsetQueries::ListOffsets(const ListOffsetsQuery::Items& items,
                                const ListOffsetsQuery::JoinPtr& join) {
  for (const ListOffsetsQuery::Item& item : items) {
    PartitionHost* host = context_.Find(item.uid);
    if (host == nullptr) {
      join->Complete(context_.index, item.slot, ListError(ErrorCode::kNotLeaderOrFollower));
      continue;
    }
    const LeaderEpoch epoch(item.request.current_leader_epoch());
    if (item.request.by_offset()) {
      FindRecord(*host, item, join);
    } else if (item.request.timestamp() == kLatestTimestamp) {
      join->Complete(context_.index, item.slot, ListFound(host->core.LatestOffset(epoch)));
    } else if (item.request.timestamp() == kEarliestTimestamp) {
      join->Complete(context_.index, item.slot, ListFound(host->core.EarliestOffset(epoch)));
    } else {
      FindRecord(*host, item, join);
    }
  }
}

void OffsetQueries::FindRecord(PartitionHost& host, const ListOffsetsQuery::Item& item,
                               const ListOffsetsQuery::JoinPtr& join) {
  // What is committed must be known, or a record would be reported as missing (R09).
  const LeaderEpoch epoch(item.request.current_leader_epoch());
  const auto latest = host.core.LatestOffset(epoch);
  const bool by_offset = item.request.by_offset();
  const bool newest = !by_offset && item.request.timestamp() == kLargestTimestamp;
  const bool negative =
      !newest && (by_offset ? item.request.from_offset() : item.request.timestamp()) < 0;
  ErrorCode error = latest.error;
  if (error == ErrorCode::kNone && negative) {
    error = by_offset ? ErrorCode::kInvalidRequest : ErrorCode::kInvalidTimestamp;
  }
  if (error != ErrorCode::kNone) {
    join->Complete(context_.index, item.slot, ListError(error));
    return;
  }
  context_.ReadCold(
      [log_id = host.log_id, request = item.request, newest, start = host.core.log_start_offset(),
       end = latest.offset](LogStore& store) {
        if (newest) return NewestOf(store, log_id, start);
        return request.by_offset()
                   ? FirstFrom(store, log_id, std::max(Offset(request.from_offset()), start), end)
                   : SearchLog(store, log_id, TimestampMs(request.timestamp()), start, end);
      },
      [this, uid = item.uid, slot = item.slot, epoch, join](const auto& found) {
        PartitionHost* again = context_.Find(uid);
        if (again == nullptr) {
          join->Complete(context_.index, slot, ListError(ErrorCode::kNotLeaderOrFollower));
          return;
        }
        auto answer = ListFound(again->core.LatestOffset(epoch));
        if (answer.error_code() != 0 || !found.ok()) {
          if (answer.error_code() == 0) {
            answer = ListError(context_.OnDamage(uid, found.status()).error);
          }
          join->Complete(context_.index, slot, std::move(answer));
          return;
        }
        const bool visible = found->has_value() && (*found)->offset < again->core.high_watermark();
        answer.set_offset(visible ? (*found)->offset.value() : kNoOffset.value());
        answer.set_leader_epoch((visible ? (*found)->epoch : kNoLeaderEpoch).value());
        answer.set_timestamp(visible ? (*found)->timestamp.value() : kNoTimestamp.value());
        join->Complete(context_.index, slot, std::move(answer));
      });
}

void OffsetQueries::EpochEndOffsets(const EpochEndQuery::Items& items,
                                    const EpochEndQuery::JoinPtr& join) {
  for (const EpochEndQuery::Item& item : items) {
    EpochEndQuery::Part answer;
    PartitionCore::OffsetAnswer found{.error = ErrorCode::kNotLeaderOrFollower};
    if (const PartitionHost* host = context_.Find(item.uid)) {
      found = host->core.EndOffsetForEpoch(LeaderEpoch(item.request.current_leader_epoch()),
                                           LeaderEpoch(item.request.leader_epoch()));
    }
    answer.set_error_code(Wire(found.error));
    answer.set_leader_epoch(found.epoch.value());
    answer.set_end_offset(found.offset.value());
    join->Complete(context_.index, item.slot, std::move(answer));
  }
}

void OffsetQueries::Describe(const DescribeScope& scope,
                             const std::shared_ptr<DescribeJoin>& join) {
  message::DescribePartitionsResponse response;
  std::vector<const PartitionHost*> told;
  for (const auto& [uid, host] : context_.hosts) {
    const PartitionIdentity& identity = host->core.identity();
    if (!scope.Wants(identity.topic_id) || host->dropping) continue;
    told.push_back(host.get());
    auto* partition = response.add_partitions();
    partition->set_topic_id(identity.topic_id.ToBytes());
    partition->set_partition(identity.index.value());
    partition->set_is_leader(host->core.role() == PartitionRole::kLeader);
    partition->set_log_start_offset(host->core.log_start_offset().value());
    partition->set_high_watermark(host->core.high_watermark().value());
    partition->set_durable_end_offset(host->core.durable_end_offset().value());
    partition->set_log_end_offset(host->core.log_end_offset().value());
    partition->set_leader_epoch(host->core.leader_epoch().value());
    const auto& epochs = host->core.epochs();
    partition->set_last_epoch((epochs.empty() ? kNoLeaderEpoch : epochs.back().epoch).value());
    const bool acked = host->last_ack != kNoTimestamp;
    partition->set_last_ack_micros(acked ? host->last_ack.value() * 1000 : 0);
  }
  if (scope.producers_max > 0) DescribeProducers(told, scope.producers_max, response);
  if (scope.with_load) DescribeLoad(scope, response);
  join->Complete(context_.index, context_.index, std::move(response));
}

void OffsetQueries::DescribeProducers(const std::vector<const PartitionHost*>& told,
                                      size_t producers_max,
                                      message::DescribePartitionsResponse& response) {
  struct Known {
    ProducerBatch newest;
    ProducerId id;
    ProducerEpoch epoch;
    int entry;  // of its partition, in `response`
    bool operator>(const Known& other) const { return newest.timestamp > other.newest.timestamp; }
  };
  // The one with the oldest batch on top, to go when there are too many.
  std::priority_queue<Known, std::vector<Known>, std::greater<>> newest;
  for (size_t i = 0; i < told.size(); ++i) {
    const PartitionCore& core = told[i]->core;
    if (core.role() != PartitionRole::kLeader) continue;
    const int at = static_cast<int>(i);
    const ProducerTable& table = core.producer_table();
    response.mutable_partitions(at)->set_producers_known(static_cast<int32_t>(table.size()));
    table.ForEach([&](ProducerId id, ProducerEpoch epoch, const ProducerBatch& batch) {
      const bool full = newest.size() == producers_max;
      if (full && batch.timestamp <= newest.top().newest.timestamp) return;
      newest.push({.newest = batch, .id = id, .epoch = epoch, .entry = at});
      if (newest.size() > producers_max) newest.pop();
    });
  }
  for (; !newest.empty(); newest.pop()) {
    const Known& known = newest.top();
    auto* producer = response.mutable_partitions(known.entry)->add_producers();
    producer->set_producer_id(known.id.value());
    producer->set_producer_epoch(known.epoch.value());
    producer->set_last_sequence(known.newest.last_sequence.value());
    producer->set_last_offset(known.newest.last_offset.value());
    producer->set_last_timestamp(known.newest.timestamp.value());
  }
}

void OffsetQueries::DescribeLoad(const DescribeScope& scope,
                                 message::DescribePartitionsResponse& response) const {
  const ShardCounters& counters = context_.counters;
  for (const auto& [id, topic] : counters.topics) {
    if (!scope.Wants(id)) continue;
    auto* load = response.add_topics();
    load->set_topic_id(id.ToBytes());
    load->set_produced_records(topic.produced_records);
    load->set_produced_bytes(topic.produced_bytes);
    load->set_consumed_records(topic.consumed_records);
    load->set_consumed_bytes(topic.consumed_bytes);
  }
  auto* times = response.add_produce_times();
  for (const int64_t bound : counters.produce_total.bounds()) times->add_bounds_nanos(bound);
  for (const uint64_t count : counters.produce_total.counts()) times->add_counts(count);
}

}  // namespace quipu
