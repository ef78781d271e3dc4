#include "tests/explore/small_world.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "broker/shard/assignment.h"
#include "core/record/record_batch_builder.h"

namespace quipu::explore {
namespace {

// What happens on time happens by an action, whenever it likes; only whether a follower has lagged
// for too long must be told apart (replica.lag.time.max.ms).
constexpr Duration kGrain = PartitionLimits{}.replica_lag_max;
constexpr Instant kStart{std::chrono::seconds(1000)};
const ClusterId kCluster(7, 7);

ControllerCore::Options ControllerOptions() {
  ControllerCore::Options options;
  options.cluster_id = kCluster;
  options.auto_leader_rebalance = false;
  return options;
}

Bytes MakeRecord(int32_t sequence) {
  RecordBatchOptions options;
  options.producer_id = ProducerId{1};
  options.producer_epoch = ProducerEpoch{0};
  options.base_sequence = Sequence{sequence};
  RecordBatchBuilder builder(options);
  const std::string value = absl::StrCat("payment ", sequence);
  builder.Add({.timestamp = TimestampMs{1000}, .value = absl::string_view(value)});
  return builder.Build();
}

message::RegisterBroker Registration(BrokerId id, BrokerEpoch last, uint64_t incarnation) {
  message::RegisterBroker request;
  request.set_cluster_id(kCluster.ToBytes());
  request.set_broker_id(id.value());
  request.set_directory_id(Uuid(100, static_cast<uint64_t>(id.value())).ToBytes());
  request.set_incarnation_id(Uuid(200, incarnation).ToBytes());
  request.set_last_broker_epoch(last.value());
  for (record::Endpoint* end :
       {request.mutable_client_endpoint(), request.mutable_peer_endpoint()}) {
    end->set_host("127.0.0.1");
    end->set_port(static_cast<uint32_t>(9000 + id.value()));
  }
  return request;
}

}  // namespace

// ---- setup ------------------------------------------------------------------------------------

SmallWorld::SmallWorld(const Bounds& bounds) : bounds_(bounds) { Setup(); }

void SmallWorld::Setup() {
  controller_ = std::make_unique<ControllerCore>(ControllerOptions(), 1);
  controller_->Activate(MetadataImage(), kStart);
  Append(controller_->Bootstrap());
  for (int id = 1; id <= kBrokers; ++id) {
    brokers_.emplace_back();
    brokers_.back().id = BrokerId(id);
  }
  for (Broker& broker : brokers_) {
    Register(broker);
    Heartbeat(broker);
  }
  message::AdminRequest request;
  message::CreateTopic* create = request.mutable_create_topic();
  create->set_name("t");
  create->set_partitions(1);
  create->set_replication_factor(kBrokers);
  message::ConfigEntry* entry = create->add_configs();
  entry->set_key("min.insync.replicas");
  entry->set_value(absl::StrCat(bounds_.min_insync_replicas));
  auto decision = controller_->Admin(request);
  QUIPU_CHECK_MSG(decision.response.error_code() == 0, decision.response.error_message());
  images_.clear();
  Append(decision.batch);
  for (Broker& broker : brokers_) {
    broker.next_image = 0;
    Boot(broker);
  }
  TellImages();
  const Bounds given = bounds_;
  Rest();
  bounds_ = given;
}

// ---- the controller ---------------------------------------------------------------------------

LogIndex SmallWorld::Append(const record::MetadataBatch& batch) {
  const LogIndex index = image().index() + 1;
  if (batch.records_size() == 0) return index;
  controller_->Replay(index, batch, kStart);
  controller_->CheckInvariants();
  if (image().FindPartition(PartitionUid(1)) == nullptr) return index;
  PartitionAssignment assignment = AssignmentOf(image(), partition());
  if (images_.empty() || !SameAssignment(images_.back(), assignment)) {
    images_.push_back(std::move(assignment));
  }
  return index;
}

void SmallWorld::Register(Broker& broker) {
  auto decision = controller_->Register(
      Registration(broker.id, broker.epoch == BrokerEpoch(0) ? kNoBrokerEpoch : broker.epoch,
                   ++incarnations_),
      kStart);
  QUIPU_CHECK_MSG(decision.response.error_code() == 0, decision.response.error_message());
  const LogIndex index = Append(decision.batch);
  ControllerCore::FillEpoch(index, decision.response);
  broker.epoch = BrokerEpoch(decision.response.broker_epoch());
  if (!images_.empty()) broker.next_image = images_.size() - 1;
}

void SmallWorld::Heartbeat(const Broker& broker) {
  message::BrokerHeartbeat request;
  request.set_broker_id(broker.id.value());
  request.set_broker_epoch(broker.epoch.value());
  request.set_metadata_index(static_cast<uint64_t>(broker.epoch.value()));
  Append(controller_->Heartbeat(request, kStart).batch);
}

void SmallWorld::Fence(const Broker& broker) {
  Append(controller_->FenceBroker(broker.id, image().FindBroker(broker.id)->epoch));
}

void SmallWorld::Decide(Broker& broker) {
  const Broker::Proposal asked = std::move(broker.proposals.front());
  broker.proposals.pop_front();
  message::AlterPartitions request;
  request.set_broker_id(broker.id.value());
  request.set_broker_epoch(asked.epoch.value());
  message::IsrChange* change = request.add_changes();
  change->set_partition_uid(asked.proposal.uid.value());
  change->set_leader_epoch(asked.proposal.leader_epoch.value());
  change->set_partition_epoch(asked.proposal.partition_epoch.value());
  for (const auto& [member, epoch] : asked.proposal.new_isr) {
    message::IsrMember* added = change->add_new_isr();
    added->set_broker_id(member.value());
    added->set_broker_epoch(epoch.value());
  }
  const auto decision = controller_->AlterPartitions(request);
  Append(decision.batch);
  TellImages();
  // Nobody waits any more, or hears it.
  if (!broker.up || broker.deaf || asked.epoch != broker.epoch) return;
  const int32_t error = decision.response.error_code() != 0
                            ? decision.response.error_code()
                            : decision.response.results(0).error_code();
  Turn(broker, [&](PartitionCore& core, PartitionEffects& effects) {
    core.OnIsrResult(asked.proposal.partition_epoch, static_cast<ErrorCode>(error), NowAt(broker),
                     effects);
  });
}

// ---- brokers and streams ----------------------------------------------------------------------

template <typename Input>
void SmallWorld::Turn(Broker& broker, Input input) {
  PartitionEffects effects;
  input(*broker.core, effects);
  Carry(broker, effects);
}

void SmallWorld::Carry(Broker& broker, PartitionEffects& effects) {
  if (!effects.mutation.empty()) {
    broker.disk.Submit(
        {std::move(effects.mutation), broker.core->log_end_offset(), effects.truncating});
  }
  for (ReplicaUpdate& update : effects.replica_updates) {
    if (broker.stream_to != 0) broker.updates.push_back(update);
  }
  for (auto& [follower, push] : effects.replica_answers) {
    Broker& to = At(follower.value());
    if (to.stream_to == broker.id.value()) to.pushes.push_back(std::move(push));
  }
  if (effects.isr_proposal) broker.proposals.push_back({broker.epoch, *effects.isr_proposal});
  for (const ProduceReply& reply : effects.replies) NoteReply(reply);
  if (effects.role_changed) {
    broker.stream_to = 0;
    broker.updates.clear();
    broker.pushes.clear();
    if (broker.core->role() == PartitionRole::kFollower) OpenStream(broker);
  }
  Pump(broker);
}

void SmallWorld::Boot(Broker& broker) {
  broker.core = std::make_unique<PartitionCore>(
      PartitionCore::Options{.self = broker.id,
                             .identity = {.uid = PartitionUid(1),
                                          .topic_id = TopicId(1, 1),
                                          .index = PartitionIndex(0),
                                          .topic_name = "t"},
                             .limits = {}},
      broker.disk.Recover());
  broker.up = true;
  broker.deaf = false;
}

void SmallWorld::OpenStream(Broker& broker) {
  broker.updates.clear();
  broker.pushes.clear();
  broker.stream_to = broker.core->leader().value();
  if (!At(broker.stream_to).up) {  // refused; opened when that broker is back
    broker.stream_to = 0;
    return;
  }
  Turn(broker, [&](PartitionCore& core, PartitionEffects& effects) {
    core.OnReplicaStreamOpened(NowAt(broker), effects);
  });
}

void SmallWorld::BreakStream(Broker& broker) {
  if (broker.stream_to != 0 && At(broker.stream_to).up) {
    At(broker.stream_to).core->OnReplicaGone(broker.id);
  }
  broker.stream_to = 0;
  broker.updates.clear();
  broker.pushes.clear();
  if (broker.up && broker.core->role() == PartitionRole::kFollower) OpenStream(broker);
}

void SmallWorld::Pump(const Broker& leader) {
  for (Broker& to : brokers_) {
    if (to.stream_to != leader.id.value()) continue;
    const PartitionCore::SendPlan plan = leader.core->PlanSend(to.id);
    if (!plan.anything) continue;
    ReplicaPush push{.uid = PartitionUid(1),
                     .leader_epoch = plan.leader_epoch,
                     .high_watermark = plan.high_watermark,
                     .log_start_offset = plan.log_start_offset,
                     .batches = {}};
    for (const StoredBatch& batch : leader.disk.ReadWritten(plan.from)) {
      if (push.batches.empty()) push.base_offset = batch.base_offset;
      push.batches.push_back(batch.bytes);
    }
    to.pushes.push_back(std::move(push));
    leader.core->OnSent(to.id, plan.end);
  }
}

void SmallWorld::TellImages() {
  for (Broker& broker : brokers_) {
    while (broker.up && !broker.deaf && broker.next_image < images_.size()) {
      const PartitionAssignment news = images_[broker.next_image++];
      Turn(broker, [&](PartitionCore& core, PartitionEffects& effects) {
        core.OnAssignment(news, NowAt(broker), effects);
      });
      Check();  // what is done under this image is judged by it, not by the next
    }
  }
}

void SmallWorld::SyncOne(Broker& broker) {
  const FakeDisk::Write write = broker.disk.SyncOne();
  Turn(broker, [&](PartitionCore& core, PartitionEffects& effects) {
    if (write.truncating) {
      core.OnTruncated(broker.disk.Recover(), NowAt(broker), effects);
    } else {
      core.OnLogDurable(write.log_end, NowAt(broker), effects);
    }
  });
}

void SmallWorld::DeliverUpdate(Broker& follower) {
  const ReplicaUpdate update = follower.updates.front();
  follower.updates.pop_front();
  Broker& leader = At(follower.stream_to);
  Turn(leader, [&](PartitionCore& core, PartitionEffects& effects) {
    core.OnReplicaUpdate(follower.id, follower.epoch, update, NowAt(leader), effects);
  });
}

void SmallWorld::DeliverPush(Broker& follower) {
  const ReplicaPush push = std::move(follower.pushes.front());
  follower.pushes.pop_front();
  Turn(follower, [&](PartitionCore& core, PartitionEffects& effects) {
    core.OnReplicaPush(push, NowAt(follower), effects);
  });
}

void SmallWorld::Crash(Broker& broker) {
  broker.up = false;
  broker.disk.Crash();
  BreakStream(broker);
  broker.core.reset();
  for (Broker& other : brokers_) {
    if (other.stream_to != broker.id.value()) continue;
    other.stream_to = 0;
    other.updates.clear();
    other.pushes.clear();
  }
}

void SmallWorld::Restart(Broker& broker) {
  Register(broker);
  Boot(broker);
  for (Broker& other : brokers_) {
    if (other.up && other.stream_to == 0 && other.core->role() == PartitionRole::kFollower &&
        other.core->leader() == broker.id) {
      OpenStream(other);
    }
  }
}

void SmallWorld::LagPasses() {
  for (Broker& broker : brokers_) {
    if (!broker.up || broker.core->role() != PartitionRole::kLeader) continue;
    broker.now += kGrain + std::chrono::seconds(1);
    Turn(broker, [&](PartitionCore& core, PartitionEffects& effects) {
      core.OnTime(NowAt(broker), effects);
    });
  }
}

// ---- the producer -----------------------------------------------------------------------------

void SmallWorld::Send(Broker& to, int32_t sequence) {
  const ReplyToken token = ++next_token_;
  asked_[token] = sequence;
  Turn(to, [&](PartitionCore& core, PartitionEffects& effects) {
    core.OnProduce(
        {.token = token, .timeout = std::chrono::hours(1), .records = MakeRecord(sequence)},
        NowAt(to), effects);
  });
}

int32_t SmallWorld::OldestUnacknowledged() const {
  int32_t sequence = 0;
  while (acknowledged_.contains(sequence)) ++sequence;
  return sequence;
}

// ---- actions ----------------------------------------------------------------------------------

const char* ActionName(ActionKind kind) {
  constexpr const char* kNames[] = {"send",      "retry",  "update", "push",         "sync",
                                    "heartbeat", "decide", "seek",   "crash",        "fence",
                                    "restart",   "deafen", "hear",   "break-stream", "lag-passes"};
  return kNames[static_cast<size_t>(kind)];
}

// A follower that was refused and has nothing under way waits for time to pass.
bool SmallWorld::MaySeek(const Broker& broker) const {
  if (broker.core->role() != PartitionRole::kFollower || broker.stream_to == 0) return false;
  if (!broker.updates.empty() || !broker.pushes.empty() || !broker.disk.idle()) return false;
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
  if (!broker.disk.idle()) add(ActionKind::kSync);
  if (!broker.updates.empty()) add(ActionKind::kUpdate);
  if (!broker.pushes.empty()) add(ActionKind::kPush);
  if (broker.core->role() != PartitionRole::kLeader) return;
  if (next_sequence_ < bounds_.records) add(ActionKind::kSend);
  if (OldestUnacknowledged() < next_sequence_ && bounds_.retries > 0) add(ActionKind::kRetry);
}

void SmallWorld::AddFaults(std::vector<Action>& out) const {
  for (int id = 1; id <= kBrokers; ++id) {
    const Broker& broker = At(id);
    const auto add = [&](ActionKind kind) { out.push_back({kind, static_cast<uint8_t>(id)}); };
    const bool fenced = image().FindBroker(broker.id)->fenced;
    if (broker.up && bounds_.crashes > 0) add(ActionKind::kCrash);
    if (broker.up && !broker.deaf && bounds_.deafenings > 0) add(ActionKind::kDeafen);
    if (!fenced && (!broker.up || bounds_.live_fences > 0)) add(ActionKind::kFence);
    if (broker.up && broker.stream_to != 0 && bounds_.broken_streams > 0) {
      add(ActionKind::kBreakStream);
    }
  }
  if (bounds_.lags > 0) out.push_back({ActionKind::kLagPasses, 0});
}

std::vector<Action> SmallWorld::Enabled() const {
  std::vector<Action> out;
  for (int id = 1; id <= kBrokers; ++id) AddEnabledOf(id, out);
  // Last: it is refused again as long as the leader has not heard of its epoch.
  for (const Broker& broker : brokers_) {
    if (broker.up && MaySeek(broker)) {
      out.push_back({ActionKind::kSeek, static_cast<uint8_t>(broker.id.value())});
    }
  }
  AddFaults(out);
  return out;
}

void SmallWorld::Take(Action action) {
  Broker* broker = action.broker == 0 ? nullptr : &At(action.broker);
  switch (action.kind) {
    case ActionKind::kSend:
      Send(*broker, next_sequence_++);
      break;
    case ActionKind::kRetry:
      --bounds_.retries;
      Send(*broker, OldestUnacknowledged());
      break;
    case ActionKind::kUpdate:
      DeliverUpdate(*broker);
      break;
    case ActionKind::kPush:
      DeliverPush(*broker);
      break;
    case ActionKind::kSync:
      SyncOne(*broker);
      break;
    case ActionKind::kHeartbeat:
      Heartbeat(*broker);
      break;
    case ActionKind::kDecide:
      Decide(*broker);
      break;
    case ActionKind::kSeek:
      broker->now = std::max(broker->now, *broker->core->NextDeadline());
      Turn(*broker, [&](PartitionCore& core, PartitionEffects& effects) {
        core.OnTime(NowAt(*broker), effects);
      });
      break;
    case ActionKind::kCrash:
      --bounds_.crashes;
      Crash(*broker);
      break;
    case ActionKind::kFence:
      if (broker->up) --bounds_.live_fences;
      Fence(*broker);
      break;
    case ActionKind::kRestart:
      Restart(*broker);
      break;
    case ActionKind::kDeafen:
      --bounds_.deafenings;
      broker->deaf = true;
      break;
    case ActionKind::kHear:
      broker->deaf = false;
      break;
    case ActionKind::kBreakStream:
      --bounds_.broken_streams;
      BreakStream(*broker);
      break;
    case ActionKind::kLagPasses:
      --bounds_.lags;
      LagPasses();
      break;
  }
  TellImages();
  Check();
}

std::pair<uint64_t, uint64_t> SmallWorld::Hash() const {
  Fingerprint state(kStart, kGrain);
  state.Add(bounds_.records, bounds_.retries, bounds_.crashes, bounds_.live_fences,
            bounds_.deafenings, bounds_.broken_streams, bounds_.lags, next_sequence_,
            true_high_watermark_);
  for (const auto& [token, sequence] : asked_) state.Add(token, sequence);
  for (const auto& [sequence, offset] : acknowledged_) state.Add(sequence, offset);
  for (const StoredBatch& batch : committed_) state.Add(batch.base_offset, batch.bytes.view());
  const PartitionImage& decided = partition();
  state.Add(images_.back(), decided.last_known_leader);
  for (const Broker& broker : brokers_) {
    state.SetNow(broker.now);
    state.Add(broker.epoch, broker.up, broker.disk, broker.stream_to, broker.deaf,
              images_.size() - broker.next_image);
    for (size_t i = broker.next_image; i < images_.size(); ++i) state.Add(images_[i]);
    if (broker.core != nullptr) state.Add(*broker.core);
    state.Add(broker.updates.size(), broker.pushes.size(), broker.proposals.size());
    for (const ReplicaUpdate& update : broker.updates) {
      state.Add(update.leader_epoch, update.fetch_offset, update.durable_end_offset,
                update.log_start_offset, update.last_epoch, update.restart);
    }
    for (const ReplicaPush& push : broker.pushes) {
      state.Add(push.leader_epoch, push.error, push.high_watermark, push.log_start_offset,
                push.diverging_epoch, push.diverging_end_offset, push.base_offset,
                push.batches.size());
      for (const Bytes& batch : push.batches) state.Add(batch.view());
    }
    for (const auto& asked : broker.proposals) state.Add(asked.epoch, asked.proposal);
  }
  return state.value();
}

}  // namespace quipu::explore
