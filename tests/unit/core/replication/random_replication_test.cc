// Goal: no interleaving of deliveries, syncs, crashes, elections and ISR changes loses, doubles or
// reorders a committed batch.
// Method: three replicas, two idempotent producers and a toy controller take random steps from one
// seed; ReplicaCluster::CheckInvariants after each (I20, I21, I24, I26, I28, I29, I40),
// acknowledged batches are looked up (I22) and every answer of a batch must name the same offset
// (I41). At the end everything is healed, and all that was sent must be committed, in order,
// everywhere.
#include <gtest/gtest.h>

#include "base/rng.h"
#include "tests/unit/core/replication/replica_cluster.h"

namespace quipu {
namespace {

using std::chrono::milliseconds;

struct Totals {
  size_t elections = 0, crashes = 0, truncations = 0, retries = 0, isr_changes = 0, acks = 0;
  size_t lost_messages = 0;
};

// An idempotent client with a few batches in flight that sends again, in order, whatever is open.
struct ToyProducer {
  struct Open {
    int32_t sequence;
    std::vector<ReplyToken> tokens;
  };
  int64_t id;
  int32_t next_sequence = 0;
  std::deque<Open> open;
  std::map<int32_t, int64_t> acked;  // sequence -> offset
};

class RandomRun {
 public:
  RandomRun(uint64_t seed, Totals& totals)
      : rng_(seed), totals_(totals), c_({.limits = {.producer_snapshot_bytes = 400}}) {
    c_.decides = false;
    c_.Elect(1);
    for (int64_t id : {1, 2}) producers_.push_back({.id = id, .open = {}, .acked = {}});
  }

  void Run(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
      Step();
      ReadReplies();
      c_.CheckInvariants();
      CheckAcked();
    }
    Heal();
    totals_.truncations += c_.truncations;
  }

 private:
  int Any() { return static_cast<int>(rng_.Between(1, c_.replicas())); }
  int Down() const {
    int down = 0;
    for (int id = 1; id <= c_.replicas(); ++id) down += c_.node(id).up ? 0 : 1;
    return down;
  }

  void Step() {
    const uint64_t dice = rng_.Below(1000);
    const int id = Any();
    if (dice < 250) {
      c_.DeliverUpdate(id);
    } else if (dice < 450) {
      c_.DeliverPush(id);
    } else if (dice < 650) {
      c_.SyncOne(id);
    } else if (dice < 760) {
      c_.TellImage(id);
    } else if (dice < 880) {
      Send(producers_[rng_.Below(2)]);
    } else if (dice < 910) {
      Resend(producers_[rng_.Below(2)]);
    } else if (dice < 935) {
      DecideOne();
    } else if (dice < 947) {
      Elect();
    } else if (dice < 953) {
      c_.BreakStream(id);
      ++totals_.lost_messages;
    } else if (dice < 958) {
      LoseMessage(id);
    } else if (dice < 965) {
      if (Down() == 0) Crash(id);
    } else if (dice < 985) {
      if (!c_.node(id).up) Restart(id);
    } else if (dice < 988) {
      Trim();
    } else {
      c_.Advance(milliseconds(rng_.Between(1, 3000)));
    }
  }

