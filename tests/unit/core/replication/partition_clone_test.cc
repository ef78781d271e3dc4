// Goal: a clone of a PartitionCore is in the same state and shares nothing with its origin.
#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "tests/unit/core/replication/replica_cluster.h"

namespace quipu {
namespace {

std::pair<uint64_t, uint64_t> StateOf(const PartitionCore& core, Instant now) {
  Fingerprint state(now, std::chrono::seconds(10));
  state.Add(core);
  return state.value();
}

// Broker 1 leads, broker 2 has appended what it has not synced, and an idempotent producer waits.
class PartitionCloneTest : public ::testing::Test {
 protected:
  PartitionCloneTest() {
    cluster_.Elect(1);
    cluster_.TellImages();
    cluster_.Settle();
    cluster_.Produce(1, {.producer_id = 7, .value = "a"});
    cluster_.DeliverPush(2);
  }
  [[nodiscard]] std::pair<uint64_t, uint64_t> State(const PartitionCore& core) const {
    return StateOf(core, cluster_.now.mono);
  }

  ReplicaCluster cluster_;
};

TEST_F(PartitionCloneTest, IsInTheSameState) {
  for (int node = 1; node <= 3; ++node) {
    const std::unique_ptr<PartitionCore> clone = cluster_.core(node).Clone();
    EXPECT_EQ(State(*clone), State(cluster_.core(node)));
    clone->CheckInvariants();
  }
}

TEST_F(PartitionCloneTest, OfALeaderGoesItsOwnWay) {
  const std::unique_ptr<PartitionCore> clone = cluster_.core(1).Clone();
  const auto before = State(*clone);
  cluster_.Sync(1);
  cluster_.Produce(1, {.producer_id = 7, .sequence = 1, .value = "b"});
  EXPECT_EQ(State(*clone), before);
  EXPECT_NE(State(cluster_.core(1)), before);
  PartitionEffects effects;
  clone->OnLogDurable(Offset{1}, cluster_.now, effects);
  EXPECT_EQ(clone->durable_end_offset(), Offset{1});
}

TEST_F(PartitionCloneTest, OfAFollowerGoesItsOwnWay) {
  const std::unique_ptr<PartitionCore> clone = cluster_.core(2).Clone();
  const auto origin = State(cluster_.core(2));
  PartitionEffects effects;
  clone->OnLogDurable(Offset{1}, cluster_.now, effects);
  ASSERT_EQ(effects.replica_updates.size(), 1U);
  EXPECT_EQ(effects.replica_updates.front().durable_end_offset, Offset{1});
  EXPECT_EQ(cluster_.core(2).durable_end_offset(), Offset{0});
  EXPECT_EQ(State(cluster_.core(2)), origin);
}

TEST_F(PartitionCloneTest, OutlivesItsOrigin) {
  const std::unique_ptr<PartitionCore> clone = cluster_.core(1).Clone();
  cluster_.Crash(1);
  PartitionEffects effects;
  clone->OnLogDurable(Offset{1}, cluster_.now, effects);
  clone->OnTime(cluster_.now, effects);
  clone->CheckInvariants();
  EXPECT_EQ(clone->parked_acks(), 1U);
}

}  // namespace
}  // namespace quipu
