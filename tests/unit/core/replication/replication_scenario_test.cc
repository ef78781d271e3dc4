// Goal: the named replication scenarios R01-R31 as far as one partition's cores decide them.
// Method: each test steps two or three replicas through the interleaving of the scenario.
#include <gtest/gtest.h>

#include "tests/unit/core/replication/scenario_fixture.h"

namespace quipu {
namespace {

using std::chrono::seconds;

TEST_F(ReplicationScenarioTest, R01AFollowerDoesNotCutToItsStaleHighWatermark) {
  Begin();
  c_.Produce(1, {.value = "b"});
  // Everyone syncs b and the leader commits it, but no follower hears of the high watermark.
  c_.Sync(1);
  for (int id : {2, 3}) {
    c_.DeliverPush(id);
    c_.Sync(id);
    c_.DeliverUpdate(id);
  }
  ASSERT_EQ(c_.Hw(1), 2);
  c_.Crash(2);
  c_.Restart(2);
  ASSERT_EQ(c_.Hw(2), 1) << "its high watermark is stale";
  Register(2);
  c_.TellImage(2);
  c_.Crash(1);
  std::erase(c_.image.isr, BrokerId{1});
  c_.Elect(2);
  c_.Settle();
  EXPECT_EQ(c_.Log(2), "a,b");
  EXPECT_EQ(c_.Hw(2), 2);
  EXPECT_EQ(c_.truncations, 0U);
}

TEST_F(ReplicationScenarioTest, R02DivergenceBelowAnEqualOffsetIsFound) {
  Begin();
  AppendAlone(1, "old");
  c_.Crash(1);
  Fence(1);
  c_.Elect(2);
  c_.Settle();
  c_.Produce(2, {.value = "new"});
  c_.Settle();
  c_.Restart(1);
  Register(1);
  c_.Settle();
  EXPECT_EQ(c_.Log(1), "a,new");
  EXPECT_EQ(c_.truncations, 1U);
  EXPECT_EQ(c_.image.isr.size(), 3U);
}

TEST_F(ReplicationScenarioTest, R03FastDoubleFailoverLeavesNoDivergence) {
  Begin();
  AppendAlone(1, "x1");
  AppendAlone(1, "x2");
  c_.Crash(1);
  Fence(1);
  c_.Elect(2);
  c_.TellImage(2);
  AppendAlone(2, "y1");
  c_.Crash(2);
  Fence(2);
  c_.image.isr = {BrokerId{3}};
  c_.image.config.min_insync_replicas = 1;
  c_.Elect(3);
  c_.Settle();
  c_.Produce(3, {.value = "z1"});
  c_.Produce(3, {.value = "z2"});
  c_.Produce(3, {.value = "z3"});
  c_.Settle();
  for (int id : {1, 2}) {
    c_.Restart(id);
    Register(id);
  }
  c_.Settle();
  for (int id : {1, 2, 3}) EXPECT_EQ(c_.Log(id), "a,z1,z2,z3") << id;
}

TEST_F(ReplicationScenarioTest, R03AnEpochTheLeaderNeverSawIsCutStepByStep) {
  // 1 led epochs 1, 2 and 3 with a private record each; 2 leads epoch 4 with epoch 1's only.
  Begin("a");
  for (const char* value : {"p", "q"}) {
    c_.Elect(1);
    c_.TellImage(1);
    AppendAlone(1, value);
  }
  ASSERT_EQ(c_.core(1).epochs().size(), 3U);
  ASSERT_EQ(c_.Hw(1), 1);
  c_.Elect(2);
  c_.Settle();
  c_.Produce(2, {.value = "b"});
  c_.Settle();
  EXPECT_EQ(c_.Log(1), "a,b");
}

TEST_F(ReplicationScenarioTest, R04AnEpochWithoutRecordsStillHasItsEntry) {
  Begin();
  c_.Elect(2);
  c_.TellImage(2);
  EXPECT_EQ(c_.core(2).epochs().back(), (EpochEntry{LeaderEpoch{2}, Offset{1}}));
  c_.Sync(2);
  EXPECT_EQ(c_.node(2).disk.Recover().epochs.back(), (EpochEntry{LeaderEpoch{2}, Offset{1}}));
  EXPECT_EQ(c_.node(2).disk.state().leader_epoch, LeaderEpoch{2});
}

TEST_F(ReplicationScenarioTest, R05AZombieLeaderCommitsNothing) {
  Begin();
  c_.Elect(2);
  c_.TellImage(2);
  c_.TellImage(3);
  const auto token = c_.Produce(1, {.value = "zombie"});
  c_.Sync(1);
  for (int id : {2, 3}) {
    c_.Sync(id);
    c_.Deliver(id);
    c_.Sync(id);
    c_.Deliver(id);
  }
  EXPECT_FALSE(c_.Reply(token));
  EXPECT_EQ(c_.Hw(1), 1);
  c_.Settle();
  EXPECT_EQ(c_.Reply(token)->error, ErrorCode::kLeadershipLostAfterAppend);
  EXPECT_EQ(c_.Log(1), "a");
}

TEST_F(ReplicationScenarioTest, R05AFollowerOfAnotherEpochIsRefused) {
  Begin();
  for (const auto& [epoch, error] : {std::pair(0, ErrorCode::kFencedLeaderEpoch),
                                     std::pair(9, ErrorCode::kUnknownLeaderEpoch)}) {
    PartitionEffects effects;
    c_.core(1).OnReplicaUpdate(BrokerId{2}, c_.node(2).epoch,
                               {.uid = PartitionUid{7},
                                .leader_epoch = LeaderEpoch{epoch},
                                .fetch_offset = Offset{1},
                                .durable_end_offset = Offset{1},
                                .log_start_offset = Offset{0},
                                .restart = true},
                               c_.now, effects);
    ASSERT_EQ(effects.replica_answers.size(), 1U);
    EXPECT_EQ(effects.replica_answers[0].second.error, error);
  }
}

TEST_F(ReplicationScenarioTest, R06AcknowledgementsOfAnEarlierEpochDoNotCount) {
  Begin();
  c_.Elect(1);
  c_.TellImage(1);
  AppendAlone(1, "b");
  EXPECT_EQ(c_.Hw(1), 1);
  // 3 answers in the new epoch, 2 has not yet: nothing moves.
  c_.TellImage(3);
  c_.Sync(3);
  c_.Deliver(3);
  c_.Sync(3);
  c_.Deliver(3);
  EXPECT_EQ(c_.Hw(1), 1);
  c_.Settle();
  EXPECT_EQ(c_.Hw(1), 2);
}

TEST_F(ReplicationScenarioTest, R06ADivergedFollowersLongerLogDoesNotCount) {
  Begin();
  for (int i = 0; i < 5; ++i) AppendAlone(1, "old");
  c_.Elect(2);
  c_.TellImages();
  c_.Sync(2);
  AppendAlone(2, "new");
  c_.Sync(3);
  c_.Deliver(3);
  c_.Sync(3);
  c_.Deliver(3);
  // 1 says: durable end 6, epoch 1.
  c_.Sync(1);
  c_.DeliverUpdate(1);
  EXPECT_EQ(c_.Hw(2), 1);
  c_.Settle();
  EXPECT_EQ(c_.Log(1), "a,new");
  EXPECT_EQ(c_.Hw(2), 2);
}

TEST_F(ReplicationScenarioTest, R06ADivergedFollowersEquallyLongLogDoesNotCount) {
  Begin();
  AppendAlone(1, "old");
  c_.Elect(2);
  c_.TellImages();
  c_.Sync(2);
  AppendAlone(2, "new");
  c_.Sync(3);
  c_.Deliver(3);
  c_.Sync(3);
  c_.Deliver(3);
  // 1 says: durable end 2, epoch 1. So far reaches the leader's own log, and it is another record.
  c_.Sync(1);
  c_.DeliverUpdate(1);
  EXPECT_EQ(c_.Hw(2), 1);
  c_.Settle();
  EXPECT_EQ(c_.Log(1), "a,new");
  EXPECT_EQ(c_.Hw(2), 2);
}

TEST_F(ReplicationScenarioTest, R07ACutAskedOfAnotherEpochIsIgnored) {
  Begin();
  AppendAlone(1, "b");
  c_.Deliver(3);
  c_.Sync(3);
  c_.Elect(2);
  c_.TellImages();
  // What 1 asked of 3 in its epoch arrives when 3 has not compared its log with 2's yet.
  PartitionEffects effects;
  c_.core(3).OnReplicaPush({.uid = PartitionUid{7},
                            .leader_epoch = LeaderEpoch{1},
                            .batches = {},
                            .diverging_epoch = LeaderEpoch{1},
                            .diverging_end_offset = Offset{1}},
                           c_.now, effects);
  EXPECT_FALSE(effects.truncating);
  EXPECT_EQ(c_.End(3), 2);
}

TEST_F(ReplicationScenarioTest, R07ALateCutOfTheSameEpochIsIgnoredOnceMatched) {
  Begin();
  PartitionEffects effects;
  c_.Produce(1, {.value = "b"});
  c_.Settle();
  c_.core(2).OnReplicaPush({.uid = PartitionUid{7},
                            .leader_epoch = LeaderEpoch{1},
                            .batches = {},
                            .diverging_epoch = LeaderEpoch{0},
                            .diverging_end_offset = Offset{0}},
                           c_.now, effects);
  EXPECT_FALSE(effects.truncating);
  EXPECT_EQ(c_.End(2), 2);
}

TEST_F(ReplicationScenarioTest, R08JoiningNeedsTheStartOfTheEpochToo) {
  Begin();
  c_.decides = false;
  Fence(3);
  c_.Settle();
  // b is committed on 1 and 2, but 2 has not heard so: its high watermark is stale.
  c_.Produce(1, {.value = "b"});
  c_.Sync(1);
  c_.DeliverPush(2);
  c_.Sync(2);
  c_.DeliverUpdate(2);
  ASSERT_EQ(c_.Hw(1), 2);
  ASSERT_EQ(c_.Hw(2), 1);
  c_.node(3).pushes.clear();
  c_.image.replicas[2].fenced = false;
  c_.Elect(2);
  c_.TellImage(2);
  c_.TellImage(3);
  c_.Sync(3);
  c_.DeliverUpdate(3);  // 3 is at the stale high watermark 1, below the epoch's start 2
  EXPECT_TRUE(c_.proposals.empty());
  c_.Deliver(3);
  c_.Sync(3);
  c_.Deliver(3);
  EXPECT_EQ(c_.proposals.size(), 1U);
}

TEST_F(ReplicationScenarioTest, R09TheEndIsUnknownUntilTheNewEpochHasCommitted) {
  Begin();
  c_.Produce(1, {.value = "b"});
  c_.Sync(1);
  for (int id : {2, 3}) {
    c_.DeliverPush(id);
    c_.Sync(id);
    c_.DeliverUpdate(id);
  }
  c_.Elect(2);
  c_.TellImage(2);
  ASSERT_EQ(c_.Hw(2), 1);
  EXPECT_EQ(c_.core(2).LatestOffset(kNoLeaderEpoch).error, ErrorCode::kOffsetNotAvailable);
  EXPECT_EQ(c_.core(2).EarliestOffset(kNoLeaderEpoch).error, ErrorCode::kNone);
  c_.Settle();
  EXPECT_EQ(c_.core(2).LatestOffset(kNoLeaderEpoch).offset, Offset{2});
}

TEST_F(ReplicationScenarioTest, R10AProposedMemberCountsBeforeTheImageSaysSo) {
  Begin();
  c_.SetIsr({1, 2});
  c_.decides = false;
  c_.Settle();
  ASSERT_EQ(c_.proposals.size(), 1U);
  c_.Decide(c_.proposals.front());  // the controller took it; the leader has not heard the image
  c_.Produce(1, {.value = "b"});
  for (int round = 0; round < 3; ++round) {
    c_.Sync(1);
    c_.Sync(2);
    c_.Deliver(2);
  }
  EXPECT_EQ(c_.Hw(1), 1) << "3 may be elected and lacks b";
  c_.Settle();
  EXPECT_EQ(c_.Hw(1), 2);
}

TEST_F(ReplicationScenarioTest, R11ARemovedMemberCountsUntilTheImageSaysSo) {
  Begin();
  c_.decides = false;
  c_.Produce(1, {.value = "b"});
  for (int second = 0; second < 20; ++second) {
    c_.Advance(seconds(1));
    c_.Sync(1);
    c_.Sync(2);
    c_.Deliver(2);
  }
  ASSERT_FALSE(c_.proposals.empty());
  c_.Turn(1, [&](PartitionCore& core, PartitionEffects& e) {
    core.OnIsrResult(c_.proposals.front().partition_epoch, ErrorCode::kNone, c_.now, e);
  });
  EXPECT_EQ(c_.Hw(1), 1);
}

TEST_F(ReplicationScenarioTest, R12AProposalOfAnOldViewIsRefused) {
  Begin();
  c_.SetIsr({1, 2});
  c_.decides = false;
  c_.Settle();
  const IsrProposal stale = c_.proposals.front();
  c_.Elect(2);
  EXPECT_EQ(c_.Decide(stale), ErrorCode::kInvalidUpdateVersion);
}

TEST_F(ReplicationScenarioTest, R13AnotherLifeOfABrokerDoesNotJoinByTheOldOnesMerit) {
  Begin();
  c_.SetIsr({1, 2});
  c_.decides = false;
  c_.Settle();
  const IsrProposal late = c_.proposals.front();
  c_.proposals.clear();
  // 3 comes back with an empty disk and registers before the proposal arrives.
  c_.Crash(3);
  c_.WipeDisk(3);
  c_.Restart(3);
  for (ReplicaInfo& replica : c_.image.replicas) {
    if (replica.broker == BrokerId{3}) replica.epoch = c_.node(3).epoch;
  }
  EXPECT_EQ(c_.Decide(late), ErrorCode::kIneligibleReplica);
}

TEST_F(ReplicationScenarioTest, R13TheLeaderDoesNotProposeALifeThatTheImageDoesNotKnow) {
  Begin();
  c_.decides = false;
  c_.node(3).epoch = BrokerEpoch{999};
  c_.BreakStream(3);
  c_.Settle();
  c_.SetIsr({1, 2});
  c_.Settle();
  EXPECT_TRUE(c_.proposals.empty());
  EXPECT_EQ(c_.End(3), 1) << "it is served all the same";
}

TEST_F(ReplicationScenarioTest, R13AnEndedLifeOfABrokerIsNotHeard) {
  Begin();
  PartitionEffects effects;
  c_.core(1).OnReplicaUpdate(BrokerId{2}, BrokerEpoch{1},
                             {.uid = PartitionUid{7},
                              .leader_epoch = LeaderEpoch{1},
                              .fetch_offset = Offset{1},
                              .durable_end_offset = Offset{1},
                              .log_start_offset = Offset{0},
                              .restart = true},
                             c_.now, effects);
  ASSERT_EQ(effects.replica_answers.size(), 1U);
  EXPECT_EQ(effects.replica_answers[0].second.error, ErrorCode::kStaleBrokerEpoch);
}

TEST_F(ReplicationScenarioTest, R15R16TheHighWatermarkFreezesBelowTheMinimum) {
  Begin();
  c_.Produce(1, {.value = "b"});  // let in while the ISR was full
  c_.Crash(2);
  c_.Crash(3);
  Fence(2);
  Fence(3);
  c_.image.elr = {BrokerId{2}};
  c_.Commit();
  c_.Settle();
  EXPECT_EQ(c_.core(1).isr().size(), 1U);
  EXPECT_EQ(c_.Hw(1), 1);
  EXPECT_EQ(c_.Reply(c_.Produce(1, {}))->error, ErrorCode::kNotEnoughReplicas);
}

TEST_F(ReplicationScenarioTest, R22OlderImagesAreIgnored) {
  Begin();
  const PartitionAssignment old = c_.image;
  c_.Elect(2);
  c_.Settle();
  c_.Turn(2, [&](PartitionCore& core, PartitionEffects& e) {
    core.OnAssignment(old, c_.now, e);
    EXPECT_FALSE(e.role_changed);
  });
  EXPECT_EQ(c_.core(2).role(), PartitionRole::kLeader);
  EXPECT_EQ(c_.core(2).leader_epoch(), LeaderEpoch{2});
}

TEST_F(ReplicationScenarioTest, R25ARestartedLeaderDoesNotLeadOnInItsEpoch) {
  Begin();
  c_.Crash(1);
  c_.Restart(1);
  c_.TellImage(1);
  EXPECT_NE(c_.core(1).role(), PartitionRole::kLeader);
  c_.Elect(1);
  c_.Settle();
  EXPECT_EQ(c_.core(1).role(), PartitionRole::kLeader);
}

TEST_F(ReplicationScenarioTest, R31OnlySyncedBatchesAreAcknowledged) {
  Begin();
  c_.Produce(1, {.value = "b"});
  c_.Sync(1);
  for (int id : {2, 3}) {
    c_.Deliver(id);
    EXPECT_EQ(c_.End(id), 2);
    EXPECT_EQ(c_.core(id).durable_end_offset(), Offset{1});
  }
  EXPECT_EQ(c_.Hw(1), 1);
}

TEST_F(ReplicationScenarioTest, R31TheLeaderDoesNotCountWhatItHasNotSyncedItself) {
  Begin();
  const ReplyToken token = c_.Produce(1, {.value = "b"});
  for (int id : {2, 3}) {
    c_.Deliver(id);
    c_.Sync(id);
    c_.Deliver(id);
  }
  EXPECT_EQ(c_.Hw(1), 1);
  EXPECT_FALSE(c_.Reply(token));
  c_.Sync(1);
  EXPECT_EQ(c_.Hw(1), 2);
  EXPECT_TRUE(c_.Reply(token));
}

}  // namespace
}  // namespace quipu
