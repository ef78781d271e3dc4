#include "broker/shard/shard_log.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/logging.h"

namespace quipu {

void ShardLog::Add(PartitionHost& host, PartitionEffects& effects) {
  if (effects.mutation.empty()) return;
  LogMutation mutation = std::move(effects.mutation);
  effects.mutation = LogMutation{};
  if (mutation.truncate_to) {
    QUIPU_CHECK(!host.truncation);
    context_.tail.Truncate(host.uid, *mutation.truncate_to);
  }
  for (const StoredBatch& batch : mutation.appends) {
    context_.tail.Append(host.uid, batch);
    host.grown_bytes += batch.bytes.size();
  }
  if (host.truncation) {
    MergeIntoTruncation(*host.truncation, std::move(mutation));
    return;
  }
  if (mutation.truncate_to && host.submissions > 0) {
    host.truncation = std::move(mutation);
    return;
  }
  const bool truncation = mutation.truncate_to.has_value();
  AddWrite(host, std::move(mutation), truncation);
  if (effects.log_start_moved) notices_.back().trim_to = host.core.log_start_offset();
}

void ShardLog::MergeIntoTruncation(LogMutation& held, LogMutation mutation) {
  for (StoredBatch& batch : mutation.appends) held.appends.push_back(std::move(batch));
  if (mutation.epochs) held.epochs = std::move(mutation.epochs);
  if (mutation.state) held.state = mutation.state;
  if (mutation.producers) held.producers = std::move(mutation.producers);
}

void ShardLog::AddWrite(PartitionHost& host, LogMutation mutation, bool truncation) {
  ++host.submissions;
  writes_.push_back({.log_id = host.log_id, .mutation = std::move(mutation)});
  notices_.push_back({.uid = host.uid,
                      .log_id = host.log_id,
                      .durable_end = host.core.log_end_offset(),
                      .truncation = truncation,
                      .trim_to = std::nullopt});
}

void ShardLog::Submit() {
  if (writes_.empty()) return;
  std::vector<LogWrite> writes;
  std::vector<Notice> notices;
  writes.swap(writes_);
  notices.swap(notices_);
  context_.ports.log_writer().Submit(
      std::move(writes), [this, context = context_.weak_from_this(), &runner = context_.executor,
                          notices = std::move(notices)]() mutable {
        runner.Post([this, context, notices = std::move(notices)] {
          if (const auto alive = context.lock()) OnDurable(notices);
        });
      });
}

void ShardLog::OnDurable(const std::vector<Notice>& notices) {
  for (const Notice& notice : notices) {
    PartitionHost* host = context_.Find(notice.uid);
    if (host == nullptr || host->log_id != notice.log_id) continue;
    CompleteNotice(*host, notice);
    settled_(*host);
  }
}

void ShardLog::CompleteNotice(PartitionHost& host, const Notice& notice) {
  QUIPU_CHECK(host.submissions > 0);
  --host.submissions;
  if (notice.truncation) {
    context_.ForgetRepair(host.uid);  // whatever is still damaged is met again
    RecoverAgain(host, /*given_up=*/false);
  } else {
    context_.tail.OnDurable(host.uid, notice.durable_end);
    const Now now = context_.GetNow();
    host.stages.OnDurable(notice.durable_end, now.mono, context_.counters.produce_sync);
    PartitionEffects effects;
    host.core.OnLogDurable(notice.durable_end, now, effects);
    context_.Absorb(host, effects);
  }
  if (notice.trim_to) context_.ports.log_store().PublishTrim(host.log_id, *notice.trim_to);
  if (host.truncation && host.submissions == 0) {
    LogMutation mutation = std::move(*host.truncation);
    host.truncation.reset();
    AddWrite(host, std::move(mutation), true);
    Submit();
  }
}

void ShardLog::RecoverAgain(PartitionHost& host, bool given_up) {
  host.recovering = true;
  context_.ReadCold(
      [log_id = host.log_id](LogStore& store) { return store.Recover(log_id); },
      [this, uid = host.uid, log_id = host.log_id,
       given_up](absl::StatusOr<RecoveredLog> recovered) {
        PartitionHost* found = context_.Find(uid);
        if (found == nullptr || found->log_id != log_id) return;
        if (recovered.ok() && !recovered->damaged.empty() && !given_up && !found->dropping) {
          // What producers have sent must be known before anything else happens to this log (P03).
          context_.AwaitRepair(uid, log_id, *recovered, [this, uid, log_id](bool peers_gave_up) {
            PartitionHost* again = context_.Find(uid);
            if (again != nullptr && again->log_id == log_id) RecoverAgain(*again, peers_gave_up);
          });
          return;
        }
        found->recovering = false;
        if (!recovered.ok()) {
          context_.ports.StopProcess(absl::StrCat(
              "log ", log_id.ToString(),
              " cannot be read after its truncation: ", std::string(recovered.status().message())));
        }
        PartitionEffects effects;
        found->core.OnTruncated(*std::move(recovered), context_.GetNow(), effects);
        context_.Absorb(*found, effects);
        settled_(*found);
      });
}

}  // namespace quipu
