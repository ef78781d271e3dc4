#include "tests/unit/core/replication/replica_cluster.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "core/record/record_batch_builder.h"

namespace quipu {

Bytes MakeBatch(const BatchSpec& spec) {
  RecordBatchOptions options;
  if (spec.producer_id >= 0) {
    options.producer_id = ProducerId{spec.producer_id};
    options.producer_epoch = ProducerEpoch{spec.producer_epoch};
    options.base_sequence = Sequence{spec.sequence};
  }
  RecordBatchBuilder builder(options);
  for (int i = 0; i < spec.count; ++i) {
    builder.Add({.timestamp = TimestampMs{spec.timestamp}, .value = absl::string_view(spec.value)});
  }
  return builder.Build();
}

ReplicaCluster::ReplicaCluster(Options options) : options_(std::move(options)) {
  image.leader_epoch = LeaderEpoch{0};
  image.partition_epoch = PartitionEpoch{0};
  image.config = options_.config;
  for (int i = 1; i <= options_.replicas; ++i) {
    Node node;
    node.id = BrokerId{i};
    node.epoch = BrokerEpoch{100 + i};
    image.replicas.push_back({.broker = node.id, .epoch = node.epoch, .fenced = false});
    image.isr.push_back(node.id);
    nodes_.push_back(std::move(node));
  }
  for (Node& node : nodes_) Start(node);
}

void ReplicaCluster::Start(Node& node) {
  PartitionCore::Options options{.self = node.id,
                                 .identity = {.uid = PartitionUid{7},
                                              .topic_id = TopicId(1, 1),
                                              .index = PartitionIndex{0},
                                              .topic_name = "t"},
                                 .limits = options_.limits};
  node.core = std::make_unique<PartitionCore>(std::move(options), node.disk.Recover());
  node.up = true;
  node.stream_to = 0;
}

// ---- controller -----------------------------------------------------------------------------

void ReplicaCluster::Commit() {
  image.partition_epoch += 1;
  images_.push_back(image);
}

void ReplicaCluster::Elect(int leader) {
  image.leader = BrokerId{leader};
  image.leader_epoch += 1;
  Commit();
}

void ReplicaCluster::SetIsr(const std::vector<int>& isr) {
  image.isr.clear();
  for (int member : isr) image.isr.push_back(BrokerId{member});
  Commit();
}

ErrorCode ReplicaCluster::Decide(const IsrProposal& proposal) {
  ErrorCode error = ErrorCode::kNone;
  if (proposal.leader_epoch != image.leader_epoch) error = ErrorCode::kFencedLeaderEpoch;
  if (proposal.partition_epoch != image.partition_epoch) error = ErrorCode::kInvalidUpdateVersion;
  std::vector<BrokerId> members;
  for (const auto& [member, epoch] : proposal.new_isr) {
    const auto replica =
        std::find_if(image.replicas.begin(), image.replicas.end(),
                     [id = member](const ReplicaInfo& r) { return r.broker == id; });
    const bool eligible =
        replica != image.replicas.end() && !replica->fenced && replica->epoch == epoch;
    if (!eligible && error == ErrorCode::kNone) error = ErrorCode::kIneligibleReplica;
    members.push_back(member);
  }
  if (error == ErrorCode::kNone) {
    // Members that leave an ISR that is now too small stay eligible; a full one needs none
    // (KIP-966).
    const auto in = [](const std::vector<BrokerId>& list, BrokerId b) {
      return std::find(list.begin(), list.end(), b) != list.end();
    };
    if (static_cast<int32_t>(members.size()) >= image.config.min_insync_replicas) {
      image.elr.clear();
    } else {
      for (BrokerId old : image.isr) {
        if (!in(members, old) && !in(image.elr, old)) image.elr.push_back(old);
      }
      std::erase_if(image.elr, [&](BrokerId b) { return in(members, b); });
    }
    image.isr = members;
    Commit();
  }
  const int leader = image.leader.value();
  if (leader > 0 && node(leader).up) {
    Turn(leader, [&](PartitionCore& core, PartitionEffects& effects) {
      core.OnIsrResult(proposal.partition_epoch, error, now, effects);
    });
  }
  return error;
}

void ReplicaCluster::TellImage(int id) {
  while (node(id).up && HasNews(id)) {
    const PartitionAssignment news = images_[node(id).images_seen++];
    Turn(id, [&](PartitionCore& core, PartitionEffects& effects) {
      core.OnAssignment(news, now, effects);
    });
  }
}

void ReplicaCluster::TellImages() {
  for (int id = 1; id <= replicas(); ++id) TellImage(id);
}

// ---- traffic --------------------------------------------------------------------------------

ReplyToken ReplicaCluster::Produce(int at, const BatchSpec& spec, int acks) {
  return ProduceBytes(at, MakeBatch(spec), acks);
}

ReplyToken ReplicaCluster::ProduceBytes(int at, Bytes bytes, int acks, bool from_coordinator) {
  const ReplyToken token = next_token_++;
  Turn(at, [&](PartitionCore& core, PartitionEffects& effects) {
    core.OnProduce({.token = token,
                    .acks = acks,
                    .records = std::move(bytes),
                    .from_coordinator = from_coordinator},
                   now, effects);
  });
  return token;
}

std::optional<ProduceReply> ReplicaCluster::Reply(ReplyToken token) const {
  const auto found = replies_.find(token);
  if (found == replies_.end()) return std::nullopt;
  return found->second;
}

ReplyToken ReplicaCluster::DeleteRecords(int at, int64_t before) {
  const ReplyToken token = next_token_++;
  Turn(at, [&](PartitionCore& core, PartitionEffects& effects) {
    core.OnDeleteRecords(token, Offset{before}, std::chrono::seconds(30), now, effects);
  });
  return token;
}

// ---- world ----------------------------------------------------------------------------------

void ReplicaCluster::Carry(int id, PartitionEffects& effects) {
  Node& self = node(id);
  if (!effects.mutation.empty()) {
    self.disk.Submit(
        {std::move(effects.mutation), self.core->log_end_offset(), effects.truncating});
  }
  if (effects.truncating) ++truncations;
  for (ReplicaUpdate& update : effects.replica_updates) {
    if (self.stream_to != 0) self.updates.push_back(update);
  }
  for (auto& [follower, push] : effects.replica_answers) {
    Node& to = node(follower.value());
    if (to.stream_to == id) to.pushes.push_back(push);
  }
  if (effects.isr_proposal) proposals.push_back(*effects.isr_proposal);
  for (ProduceReply& reply : effects.replies) {
    EXPECT_TRUE(replies_.emplace(reply.token, reply).second) << "answered twice: " << reply.token;
  }
  for (DeleteRecordsReply& reply : effects.delete_replies) delete_replies[reply.token] = reply;
  if (effects.role_changed) {
    self.stream_to = 0;
    self.updates.clear();
    self.pushes.clear();
    if (self.core->role() == PartitionRole::kFollower) OpenStream(id);
  }
  Pump(id);
}

void ReplicaCluster::OpenStream(int id) {
  Node& self = node(id);
  self.updates.clear();
  self.pushes.clear();
  self.stream_to = self.core->leader().value();
  Turn(id, [&](PartitionCore& core, PartitionEffects& effects) {
    core.OnReplicaStreamOpened(now, effects);
  });
}

void ReplicaCluster::Pump(int leader) {
  PartitionCore& from = core(leader);
  for (Node& to : nodes_) {
    if (to.stream_to != leader) continue;
    const PartitionCore::SendPlan plan = from.PlanSend(to.id);
    if (!plan.anything) continue;
    ReplicaPush push{.uid = PartitionUid{7},
                     .leader_epoch = plan.leader_epoch,
                     .high_watermark = plan.high_watermark,
                     .log_start_offset = plan.log_start_offset,
                     .batches = {}};
    for (const StoredBatch& batch : node(leader).disk.ReadWritten(plan.from)) {
      if (push.batches.empty()) push.base_offset = batch.base_offset;
      push.batches.push_back(batch.bytes);
    }
    to.pushes.push_back(std::move(push));
    from.OnSent(to.id, plan.end);
  }
}

void ReplicaCluster::SyncOne(int id) {
  Node& self = node(id);
  if (!self.up || self.disk.idle()) return;
  const FakeDisk::Write write = self.disk.SyncOne();
  Turn(id, [&](PartitionCore& core, PartitionEffects& effects) {
    if (write.truncating) {
      core.OnTruncated(self.disk.Recover(), now, effects);
    } else {
      core.OnLogDurable(write.log_end, now, effects);
    }
  });
}

void ReplicaCluster::Sync(int id) {
  while (node(id).up && !node(id).disk.idle()) SyncOne(id);
}

void ReplicaCluster::DeliverUpdate(int follower) {
  Node& from = node(follower);
  if (from.updates.empty()) return;
  const ReplicaUpdate update = from.updates.front();
  from.updates.pop_front();
  if (from.stream_to == 0 || !node(from.stream_to).up) return;
  Turn(from.stream_to, [&](PartitionCore& core, PartitionEffects& effects) {
    core.OnReplicaUpdate(from.id, from.epoch, update, now, effects);
  });
}

void ReplicaCluster::DeliverPush(int follower) {
  Node& to = node(follower);
  if (to.pushes.empty()) return;
  const ReplicaPush push = to.pushes.front();
  to.pushes.pop_front();
  if (!to.up) return;
  Turn(follower, [&](PartitionCore& core, PartitionEffects& effects) {
    core.OnReplicaPush(push, now, effects);
  });
}

void ReplicaCluster::Deliver(int follower) {
  while (!node(follower).updates.empty() || !node(follower).pushes.empty()) {
    DeliverUpdate(follower);
    DeliverPush(follower);
  }
}

void ReplicaCluster::BreakStream(int follower) {
  Node& self = node(follower);
  if (self.stream_to == 0) return;
  if (node(self.stream_to).up) core(self.stream_to).OnReplicaGone(self.id);
  self.stream_to = 0;
  if (self.up && self.core->role() == PartitionRole::kFollower) OpenStream(follower);
}

void ReplicaCluster::Crash(int id) {
  Node& self = node(id);
  self.up = false;
  self.disk.Crash();
  self.updates.clear();
  self.pushes.clear();
  if (self.stream_to != 0 && node(self.stream_to).up) core(self.stream_to).OnReplicaGone(self.id);
  self.stream_to = 0;
  for (Node& other : nodes_) {
    if (other.stream_to == id) {
      other.updates.clear();
      other.pushes.clear();
    }
  }
}

void ReplicaCluster::Restart(int id) {
  Node& self = node(id);
  self.epoch += 100;
  self.images_seen = images_.empty() ? 0 : images_.size() - 1;
  served_.erase(served_.lower_bound({id, 0}), served_.lower_bound({id + 1, 0}));
  Start(self);
  for (Node& other : nodes_) {
    if (other.stream_to == id && other.up) BreakStream(other.id.value());
  }
}

void ReplicaCluster::Advance(std::chrono::milliseconds time) {
  now.mono += time;
  now.wall += time.count();
  for (Node& self : nodes_) {
    if (!self.up) continue;
    const auto deadline = self.core->NextDeadline();
    if (!deadline || *deadline > now.mono) continue;
    Turn(self.id.value(),
         [&](PartitionCore& core, PartitionEffects& effects) { core.OnTime(now, effects); });
  }
}

void ReplicaCluster::Settle() {
  for (int round = 0; round < 1000; ++round) {
    bool moved = false;
    for (int id = 1; id <= replicas(); ++id) moved = moved || (node(id).up && HasNews(id));
    TellImages();
    for (int id = 1; id <= replicas(); ++id) {
      Node& self = node(id);
      if (!self.up) continue;
      moved = moved || !self.disk.idle() || !self.updates.empty() || !self.pushes.empty();
      Sync(id);
      DeliverUpdate(id);
      DeliverPush(id);
    }
    while (decides && !proposals.empty()) {
      moved = true;
      const IsrProposal proposal = proposals.front();
      proposals.pop_front();
      Decide(proposal);
    }
    CheckInvariants();
    if (!moved) return;
  }
  FAIL() << "the cluster does not come to rest";
}

// ---- looking --------------------------------------------------------------------------------

std::string ReplicaCluster::Log(int id) const {
  std::string text;
  for (const StoredBatch& batch : node(id).disk.synced()) {
    const auto decoded = DecodedBatch::Decode(*RecordBatchView::Parse(batch.bytes));
    if (!text.empty()) text += ",";
    const absl::string_view value = *decoded->records().front().value;
    text.append(value.data(), value.size());
  }
  return text;
}

void ReplicaCluster::NoteCommitted(const StoredBatch& batch) {
  const std::string bytes = batch.bytes.ToString();
  const int64_t base = batch.base_offset.value();
  const auto [known, inserted] = committed_.emplace(base, bytes);
  EXPECT_EQ(known->second, bytes) << "I29: two records at offset " << base;
  const auto view = *RecordBatchView::Parse(batch.bytes);
  if (view.producer_id() < ProducerId{0}) return;
  const auto sequence = committed_sequences.emplace(
      std::tuple(view.producer_id().value(), view.producer_epoch().value(),
                 view.base_sequence().value()),
      base);
  EXPECT_EQ(sequence.first->second, base) << "I40: sequence committed twice";
}

void ReplicaCluster::CheckInvariants() {
  for (Node& self : nodes_) {
    if (!self.up) continue;
    const int id = self.id.value();
    self.core->CheckInvariants();
    const int64_t high_watermark = Hw(id);
    if (!self.disk.truncating()) {
      EXPECT_LE(high_watermark, self.disk.log_end().value()) << "I28: not synced at " << id;
    }
    auto& served = served_[{id, self.core->leader_epoch().value()}];
    EXPECT_GE(high_watermark, served) << "I26: high watermark fell at " << id;
    served = high_watermark;
    auto& checked = checked_[id];
    for (const StoredBatch& batch : self.disk.synced()) {
      // What is about to be dropped is no part of the log any more.
      if (batch.last_offset < self.core->log_start_offset()) continue;
      if (batch.base_offset.value() < checked) continue;
      if (batch.last_offset.value() >= high_watermark) break;
      NoteCommitted(batch);
      checked = batch.last_offset.value() + 1;
    }
    if (self.core->role() == PartitionRole::kLeader) {
      true_high_watermark_ = std::max(true_high_watermark_, high_watermark);
    }
  }
  // I20, I21: whoever may lead has everything committed, synced, and the same.
  std::vector<BrokerId> candidates = image.isr;
  candidates.insert(candidates.end(), image.elr.begin(), image.elr.end());
  for (BrokerId member : candidates) {
    const FakeDisk& disk = node(member.value()).disk;
    EXPECT_GE(disk.log_end().value(), true_high_watermark_) << "I20: missing at " << member;
    for (const StoredBatch& batch : disk.synced()) {
      if (batch.last_offset.value() >= true_high_watermark_) break;
      const auto found = committed_.find(batch.base_offset.value());
      if (found == committed_.end()) continue;
      EXPECT_EQ(found->second, batch.bytes.ToString()) << "I24: differs at " << member;
    }
  }
}

}  // namespace quipu
