// Goal: one member of a group gives up, takes over, is fenced and leaves as KIP-848 says, and its
// commits arrive in order. Method: the test plays the coordinator by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/client/consumer_core.h"
#include "tests/unit/core/client/client_test_support.h"

namespace quipu {
namespace {

using test::At;
using test::Partition;
using testing::ElementsAre;
using testing::IsEmpty;

class GroupSessionTest : public testing::Test {
 protected:
  GroupSessionTest() : core_(Options(), Rng(1)) {
    core_.Subscribe({"t"});
    Turn();
    Answer<message::MetadataRequest>(
        test::MetadataAnswer(100, "t", test::kTopic, {{1, 5}, {2, 5}, {3, 5}}));
    Coordinator(2);
  }
  static ConsumerOptions Options() {
    ConsumerOptions options;
    options.metadata.bootstrap_servers = {"b1:9"};
    options.group_id = "g";
    return options;
  }
  void Turn() {
    core_.Pump(now_, effects_);
    for (UnaryCall& call : effects_.calls) calls_.push_back(std::move(call));
    effects_.calls.clear();
    effects_.fetches.clear();
  }
  template <typename Request>
  const UnaryCall* Find() const {
    for (const UnaryCall& call : calls_) {
      if (std::holds_alternative<Request>(call.request)) return &call;
    }
    return nullptr;
  }
  template <typename Request>
  const Request& Get() const {
    const UnaryCall* call = Find<Request>();
    if (call == nullptr) {
      ADD_FAILURE() << "no such call";
      static const Request none;
      return none;
    }
    return std::get<Request>(call->request);
  }
  template <typename Request>
  CallId Remove() {
    for (size_t i = 0; i < calls_.size(); ++i) {
      if (!std::holds_alternative<Request>(calls_[i].request)) continue;
      const CallId id = calls_[i].id;
      calls_.erase(calls_.begin() + static_cast<std::ptrdiff_t>(i));
      return id;
    }
    ADD_FAILURE() << "no such call";
    return 0;
  }
  template <typename Request>
  void Answer(const UnaryResponse& response) {
    core_.OnAnswered(now_, Remove<Request>(), response, effects_);
    Turn();
  }
  template <typename Request>
  void FailCall() {
    core_.OnCallFailed(now_, Remove<Request>(), absl::UnavailableError("gone"), effects_);
    Turn();
  }
  void Coordinator(int broker) {
    message::FindCoordinatorResponse response;
    response.set_broker_id(broker);
    response.mutable_endpoint()->set_host("b" + std::to_string(broker));
    response.mutable_endpoint()->set_port(9);
    Answer<message::FindCoordinatorRequest>(response);
  }
  void Heartbeat(int epoch, const std::optional<std::vector<int>>& assignment = std::nullopt) {
    message::GroupHeartbeatResponse response;
    response.set_member_epoch(epoch);
    response.set_heartbeat_interval_ms(1000);
    if (assignment) {
      response.set_assignment_present(true);
      record::TopicPartitions* topic = response.add_assignment();
      topic->set_topic_id(test::kTopic.ToBytes());
      for (int partition : *assignment) topic->add_partitions(partition);
    }
    Answer<message::GroupHeartbeatRequest>(response);
  }
  void HeartbeatError(ErrorCode error) {
    message::GroupHeartbeatResponse response;
    response.set_error_code(static_cast<int32_t>(error));
    Answer<message::GroupHeartbeatRequest>(response);
  }
  // Answers the offset read: nothing was committed but `offset` for partition 0.
  void Offsets(int64_t offset) {
    message::OffsetFetchResponse response;
    message::OffsetFetchResponse::Partition* p = response.add_partitions();
    p->set_topic_id(test::kTopic.ToBytes());
    p->set_partition(0);
    p->set_offset(offset);
    p->set_leader_epoch(4);
    Answer<message::OffsetFetchRequest>(response);
  }
  std::vector<int> Owned() const {
    std::vector<int> owned;
    for (const record::TopicPartitions& topic : Get<message::GroupHeartbeatRequest>().owned()) {
      for (int32_t partition : topic.partitions()) owned.push_back(partition);
    }
    return owned;
  }
  void Advance(int64_t ms) {
    now_ += std::chrono::milliseconds(ms);
    Turn();
  }
  // Joins and owns partitions 0 and 1 in epoch 3.
  void Join() {
    Heartbeat(3, std::vector<int>{0, 1});
    Offsets(10);
    Heartbeat(3);
    effects_ = {};
  }
  void Commit(uint64_t token, int64_t offset) {
    core_.CommitOffsets(
        token,
        {{Partition(0),
          {.offset = Offset(offset), .leader_epoch = LeaderEpoch(5), .metadata = "m"}}},
        now_ + std::chrono::seconds(10));
    Turn();
  }
  void AnswerCommit(ErrorCode error) {
    message::OffsetCommitResponse response;
    response.set_error_code(static_cast<int32_t>(error));
    Answer<message::OffsetCommitRequest>(response);
  }

