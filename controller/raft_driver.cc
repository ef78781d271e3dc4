#include "controller/raft_driver.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/error_code.h"
#include "base/logging.h"
#include "base/time.h"
#include "core/raft/raft_core.h"
#include "runtime/disk_stall.h"

namespace quipu {
namespace {

RaftOptions OptionsOf(const ControllerConfig& config, uint64_t seed) {
  RaftOptions options;
  options.cluster_id = config.cluster_id;
  options.self = {config.controller_id, config.directory_id};
  for (const Voter& voter : config.voters) {
    if (config.observer) break;  // it learns from the log who votes
    options.voters.push_back(
        {.identity = {voter.id, voter.directory_id},
         .endpoint = absl::StrCat(voter.endpoint.host, ":", voter.endpoint.port)});
  }
  options.election_timeout = config.election_timeout;
  options.heartbeat_interval = config.raft_heartbeat_interval;
  options.proposal_bytes_max = config.proposal_bytes_max;
  options.snapshot_chunk_bytes = config.snapshot_chunk_bytes;
  options.seed = seed;
  return options;
}

// Whether `next` may join `write` in one atomic change: its appends come last anyway, and term and
// vote do not depend on order inside the change.
bool MayMerge(const RaftWrite& next) {
  return !next.snapshot && !next.truncate_from && !next.compact_to;
}

void Merge(RaftWrite& write, RaftWrite next) {
  if (next.hard_state) write.hard_state = next.hard_state;
  std::move(next.append.begin(), next.append.end(), std::back_inserter(write.append));
}

}  // namespace

// On the executor only.
struct RaftDriver::Parts {
  Parts(const ControllerConfig& controller_config, ControllerPorts& controller_ports,
        Callbacks driver_callbacks)
      : config(controller_config),
        ports(controller_ports),
        callbacks(std::move(driver_callbacks)) {}

  // ---- inputs ----
  absl::Status Start();
  void Step(message::RaftMessage message);
  void OnTimer(Instant armed_for);
  void OnPersisted(RaftWriteId id);

  // ---- carrying out effects ----
  // Writes and messages at once; the rest is queued for Deliver.
  void Carry(RaftEffects effects);
  void PersistNext();
  // Calls the callbacks for everything queued. A callback's own inputs queue up behind.
  void Deliver();
  void DeliverOne(RaftEffects& effects);
  // Deliver in a task of its own, when anything waits.
  void DeliverSoon();
  void TellRole(const RaftRoleChange& change);
  void Answer(const RaftReadAnswer& answer);
  void MaybeCompact();
  void ArmTimer();
  // The configuration in force has changed, or may have.
  void TellVoters();
  void Resign();
  // Looks at the write under way, again and again (D6).
  void WatchDisk();

  [[nodiscard]] Instant Now() const { return ports.executor().GetNow().mono; }

  const ControllerConfig config;
  ControllerPorts& ports;
  const Callbacks callbacks;
  std::unique_ptr<RaftCore> core;