  // ---- clients ----
  void Send(ToyProducer& producer) {
    if (producer.open.size() >= 4) return;
    producer.open.push_back({producer.next_sequence++, {}});
    Post(producer, producer.open.back());
  }
  void Resend(ToyProducer& producer) {
    for (ToyProducer::Open& open : producer.open) Post(producer, open);
    totals_.retries += producer.open.size();
  }
  void Post(ToyProducer& producer, ToyProducer::Open& open) {
    // Mostly to the leader; sometimes to one that is out of date.
    const int at = rng_.Chance(9, 10) ? c_.image.leader.value() : Any();
    if (at < 1 || !c_.node(at).up) return;
    open.tokens.push_back(c_.Produce(
        at, {.producer_id = producer.id,
             .sequence = open.sequence,
             .value = std::to_string(producer.id) + ":" + std::to_string(open.sequence)}));
  }
  void ReadReplies() {
    for (ToyProducer& producer : producers_) {
      for (ToyProducer::Open& open : producer.open) {
        for (ReplyToken token : open.tokens) {
          const auto reply = c_.Reply(token);
          if (!reply) continue;
          EXPECT_NE(reply->error, ErrorCode::kDuplicateSequence);
          if (reply->error != ErrorCode::kNone) continue;
          const auto acked = producer.acked.emplace(open.sequence, reply->base_offset.value());
          EXPECT_EQ(acked.first->second, reply->base_offset.value()) << "I41: another offset";
          ++totals_.acks;
        }
      }
      while (!producer.open.empty() && producer.acked.contains(producer.open.front().sequence)) {
        producer.open.pop_front();
      }
    }
  }
  void CheckAcked() {
    for (const ToyProducer& producer : producers_) {
      for (const auto& [sequence, offset] : producer.acked) {
        const auto found = c_.committed_sequences.find({producer.id, int16_t{0}, sequence});
        ASSERT_TRUE(found != c_.committed_sequences.end()) << "I22: acknowledged, not committed";
        ASSERT_EQ(found->second, offset) << "I41: acknowledged with another offset";
      }
    }
  }

  // ---- controller ----
  static bool Has(const std::vector<BrokerId>& list, int id) {
    return std::find(list.begin(), list.end(), BrokerId{id}) != list.end();
  }
  ReplicaInfo& Info(int id) { return c_.image.replicas[static_cast<size_t>(id - 1)]; }
  // Chooses from the ISR, else from the ELR (KIP-966).
  void Elect() {
    std::vector<int> able;
    for (const auto* list : {&c_.image.isr, &c_.image.elr}) {
      if (!able.empty()) break;
      for (BrokerId member : *list) {
        if (!Info(member.value()).fenced) able.push_back(member.value());
      }
    }
    if (able.empty()) {
      c_.image.leader = kNoBroker;
      c_.image.leader_epoch += 1;
      c_.Commit();
      return;
    }
    const int leader = able[rng_.Below(able.size())];
    if (!Has(c_.image.isr, leader)) {
      std::erase(c_.image.elr, BrokerId{leader});
      c_.image.isr = {BrokerId{leader}};
    }
    c_.Elect(leader);
    ++totals_.elections;
  }
  void Fence(int id) {
    Info(id).fenced = true;
    if (Has(c_.image.isr, id)) {
      std::erase(c_.image.isr, BrokerId{id});
      if (c_.image.isr.size() < 2) c_.image.elr.push_back(BrokerId{id});
    }
    if (c_.image.leader == BrokerId{id}) {
      Elect();
    } else {
      c_.Commit();
    }
  }
  void DecideOne() {
    if (c_.proposals.empty()) return;
    const size_t index = rng_.Below(c_.proposals.size());
    const IsrProposal proposal = c_.proposals[index];
    c_.proposals.erase(c_.proposals.begin() + static_cast<std::ptrdiff_t>(index));
    if (rng_.Chance(1, 8)) return;  // lost
    if (c_.Decide(proposal) == ErrorCode::kNone) ++totals_.isr_changes;
  }

  // ---- faults ----
  void LoseMessage(int id) {
    auto& node = c_.node(id);
    if (!node.updates.empty() && rng_.Chance(1, 2)) {
      node.updates.pop_front();
    } else if (!node.pushes.empty()) {
      node.pushes.pop_front();
    }
    ++totals_.lost_messages;
  }
  void Crash(int id) {
    c_.Crash(id);
    ++totals_.crashes;
    if (rng_.Chance(1, 2)) Fence(id);  // otherwise it is back before its session ends
  }
  void Restart(int id) {
    // A new life fences the old one and bumps the epochs of what it led (R14), in one step.
    if (!Info(id).fenced) Fence(id);
    c_.Restart(id);
    Info(id).fenced = false;
    Info(id).epoch = c_.node(id).epoch;
    if (c_.image.leader == kNoBroker) {
      Elect();
    } else {
      c_.Commit();
    }
  }
  void Trim() {
    const int leader = c_.image.leader.value();
    if (leader < 1 || !c_.node(leader).up) return;
    if (c_.core(leader).role() != PartitionRole::kLeader) return;
    c_.DeleteRecords(leader,
                     rng_.Between(c_.core(leader).log_start_offset().value(), c_.Hw(leader)));
  }

