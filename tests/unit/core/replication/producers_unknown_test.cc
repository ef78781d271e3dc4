// Goal: a replica whose damage hides what producers sent learns it from its leader, and what nobody
// knows any more is refused, never taken for new (PR6, P03, P08).
// Method: as replication_scenario_test; disks whose recovery finds batches damaged.
#include <gtest/gtest.h>

#include "tests/unit/core/replication/scenario_fixture.h"

namespace quipu {
namespace {

constexpr int64_t kFirst = 5;
constexpr int64_t kSecond = 6;

class ProducersUnknownTest : public ReplicationScenarioTest {
 protected:
  // Offsets 0 and 1: sequences 0 and 1 of the first producer; 2 and 3: of the second.
  ProducersUnknownTest() {
    c_.Elect(1);
    c_.Settle();
    for (const int64_t producer : {kFirst, kSecond}) {
      c_.Produce(1, Of(producer, 0));
      c_.Produce(1, Of(producer, 1));
    }
    c_.Settle();
  }
  static BatchSpec Of(int64_t producer, int32_t sequence) {
    return {.producer_id = producer,
            .sequence = sequence,
            .value = std::to_string(producer) + "s" + std::to_string(sequence)};
  }
  ErrorCode ErrorOf(int leader, const BatchSpec& batch) {
    const ReplyToken token = c_.Produce(leader, batch);
    c_.Settle();
    return c_.Reply(token)->error;
  }
  // The brokers find the batches damaged at their next start.
  void RestartDamaged(const std::vector<int>& brokers, const std::vector<int64_t>& bases) {
    for (const int broker : brokers) {
      for (const int64_t base : bases) c_.node(broker).disk.Damage(Offset(base));
      c_.Crash(broker);
    }
    for (const int broker : brokers) {
      Fence(broker);
      c_.Restart(broker);
      Register(broker);
    }
  }
  void RestartAllDamaged(const std::vector<int64_t>& bases) {
    RestartDamaged({1, 2, 3}, bases);
    c_.SetIsr({1});
    c_.Elect(1);
    c_.Settle();
    ASSERT_FALSE(c_.core(1).producers_known());
  }
  // Broker 2 comes back damaged and is told of the second producer. What the leader remembers of
  // the first lies behind what broker 2 holds, and is still to come. Nothing is decided meanwhile.
  void TellAllButTheFirst() {
    c_.Produce(1, {.producer_id = kFirst, .producer_epoch = 1, .sequence = 0, .value = "e1"});
    c_.Sync(1);
    RestartDamaged({2}, {1});
    c_.decides = false;
    c_.TellImages();
    c_.DeliverUpdate(2);
    c_.DeliverPush(2);
    ASSERT_EQ(c_.core(2).producers().size(), 1U);
    ASSERT_FALSE(c_.core(2).producers_known());
  }
  // Takes the first records away, at the leader 1 and all others.
  void DeleteBefore(int64_t offset) {
    c_.DeleteRecords(1, offset);
    c_.Settle();
  }
};

TEST_F(ProducersUnknownTest, TheLeaderTells) {
  RestartDamaged({2}, {1});
  c_.TellImages();
  EXPECT_FALSE(c_.core(2).producers_known());
  c_.Settle();
  EXPECT_TRUE(c_.core(2).producers_known());
  EXPECT_EQ(c_.core(2).producers(), c_.core(1).producers());
  c_.Elect(2);
  c_.Settle();
  const ReplyToken retry = c_.Produce(2, Of(kFirst, 1));
  EXPECT_EQ(c_.Reply(retry)->base_offset, Offset(1));
  EXPECT_EQ(ErrorOf(2, Of(kFirst, 2)), ErrorCode::kNone);
  EXPECT_EQ(c_.Log(3), "5s0,5s1,6s0,6s1,5s2");
}

TEST_F(ProducersUnknownTest, WhatWasToldOutlivesARestart) {
  RestartDamaged({2}, {1});
  c_.Settle();
  c_.Crash(2);
  c_.Restart(2);
  EXPECT_TRUE(c_.core(2).producers_known());
  EXPECT_EQ(c_.core(2).producers(), c_.core(1).producers());
}

TEST_F(ProducersUnknownTest, ItJoinsTheIsrWhenItKnows) {
  RestartDamaged({2}, {1});
  c_.decides = false;
  c_.TellImages();
  c_.DeliverUpdate(2);
  ASSERT_FALSE(c_.node(2).pushes.empty());
  EXPECT_TRUE(c_.proposals.empty());
  c_.Deliver(2);
  EXPECT_TRUE(c_.core(2).producers_known());
  EXPECT_EQ(c_.proposals.size(), 1U);
}

TEST_F(ProducersUnknownTest, WhatIsAsOfAnotherOffsetIsNotTaken) {
  RestartDamaged({2}, {1});
  c_.TellImages();
  c_.DeliverUpdate(2);
  ASSERT_FALSE(c_.node(2).pushes.empty());
  ReplicaPush& told = c_.node(2).pushes.front();
  ASSERT_EQ(told.base_offset, Offset(4));
  told.base_offset = Offset(3);
  c_.DeliverPush(2);
  EXPECT_FALSE(c_.core(2).producers_known());
  // It is told again once the leader hears that it is behind that offset and still asks.
  EXPECT_EQ(ErrorOf(1, Of(kFirst, 2)), ErrorCode::kNone);
  EXPECT_TRUE(c_.core(2).producers_known());
  EXPECT_EQ(c_.core(2).producers(), c_.core(1).producers());
}

// What the leader remembers of a producer may all lie behind the follower's log: that comes with
// the batches, and before it is there the follower does not know the producer.
TEST_F(ProducersUnknownTest, ItJoinsOnceItHoldsWhatTheTableLeavesOut) {
  TellAllButTheFirst();
  c_.DeliverUpdate(2);
  EXPECT_TRUE(c_.proposals.empty());
  c_.Settle();
  EXPECT_TRUE(c_.core(2).producers_known());
  EXPECT_EQ(c_.core(2).producers(), c_.core(1).producers());
  EXPECT_EQ(c_.proposals.size(), 1U);
  c_.Crash(2);
  c_.Restart(2);
  EXPECT_TRUE(c_.core(2).producers_known());
}

// What it was told is not whole yet when the stream is opened again: it asks once more.
TEST_F(ProducersUnknownTest, AStreamThatIsOpenedAgainBeforeItIsWholeTellsItAnew) {
  TellAllButTheFirst();
  c_.BreakStream(2);
  c_.DeliverUpdate(2);
  EXPECT_TRUE(c_.proposals.empty());
  c_.Settle();
  EXPECT_TRUE(c_.core(2).producers_known());
  EXPECT_EQ(c_.core(2).producers(), c_.core(1).producers());
}

// The batches that would make it whole are lost with their leader: the next one is asked.
TEST_F(ProducersUnknownTest, AnotherLeaderTellsItAnew) {
  TellAllButTheFirst();
  c_.Crash(1);
  Fence(1);
  c_.Elect(3);
  c_.Settle();
  EXPECT_TRUE(c_.core(2).producers_known());
  EXPECT_EQ(c_.core(2).producers(), c_.core(3).producers());
  EXPECT_EQ(c_.core(2).producers().size(), 2U);
}

// A log start that does not reach the damage takes nothing away: a repair brings all back.
TEST_F(ProducersUnknownTest, ALogStartBelowTheDamageForgetsNobody) {
  RestartAllDamaged({3});
  DeleteBefore(2);
  c_.node(1).disk.Repair(Offset(3));
  ASSERT_TRUE(c_.core(1).OnProducersRecovered(c_.node(1).disk.Recover()));
  EXPECT_EQ(ErrorOf(1, Of(kFirst, 2)), ErrorCode::kNone);
}

TEST_F(ProducersUnknownTest, ALeaderThatDoesNotKnowRefusesAndItsFollowersJoin) {
  RestartAllDamaged({1});
  EXPECT_EQ(c_.image.isr.size(), 3U);
  EXPECT_FALSE(c_.core(2).producers_known());
  EXPECT_EQ(ErrorOf(1, Of(kFirst, 1)), ErrorCode::kDamagedOnAllReplicas);
  EXPECT_EQ(ErrorOf(1, {.value = "plain"}), ErrorCode::kNone);
}

TEST_F(ProducersUnknownTest, ARetryOfADeletedDamagedBatchIsNotStoredAgain) {
  RestartAllDamaged({1});
  DeleteBefore(2);
  EXPECT_TRUE(c_.core(1).producers_known());
  EXPECT_EQ(ErrorOf(1, Of(kFirst, 1)), ErrorCode::kUnknownProducerId);
  EXPECT_EQ(ErrorOf(1, Of(kSecond, 2)), ErrorCode::kNone);
  EXPECT_EQ(c_.Log(2), "6s0,6s1,6s2");
}

TEST_F(ProducersUnknownTest, NorAfterARestart) {
  RestartAllDamaged({1});
  DeleteBefore(2);
  c_.Crash(1);
  c_.Restart(1);
  c_.Elect(1);
  c_.Settle();
  EXPECT_TRUE(c_.core(1).producers_known());
  EXPECT_EQ(ErrorOf(1, Of(kFirst, 1)), ErrorCode::kUnknownProducerId);
  EXPECT_EQ(ErrorOf(1, Of(kSecond, 2)), ErrorCode::kNone);
}

TEST_F(ProducersUnknownTest, NorWhenAnotherDamagedBatchIsRepairedAfterwards) {
  RestartAllDamaged({1, 3});
  DeleteBefore(2);
  EXPECT_FALSE(c_.core(1).producers_known());
  c_.node(1).disk.Repair(Offset(3));
  ASSERT_TRUE(c_.core(1).OnProducersRecovered(c_.node(1).disk.Recover()));
  EXPECT_EQ(ErrorOf(1, Of(kFirst, 1)), ErrorCode::kUnknownProducerId);
  EXPECT_EQ(ErrorOf(1, Of(kSecond, 2)), ErrorCode::kNone);
}

// A follower far behind begins at the log start of a leader that does not know all producers.
TEST_F(ProducersUnknownTest, AFollowerThatBeginsAnewThereDoesNotStoreItAgainEither) {
  RestartAllDamaged({1});
  c_.Crash(3);
  Fence(3);
  c_.WipeDisk(3);
  DeleteBefore(2);
  c_.Restart(3);
  Register(3);
  c_.Settle();
  c_.Elect(3);
  c_.Settle();
  EXPECT_EQ(c_.Log(3), "6s0,6s1");
  EXPECT_EQ(ErrorOf(3, Of(kFirst, 1)), ErrorCode::kUnknownProducerId);
  EXPECT_EQ(ErrorOf(3, Of(kSecond, 2)), ErrorCode::kNone);
}

}  // namespace
}  // namespace quipu
