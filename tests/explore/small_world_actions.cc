// What may happen in a SmallWorld, and which worlds are equal.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "tests/explore/small_world.h"

namespace quipu::explore {
namespace {

// What is greater among those of a kind: places are told from the greatest on.
template <typename Epoch, typename IsOneKind>
size_t RankOf(Epoch value, const EpochNames::List<Epoch>& distinct, IsOneKind is_one_kind) {
  return static_cast<size_t>(std::count_if(distinct.begin(), distinct.end(), [&](Epoch other) {
    return other > value && is_one_kind(other);
  }));
}

template <typename Epoch>
EpochNames::List<Epoch> Distinct(const EpochNames::List<Epoch>& all) {
  EpochNames::List<Epoch> distinct;
  for (const Epoch value : all) {
    const bool known = std::find(distinct.begin(), distinct.end(), value) != distinct.end();
    if (!known) distinct.push_back(value);
  }
  return distinct;
}

template <typename Epoch>
void AddAll(const EpochNames::List<Epoch>& from, EpochNames::List<Epoch>& to) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

const char* ActionName(ActionKind kind) {
  constexpr const char* kNames[] = {
      "send",  "retry", "update",  "push",   "sync", "heartbeat",    "decide",    "seek",
      "crash", "fence", "restart", "deafen", "hear", "break-stream", "late-push", "lag-passes"};
  return kNames[static_cast<size_t>(kind)];
}

// ---- what may happen --------------------------------------------------------------------------

// A follower that was refused and has nothing under way waits for time to pass.
bool SmallWorld::MaySeek(const Broker& broker) {
  if (!broker.up || broker.core->role() != PartitionRole::kFollower) return false;
  if (broker.stream_to == 0 || !broker.updates.empty() || !broker.pushes.empty()) return false;
  if (SilentWrites(broker) < broker.disk.unsynced().size()) return false;
  const auto deadline = broker.core->NextDeadline();
  // A follower that streams shows itself at longer intervals only.
  return deadline && *deadline - broker.now <= std::chrono::seconds(1);
}

void SmallWorld::AddEnabledOf(int id, std::vector<Action>& out) const {
  const Broker& broker = At(id);
  const auto add = [&](ActionKind kind) { out.push_back({kind, static_cast<uint8_t>(id)}); };
  if (!broker.proposals.empty()) add(ActionKind::kDecide);
  if (!broker.up) return add(ActionKind::kRestart);
  if (broker.deaf) {
    add(ActionKind::kHear);
  } else if (image().FindBroker(broker.id)->fenced) {
    add(ActionKind::kHeartbeat);
  }
  const size_t silent = bounds_.reductions ? SilentWrites(broker) : 0;
  if (broker.disk.unsynced().size() > silent) add(ActionKind::kSync);
  if (!broker.updates.empty()) add(ActionKind::kUpdate);
  if (!broker.pushes.empty()) add(ActionKind::kPush);
  if (broker.core->role() != PartitionRole::kLeader) return;
  if (next_sequence_ < bounds_.records) add(ActionKind::kSend);
  if (OldestUnacknowledged() < next_sequence_ && bounds_.retries > 0) add(ActionKind::kRetry);
}

void SmallWorld::AddCrashes(const Broker& broker, std::vector<Action>& out) const {
  const size_t silent = bounds_.reductions ? SilentWrites(broker) : 0;
  for (size_t kept = 0; kept <= silent; ++kept) {
    out.push_back(
        {ActionKind::kCrash, static_cast<uint8_t>(broker.id.value()), static_cast<uint8_t>(kept)});
  }
}

void SmallWorld::AddFaults(std::vector<Action>& out) const {
  for (int id = 1; id <= kBrokers; ++id) {
    const Broker& broker = At(id);
    const auto add = [&](ActionKind kind) { out.push_back({kind, static_cast<uint8_t>(id)}); };
    const bool fenced = image().FindBroker(broker.id)->fenced;
    if (broker.up && bounds_.crashes > 0) AddCrashes(broker, out);
    if (broker.up && !broker.deaf && bounds_.deafenings > 0) add(ActionKind::kDeafen);
    if (!fenced && (!broker.up || bounds_.live_fences > 0)) add(ActionKind::kFence);
    if (broker.up && broker.stream_to != 0 && bounds_.broken_streams > 0) {
      add(ActionKind::kBreakStream);
    }
    if (broker.up && !broker.late.empty() && bounds_.late_pushes > 0) add(ActionKind::kLatePush);
  }
  if (bounds_.lags > 0) out.push_back({ActionKind::kLagPasses, 0});
}

std::vector<Action> SmallWorld::EnabledBySelf() const {
  std::vector<Action> out;
  for (int id = 1; id <= kBrokers; ++id) AddEnabledOf(id, out);
  // Last: it is refused again as long as the leader has not heard of its epoch.
  for (int id = 1; id <= kBrokers; ++id) {
    if (MaySeek(At(id))) out.push_back({ActionKind::kSeek, static_cast<uint8_t>(id)});
  }
  return out;
}

bool SmallWorld::LeaderStays() const {
  const BrokerId id = partition().leader;
  if (id == kNoBroker) return false;
  const Broker& leader = At(id.value());
  return leader.up && !leader.deaf && leader.core->role() == PartitionRole::kLeader &&
         leader.core->leader_epoch() == partition().leader_epoch && !image().FindBroker(id)->fenced;
}

int SmallWorld::PushFirst() const {
  const Bounds& left = bounds_;
  const int faults =
      left.crashes + left.live_fences + left.deafenings + left.broken_streams + left.late_pushes;
  if (!left.reductions || faults > 0 || !LeaderStays()) return 0;
  for (int id = 1; id <= kBrokers; ++id) {
    const Broker& broker = At(id);
    if (!broker.up || broker.deaf || broker.pushes.empty() || !broker.disk.idle()) continue;
    const ReplicaPush& push = broker.pushes.front();
    if (push.error != ErrorCode::kNone || push.diverging_end_offset != kNoOffset) continue;
    if (broker.core->leader_epoch() == partition().leader_epoch) return id;
  }
  return 0;
}

std::vector<Action> SmallWorld::Enabled() const {
  if (const int id = PushFirst(); id != 0) {
    return {{ActionKind::kPush, static_cast<uint8_t>(id)}};
  }
  std::vector<Action> out = EnabledBySelf();
  AddFaults(out);
  return out;
}

// ---- what happens -----------------------------------------------------------------------------

void SmallWorld::Take(Action action) {
  if (action.kind == ActionKind::kLagPasses) {
    --bounds_.lags;
    LagPasses();
    for (int id = 1; id <= kBrokers; ++id) Change(id);  // all are counted in another way now
  } else {
    TakeAt(Change(action.broker), action);
  }
  TellImages();
  Check();
  for (int id = 1; id <= kBrokers; ++id) {
    if (!At(id).counted) Count(Change(id));
  }
}

void SmallWorld::TakeAt(Broker& broker, Action action) {
  switch (action.kind) {
    case ActionKind::kSend:
      return Send(broker, next_sequence_++);
    case ActionKind::kRetry:
      --bounds_.retries;
      return Send(broker, OldestUnacknowledged());
    case ActionKind::kUpdate:
      return DeliverUpdate(broker);
    case ActionKind::kPush:
      return DeliverPush(broker, broker.pushes);
    case ActionKind::kSync:
      return SyncOne(broker);
    case ActionKind::kHeartbeat:
      return Heartbeat(broker);
    case ActionKind::kDecide:
      return Decide(broker);
    case ActionKind::kSeek:
      broker.now = std::max(broker.now, *broker.core->NextDeadline());
      return AskTime(broker);
    case ActionKind::kCrash:
      --bounds_.crashes;
      return Crash(broker, action.kept);
    case ActionKind::kFence:
      if (broker.up) --bounds_.live_fences;
      return Fence(broker);
    case ActionKind::kRestart:
      return Restart(broker);
    case ActionKind::kDeafen:
      --bounds_.deafenings;
      broker.deaf = true;
      return;
    case ActionKind::kHear:
      broker.deaf = false;
      return;
    case ActionKind::kBreakStream:
      --bounds_.broken_streams;
      return BreakStream(broker);
    case ActionKind::kLatePush:
      --bounds_.late_pushes;
      return DeliverPush(broker, broker.late);
    case ActionKind::kLagPasses:
      return;  // nobody's; see Take
  }
}

// ---- which worlds are equal -------------------------------------------------------------------

Fingerprint SmallWorld::NewFingerprint(Instant now, EpochNames& names) const {
  Fingerprint state(now, kGrain, bounds_.reductions ? &names : nullptr);
  if (bounds_.reductions && bounds_.lags == 0) state.IgnoreTime();
  return state;
}

void SmallWorld::Count(Broker& broker) const {
  broker.names.Clear();
  Fingerprint state = NewFingerprint(broker.now, broker.names);
  state.Add(broker.epoch, broker.up, broker.disk, broker.stream_to, broker.deaf, MaySeek(broker),
            broker.unheard.size(), broker.asked.size());
  for (const auto& news : broker.unheard) state.Add(*news);
  if (broker.core != nullptr) state.Add(*broker.core);
  state.Add(broker.updates.size(), broker.pushes.size(), broker.proposals.size(), broker.asked);
  if (bounds_.late_pushes > 0) state.Add(broker.late.size());
  for (const ReplicaUpdate& update : broker.updates) {
    state.Add(update.leader_epoch, update.durable_end_offset, update.log_start_offset,
              update.restart);
    if (update.restart || !bounds_.reductions) state.Add(update.fetch_offset, update.last_epoch);
  }
  for (const auto* pushes : {&broker.pushes, &broker.late}) {
    for (const ReplicaPush& push : *pushes) {
      state.Add(push.leader_epoch, push.error, push.high_watermark, push.log_start_offset,
                push.diverging_epoch, push.diverging_end_offset, push.base_offset,
                push.batches.size());
      for (const Bytes& batch : push.batches) AddBatch(batch, state);
    }
  }
  for (const Proposal& asked : broker.proposals) state.Add(asked.epoch, asked.proposal);
  broker.fingerprint = state.value();
  broker.counted = true;
}

void SmallWorld::AddRanks(const EpochNames& all, Fingerprint& state) const {
  const auto any = [](auto) { return true; };
  const auto leader = Distinct(all.leader);
  for (const LeaderEpoch epoch : all.leader) state.Add(RankOf(epoch, leader, any));
  const auto of_partition = Distinct(all.partition);
  for (const PartitionEpoch epoch : all.partition) state.Add(RankOf(epoch, of_partition, any));
  const auto owner = [this](BrokerEpoch epoch) {
    const auto found = std::find_if(granted_.begin(), granted_.end(),
                                    [&](const auto& grant) { return grant.first == epoch; });
    QUIPU_CHECK(found != granted_.end());
    return found->second;
  };
  const auto broker = Distinct(all.broker);
  for (const BrokerEpoch epoch : all.broker) {
    const auto of_same = [&, id = owner(epoch)](BrokerEpoch other) { return owner(other) == id; };
    state.Add(RankOf(epoch, broker, of_same), owner(epoch));
  }
}

std::pair<uint64_t, uint64_t> SmallWorld::Hash() const {
  EpochNames all;
  Fingerprint state = NewFingerprint(kStart, all);
  state.Add(bounds_.retries, bounds_.crashes, bounds_.live_fences, bounds_.deafenings,
            bounds_.broken_streams, bounds_.late_pushes, bounds_.lags, next_sequence_,
            true_high_watermark_);
  const bool history = !bounds_.reductions || bounds_.retries > 0;
  for (const Offset offset : acknowledged_) state.Add(history ? offset : kNoOffset);
  for (const StoredBatch& batch : committed_) AddBatch(batch.bytes, state);
  state.Add(committed_.size(), *newest_, partition().last_known_leader);
  for (const auto& broker : brokers_) {
    state.Add(broker->fingerprint);
    AddAll(broker->names.leader, all.leader);
    AddAll(broker->names.partition, all.partition);
    AddAll(broker->names.broker, all.broker);
  }
  AddRanks(all, state);
  return state.value();
}

}  // namespace quipu::explore
