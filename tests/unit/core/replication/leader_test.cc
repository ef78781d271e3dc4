// Goal: what a leader appends, refuses, acknowledges and tells.
// Method: two or three replicas wired by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/record/batch_layout.h"
#include "core/record/record_batch_builder.h"
#include "tests/unit/core/replication/replica_cluster.h"

namespace quipu {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class LeaderTest : public ::testing::Test {
 protected:
  explicit LeaderTest(ReplicaCluster::Options options = {}) : c_(options) {
    c_.Elect(1);
    c_.Settle();
  }
  ErrorCode ErrorOf(ReplyToken token) {
    const auto reply = c_.Reply(token);
    return reply ? reply->error : ErrorCode::kUnknownServerError;
  }
  ReplicaCluster c_;
};

TEST_F(LeaderTest, AnAckComesWhenEveryMemberHasSynced) {
  const auto token = c_.Produce(1, {.value = "a"});
  c_.Sync(1);
  c_.Deliver(2);
  c_.Deliver(3);
  EXPECT_FALSE(c_.Reply(token));
  c_.Sync(2);
  c_.Deliver(2);
  EXPECT_FALSE(c_.Reply(token)) << "one member of the ISR has not synced";
  c_.Sync(3);
  c_.Deliver(3);
  EXPECT_EQ(c_.Reply(token)->error, ErrorCode::kNone);
  EXPECT_EQ(c_.Reply(token)->base_offset, Offset{0});
  EXPECT_EQ(c_.Reply(token)->end_offset, Offset{1});
}

TEST_F(LeaderTest, TheLeadersOwnSyncCountsToo) {
  const auto token = c_.Produce(1, {.value = "a"});
  for (int follower : {2, 3}) {
    c_.Deliver(follower);
    c_.Sync(follower);
    c_.Deliver(follower);
  }
  EXPECT_FALSE(c_.Reply(token));
  c_.Sync(1);
  EXPECT_TRUE(c_.Reply(token));
}

TEST_F(LeaderTest, AcksOneIsAnsweredAsAcksAllAndAcksZeroAtOnce) {
  const auto one = c_.Produce(1, {.value = "a"}, 1);
  const auto zero = c_.Produce(1, {.value = "b"}, 0);
  EXPECT_FALSE(c_.Reply(one));
  EXPECT_EQ(ErrorOf(zero), ErrorCode::kNone);
  EXPECT_EQ(ErrorOf(c_.Produce(1, {}, 7)), ErrorCode::kInvalidRequiredAcks);
  c_.Settle();
  EXPECT_EQ(ErrorOf(one), ErrorCode::kNone);
  EXPECT_EQ(c_.Log(3), "a,b");
}

TEST_F(LeaderTest, AFollowerRefusesProduceAndReads) {
  EXPECT_EQ(ErrorOf(c_.Produce(2, {})), ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(c_.core(2).PlanRead({}).error, ErrorCode::kNotLeaderOrFollower);
}

TEST_F(LeaderTest, ALeaderEpochOfTheRequestMustMatch) {
  EXPECT_EQ(c_.core(1).CheckLeader(LeaderEpoch{0}), ErrorCode::kFencedLeaderEpoch);
  EXPECT_EQ(c_.core(1).CheckLeader(LeaderEpoch{2}), ErrorCode::kUnknownLeaderEpoch);
  EXPECT_EQ(c_.core(1).CheckLeader(LeaderEpoch{1}), ErrorCode::kNone);
}

TEST_F(LeaderTest, ProduceIsRefusedWhileTheIsrIsTooSmall) {
  c_.SetIsr({1});
  c_.Settle();
  // Both followers have caught up, so they come back at once; keep them out.
  c_.node(2).up = c_.node(3).up = false;
  c_.SetIsr({1});
  c_.TellImage(1);
  EXPECT_EQ(ErrorOf(c_.Produce(1, {})), ErrorCode::kNotEnoughReplicas);
  EXPECT_EQ(c_.End(1), 0);
}

TEST_F(LeaderTest, BadBatchesAreRefusedAndNothingIsAppended) {
  const Bytes good = MakeBatch({.value = "abc"});
  std::string broken = good.ToString();
  broken.back() = static_cast<char>(broken.back() ^ 1);
  EXPECT_EQ(ErrorOf(c_.ProduceBytes(1, Bytes(broken))), ErrorCode::kCorruptMessage);
  EXPECT_EQ(ErrorOf(c_.ProduceBytes(1, Bytes(std::string("x")))), ErrorCode::kCorruptMessage);
  EXPECT_EQ(ErrorOf(c_.ProduceBytes(1, Bytes(good.ToString() + good.ToString()))),
            ErrorCode::kInvalidRecord);
  RecordBatchOptions control{.control = true};
  RecordBatchBuilder builder(control);
  builder.Add({.timestamp = TimestampMs{1}, .key = absl::string_view("k", 1)});
  const Bytes marker = builder.Build();
  EXPECT_EQ(ErrorOf(c_.ProduceBytes(1, marker)), ErrorCode::kInvalidRecord);
  EXPECT_EQ(c_.End(1), 0);
}

TEST_F(LeaderTest, RefusalsSayWhatIsWrong) {
  const auto text_of = [&](Bytes bytes) { return c_.Reply(c_.ProduceBytes(1, bytes))->message; };
  const Bytes good = MakeBatch({.value = "abc"});
  std::string bytes = good.ToString();
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  EXPECT_THAT(text_of(Bytes(bytes)), testing::HasSubstr("CRC"));
  EXPECT_THAT(text_of(good.Slice(0, good.size() - 1)), testing::HasSubstr("longer than the bytes"));
  bytes = good.ToString();
  bytes[batch_layout::kAttributes + 1] = 5;
  batch_layout::StoreCrc(bytes);
  EXPECT_THAT(text_of(Bytes(bytes)), testing::HasSubstr("codec number 5 is not supported"));
  EXPECT_THAT(text_of(MakeBatch({.value = std::string(2 << 20, 'x')})),
              testing::HasSubstr("exceeds max.message.bytes of the topic, 1048588"));
}

TEST_F(LeaderTest, AnAckThatTakesTooLongIsUnknown) {
  const auto token = c_.Produce(1, {.value = "a"});
  c_.Advance(seconds(31));
  EXPECT_EQ(ErrorOf(token), ErrorCode::kRequestTimedOut);
  c_.Settle();
  EXPECT_EQ(c_.Hw(1), 1) << "the record itself stays";
}

TEST_F(LeaderTest, ParkedAcksEndWithTheLeadership) {
  const auto token = c_.Produce(1, {.value = "a"});
  c_.Elect(2);
  c_.TellImage(1);
  EXPECT_EQ(ErrorOf(token), ErrorCode::kLeadershipLostAfterAppend);
}

TEST_F(LeaderTest, ParkedAcksOutliveANewEpochOfTheSameLeader) {
  const auto token = c_.Produce(1, {.value = "a"});
  c_.Elect(1);
  c_.Settle();
  EXPECT_EQ(ErrorOf(token), ErrorCode::kNone);
}

TEST_F(LeaderTest, ResigningAnswersWhatIsParked) {
  const auto token = c_.Produce(1, {.value = "a"});
  c_.Turn(1, [&](PartitionCore& core, PartitionEffects& e) { core.Resign(c_.now, e); });
  EXPECT_EQ(ErrorOf(token), ErrorCode::kLeadershipLostAfterAppend);
  EXPECT_EQ(c_.core(1).role(), PartitionRole::kNone);
  EXPECT_EQ(ErrorOf(c_.Produce(1, {})), ErrorCode::kNotLeaderOrFollower);
}

TEST_F(LeaderTest, ReadsEndAtTheHighWatermark) {
  c_.Produce(1, {.count = 2, .value = "a"});
  c_.Settle();
  c_.Produce(1, {.count = 3, .value = "b"});
  const auto plan = c_.core(1).PlanRead({.fetch_offset = Offset{4}});
  EXPECT_EQ(plan.error, ErrorCode::kNone);
  EXPECT_EQ(plan.read_end, Offset{2});
  EXPECT_EQ(c_.core(1).PlanRead({.fetch_offset = Offset{6}}).error, ErrorCode::kOffsetOutOfRange);
  EXPECT_EQ(c_.core(1).LatestOffset(kNoLeaderEpoch).offset, Offset{2});
}

TEST_F(LeaderTest, AReaderOfACutOffEpochIsTold) {
  c_.Produce(1, {.count = 2, .value = "a"});
  c_.Settle();
  const auto plan =
      c_.core(1).PlanRead({.fetch_offset = Offset{1}, .last_fetched_epoch = LeaderEpoch{0}});
  EXPECT_EQ(plan.diverging_end_offset, Offset{0});
}

// A consumer that begins at an offset committed under a later leader, and is led here by metadata
// that is older: nothing was cut off, this leader was deposed.
TEST_F(LeaderTest, AReaderOfALaterEpochIsNotTakenForCutOff) {
  c_.Produce(1, {.count = 2, .value = "a"});
  c_.Settle();
  const LeaderEpoch later = c_.core(1).leader_epoch() + 1;
  for (const Offset offset : {Offset{1}, Offset{9}}) {
    const auto plan = c_.core(1).PlanRead({.fetch_offset = offset, .last_fetched_epoch = later});
    EXPECT_EQ(plan.error, ErrorCode::kUnknownLeaderEpoch);
    EXPECT_EQ(plan.diverging_epoch, kNoLeaderEpoch);
  }
}

TEST_F(LeaderTest, ALaggingMemberLeavesAndComesBack) {
  c_.Produce(1, {.value = "a"});
  c_.Settle();
  c_.Produce(1, {.value = "b"});
  for (int second = 0; second < 20; ++second) {
    c_.Advance(seconds(1));
    c_.Sync(1);
    c_.Sync(2);
    c_.Deliver(2);
  }
  ASSERT_FALSE(c_.proposals.empty());
  EXPECT_EQ(c_.proposals.front().new_isr.size(), 2U);
  EXPECT_EQ(c_.Hw(1), 1) << "maximal ISR: the removed one counts until the image says so (R11)";
  c_.Decide(c_.proposals.front());
  c_.proposals.clear();
  c_.TellImage(1);
  EXPECT_EQ(c_.Hw(1), 2);
  c_.Settle();
  EXPECT_EQ(c_.image.isr.size(), 3U);
}

TEST_F(LeaderTest, ALaggingMemberLeavesHoweverMuchIsAppended) {
  for (int second = 0; second < 20; ++second) {
    c_.Produce(1, {.value = "a"});
    c_.Advance(seconds(1));
    c_.Sync(1);
    c_.Sync(2);
    c_.Deliver(2);
  }
  ASSERT_FALSE(c_.proposals.empty());
  EXPECT_EQ(c_.proposals.front().new_isr.size(), 2U);
}

TEST_F(LeaderTest, AnIdleFollowerStaysInSync) {
  for (int i = 0; i < 60; ++i) {
    c_.Advance(seconds(1));
    c_.Settle();
  }
  EXPECT_EQ(c_.image.isr.size(), 3U);
  EXPECT_EQ(c_.image.partition_epoch, PartitionEpoch{1});
}

TEST_F(LeaderTest, AnIdlePartitionWaitsForNoTime) {
  c_.Produce(1, {.value = "a"});
  c_.Settle();
  c_.Advance(seconds(40));  // the time that an acknowledgement may take
  c_.Settle();
  for (int node = 1; node <= 3; ++node) EXPECT_FALSE(c_.core(node).NextDeadline()) << node;
}

TEST_F(LeaderTest, AfterIdleTimeAMemberHasTheWholeTimeToTakeABatch) {
  c_.Advance(seconds(1000));
  c_.Settle();
  c_.Produce(1, {.value = "a"});
  for (int second = 0; second < 9; ++second) c_.Advance(seconds(1));
  EXPECT_THAT(c_.proposals, ::testing::IsEmpty());
  for (int second = 0; second < 11; ++second) c_.Advance(seconds(1));
  ASSERT_FALSE(c_.proposals.empty());
  EXPECT_EQ(c_.proposals.front().new_isr.size(), 1U);
}

TEST_F(LeaderTest, AFollowerThatTheLeaderForgotIsCalled) {
  c_.core(1).OnReplicaGone(BrokerId(2));  // its stream stays, and it knows nothing of that
  c_.Advance(seconds(6));
  c_.Settle();
  c_.Advance(seconds(1));
  const auto token = c_.Produce(1, {.value = "a"});
  c_.Settle();
  ASSERT_TRUE(c_.Reply(token).has_value());
  EXPECT_EQ(c_.Log(2), "a");
  EXPECT_EQ(c_.image.partition_epoch, PartitionEpoch{1});
}

TEST_F(LeaderTest, AProposalWithoutAnswerIsRepeatedUnchanged) {
  c_.SetIsr({1, 2});
  c_.decides = false;
  c_.Settle();
  ASSERT_EQ(c_.proposals.size(), 1U);
  const IsrProposal first = c_.proposals.front();
  c_.Turn(1, [&](PartitionCore& core, PartitionEffects& e) {
    core.OnIsrResult(first.partition_epoch, ErrorCode::kRequestTimedOut, c_.now, e);
  });
  EXPECT_EQ(c_.core(1).maximal_isr().size(), 3U);
  c_.Advance(milliseconds(300));
  ASSERT_EQ(c_.proposals.size(), 2U);
  EXPECT_EQ(c_.proposals.back().partition_epoch, first.partition_epoch);
  EXPECT_EQ(c_.proposals.back().new_isr, first.new_isr);
}

TEST_F(LeaderTest, ARefusedProposalLeavesTheMaximalIsr) {
  c_.SetIsr({1, 2});
  c_.decides = false;
  c_.Settle();
  c_.Turn(1, [&](PartitionCore& core, PartitionEffects& e) {
    core.OnIsrResult(c_.proposals.front().partition_epoch, ErrorCode::kIneligibleReplica, c_.now,
                     e);
  });
  EXPECT_EQ(c_.core(1).maximal_isr().size(), 2U);
}

// A slow controller: the first copy is refused, and the second may be taken since.
TEST_F(LeaderTest, ARefusedProposalStaysWhileACopyIsUnderWay) {
  c_.SetIsr({1, 2});
  c_.decides = false;
  c_.Settle();
  c_.Advance(seconds(4));
  ASSERT_EQ(c_.proposals.size(), 2U);
  const auto refuse = [&] {
    c_.Turn(1, [&](PartitionCore& core, PartitionEffects& e) {
      core.OnIsrResult(c_.proposals.front().partition_epoch, ErrorCode::kIneligibleReplica, c_.now,
                       e);
    });
  };
  refuse();
  EXPECT_EQ(c_.core(1).maximal_isr().size(), 3U);
  refuse();
  EXPECT_EQ(c_.core(1).maximal_isr().size(), 2U);
}

TEST_F(LeaderTest, ACopyThatWasNeverSentKeepsNoProposalOpen) {
  c_.SetIsr({1, 2});
  c_.decides = false;
  c_.Settle();
  c_.Advance(seconds(4));
  c_.Advance(seconds(4));
  ASSERT_EQ(c_.proposals.size(), 3U);
  for (const ErrorCode error : {ErrorCode::kOperationNotAttempted, ErrorCode::kRequestTimedOut,
                                ErrorCode::kIneligibleReplica}) {
    EXPECT_EQ(c_.core(1).maximal_isr().size(), 3U);
    c_.Turn(1, [&](PartitionCore& core, PartitionEffects& e) {
      core.OnIsrResult(c_.proposals.front().partition_epoch, error, c_.now, e);
    });
  }
  EXPECT_EQ(c_.core(1).maximal_isr().size(), 2U);
}

TEST_F(LeaderTest, DeleteRecordsWaitsForEveryMember) {
  c_.Produce(1, {.count = 4, .value = "a"});
  c_.Settle();
  const auto token = c_.DeleteRecords(1, 3);
  EXPECT_EQ(c_.core(1).log_start_offset(), Offset{3});
  EXPECT_TRUE(c_.delete_replies.empty());
  c_.Settle();
  EXPECT_EQ(c_.delete_replies[token].error, ErrorCode::kNone);
  EXPECT_EQ(c_.delete_replies[token].log_start_offset, Offset{3});
  for (int id : {1, 2, 3}) EXPECT_EQ(c_.core(id).log_start_offset(), Offset{3});
  EXPECT_EQ(c_.core(1).epochs().front().start_offset, Offset{3});
}

TEST_F(LeaderTest, DeleteRecordsNeverPassesTheHighWatermark) {
  c_.Produce(1, {.count = 4, .value = "a"});
  const auto token = c_.DeleteRecords(1, 1);
  EXPECT_EQ(c_.delete_replies[token].error, ErrorCode::kOffsetOutOfRange);
  c_.Turn(
      1, [&](PartitionCore& core, PartitionEffects& e) { core.OnRetention(Offset{4}, c_.now, e); });
  EXPECT_EQ(c_.core(1).log_start_offset(), Offset{0});
}

TEST_F(LeaderTest, DeleteRecordsTimesOut) {
  c_.Produce(1, {.value = "a"});
  c_.Settle();
  const auto token = c_.DeleteRecords(1, -1);
  c_.Advance(seconds(31));
  EXPECT_EQ(c_.delete_replies[token].error, ErrorCode::kRequestTimedOut);
}

class LogAppendTimeTest : public LeaderTest {
 protected:
  LogAppendTimeTest() : LeaderTest({.config = {.timestamp_type = TimestampType::kLogAppendTime}}) {}
};

class ShortLagTest : public LeaderTest {
 protected:
  ShortLagTest() : LeaderTest({.limits = {.replica_lag_max = milliseconds(100)}}) {}
};

TEST_F(ShortLagTest, CallsDoNotPutOffWhatAFollowerIsAboutToSay) {
  c_.core(1).OnReplicaGone(BrokerId(2));
  c_.Produce(1, {.value = "a"});
  for (int i = 0; i < 10; ++i) {  // refused for so long that it pauses for longer than calls do
    c_.Advance(milliseconds(60));
    while (!c_.node(2).updates.empty()) {
      c_.DeliverUpdate(2);
      c_.core(1).OnReplicaGone(BrokerId(2));
      c_.node(2).pushes.clear();
    }
    c_.Deliver(2);
  }
  for (int i = 0; i < 40; ++i) {
    c_.Advance(milliseconds(60));
    c_.Settle();
  }
  EXPECT_EQ(c_.Log(2), "a");
}

TEST_F(LogAppendTimeTest, LogAppendTimeIsStampedAndAnswered) {
  const auto token = c_.Produce(1, {.value = "a", .timestamp = 5});
  c_.Settle();
  EXPECT_EQ(c_.Reply(token)->log_append_time, c_.now.wall);
  EXPECT_EQ(c_.node(3).disk.synced().front().max_timestamp, c_.now.wall);
}

class SmallLimitsTest : public LeaderTest {
 protected:
  SmallLimitsTest() : LeaderTest({.limits = {.parked_acks_max = 2}}) {}
};

TEST_F(SmallLimitsTest, ParkedAcksAreBounded) {
  c_.Produce(1, {});
  c_.Produce(1, {});
  EXPECT_EQ(ErrorOf(c_.Produce(1, {})), ErrorCode::kLimitReached);
  EXPECT_EQ(c_.core(1).parked_acks(), 2U);
}

class SingleReplicaTest : public LeaderTest {
 protected:
  SingleReplicaTest() : LeaderTest({.replicas = 1}) {}
};

TEST_F(SingleReplicaTest, OneReplicaNeedsOnlyItself) {
  const auto token = c_.Produce(1, {});
  EXPECT_FALSE(c_.Reply(token));
  c_.Sync(1);
  EXPECT_EQ(ErrorOf(token), ErrorCode::kNone);
}

}  // namespace
}  // namespace quipu
