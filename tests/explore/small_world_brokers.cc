// Brokers of a SmallWorld: their disks, the streams between them, and the producer.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "core/record/record_batch_builder.h"
#include "tests/explore/small_world.h"

namespace quipu::explore {
namespace {

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

template <typename T>
T TakeFirst(std::vector<T>& queue) {
  T first = std::move(queue.front());
  queue.erase(queue.begin());
  return first;
}

bool SaysTheSame(const PartitionState& a, const PartitionState& b) {
  return a.leader_epoch == b.leader_epoch && a.log_start_offset == b.log_start_offset &&
         a.high_watermark == b.high_watermark;
}

// The state that is on the disk once all writes are synced.
const PartitionState& NewestState(const FakeDisk& disk) {
  for (auto write = disk.unsynced().rbegin(); write != disk.unsynced().rend(); ++write) {
    if (write->mutation.state) return *write->mutation.state;
  }
  return disk.state();
}

}  // namespace

// ---- turns and disks --------------------------------------------------------------------------

template <typename Input>
void SmallWorld::Turn(Broker& broker, Input input) {
  PartitionEffects effects;
  input(Core(broker), effects);
  Carry(broker, effects);
}

void SmallWorld::Carry(Broker& broker, PartitionEffects& effects) {
  if (!effects.mutation.empty()) Submit(broker, effects);
  for (ReplicaUpdate& update : effects.replica_updates) {
    if (broker.stream_to != 0) broker.updates.push_back(update);
  }
  for (auto& [follower, push] : effects.replica_answers) {
    if (At(follower.value()).stream_to != broker.id.value()) continue;
    Change(follower.value()).pushes.push_back(std::move(push));
  }
  if (effects.isr_proposal) {
    broker.proposals.push_back({broker.id, broker.epoch, *effects.isr_proposal});
  }
  for (const ProduceReply& reply : effects.replies) NoteReply(broker, reply);
  if (effects.role_changed) {
    LeaveStream(broker);
    if (broker.core->role() == PartitionRole::kFollower) OpenStream(broker);
  }
  Pump(broker);
}

void SmallWorld::Submit(Broker& broker, PartitionEffects& effects) const {
  LogMutation& mutation = effects.mutation;
  if (bounds_.reductions && mutation.state) {
    mutation.state->partition_epoch = PartitionEpoch(-1);
    const bool only_state = !mutation.truncate_to && mutation.appends.empty() && !mutation.epochs &&
                            !mutation.producers;
    if (only_state && SaysTheSame(*mutation.state, NewestState(broker.disk))) return;
  }
  broker.disk.Submit({std::move(mutation), broker.core->log_end_offset(), effects.truncating});
  ForgetSpent(broker);
}

void SmallWorld::ForgetSpent(Broker& broker) const {
  if (!bounds_.reductions || bounds_.crashes > 0 || !broker.up) return;
  broker.disk.ForgetState();
  SyncSilent(broker, SilentWrites(broker));
}

size_t SmallWorld::SilentWrites(const Broker& broker) {
  size_t count = 0;
  for (const FakeDisk::Write& write : broker.disk.unsynced()) {
    if (write.truncating || !write.mutation.appends.empty()) break;
    if (write.log_end > broker.core->durable_end_offset()) break;
    ++count;
  }
  return count;
}

void SmallWorld::SyncSilent(Broker& broker, size_t count) {
  for (; count > 0; --count) broker.disk.SyncOne();
}

void SmallWorld::SyncOne(Broker& broker) {
  if (bounds_.reductions) SyncSilent(broker, SilentWrites(broker));
  const FakeDisk::Write write = broker.disk.SyncOne();
  Turn(broker, [&](PartitionCore& core, PartitionEffects& effects) {
    if (write.truncating) {
      core.OnTruncated(broker.disk.Recover(), NowAt(broker), effects);
    } else {
      core.OnLogDurable(write.log_end, NowAt(broker), effects);
    }
  });
  ForgetSpent(broker);
}

// ---- lives ------------------------------------------------------------------------------------

void SmallWorld::Boot(Broker& broker) {
  broker.core = std::make_shared<PartitionCore>(
      PartitionCore::Options{.self = broker.id,
                             .identity = {.uid = PartitionUid(1),
                                          .topic_id = TopicId(1, 1),
                                          .index = PartitionIndex(0),
                                          .topic_name = "t"},
                             .limits = {}},
      broker.disk.Recover());
  // Without a role it looks for idle producers, which it then does not do again for minutes.
  PartitionEffects none;
  broker.core->OnTime(NowAt(broker), none);
  broker.up = true;
  broker.deaf = false;
  ForgetSpent(broker);
}

void SmallWorld::Crash(Broker& broker, size_t kept) {
  SyncSilent(broker, kept);
  broker.up = false;
  broker.disk.Crash();
  BreakStream(broker);
  broker.core.reset();
  broker.asked.clear();
  broker.unheard.clear();
  broker.late.clear();
  for (int id = 1; id <= kBrokers; ++id) {
    if (At(id).stream_to != broker.id.value()) continue;
    Broker& other = Change(id);
    other.stream_to = 0;
    other.updates.clear();
    other.pushes.clear();
  }
  if (bounds_.crashes > 0) return;
  for (int id = 1; id <= kBrokers; ++id) ForgetSpent(Change(id));
}

void SmallWorld::Restart(Broker& broker) {
  Register(broker);
  Boot(broker);
  OpenStreamsTo(broker);
}

void SmallWorld::TellImages() {
  for (int id = 1; id <= kBrokers; ++id) {
    while (At(id).up && !At(id).deaf && !At(id).unheard.empty()) {
      Broker& broker = Change(id);
      const auto news = TakeFirst(broker.unheard);
      Turn(broker, [&](PartitionCore& core, PartitionEffects& effects) {
        core.OnAssignment(*news, NowAt(broker), effects);
      });
      Check();  // what is done under this image is judged by it, not by the next
    }
  }
}

void SmallWorld::LagPasses() {
  for (int id = 1; id <= kBrokers; ++id) {
    if (!At(id).up || At(id).core->role() != PartitionRole::kLeader) continue;
    Broker& broker = Change(id);
    broker.now += kGrain + std::chrono::seconds(1);
    AskTime(broker);
  }
}

void SmallWorld::AskTime(Broker& broker) {
  Turn(broker, [&](PartitionCore& core, PartitionEffects& effects) {
    core.OnTime(NowAt(broker), effects);
  });
}

// ---- streams ----------------------------------------------------------------------------------

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

void SmallWorld::LeaveStream(Broker& broker) {
  if (bounds_.late_pushes > 0) {
    broker.late.insert(broker.late.end(), broker.pushes.begin(), broker.pushes.end());
  }
  broker.stream_to = 0;
  broker.updates.clear();
  broker.pushes.clear();
}

void SmallWorld::OpenStreamsTo(const Broker& leader) {
  for (int id = 1; id <= kBrokers; ++id) {
    const Broker& other = At(id);
    if (other.up && other.stream_to == 0 && other.core->role() == PartitionRole::kFollower &&
        other.core->leader() == leader.id) {
      OpenStream(Change(id));
    }
  }
}

void SmallWorld::BreakStream(Broker& broker) {
  if (broker.stream_to != 0 && At(broker.stream_to).up) {
    Core(Change(broker.stream_to)).OnReplicaGone(broker.id);
  }
  broker.stream_to = 0;
  broker.updates.clear();
  broker.pushes.clear();
  if (broker.up && broker.core->role() == PartitionRole::kFollower) OpenStream(broker);
}

void SmallWorld::Pump(Broker& leader) {
  for (int id = 1; id <= kBrokers; ++id) {
    if (At(id).stream_to != leader.id.value()) continue;
    const PartitionCore::SendPlan plan = leader.core->PlanSend(BrokerId(id));
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
    Change(id).pushes.push_back(std::move(push));
    Core(leader).OnSent(BrokerId(id), plan.end);
  }
}

void SmallWorld::DeliverUpdate(Broker& follower) {
  const ReplicaUpdate update = TakeFirst(follower.updates);
  Broker& leader = Change(follower.stream_to);
  Turn(leader, [&](PartitionCore& core, PartitionEffects& effects) {
    core.OnReplicaUpdate(follower.id, follower.epoch, update, NowAt(leader), effects);
  });
}

void SmallWorld::DeliverPush(Broker& follower, std::vector<ReplicaPush>& from) {
  const ReplicaPush push = TakeFirst(from);
  Turn(follower, [&](PartitionCore& core, PartitionEffects& effects) {
    core.OnReplicaPush(push, NowAt(follower), effects);
  });
}

// ---- the producer -----------------------------------------------------------------------------

void SmallWorld::Send(Broker& to, int32_t sequence) {
  const ReplyToken token = ++next_token_;
  to.asked.emplace_back(token, sequence);
  Turn(to, [&](PartitionCore& core, PartitionEffects& effects) {
    core.OnProduce(
        {.token = token, .timeout = std::chrono::hours(1), .records = MakeRecord(sequence)},
        NowAt(to), effects);
  });
}

int32_t SmallWorld::OldestUnacknowledged() const {
  const auto found = std::find(acknowledged_.begin(), acknowledged_.end(), kNoOffset);
  return static_cast<int32_t>(found - acknowledged_.begin());
}

void SmallWorld::AnswerIsrResult(Broker& broker, PartitionEpoch proposed_at, ErrorCode error) {
  Turn(broker, [&](PartitionCore& core, PartitionEffects& effects) {
    core.OnIsrResult(proposed_at, error, NowAt(broker), effects);
  });
}

}  // namespace quipu::explore
