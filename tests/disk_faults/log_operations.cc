#include "tests/disk_faults/log_operations.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "core/record/record_batch_builder.h"
#include "core/replication/producer_table.h"

namespace quipu::disk_faults {
namespace {

constexpr int64_t kPartitions = 6;
constexpr int64_t kProducers = 4;
constexpr absl::string_view kValueName = "newest";

RecoveredLog Recovered(const LogStore& store, LogId log_id) {
  absl::StatusOr<RecoveredLog> recovered = store.Recover(log_id);
  QUIPU_CHECK_MSG(recovered.ok(), recovered.status().ToString());
  return *std::move(recovered);
}

size_t ValueBytes(Rng& rng) {
  const uint64_t kind = rng.Below(20);
  if (kind < 13) return 10 + rng.Below(400);
  if (kind < 18) return 1000 + rng.Below(4000);
  return 20000 + rng.Below(50000);  // over several blocks of the write-ahead log
}

// Appends one to three batches at the end of `log`, and what goes with them.
void AddAppends(RecoveredLog& log, Rng& rng, LogMutation& mutation) {
  PartitionState& state = log.state;
  if (state.leader_epoch == kNoLeaderEpoch || Percent(rng, 15)) {
    state.leader_epoch = LeaderEpoch(std::max(0, state.leader_epoch.value()) + 1);
    log.epochs.push_back({.epoch = state.leader_epoch, .start_offset = log.log_end_offset});
    mutation.epochs = log.epochs;
  }
  ProducerTable producers;
  producers.Restore(log.producers);
  const int64_t count = rng.Between(1, 3);
  for (int64_t i = 0; i < count; ++i) {
    RecordBatchOptions options{.base_offset = log.log_end_offset,
                               .leader_epoch = state.leader_epoch};
    if (Percent(rng, 70)) {
      options.producer_id = ProducerId(rng.Between(1, kProducers));
      options.producer_epoch = ProducerEpoch(0);
      options.base_sequence = Sequence(0);
      for (const ProducerEntry& entry : producers.Entries()) {
        if (entry.producer_id != options.producer_id) continue;
        options.producer_epoch = entry.producer_epoch;
        options.base_sequence = NextSequence(entry.batches.back().last_sequence);
        if (Percent(rng, 10)) {
          options.producer_epoch =
              ProducerEpoch(static_cast<int16_t>(entry.producer_epoch.value() + 1));
          options.base_sequence = Sequence(0);
        }
      }
    }
    RecordBatchBuilder builder(options);
    const int64_t records = rng.Between(1, 4);
    const TimestampMs timestamp(rng.Between(1000, 9000));
    for (int64_t k = 0; k < records; ++k) {
      const std::string value(ValueBytes(rng), static_cast<char>('a' + rng.Below(26)));
      builder.Add({.timestamp = timestamp,
                   .key = absl::string_view("key"),
                   .value = absl::string_view(value),
                   .headers = {}});
    }
    const Bytes bytes = builder.Build();
    const absl::StatusOr<RecordBatchView> view = RecordBatchView::Parse(bytes);
    QUIPU_CHECK(view.ok());
    producers.Replay(*view);
    mutation.appends.push_back({.base_offset = view->base_offset(),
                                .last_offset = view->last_offset(),
                                .max_timestamp = timestamp,
                                .bytes = bytes});
    log.log_end_offset = view->last_offset() + 1;
  }
}

// The high watermark stays, or follows the durable end: it always lies between two batches.
void RaiseHighWatermark(PartitionState& state, Offset durable_end, Rng& rng) {
  if (Percent(rng, 60)) state.high_watermark = std::max(state.high_watermark, durable_end);
}

void AddTrim(RecoveredLog& log, Rng& rng, LogMutation& mutation) {
  RaiseHighWatermark(log.state, log.log_end_offset, rng);
  log.state.log_start_offset =
      Offset(rng.Between(log.state.log_start_offset.value(), log.state.high_watermark.value()));
  // Epochs that end below the log start go.
  while (log.epochs.size() > 1 && log.epochs[1].start_offset <= log.state.log_start_offset) {
    log.epochs.erase(log.epochs.begin());
  }
  mutation.epochs = log.epochs;
  mutation.producers = ProducerSnapshot{.as_of = log.log_end_offset, .producers = log.producers};
}

// A follower that begins anew at its leader's log start.
void AddRestart(RecoveredLog& log, Rng& rng, LogMutation& mutation) {
  const Offset start = log.log_end_offset + rng.Between(1, 50);
  mutation.truncate_to = Offset(0);
  mutation.epochs = std::vector<EpochEntry>();
  mutation.producers = ProducerSnapshot{.as_of = start, .producers = {}};
  log.state.log_start_offset = start;
  log.state.high_watermark = start;
}

LogWrite NextWrite(const MemoryLogStore& state, LogId log_id, Rng& rng) {
  LogWrite write{.log_id = log_id, .mutation = {}};
  LogMutation& mutation = write.mutation;
  RecoveredLog log = Recovered(state, log_id);
  const Offset durable_end = log.log_end_offset;
  const uint64_t kind = rng.Below(20);
  if (kind < 13) {
    if (Percent(rng, 25)) {
      mutation.producers = ProducerSnapshot{.as_of = durable_end, .producers = log.producers};
    }
    RaiseHighWatermark(log.state, durable_end, rng);
    AddAppends(log, rng, mutation);
  } else if (kind < 16) {
    const Offset floor = std::max(log.state.high_watermark, log.state.log_start_offset);
    const Offset end(rng.Between(floor.value(), std::max(floor, durable_end).value()));
    mutation.truncate_to = end;
    std::erase_if(log.epochs, [end](const EpochEntry& entry) { return entry.start_offset >= end; });
    mutation.epochs = log.epochs;
    if (Percent(rng, 40)) {
      MemoryLogStore cut = state;
      QUIPU_CHECK(cut.Write({write}).ok());
      log = Recovered(cut, log_id);
      AddAppends(log, rng, mutation);
    }
  } else if (kind < 19) {
    AddTrim(log, rng, mutation);
  } else {
    AddRestart(log, rng, mutation);
  }
  mutation.state = log.state;
  return write;
}

std::string DifferenceOf(const LogStore& found, const MemoryLogStore& expected, LogId log_id) {
  const auto there = found.Recover(log_id);
  if (!there.ok()) return absl::StrCat("cannot be recovered: ", there.status().ToString());
  const RecoveredLog here = Recovered(expected, log_id);
  if (there->state.high_watermark > there->log_end_offset) return "high watermark above the end";
  if (there->log_end_offset != here.log_end_offset) {
    return absl::StrCat("ends at ", there->log_end_offset.value(), ", not at ",
                        here.log_end_offset.value());
  }
  if (!(there->state == here.state)) return "state differs";
  if (there->epochs != here.epochs) return "epochs differ";
  if (there->producers != here.producers) return "producers differ";
  const auto batches = found.Read(log_id, Offset(0), Offset::Max(), size_t{1} << 30);
  if (!batches.ok()) return absl::StrCat("cannot be read: ", batches.status().ToString());
  const auto wanted = expected.Read(log_id, Offset(0), Offset::Max(), size_t{1} << 30);
  if (batches->size() != wanted->size()) {
    return absl::StrCat("has ", batches->size(), " batches, not ", wanted->size());
  }
  for (size_t i = 0; i < batches->size(); ++i) {
    if (!((*batches)[i].bytes == (*wanted)[i].bytes)) return absl::StrCat("batch ", i, " differs");
  }
  return "";
}

}  // namespace

LogOperation NextOperation(const MemoryLogStore& state, Rng& rng) {
  const std::vector<KnownLog> logs = state.Logs();
  const uint64_t kind = rng.Below(100);
  if (logs.empty() || kind < 6) {
    LogOperation operation{
        .kind = LogOperation::Kind::kCreate, .group = {}, .uids = {}, .value = {}};
    const int64_t count = rng.Between(1, 3);
    for (int64_t i = 0; i < count; ++i) {
      operation.uids.emplace_back(static_cast<uint64_t>(rng.Between(1, kPartitions)));
    }
    return operation;
  }
  if (kind < 9) {
    return {.kind = LogOperation::Kind::kDrop,
            .group = {},
            .uids = {logs[rng.Below(logs.size())].uid},
            .value = {}};
  }
  if (kind < 13) {
    return {.kind = LogOperation::Kind::kPutValue,
            .group = {},
            .uids = {},
            .value = absl::StrCat(rng.Below(1000))};
  }
  if (kind < 17) return {.kind = LogOperation::Kind::kFlush, .group = {}, .uids = {}, .value = {}};
  LogOperation operation{.kind = LogOperation::Kind::kWrite, .group = {}, .uids = {}, .value = {}};
  MemoryLogStore within = state;
  const int64_t writes = rng.Between(1, 4);
  for (int64_t i = 0; i < writes; ++i) {
    operation.group.push_back(NextWrite(within, logs[rng.Below(logs.size())].log_id, rng));
    QUIPU_CHECK(within.Write({operation.group.back()}).ok());
  }
  return operation;
}

absl::Status Apply(LogStore& store, const LogOperation& operation) {
  switch (operation.kind) {
    case LogOperation::Kind::kWrite:
      return store.Write(operation.group);
    case LogOperation::Kind::kCreate:
      return store.CreateLogs(operation.uids).status();
    case LogOperation::Kind::kDrop:
      return store.DropLog(operation.uids[0]);
    case LogOperation::Kind::kPutValue:
      return store.PutValue(std::string(kValueName), operation.value);
    case LogOperation::Kind::kFlush:
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

std::vector<MemoryLogStore> StatesWithin(const MemoryLogStore& state,
                                         const LogOperation& operation) {
  std::vector<MemoryLogStore> states = {state};
  if (operation.kind != LogOperation::Kind::kWrite) {
    states.push_back(state);
    QUIPU_CHECK(Apply(states.back(), operation).ok());
    return states;
  }
  for (const LogWrite& write : operation.group) {
    states.push_back(states.back());
    QUIPU_CHECK(states.back().Write({write}).ok());
  }
  return states;
}

std::string Difference(const LogStore& found, const MemoryLogStore& expected) {
  const std::vector<KnownLog> there = found.Logs();
  const std::vector<KnownLog> here = expected.Logs();
  const auto same = [](const KnownLog& a, const KnownLog& b) {
    return a.uid == b.uid && a.log_id == b.log_id;
  };
  if (!std::equal(there.begin(), there.end(), here.begin(), here.end(), same)) {
    return absl::StrCat("knows ", there.size(), " logs, not ", here.size(), ", or others");
  }
  for (const KnownLog& log : here) {
    const std::string difference = DifferenceOf(found, expected, log.log_id);
    if (!difference.empty()) return absl::StrCat("log ", log.log_id.value(), ": ", difference);
  }
  const auto value = found.GetValue(std::string(kValueName));
  if (!value.ok() || *value != *expected.GetValue(std::string(kValueName))) {
    return "a named value differs";
  }
  return "";
}

}  // namespace quipu::disk_faults