  Instant now_ = At(0);
  ConsumerCore core_;
  ConsumerEffects effects_;
  std::vector<UnaryCall> calls_;
};

TEST_F(GroupSessionTest, JoinsWithEpochZeroAndItsSubscription) {
  ASSERT_NE(Find<message::GroupHeartbeatRequest>(), nullptr);
  EXPECT_EQ(Find<message::GroupHeartbeatRequest>()->address, test::Address(2));
  const auto& request = Get<message::GroupHeartbeatRequest>();
  EXPECT_EQ(request.member_epoch(), 0);
  EXPECT_TRUE(request.subscription_present());
  EXPECT_THAT(request.subscribed_topics(), ElementsAre("t"));
  EXPECT_TRUE(request.owned_present());
  EXPECT_EQ(request.member_id(), core_.group().member_id());
}

TEST_F(GroupSessionTest, ReadsCommittedOffsetsBeforeItOwnsPartitions) {
  Heartbeat(3, std::vector<int>{0, 1});
  ASSERT_NE(Find<message::OffsetFetchRequest>(), nullptr);
  EXPECT_EQ(Get<message::OffsetFetchRequest>().member_epoch(), 3);
  EXPECT_TRUE(core_.fetch().Assigned().empty());
  Offsets(10);
  EXPECT_EQ(core_.fetch().Position(Partition(0))->offset, Offset(10));
  EXPECT_EQ(core_.fetch().Position(Partition(0))->leader_epoch, LeaderEpoch(4));
  EXPECT_EQ(core_.fetch().Position(Partition(1))->offset, kNoOffset) << "to be looked up";
  EXPECT_THAT(Owned(), ElementsAre(0, 1)) << "acknowledged at once";
  EXPECT_EQ(effects_.assigned.size(), 2U);
}

TEST_F(GroupSessionTest, HeartbeatsComeAtTheInterval) {
  Join();
  EXPECT_EQ(Find<message::GroupHeartbeatRequest>(), nullptr);
  Advance(999);
  EXPECT_EQ(Find<message::GroupHeartbeatRequest>(), nullptr);
  Advance(1);
  ASSERT_NE(Find<message::GroupHeartbeatRequest>(), nullptr);
  EXPECT_EQ(Get<message::GroupHeartbeatRequest>().member_epoch(), 3);
  EXPECT_FALSE(Get<message::GroupHeartbeatRequest>().owned_present());
}

// I52: given up only after the application is done with it.
TEST_F(GroupSessionTest, RevokedPartitionIsKeptUntilConfirmed) {
  Join();
  Advance(1000);
  Heartbeat(3, std::vector<int>{0});
  EXPECT_THAT(effects_.revoked, ElementsAre(Partition(1)));
  Advance(1000);
  EXPECT_FALSE(Get<message::GroupHeartbeatRequest>().owned_present());
  Heartbeat(3);
  core_.ConfirmRevoked(now_);
  Turn();
  EXPECT_THAT(Owned(), ElementsAre(0));
  EXPECT_THAT(core_.fetch().Assigned(), ElementsAre(Partition(0)));
}

TEST_F(GroupSessionTest, PauseSurvivesARebalanceThatLeavesThePartitionHere) {
  Join();
  core_.fetch().Pause(Partition(0), true);
  core_.fetch().Pause(Partition(1), true);
  Advance(1000);
  Heartbeat(4, std::vector<int>{0});
  // Being given up: reading on would hand out what the next owner gets, too.
  core_.fetch().Pause(Partition(1), false);
  core_.ConfirmRevoked(now_);
  Turn();
  EXPECT_THAT(core_.fetch().Paused(), ElementsAre(Partition(0)));
}

TEST_F(GroupSessionTest, NothingIsHandedOutOfAPartitionThatIsBeingGivenUp) {
  Join();
  Advance(1000);
  Heartbeat(4, std::vector<int>{0});
  ASSERT_THAT(effects_.revoked, ElementsAre(Partition(1)));
  core_.fetch().Seek(Partition(1), {.offset = Offset(7), .metadata = {}});
  core_.fetch().Pause(Partition(1), false);
  ConsumerEffects effects;
  core_.Pump(now_, effects);
  for (const FetchSend& send : effects.fetches) {
    for (const FetchPartition& partition : send.request.partitions) {
      EXPECT_EQ(partition.partition, PartitionIndex(0));
    }
  }
}

TEST_F(GroupSessionTest, NewPartitionsAreTakenAfterOldOnesAreGivenUp) {
  Join();
  Advance(1000);
  Heartbeat(4, std::vector<int>{0, 2});
  EXPECT_EQ(Find<message::OffsetFetchRequest>(), nullptr);
  core_.ConfirmRevoked(now_);
  Turn();
  EXPECT_NE(Find<message::OffsetFetchRequest>(), nullptr);
}

TEST_F(GroupSessionTest, FencedMemberLosesEverythingAndJoinsAgain) {
  Join();
  Advance(1000);
  HeartbeatError(ErrorCode::kFencedMemberEpoch);
  EXPECT_THAT(effects_.lost, ElementsAre(Partition(0), Partition(1)));
  EXPECT_THAT(core_.fetch().Assigned(), IsEmpty());
  Advance(200);
  EXPECT_EQ(Get<message::GroupHeartbeatRequest>().member_epoch(), 0);
}

TEST_F(GroupSessionTest, MovedCoordinatorIsFollowedAndPartitionsAreKept) {
  Join();
  Advance(1000);
  HeartbeatError(ErrorCode::kNotCoordinator);
  Advance(100);
  Coordinator(3);
  Advance(100);
  ASSERT_NE(Find<message::GroupHeartbeatRequest>(), nullptr);
  EXPECT_EQ(Find<message::GroupHeartbeatRequest>()->address, test::Address(3));
  EXPECT_EQ(Get<message::GroupHeartbeatRequest>().member_epoch(), 3);
  EXPECT_EQ(core_.fetch().Assigned().size(), 2U);
}

TEST_F(GroupSessionTest, DeadCoordinatorIsLookedForElsewhere) {
  Join();
  Advance(1000);
  FailCall<message::GroupHeartbeatRequest>();
  Advance(100);
  ASSERT_NE(Find<message::FindCoordinatorRequest>(), nullptr);
  EXPECT_NE(Find<message::FindCoordinatorRequest>()->address, test::Address(2));
}

// A member without partitions has no fetches: nothing but the deadline brings it on.
TEST_F(GroupSessionTest, DeadCoordinatorIsLookedForByTheDeadlineAlone) {
  Heartbeat(3, std::vector<int>{});
  Advance(1000);
  FailCall<message::GroupHeartbeatRequest>();
  for (int i = 0; i < 10 && Find<message::FindCoordinatorRequest>() == nullptr; ++i) {
    const std::optional<Instant> next = core_.NextDeadline();
    ASSERT_TRUE(next.has_value());
    now_ = std::max(now_, *next);
    Turn();
  }
  EXPECT_NE(Find<message::FindCoordinatorRequest>(), nullptr);
  EXPECT_LE(now_, At(1500));
  // While it is looked for, nobody asks to be woken over and over.
  const std::optional<Instant> next = core_.NextDeadline();
  EXPECT_TRUE(!next.has_value() || *next > now_);
}

TEST_F(GroupSessionTest, LeavesWithEpochMinusOne) {
  Join();
  core_.Subscribe({});
  Turn();
  EXPECT_EQ(Get<message::GroupHeartbeatRequest>().member_epoch(), -1);
  EXPECT_FALSE(core_.group().has_left());
  Heartbeat(-1);
  EXPECT_TRUE(core_.group().has_left());
}

TEST_F(GroupSessionTest, WhatAnApplicationGaveUpByUnsubscribingIsNotLost) {
  Join();
  core_.Unsubscribe();
  EXPECT_THAT(core_.fetch().Assigned(), IsEmpty()) << "nothing more is read";
  Turn();
  EXPECT_EQ(Get<message::GroupHeartbeatRequest>().member_epoch(), -1);
  core_.Subscribe({"t"});  // while the good-bye is on its way
  Heartbeat(-1);
  EXPECT_THAT(effects_.lost, IsEmpty());
  EXPECT_EQ(Get<message::GroupHeartbeatRequest>().member_epoch(), 0) << "in again";
}

TEST_F(GroupSessionTest, MemberThatIsNoLongerWantedLeavesOnceItHasJoined) {
  core_.Subscribe({});
  Turn();
  EXPECT_FALSE(core_.group().has_left()) << "the answer to the join is still due";
  Heartbeat(3, std::vector<int>{0, 1});
  EXPECT_FALSE(core_.group().has_left());
  EXPECT_EQ(Find<message::OffsetFetchRequest>(), nullptr);
  EXPECT_EQ(Get<message::GroupHeartbeatRequest>().member_epoch(), -1);
  Heartbeat(-1);
  EXPECT_TRUE(core_.group().has_left());
}

TEST_F(GroupSessionTest, JoinOfUnknownOutcomeIsFollowedByAGoodByeWhenNoLongerWanted) {
  core_.Subscribe({});
  FailCall<message::GroupHeartbeatRequest>();
  EXPECT_FALSE(core_.group().has_left());
  Advance(100);
  Coordinator(3);
  EXPECT_EQ(Get<message::GroupHeartbeatRequest>().member_epoch(), -1);
  HeartbeatError(ErrorCode::kUnknownMemberId);
  EXPECT_TRUE(core_.group().has_left());
}

TEST_F(GroupSessionTest, MemberThatDoesNotPollLeaves) {
  std::vector<ConsumerRecord> records;
  std::vector<PartitionError> errors;
  core_.Poll(now_, records, errors);
  Join();
  Advance(300000);
  EXPECT_EQ(Get<message::GroupHeartbeatRequest>().member_epoch(), -1);
  EXPECT_THAT(effects_.lost, ElementsAre(Partition(0), Partition(1)));
  Heartbeat(-1);
  Advance(5000);
  EXPECT_EQ(Find<message::GroupHeartbeatRequest>(), nullptr);
  core_.Poll(now_, records, errors);
  Turn();
  EXPECT_EQ(Get<message::GroupHeartbeatRequest>().member_epoch(), 0);
}

TEST_F(GroupSessionTest, InvalidGroupIsFatal) {
  HeartbeatError(ErrorCode::kGroupMaxSizeReached);
  EXPECT_EQ(core_.group().fatal(), ErrorCode::kGroupMaxSizeReached);
  Advance(10000);
  EXPECT_EQ(Find<message::GroupHeartbeatRequest>(), nullptr);
}

TEST_F(GroupSessionTest, LimitOfTheCoordinatorIsToldUntilItLetsTheMemberIn) {
  HeartbeatError(ErrorCode::kLimitReached);
  Advance(3000);
  HeartbeatError(ErrorCode::kLimitReached);
  EXPECT_EQ(core_.group().LimitReachedFor(now_), std::chrono::seconds(3));
  Advance(100);
  Heartbeat(3, std::vector<int>{0});
  EXPECT_EQ(core_.group().LimitReachedFor(now_), std::nullopt);
}

// I50
TEST_F(GroupSessionTest, CommitsAreSentOneAfterTheOther) {
  Join();
  Commit(1, 20);
  Commit(2, 30);
  EXPECT_EQ(Get<message::OffsetCommitRequest>().partitions(0).offset(), 20);
  EXPECT_EQ(Get<message::OffsetCommitRequest>().partitions(0).leader_epoch(), 5);
  EXPECT_EQ(Get<message::OffsetCommitRequest>().member_epoch(), 3);
  EXPECT_EQ(Get<message::OffsetCommitRequest>().attempt(), 1);
  AnswerCommit(ErrorCode::kNone);
  EXPECT_EQ(Get<message::OffsetCommitRequest>().partitions(0).offset(), 30);
  EXPECT_EQ(Get<message::OffsetCommitRequest>().attempt(), 2);
  AnswerCommit(ErrorCode::kNone);
  ASSERT_EQ(effects_.results.size(), 2U);
  EXPECT_EQ(effects_.results[0].token, 1U);
  EXPECT_EQ(effects_.results[1].error, ErrorCode::kNone);
}

TEST_F(GroupSessionTest, CommitSurvivesACoordinatorMove) {
  Join();
  Commit(1, 20);
  AnswerCommit(ErrorCode::kNotCoordinator);
  EXPECT_TRUE(effects_.results.empty());
  Advance(150);
  Coordinator(3);
  Advance(150);
  ASSERT_NE(Find<message::OffsetCommitRequest>(), nullptr);
  EXPECT_EQ(Find<message::OffsetCommitRequest>()->address, test::Address(3));
  AnswerCommit(ErrorCode::kNone);
  EXPECT_EQ(effects_.results.size(), 1U);
}

// I51
TEST_F(GroupSessionTest, CommitOfAFencedMemberFails) {
  Join();
  Commit(1, 20);
  AnswerCommit(ErrorCode::kFencedMemberEpoch);
  ASSERT_EQ(effects_.results.size(), 1U);
  EXPECT_EQ(effects_.results[0].error, ErrorCode::kFencedMemberEpoch);
}

// A partition that is not the member's: no newer epoch will help, and later commits do not wait.
TEST_F(GroupSessionTest, StaleCommitOfAPartitionThatIsNotOwnedIsToldAtOnce) {
  Join();
  core_.CommitOffsets(1, {{Partition(2), {.offset = Offset(5), .metadata = {}}}},
                      now_ + std::chrono::seconds(10));
  Turn();
  message::OffsetCommitResponse response;
  auto* p = response.add_partitions();
  p->set_topic_id(test::kTopic.ToBytes());
  p->set_partition(2);
  p->set_error_code(static_cast<int32_t>(ErrorCode::kStaleMemberEpoch));
  Answer<message::OffsetCommitRequest>(response);
  ASSERT_EQ(effects_.results.size(), 1U);
  EXPECT_EQ(effects_.results[0].error, ErrorCode::kStaleMemberEpoch);
  EXPECT_EQ(effects_.results[0].refused, Partition(2));
}

TEST_F(GroupSessionTest, StaleCommitOfAnOwnedPartitionIsRepeated) {
  Join();
  Commit(1, 20);
  AnswerCommit(ErrorCode::kStaleMemberEpoch);
  EXPECT_TRUE(effects_.results.empty());
  Advance(100);
  ASSERT_NE(Find<message::OffsetCommitRequest>(), nullptr);
  AnswerCommit(ErrorCode::kNone);
  EXPECT_EQ(effects_.results.size(), 1U);
}

// I50, G01: what was read under a lost assignment is never committed under a later one.
TEST_F(GroupSessionTest, WaitingCommitsEndWhenTheMemberIsFenced) {
  Join();
  Commit(1, 20);
  AnswerCommit(ErrorCode::kCoordinatorLoadInProgress);
  Advance(1000);
  if (Find<message::FindCoordinatorRequest>() != nullptr) Coordinator(2);
  HeartbeatError(ErrorCode::kFencedMemberEpoch);
  ASSERT_EQ(effects_.results.size(), 1U);
  EXPECT_EQ(effects_.results[0].error, ErrorCode::kFencedMemberEpoch);
  calls_.clear();  // the attempt that was under way
  Advance(1000);
  EXPECT_EQ(Find<message::OffsetCommitRequest>(), nullptr);
}

// G01: a member without an epoch is not "somebody from outside".
TEST_F(GroupSessionTest, CommitBetweenTwoMembershipsIsRefused) {
  Join();
  const std::string before = core_.group().member_id();
  Advance(1000);
  HeartbeatError(ErrorCode::kUnknownMemberId);
  Commit(1, 20);
  ASSERT_EQ(effects_.results.size(), 1U);
  EXPECT_EQ(effects_.results[0].error, ErrorCode::kUnknownMemberId);
  EXPECT_EQ(Find<message::OffsetCommitRequest>(), nullptr);
  // A commit of the first must not pass as of the second: a group that begins anew has its epochs.
  Advance(100);
  EXPECT_NE(Get<message::GroupHeartbeatRequest>().member_id(), before);
}

TEST_F(GroupSessionTest, WaitingCommitsOfARevokedPartitionEndWithIt) {
  Join();
  Commit(1, 20);
  AnswerCommit(ErrorCode::kCoordinatorNotAvailable);
  Advance(100);
  Coordinator(2);
  calls_.clear();
  Advance(1000);
  Heartbeat(4, std::vector<int>{1});
  core_.ConfirmRevoked(now_);
  Turn();
  ASSERT_EQ(effects_.results.size(), 1U);
  EXPECT_EQ(effects_.results[0].error, ErrorCode::kRebalanceInProgress);
}

TEST_F(GroupSessionTest, CommitWithoutAnAnswerEndsAtItsDeadline) {
  Join();
  Commit(1, 20);
  Advance(10000);
  ASSERT_EQ(effects_.results.size(), 1U);
  EXPECT_EQ(effects_.results[0].error, ErrorCode::kRequestTimedOut);
}

TEST_F(GroupSessionTest, RefusedOffsetReadIsRepeatedWithAPause) {
  Heartbeat(3, std::vector<int>{0});
  message::OffsetFetchResponse response;
  response.set_error_code(static_cast<int32_t>(ErrorCode::kUnknownMemberId));
  Answer<message::OffsetFetchRequest>(response);
  EXPECT_EQ(Find<message::OffsetFetchRequest>(), nullptr);
  Advance(200);
  EXPECT_NE(Find<message::OffsetFetchRequest>(), nullptr);
}

}  // namespace
}  // namespace quipu