  // ---- the end ----
  void Heal() {
    if (::testing::Test::HasFailure()) return;
    for (int id = 1; id <= c_.replicas(); ++id) {
      if (!c_.node(id).up) Restart(id);
    }
    if (c_.image.leader == kNoBroker) Elect();
    c_.decides = true;
    const auto open = [&] { return producers_[0].open.size() + producers_[1].open.size(); };
    const auto whole = [&] { return open() == 0 && c_.image.isr.size() == 3; };
    for (int round = 0; round < 3 || (round < 60 && !whole()); ++round) {
      for (int id = 1; id <= c_.replicas(); ++id) c_.BreakStream(id);
      c_.Settle();
      for (ToyProducer& producer : producers_) {
        for (ToyProducer::Open& batch : producer.open) {
          batch.tokens.push_back(c_.Produce(
              c_.image.leader.value(),
              {.producer_id = producer.id,
               .sequence = batch.sequence,
               .value = std::to_string(producer.id) + ":" + std::to_string(batch.sequence)}));
        }
      }
      c_.Settle();
      ReadReplies();
      c_.Advance(milliseconds(1000));
    }
    EXPECT_EQ(open(), 0U) << "liveness: a batch is never acknowledged";
    EXPECT_EQ(c_.image.isr.size(), 3U) << "liveness: a replica never returns";
    CheckAcked();
    CheckOrder();
    for (int id : {2, 3}) {
      EXPECT_EQ(c_.End(1), c_.End(id));
      EXPECT_EQ(c_.Hw(1), c_.Hw(id));
      const auto& one = c_.node(1).disk.synced();
      const auto& other = c_.node(id).disk.synced();
      if (one.empty() || other.empty()) continue;
      EXPECT_EQ(one.back().bytes, other.back().bytes);
    }
  }
  // I40, I42: every sequence once, in the order of sending.
  void CheckOrder() {
    for (const ToyProducer& producer : producers_) {
      int64_t last = -1;
      for (int32_t sequence = 0; sequence < producer.next_sequence; ++sequence) {
        const auto found = c_.committed_sequences.find({producer.id, int16_t{0}, sequence});
        ASSERT_TRUE(found != c_.committed_sequences.end());
        EXPECT_GT(found->second, last) << "I42: reordered";
        last = found->second;
      }
    }
  }

  Rng rng_;
  Totals& totals_;
  ReplicaCluster c_;
  std::vector<ToyProducer> producers_;
};

TEST(RandomReplication, NoSeedBreaksAnInvariant) {
  Totals totals;
  constexpr uint64_t kSeeds = 300;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomRun(seed, totals).Run(700);
    if (::testing::Test::HasFailure()) break;
  }
  // A run in which nothing happens proves nothing.
  EXPECT_GT(totals.elections, kSeeds);
  EXPECT_GT(totals.crashes, kSeeds);
  EXPECT_GT(totals.truncations, kSeeds / 10);
  EXPECT_GT(totals.isr_changes, kSeeds / 2);
  EXPECT_GT(totals.retries, kSeeds);
  EXPECT_GT(totals.lost_messages, kSeeds);
  EXPECT_GT(totals.acks, kSeeds);
  RecordProperty("truncations", static_cast<int>(totals.truncations));
  RecordProperty("isr_changes", static_cast<int>(totals.isr_changes));
  RecordProperty("acks", static_cast<int>(totals.acks));
}

}  // namespace
}  // namespace quipu
