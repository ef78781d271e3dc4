#include "broker/repair/repairer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "storage/log_recovery.h"

namespace quipu {
namespace {

constexpr Duration kRepairTimerStepMin = std::chrono::milliseconds(1);
// Between two attempts to read the state of the producers of a log that grows.
constexpr Duration kProducersRetry = std::chrono::seconds(1);

}  // namespace

Repairer::Repairer(ShardContext& context)
    : context_(context),
      links_(context, {.on_answer = [this](BrokerId peer,
                                           const RepairAnswer& answer) { OnAnswer(peer, answer); },
                       .on_lost = [this](BrokerId peer) { OnLost(peer); }}) {}

// ---- what is known of the partition ----

Repairer::Item* Repairer::Find(PartitionUid uid) {
  const auto found = items_.find(uid);
  return found == items_.end() ? nullptr : found->second.get();
}

Repairer::Item& Repairer::ItemOf(PartitionUid uid, LogId log_id) {
  std::unique_ptr<Item>& item = items_[uid];
  if (item == nullptr || item->log_id != log_id) {
    item = std::make_unique<Item>(uid, log_id);
    RepairEffects none;  // nothing is asked yet
    item->repair.OnView(ViewOf(uid), context_.GetNow(), none);
  }
  return *item;
}

BatchRepair::View Repairer::ViewOf(PartitionUid uid) const {
  const PartitionImage* partition =
      context_.image == nullptr ? nullptr : context_.image->FindPartition(uid);
  if (partition == nullptr) return {};
  BatchRepair::View view{
      .leader_epoch = partition->leader_epoch, .leader = partition->leader, .peers = {}};
  const auto add = [&](BrokerId id) {
    if (id == context_.config->broker_id || id == kNoBroker) return;
    const BrokerImage* broker = context_.image->FindBroker(id);
    view.peers.push_back({.broker = id, .alive = broker != nullptr && !broker->fenced});
  };
  // The leader's log is what all others become.
  add(partition->leader);
  for (const BrokerId id : partition->replicas) {
    if (id != partition->leader) add(id);
  }
  return view;
}

std::optional<Repairer::Replica> Repairer::FindReplica(PartitionUid uid) {
  if (const PartitionHost* host = context_.Find(uid)) {
    if (host->dropping || host->truncation || host->recovering) return std::nullopt;
    return Replica{.log_id = host->log_id, .epochs = host->core.epochs()};
  }
  const Item* item = Find(uid);
  if (item == nullptr) return std::nullopt;
  return Replica{.log_id = item->log_id, .epochs = item->epochs};
}

LeaderEpoch Repairer::EpochOf(PartitionUid uid, Offset offset) {
  if (const PartitionHost* host = context_.Find(uid)) return EpochAt(host->core.epochs(), offset);
  const Item* item = Find(uid);
  return item == nullptr ? kNoLeaderEpoch : EpochAt(item->epochs, offset);
}

std::string Repairer::Describe(PartitionUid uid, DamagedBatch place) const {
  Offset first = place.first_offset;
  if (const PartitionHost* host = context_.Find(uid)) {
    first = std::max(first, host->core.log_start_offset());
  }
  return absl::StrCat("offsets ", first.value(), " to ", place.last_offset.value());
}

// ---- found ----

DamageVerdict Repairer::OnDamage(PartitionUid uid, const absl::Status& damage) {
  DamageVerdict verdict{.error = CodeOf(damage), .message = std::string(damage.message())};
  const PartitionHost* host = context_.Find(uid);
  const std::optional<DamagedBatch> place = DamagedPlaceOf(damage);
  const LeaderEpoch epoch = place ? EpochOf(uid, place->last_offset) : kNoLeaderEpoch;
  if (host == nullptr || host->dropping || epoch == kNoLeaderEpoch) {
    LogError("log.read_failed",
             {{"partition_uid", uid.ToString()}, {"error", std::string(damage.message())}});
    return verdict;
  }
  Item& item = ItemOf(uid, host->log_id);
  if (!item.repair.Knows(place->last_offset)) {
    LogError("log.batch_damaged", {{"partition_uid", uid.ToString()},
                                   {"first_offset", place->first_offset.ToString()},
                                   {"last_offset", place->last_offset.ToString()},
                                   {"error", std::string(damage.message())}});
  }
  RepairEffects effects;
  const BatchRepair::State state = item.repair.OnDamage(*place, epoch, context_.GetNow(), effects);
  Absorb(uid, effects);
  if (state == BatchRepair::State::kRefused) {
    verdict.error = ErrorCode::kDamagedOnAllReplicas;
    verdict.refused_end = place->last_offset + 1;
    verdict.message =
        absl::StrCat(Describe(uid, *place),
                     " are damaged on every replica and refused; those before and behind "
                     "can be read: seek to ",
                     place->last_offset.value() + 1, " to go on behind them");
  } else {
    verdict.error = ErrorCode::kUnderRepair;
    verdict.message = absl::StrCat(Describe(uid, *place),
                                   " are damaged here; a sound copy is asked of other replicas");
  }
  return verdict;
}

void Repairer::Await(PartitionUid uid, LogId log_id, const RecoveredLog& recovered, Done done) {
  Item& item = ItemOf(uid, log_id);
  item.epochs = recovered.epochs;
  item.waiting.push_back(std::move(done));
  RepairEffects effects;
  for (const DamagedBatch& place : recovered.damaged) {
    LogError("log.batch_damaged", {{"partition_uid", uid.ToString()},
                                   {"first_offset", place.first_offset.ToString()},
                                   {"last_offset", place.last_offset.ToString()},
                                   {"found_by", "recovery"}});
    item.repair.OnDamage(place, EpochOf(uid, place.last_offset), context_.GetNow(), effects);
  }
  Absorb(uid, effects);
}

void Repairer::Forget(PartitionUid uid) {
  items_.erase(uid);
  if (items_.empty()) links_.CloseAll();
}

void Repairer::ForEach(
    const std::function<void(PartitionUid, BatchRepair&, RepairEffects&)>& input) {
  std::vector<PartitionUid> uids;
  for (const auto& [uid, item] : items_) uids.push_back(uid);
  for (const PartitionUid uid : uids) {
    Item* item = Find(uid);
    if (item == nullptr) continue;  // gone with what an earlier one brought about
    RepairEffects effects;
    input(uid, item->repair, effects);
    Absorb(uid, effects);
  }
}

void Repairer::OnImage() {
  links_.OnImage();
  ForEach([this](PartitionUid uid, BatchRepair& repair, RepairEffects& effects) {
    repair.OnView(ViewOf(uid), context_.GetNow(), effects);
  });
}

// ---- answers ----

void Repairer::OnAnswer(BrokerId peer, const RepairAnswer& answer) {
  Item* item = Find(answer.uid);
  if (item == nullptr) return;
  RepairEffects effects;
  item->repair.OnAnswer(peer, answer, EpochOf(answer.uid, answer.last_offset), context_.GetNow(),
                        effects);
  Absorb(answer.uid, effects);
}

void Repairer::OnLost(BrokerId peer) {
  ForEach([this, peer](PartitionUid /*uid*/, BatchRepair& repair, RepairEffects& effects) {
    repair.OnLost(peer, context_.GetNow(), effects);
  });
}

void Repairer::Absorb(PartitionUid uid, RepairEffects& effects) {
  Item* item = Find(uid);
  if (item == nullptr) return;
  for (auto& [peer, request] : effects.requests) links_.Send(peer, request);
  for (StoredBatch& batch : effects.repairs) Store(uid, item->log_id, std::move(batch));
  for (const auto& [peer, error] : effects.failures) {
    LogWarn("log.repair_failed", {{"partition_uid", uid.ToString()},
                                  {"peer", peer.ToString()},
                                  {"error", std::string(ErrorName(error))}});
  }
  for (const DamagedBatch& place : effects.refused) {
    LogError("log.batch_refused",
             {{"partition_uid", uid.ToString()},
              {"first_offset", place.first_offset.ToString()},
              {"last_offset", place.last_offset.ToString()},
              {"error", "damaged on every replica; see docs/operations.md, damaged batches"}});
  }
  effects = RepairEffects{};
  if (item->repair.empty() || item->repair.AllGivenUp()) {
    const bool given_up = !item->repair.empty();
    for (Done& done : std::exchange(item->waiting, {})) {
      context_.Post([done = std::move(done), given_up] { done(given_up); });
    }
  }
  if (item->repair.empty()) {
    const PartitionHost* host = context_.Find(uid);
    if (host == nullptr || host->core.producers_known()) {
      // Without a host its epochs are still asked for, until the host is there.
      if (host != nullptr && !host->recovering) Forget(uid);
    } else {
      RecoverProducers(uid);
    }
  }
  Arm();
}

// ---- writing ----

void Repairer::Store(PartitionUid uid, LogId log_id, StoredBatch batch) {
  const Offset last = batch.last_offset;
  LogMutation mutation;
  mutation.repairs.push_back(std::move(batch));
  std::vector<LogWrite> writes;
  writes.push_back({.log_id = log_id, .mutation = std::move(mutation)});
  // In order with everything else that this shard writes: a later cut of the log comes after it.
  context_.ports.log_writer().Submit(
      std::move(writes),
      [this, context = context_.weak_from_this(), &runner = context_.executor, uid, log_id, last] {
        runner.Post([this, context, uid, log_id, last] {
          if (const auto alive = context.lock()) OnStored(uid, log_id, last);
        });
      });
}

void Repairer::OnStored(PartitionUid uid, LogId log_id, Offset last_offset) {
  Item* item = Find(uid);
  if (item == nullptr || item->log_id != log_id) return;
  RepairEffects effects;
  if (item->repair.OnStored(last_offset, context_.GetNow(), effects)) {
    ++repaired_;
    LogInfo("log.batch_repaired", {{"partition_uid", uid.ToString()},
                                   {"last_offset", last_offset.ToString()},
                                   {"repaired_since_start", std::to_string(repaired_)}});
    if (PartitionHost* host = context_.Find(uid)) {
      PartitionEffects readable;  // followers that wait for this batch
      readable.log_end_moved = true;
      context_.Absorb(*host, readable);
    }
  }
  Absorb(uid, effects);
}

void Repairer::RecoverProducers(PartitionUid uid) {
  Item* item = Find(uid);
  if (item == nullptr || item->recovering) return;
  item->recovering = true;
  context_.ReadCold(
      [log_id = item->log_id](LogStore& store) { return store.Recover(log_id); },
      [this, uid, log_id = item->log_id](const absl::StatusOr<RecoveredLog>& recovered) {
        Item* again = Find(uid);
        PartitionHost* host = context_.Find(uid);
        if (again == nullptr || host == nullptr || again->log_id != log_id) return;
        again->recovering = false;
        if (host->core.producers_known()) {  // its leader told it
          if (!host->recovering && again->repair.empty()) Forget(uid);
          return;
        }
        if (recovered.ok() && host->core.OnProducersRecovered(*recovered)) {
          LogInfo("log.producers_recovered", {{"partition_uid", uid.ToString()}});
          Forget(uid);
          return;
        }
        RepairEffects effects;
        if (!recovered.ok()) {
          LogError("log.producers_not_recovered",
                   {{"partition_uid", uid.ToString()},
                    {"error", std::string(recovered.status().message())}});
        } else {
          for (const DamagedBatch& place : recovered->damaged) {
            again->repair.OnDamage(place, EpochOf(uid, place.last_offset), context_.GetNow(),
                                   effects);
          }
        }
        const bool more = !again->repair.empty();
        if (more) {
          Absorb(uid, effects);
          return;
        }
        context_.PostAfter(kProducersRetry, [this, uid] { RecoverProducers(uid); });
      });
}

// ---- time ----

void Repairer::Arm() {
  std::optional<Instant> next;
  for (const auto& [uid, item] : items_) {
    const std::optional<Instant> deadline = item->repair.NextDeadline();
    if (deadline && (!next || *deadline < *next)) next = deadline;
  }
  if (!next || (armed_at_ && *armed_at_ <= *next)) return;
  armed_at_ = next;
  const Duration delay = std::max(kRepairTimerStepMin, *next - context_.GetNow().mono);
  context_.PostAfter(delay, [this, at = *next] {
    if (armed_at_ != at) return;
    armed_at_.reset();
    ForEach([this](PartitionUid uid, BatchRepair& repair, RepairEffects& effects) {
      // What was given up in the meantime needs no repair.
      if (const PartitionHost* host = context_.Find(uid)) {
        repair.Keep(host->core.log_start_offset(), host->core.log_end_offset());
      }
      repair.OnTime(context_.GetNow(), effects);
    });
    Arm();
  });
}

size_t Repairer::damaged() const {
  size_t batches = 0;
  for (const auto& [uid, item] : items_) batches += item->repair.size();
  return batches;
}

}  // namespace quipu
