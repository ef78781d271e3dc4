#include "broker/shard/reconciler.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "base/status_macros.h"
#include "broker/shard/assignment.h"

namespace quipu {
namespace {

// On the writer: the set of logs is about to change on the word of the image at `index`.
absl::Status RecordActed(LogStore& store, LogIndex index) {
  auto stored = store.GetValue(kNewestActedImage);
  if (!stored.ok()) return stored.status();
  uint64_t newest = 0;
  if (stored->has_value() && !absl::SimpleAtoi(**stored, &newest)) {
    return ToStatus(ErrorCode::kCorruptMessage, "newest_acted_image is not a number");
  }
  if (index.value() <= newest) return absl::OkStatus();
  return store.PutValue(kNewestActedImage, index.ToString());
}

// Logs that are made or dropped in one piece of work: one sync for all of them, and what is
// produced meanwhile does not wait long for it.
constexpr size_t kLogsAtOnce = 500;

struct CreatedLog {
  LogId log_id;
  RecoveredLog recovered;
};

absl::StatusOr<std::vector<CreatedLog>> CreateOnWriter(LogStore& store,
                                                       const std::vector<PartitionUid>& uids,
                                                       LogIndex index) {
  QUIPU_RETURN_IF_ERROR(RecordActed(store, index));
  auto log_ids = store.CreateLogs(uids);
  if (!log_ids.ok()) return log_ids.status();
  std::vector<CreatedLog> created;
  created.reserve(uids.size());
  for (const LogId log_id : *log_ids) {
    auto recovered = store.Recover(log_id);
    if (!recovered.ok()) return recovered.status();
    created.push_back({log_id, *std::move(recovered)});
  }
  return created;
}

absl::Status DropOnWriter(LogStore& store, const std::vector<PartitionUid>& uids, LogIndex index) {
  QUIPU_RETURN_IF_ERROR(RecordActed(store, index));
  return store.DropLogs(uids);
}

// Takes up to kLogsAtOnce from the end of `uids`.
std::vector<PartitionUid> TakeSome(std::vector<PartitionUid>& uids) {
  const size_t left = uids.size() - std::min(uids.size(), kLogsAtOnce);
  std::vector<PartitionUid> some(uids.begin() + static_cast<std::ptrdiff_t>(left), uids.end());
  uids.resize(left);
  return some;
}

}  // namespace

void Reconciler::Apply() {
  const MetadataImage& image = *context_.image;
  for (const auto& [uid, partition] : image.partitions()) {
    if (uid.value() % context_.config->num_shards != context_.index) continue;
    if (!HasReplica(partition, context_.config->broker_id)) continue;
    if (!changing_.contains(uid)) ApplyPartition(partition);
  }
  std::vector<PartitionHost*> gone;
  for (const auto& [uid, host] : context_.hosts) {
    const PartitionImage* partition = image.FindPartition(uid);
    if (partition == nullptr || !HasReplica(*partition, context_.config->broker_id)) {
      gone.push_back(host.get());
    }
  }
  for (PartitionHost* host : gone) StartDropping(*host);
  std::vector<PartitionUid> dead;
  for (const auto& [uid, log] : found_) {
    if (!changing_.contains(uid) && MayDrop(uid)) dead.push_back(uid);
  }
  for (const PartitionUid uid : dead) {
    found_.erase(uid);
    StartDrop(uid);
  }
  newest_acted_ = std::max(newest_acted_, image.index());
}

void Reconciler::ApplyOne(PartitionUid uid) {
  if (changing_.contains(uid)) return;
  const PartitionImage* partition = context_.image->FindPartition(uid);
  if (partition != nullptr && HasReplica(*partition, context_.config->broker_id)) {
    ApplyPartition(*partition);
  } else if (found_.contains(uid) && MayDrop(uid)) {
    found_.erase(uid);
    StartDrop(uid);
  }
}

void Reconciler::ApplyPartition(const PartitionImage& partition) {
  if (PartitionHost* host = context_.Find(partition.uid)) {
    if (host->dropping) {  // given back before its log went
      host->dropping = false;
      host->assignment.reset();
    }
    Assign(*host, partition);
    return;
  }
  const auto found = found_.find(partition.uid);
  if (found == found_.end()) {
    StartCreate(partition.uid);
    return;
  }
  if (context_.under_repair.contains(partition.uid)) return;
  if (!found->second.recovered.damaged.empty() && !found->second.given_up) {
    AwaitRepair(partition.uid, found->second);
    return;
  }
  FoundLog log = std::move(found->second);
  found_.erase(found);
  MakeHost(partition, log.log_id, std::move(log.recovered));
}

void Reconciler::Assign(PartitionHost& host, const PartitionImage& partition) {
  PartitionAssignment assignment = AssignmentOf(*context_.image, partition);
  if (host.assignment && SameAssignment(*host.assignment, assignment)) return;
  if (host.assignment && assignment.leader == context_.config->broker_id) {
    context_.counters.CountIsr(host.assignment->isr, assignment.isr);
  }
  PartitionEffects effects;
  host.core.OnAssignment(assignment, context_.GetNow(), effects);
  host.assignment = std::move(assignment);
  context_.Absorb(host, effects);
}

void Reconciler::MakeHost(const PartitionImage& partition, LogId log_id, RecoveredLog recovered) {
  const Offset log_start = recovered.state.log_start_offset;
  if (recovered.damaged.empty()) context_.ForgetRepair(partition.uid);  // it is done
  PartitionCore::Options options{.self = context_.config->broker_id,
                                 .identity = IdentityOf(*context_.image, partition),
                                 .limits = context_.config->partition};
  auto host = std::make_unique<PartitionHost>(std::move(options), std::move(recovered), log_id);
  PartitionHost& made = *host;
  context_.hosts.Add(partition.uid, std::move(host));
  context_.ports.log_store().PublishTrim(log_id, log_start);
  Assign(made, partition);
}

void Reconciler::AwaitRepair(PartitionUid uid, const FoundLog& log) {
  context_.under_repair.insert(uid);
  context_.AwaitRepair(
      uid, log.log_id, log.recovered,
      [this, uid, log_id = log.log_id](bool given_up) { RecoverAgain(uid, log_id, given_up); });
}

void Reconciler::RecoverAgain(PartitionUid uid, LogId log_id, bool given_up) {
  context_.ReadCold([log_id](LogStore& store) { return store.Recover(log_id); },
                    [this, uid, log_id, given_up](absl::StatusOr<RecoveredLog> recovered) {
                      context_.under_repair.erase(uid);
                      const auto found = found_.find(uid);
                      if (found == found_.end() || found->second.log_id != log_id) return;
                      if (!recovered.ok()) {
                        context_.ports.StopProcess(absl::StrCat(
                            "log ", log_id.ToString(), " cannot be read after its repair: ",
                            std::string(recovered.status().message())));
                      }
                      found->second.recovered = *std::move(recovered);
                      found->second.given_up = given_up;
                      ApplyOne(uid);
                    });
}

void Reconciler::StartCreate(PartitionUid uid) {
  changing_.insert(uid);
  to_create_.push_back(uid);
  context_.RequestTurn();
}

void Reconciler::Flush() {
  while (!to_create_.empty()) CreateLogs(TakeSome(to_create_));
  while (!to_drop_.empty()) DropLogs(TakeSome(to_drop_));
}

void Reconciler::CreateLogs(std::vector<PartitionUid> uids) {
  context_.RunOnWriter(
      [uids, index = context_.image->index()](LogStore& store) {
        return CreateOnWriter(store, uids, index);
      },
      [this, uids](absl::StatusOr<std::vector<CreatedLog>> created) {
        if (!created.ok()) {
          context_.ports.StopProcess(absl::StrCat("no logs can be made for partition ",
                                                  uids.front().ToString(),
                                                  " and others: ", created.status().ToString()));
        }
        for (size_t i = 0; i < uids.size(); ++i) {
          CreatedLog& log = (*created)[i];
          changing_.erase(uids[i]);
          AddFound({.uid = uids[i], .log_id = log.log_id, .recovered = std::move(log.recovered)});
          ApplyOne(uids[i]);  // as the newest image has it by now
        }
      });
}

bool Reconciler::MayDrop(PartitionUid uid) const {
  const PartitionImage* partition = context_.image->FindPartition(uid);
  if (partition == nullptr) return IsDead(*context_.image, uid, newest_acted_);
  return context_.image->index() >= newest_acted_ &&
         !HasReplica(*partition, context_.config->broker_id);
}

void Reconciler::StartDropping(PartitionHost& host) {
  if (host.dropping) return;
  host.dropping = true;
  PartitionEffects effects;
  host.core.Resign(context_.GetNow(), effects);
  context_.Absorb(host, effects);  // OnSettled follows at the end of the turn
}

void Reconciler::OnSettled(PartitionHost& host) {
  // What is still to go out in this turn goes first.
  if (!host.dropping || host.touched || host.submissions > 0 || host.recovering || host.truncation)
    return;
  const PartitionUid uid = host.uid;
  if (!MayDrop(uid)) return;  // the image does not know it yet: kept until it does
  removed_(host);
  context_.tail.Drop(uid);
  context_.hosts.Remove(uid);
  StartDrop(uid);
}

void Reconciler::StartDrop(PartitionUid uid) {
  LogInfo("log.drop", {{"partition_uid", uid.ToString()}});
  context_.ForgetRepair(uid);
  context_.under_repair.erase(uid);
  changing_.insert(uid);
  to_drop_.push_back(uid);
  context_.RequestTurn();
}

void Reconciler::DropLogs(std::vector<PartitionUid> uids) {
  context_.RunOnWriter([uids, index = context_.image->index()](
                           LogStore& store) { return DropOnWriter(store, uids, index); },
                       [this, uids](const absl::Status& dropped) {
                         if (!dropped.ok()) {
                           context_.ports.StopProcess(
                               absl::StrCat("the logs of partition ", uids.front().ToString(),
                                            " and others cannot be dropped: ", dropped.ToString()));
                         }
                         for (const PartitionUid uid : uids) {
                           changing_.erase(uid);
                           ApplyOne(uid);
                         }
                       });
}

}  // namespace quipu