  std::deque<RaftPersist> unsent_writes;  // bounded by the core's proposal_bytes_max
  bool write_in_flight = false;
  Instant write_began;  // of the one in flight
  DiskStall disk_stall{config.disk_stall};
  bool disk_stalled = false;
  std::deque<RaftEffects> undelivered;
  bool delivering = false;
  LogIndex applied;
  std::optional<RaftRoleChange> told_role;
  uint64_t told_voters = 0;  // version
  absl::btree_map<RaftReadToken, std::function<void(absl::StatusOr<LogIndex>)>> reads;
  RaftReadToken last_read = 0;
  std::optional<Instant> timer_at;
  // Posted work holds a weak reference and does nothing once it has expired.
  std::shared_ptr<const bool> alive = std::make_shared<const bool>(true);
};

absl::Status RaftDriver::Parts::Start() {
  QUIPU_CHECK(core == nullptr);
  absl::StatusOr<RecoveredRaft> recovered = ports.raft_store().Load();
  if (!recovered.ok()) return recovered.status();
  absl::StatusOr<std::unique_ptr<RaftCore>> created =
      RaftCore::Create(OptionsOf(config, ports.RandomSeed()), *std::move(recovered), Now());
  if (!created.ok()) return created.status();
  core = *std::move(created);
  if (core->snapshot() != nullptr) {
    applied = core->snapshot()->last_index;
    callbacks.on_restore(applied, core->snapshot()->data);
  }
  if (core->IsObserver()) {
    LogInfo(
        "controller.observer",
        {{"why",
          "no voter; a directory formatted with --observer votes once it has taken a "
          "voter's place"},
         {"command", absl::StrCat("quipu controller replace --id ", config.controller_id.ToString(),
                                  " --directory-id ", config.directory_id.ToText())}});
  }
  TellVoters();
  TellRole({RaftRole::kFollower, core->term(), kNoController, false});
  ArmTimer();
  WatchDisk();
  return absl::OkStatus();
}

void RaftDriver::Parts::Step(message::RaftMessage message) {
  RaftEffects effects;
  core->Step(std::move(message), Now(), effects);
  Carry(std::move(effects));
  Deliver();
}

void RaftDriver::Parts::OnTimer(Instant armed_for) {
  if (timer_at != armed_for) return;  // replaced by an earlier one
  timer_at.reset();
  RaftEffects effects;
  if (Now() >= core->deadline()) core->OnTime(Now(), effects);
  Carry(std::move(effects));
  Deliver();
}

void RaftDriver::Parts::OnPersisted(RaftWriteId id) {
  write_in_flight = false;
  RaftEffects effects;
  core->OnPersisted(id, Now(), effects);
  Carry(std::move(effects));
  PersistNext();
  Deliver();
}

void RaftDriver::Parts::Carry(RaftEffects effects) {
  core->CheckInvariants();
  std::move(effects.persists.begin(), effects.persists.end(), std::back_inserter(unsent_writes));
  effects.persists.clear();
  PersistNext();
  TellVoters();
  for (message::RaftMessage& message : effects.messages) ports.SendRaft(std::move(message));
  effects.messages.clear();
  if (effects.restore || !effects.committed.empty() || !effects.role_changes.empty() ||
      !effects.reads.empty()) {
    undelivered.push_back(std::move(effects));
  }
  ArmTimer();
}

void RaftDriver::Parts::PersistNext() {
  if (write_in_flight || unsent_writes.empty()) return;
  RaftPersist next = std::move(unsent_writes.front());
  unsent_writes.pop_front();
  while (!unsent_writes.empty() && MayMerge(unsent_writes.front().write)) {
    next.id = unsent_writes.front().id;
    Merge(next.write, std::move(unsent_writes.front().write));
    unsent_writes.pop_front();
  }
  write_in_flight = true;
  write_began = Now();
  // `done` runs on the store's thread and only posts; the executor outlives this object.
  Executor& executor = ports.executor();
  std::weak_ptr<const bool> still_alive = alive;
  ports.Persist(std::move(next.write), [this, &executor, still_alive, id = next.id] {
    executor.Post([this, still_alive, id] {
      if (!still_alive.expired()) OnPersisted(id);
    });
  });
}

void RaftDriver::Parts::Deliver() {
  if (delivering) return;
  delivering = true;
  while (!undelivered.empty()) {
    RaftEffects effects = std::move(undelivered.front());
    undelivered.pop_front();
    DeliverOne(effects);
  }
  delivering = false;
}

void RaftDriver::Parts::DeliverOne(RaftEffects& effects) {
  for (const RaftRoleChange& change : effects.role_changes) {
    if (!change.ready) TellRole(change);
  }
  if (effects.restore) {
    applied = effects.restore->last_index;
    callbacks.on_restore(applied, effects.restore->data);
  }
  for (const message::RaftEntry& entry : effects.committed) {
    QUIPU_INVARIANT("I7", LogIndex(entry.index()) == applied + 1);
    applied = LogIndex(entry.index());
    callbacks.on_committed(entry);
  }
  MaybeCompact();
  for (const RaftRoleChange& change : effects.role_changes) {
    if (change.ready) TellRole(change);
  }
  for (const RaftReadAnswer& answer : effects.reads) Answer(answer);
}

void RaftDriver::Parts::DeliverSoon() {
  if (delivering || undelivered.empty()) return;
  std::weak_ptr<const bool> still_alive = alive;
  ports.executor().Post([this, still_alive] {
    if (!still_alive.expired()) Deliver();
  });
}

void RaftDriver::Parts::TellRole(const RaftRoleChange& change) {
  // Ballots are no business of the state machine: only term, leader and readiness count.
  if (told_role && told_role->ready == change.ready && told_role->term == change.term &&
      told_role->leader == change.leader) {
    return;
  }
  told_role = change;
  callbacks.on_role(change.ready, change.term, change.leader);
}

void RaftDriver::Parts::Answer(const RaftReadAnswer& answer) {
  auto it = reads.find(answer.token);
  QUIPU_CHECK(it != reads.end());
  std::function<void(absl::StatusOr<LogIndex>)> done = std::move(it->second);
  reads.erase(it);
  if (answer.error == ErrorCode::kNone) {
    QUIPU_INVARIANT("I13", applied >= answer.index);
    done(answer.index);
  } else {
    done(ToStatus(answer.error, "the read was not confirmed by a majority"));
  }
}

void RaftDriver::Parts::MaybeCompact() {
  // A snapshot that a leader sent may be in the core already and not delivered yet.
  if (applied <= core->log().snapshot_index()) return;
  if (applied - core->log().snapshot_index() < config.snapshot_entries) return;
  RaftEffects effects;
  core->Compact(applied, callbacks.make_snapshot(), effects);
  Carry(std::move(effects));
}

void RaftDriver::Parts::TellVoters() {
  const uint64_t version = core->voter_history().version();
  if (version == told_voters) return;
  told_voters = version;
  ports.OnVoters(core->voters());
}

void RaftDriver::Parts::ArmTimer() {
  const Instant deadline = core->deadline();
  if (timer_at && *timer_at <= deadline) return;  // it will look again when it fires
  timer_at = deadline;
  std::weak_ptr<const bool> still_alive = alive;
  const Duration delay = std::max(deadline - Now(), Duration(0));
  ports.executor().PostAfter(delay, [this, still_alive, deadline] {
    if (!still_alive.expired()) OnTimer(deadline);
  });
}

void RaftDriver::Parts::Resign() {
  RaftEffects effects;
  core->Resign(Now(), effects);
  Carry(std::move(effects));
  DeliverSoon();
}

void RaftDriver::Parts::WatchDisk() {
  const Duration in_progress = write_in_flight ? Now() - write_began : Duration(0);
  const DiskStall::Verdict verdict = disk_stall.Look(Now(), in_progress);
  if (verdict == DiskStall::Verdict::kExit) {
    ports.StopProcess(absl::StrCat(
        "the disk has not answered for ", ToMillis(in_progress), " ms (quipu.disk.stall.exit.ms=",
        ToMillis(config.disk_stall.exit), "): see to it, then start the controller again"));
  }
  const bool stalled = verdict == DiskStall::Verdict::kStalled;
  if (stalled != disk_stalled) {
    disk_stalled = stalled;
    if (stalled) {
      LogError("controller.disk_stalled",
               {{"shed_ms", std::to_string(ToMillis(config.disk_stall.shed))}});
    } else {
      LogInfo("controller.disk_answers", {});
    }
  }
  // CheckQuorum does not see it: a leader's heartbeats need no disk.
  if (stalled && in_progress >= config.disk_stall.shed && core->role() == RaftRole::kLeader) {
    Resign();
  }
  std::weak_ptr<const bool> still_alive = alive;
  ports.executor().PostAfter(disk_stall.interval(), [this, still_alive] {
    if (!still_alive.expired()) WatchDisk();
  });
}

// ---- the public face ----------------------------------------------------------------------------

RaftDriver::RaftDriver(const ControllerConfig& config, ControllerPorts& ports, Callbacks callbacks)
    : parts_(std::make_unique<Parts>(config, ports, std::move(callbacks))) {}

RaftDriver::~RaftDriver() = default;

absl::Status RaftDriver::Start() { return parts_->Start(); }

void RaftDriver::Step(message::RaftMessage message) { parts_->Step(std::move(message)); }

absl::StatusOr<LogIndex> RaftDriver::Propose(std::string data) {
  if (!parts_->core->IsReadyLeader()) {
    return ToStatus(ErrorCode::kNotController,
                    absl::StrCat("the active controller is ", parts_->core->leader().value()));
  }
  RaftEffects effects;
  RaftCore::Proposed proposed = parts_->core->Propose(std::move(data), parts_->Now(), effects);
  parts_->Carry(std::move(effects));
  parts_->DeliverSoon();
  if (proposed.error != ErrorCode::kNone) {
    return ToStatus(proposed.error, "too many bytes wait to be committed");
  }
  return proposed.index;
}

absl::StatusOr<LogIndex> RaftDriver::ChangeVoters(VoterSet next) {
  if (!parts_->core->IsReadyLeader()) {
    return ToStatus(ErrorCode::kNotController,
                    absl::StrCat("the active controller is ", parts_->core->leader().value()));
  }
  RaftEffects effects;
  RaftCore::Proposed proposed = parts_->core->ChangeVoters(std::move(next), parts_->Now(), effects);
  parts_->Carry(std::move(effects));
  parts_->DeliverSoon();
  if (proposed.error != ErrorCode::kNone) {
    return ToStatus(proposed.error, "the voters cannot be changed so now");
  }
  return proposed.index;
}

void RaftDriver::ReadIndex(std::function<void(absl::StatusOr<LogIndex>)> done) {
  const RaftReadToken token = ++parts_->last_read;
  parts_->reads.emplace(token, std::move(done));
  RaftEffects effects;
  const ErrorCode error = parts_->core->ReadIndex(token, effects);
  if (error != ErrorCode::kNone) effects.reads.push_back({token, error, LogIndex(0)});
  parts_->Carry(std::move(effects));
  parts_->DeliverSoon();
}

void RaftDriver::Resign() { parts_->Resign(); }

const RaftCore& RaftDriver::core() const {
  QUIPU_CHECK(parts_->core != nullptr);
  return *parts_->core;
}

}  // namespace quipu
