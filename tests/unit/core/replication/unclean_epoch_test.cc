// Goal: after an unclean recovery a replica from before it cuts below its own high watermark, and
// nothing else ever does (PR5, D4). Method: one core with a recovered log, told of a new leader.
#include <gtest/gtest.h>

#include "core/replication/partition_core.h"

namespace quipu {
namespace {

constexpr BrokerId kSelf{1};
constexpr BrokerId kOther{2};

// Five committed records of epoch 1, of which the new leader of epoch 3 has the first two.
RecoveredLog FiveCommitted() {
  RecoveredLog log;
  log.state = {.leader_epoch = LeaderEpoch(1),
               .partition_epoch = PartitionEpoch(1),
               .log_start_offset = Offset(0),
               .high_watermark = Offset(5)};
  log.log_end_offset = Offset(5);
  log.epochs = {{.epoch = LeaderEpoch(1), .start_offset = Offset(0)}};
  return log;
}

PartitionAssignment LedBy(BrokerId leader, LeaderEpoch epoch, LeaderEpoch unclean_epoch) {
  PartitionAssignment assignment;
  assignment.leader_epoch = epoch;
  assignment.partition_epoch = PartitionEpoch(epoch.value() + 1);
  assignment.leader = leader;
  for (const BrokerId id : {kSelf, kOther}) {
    assignment.replicas.push_back({.broker = id, .epoch = BrokerEpoch(10), .fenced = false});
  }
  assignment.isr = {leader};
  assignment.unclean_epoch = unclean_epoch;
  return assignment;
}

PartitionCore::Options CoreOptions() {
  PartitionIdentity identity;
  identity.uid = PartitionUid(1);
  return {.self = kSelf, .identity = identity, .limits = {}};
}

class UncleanEpochTest : public ::testing::Test {
 protected:
  UncleanEpochTest() : core_(CoreOptions(), FiveCommitted()) {}
  void Assign(const PartitionAssignment& assignment) {
    effects_ = {};
    core_.OnAssignment(assignment, now_, effects_);
  }
  void Diverge(LeaderEpoch epoch, int64_t end) {
    effects_ = {};
    core_.OnReplicaPush({.uid = PartitionUid(1),
                         .leader_epoch = epoch,
                         .high_watermark = Offset(0),
                         .log_start_offset = Offset(0),
                         .batches = {},
                         .diverging_epoch = LeaderEpoch(1),
                         .diverging_end_offset = Offset(end)},
                        now_, effects_);
  }
  PartitionCore core_;
  PartitionEffects effects_;
  Now now_{Instant{} + std::chrono::seconds(1000), TimestampMs{1'000'000}};
};

TEST_F(UncleanEpochTest, WhatWasCommittedBeforeIsVoidAndMayBeCut) {
  Assign(LedBy(kOther, LeaderEpoch(3), LeaderEpoch(3)));
  EXPECT_EQ(core_.high_watermark(), Offset(0));
  // Durable together with the epoch: a crash before the cut knows it too.
  ASSERT_TRUE(effects_.mutation.state.has_value());
  EXPECT_EQ(effects_.mutation.state->high_watermark, Offset(0));
  EXPECT_EQ(effects_.mutation.state->leader_epoch, LeaderEpoch(3));
  Diverge(LeaderEpoch(3), 2);
  EXPECT_EQ(effects_.mutation.truncate_to, Offset(2));
  EXPECT_EQ(core_.log_end_offset(), Offset(2));
}

TEST_F(UncleanEpochTest, ALaterEpochThanTheRecoveryTellsItToo) {
  Assign(LedBy(kOther, LeaderEpoch(7), LeaderEpoch(3)));
  EXPECT_EQ(core_.high_watermark(), Offset(0));
}

TEST_F(UncleanEpochTest, ItIsVoidOnce) {
  Assign(LedBy(kOther, LeaderEpoch(3), LeaderEpoch(3)));
  Diverge(LeaderEpoch(3), 2);
  RecoveredLog cut = FiveCommitted();
  cut.log_end_offset = Offset(2);
  core_.OnTruncated(cut, now_, effects_);
  core_.OnReplicaPush({.uid = PartitionUid(1),
                       .leader_epoch = LeaderEpoch(3),
                       .high_watermark = Offset(2),
                       .log_start_offset = Offset(0),
                       .batches = {}},
                      now_, effects_);
  ASSERT_EQ(core_.high_watermark(), Offset(2));
  Assign(LedBy(kOther, LeaderEpoch(4), LeaderEpoch(3)));
  EXPECT_EQ(core_.high_watermark(), Offset(2));
}

TEST_F(UncleanEpochTest, TheRecoveredLeaderKeepsWhatItHas) {
  Assign(LedBy(kSelf, LeaderEpoch(3), LeaderEpoch(3)));
  EXPECT_EQ(core_.role(), PartitionRole::kLeader);
  EXPECT_EQ(core_.high_watermark(), Offset(5));
}

TEST_F(UncleanEpochTest, ALogThatBeginsBehindTheLeadersEndIsNotCut) {
  RecoveredLog trimmed = FiveCommitted();
  trimmed.state.log_start_offset = Offset(4);
  trimmed.epochs = {{.epoch = LeaderEpoch(1), .start_offset = Offset(4)}};
  PartitionCore core(CoreOptions(), trimmed);
  PartitionEffects effects;
  core.OnAssignment(LedBy(kOther, LeaderEpoch(3), LeaderEpoch(3)), now_, effects);
  effects = {};
  core.OnReplicaPush({.uid = PartitionUid(1),
                      .leader_epoch = LeaderEpoch(3),
                      .high_watermark = Offset(0),
                      .log_start_offset = Offset(0),
                      .batches = {},
                      .diverging_epoch = LeaderEpoch(1),
                      .diverging_end_offset = Offset(2)},
                     now_, effects);
  EXPECT_FALSE(effects.truncating);
  EXPECT_EQ(core.log_start_offset(), Offset(4));
}

TEST_F(UncleanEpochTest, WithoutARecoveryItIsTheEndOfTheProcess) {
  Assign(LedBy(kOther, LeaderEpoch(3), kNoLeaderEpoch));
  EXPECT_EQ(core_.high_watermark(), Offset(5));
  EXPECT_DEATH(Diverge(LeaderEpoch(3), 2), "PR5");
}

}  // namespace
}  // namespace quipu
