#include "tests/simulation/checkers/shadow_log.h"

#include <algorithm>
#include <map>
#include <string>

#include "core/record/record_batch.h"
#include "storage/log_recovery.h"
#include "tests/simulation/checkers/violation.h"

namespace quipu::sim {
namespace {

std::string Describe(PartitionUid uid, const ShadowBatch& batch) {
  return "partition " + uid.ToString() + " batch [" + batch.base_offset.ToString() + ".." +
         batch.last_offset.ToString() + "] of epoch " + batch.epoch.ToString();
}

}  // namespace

void ShadowLogs::OnDurable(BrokerId broker, const LogStore& disk,
                           const std::vector<LogWrite>& writes) {
  std::map<LogId, PartitionUid> uids;
  for (const KnownLog& known : disk.Logs()) uids[known.log_id] = known.uid;
  for (const LogWrite& write : writes) {
    const auto uid = uids.find(write.log_id);
    if (uid == uids.end()) continue;  // dropped meanwhile
    ShadowLog& log = logs_[{broker, uid->second}];
    if (write.mutation.truncate_to.has_value()) {
      log.batches.erase(log.batches.lower_bound(*write.mutation.truncate_to), log.batches.end());
    }
    for (const StoredBatch& stored : write.mutation.repairs) {
      const auto view = RecordBatchView::Parse(stored.bytes);
      Require(view.ok() && view->CrcMatches(), "I64", [&] {
        return "a repair wrote a damaged batch at offset " + stored.base_offset.ToString();
      });
      const auto known = log.batches.find(stored.last_offset);
      if (known == log.batches.end()) continue;  // cut off or trimmed: the store leaves it out
      const ShadowBatch batch{.base_offset = stored.base_offset,
                              .last_offset = stored.last_offset,
                              .epoch = view->leader_epoch(),
                              .crc = view->crc()};
      Require(known->second == batch, "I64", [&] {
        return "broker " + broker.ToString() + " repaired " + Describe(uid->second, known->second) +
               " with " + Describe(uid->second, batch);
      });
      ++repairs_;
    }
    for (const StoredBatch& stored : write.mutation.appends) {
      const auto view = RecordBatchView::Parse(stored.bytes);
      Require(view.ok() && view->CrcMatches(), "I62", [&] {
        return "a damaged batch was written at offset " + stored.base_offset.ToString();
      });
      const ShadowBatch batch{.base_offset = stored.base_offset,
                              .last_offset = stored.last_offset,
                              .epoch = view->leader_epoch(),
                              .crc = view->crc()};
      const auto [seen, is_new] =
          first_seen_.try_emplace({uid->second, {batch.epoch, batch.base_offset}}, batch.crc);
      Require(is_new || seen->second == batch.crc, "I29", [&] {
        return Describe(uid->second, batch) + " on broker " + broker.ToString() +
               " has another content than before";
      });
      Require(log.end() <= batch.base_offset, "I60", [&] {
        return Describe(uid->second, batch) + " overlaps the log of broker " + broker.ToString();
      });
      log.batches[batch.last_offset] = batch;
    }
    if (write.mutation.state.has_value()) {
      log.log_start = std::max(log.log_start, write.mutation.state->log_start_offset);
    }
  }
}

void ShadowLogs::OnDamaged(BrokerId broker, PartitionUid uid, Offset last_offset) {
  const Key key{broker, uid};
  damaged_[{key, last_offset}] = logs_.at(key).batches.at(last_offset);
}

void ShadowLogs::OnReplaced(BrokerId broker, const MemoryLogStore& disk) {
  std::erase_if(logs_, [broker](const auto& entry) { return entry.first.first == broker; });
  for (const KnownLog& known : disk.Logs()) {
    const Key key{broker, known.uid};
    ShadowLog& log = logs_[key];
    const auto recovered = disk.Recover(known.log_id);
    Require(recovered.ok(), "I62", [] { return std::string("a disk that is put in is damaged"); });
    log.log_start = recovered->state.log_start_offset;
    for (const auto& [last_offset, stored] : disk.StoredBatches(known.log_id)) {
      const auto batch = CheckedBatch(known.log_id, last_offset, stored.bytes);
      const auto damaged = damaged_.find({key, last_offset});
      Require(batch.ok() || damaged != damaged_.end(), "I62",
              [] { return std::string("a disk that is put in has damage that nobody did"); });
      if (!batch.ok()) {
        log.batches[last_offset] = damaged->second;
        continue;
      }
      const auto view = RecordBatchView::Parse(stored.bytes);
      log.batches[last_offset] = {.base_offset = stored.base_offset,
                                  .last_offset = stored.last_offset,
                                  .epoch = view->leader_epoch(),
                                  .crc = view->crc()};
    }
  }
}

const ShadowLog* ShadowLogs::Find(BrokerId broker, PartitionUid uid) const {
  const auto found = logs_.find({broker, uid});
  return found == logs_.end() ? nullptr : &found->second;
}

Offset ShadowLogs::End(BrokerId broker, PartitionUid uid) const {
  const ShadowLog* log = Find(broker, uid);
  return log == nullptr ? Offset(0) : log->end();
}

void ShadowLogs::RequireSame(const char* id, PartitionUid uid, BrokerId a, BrokerId b, Offset from,
                             Offset end) const {
  const ShadowLog* left = Find(a, uid);
  const ShadowLog* right = Find(b, uid);
  if (left == nullptr || right == nullptr) return;
  const Offset start = std::max({from, left->log_start, right->log_start});
  auto x = left->batches.lower_bound(start);
  auto y = right->batches.lower_bound(start);
  while (x != left->batches.end() && y != right->batches.end() && x->second.last_offset < end &&
         y->second.last_offset < end) {
    Require(x->second == y->second, id, [&] {
      return "brokers " + a.ToString() + " and " + b.ToString() + " differ below " +
             end.ToString() + ": " + Describe(uid, x->second) + " and " + Describe(uid, y->second);
    });
    ++x;
    ++y;
  }
}

}  // namespace quipu::sim
