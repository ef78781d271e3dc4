// Goal: offsets that nobody needs are forgotten in time, and no other, whoever coordinates.
#include "tests/unit/core/coordinator/classic/classic_fixture.h"

namespace quipu {
namespace {

constexpr int64_t kHour = 3600000;
constexpr int64_t kDay = 24 * kHour;
constexpr int64_t kCheck = 600000;

class GroupExpiryTest : public ClassicFixture {
 protected:
  GroupExpiryTest() : other_(topics_.Add("u", 2, 30)) { FailOver(); }

  // A member of KIP-848 that says something every half hour.
  Answer JoinLong(const std::string& member) {
    message::GroupHeartbeatRequest request = JoinRequest(member, {"t"});
    request.set_session_timeout_ms(static_cast<int32_t>(kHour));
    Answer answer = Heartbeat(request);
    EXPECT_EQ(answer.error_code(), 0);
    return answer;
  }
  void Stay(const std::string& member, int64_t milliseconds, Answer last) {
    for (int64_t passed = 0; passed < milliseconds; passed += kHour / 2) {
      Pass(kHour / 2);
      last = Follow(member, last);
      ASSERT_EQ(last.error_code(), 0);
    }
  }
  ClassicJoinAnswer StableLong(const std::string& type) {
    ClassicJoinRequest request = JoinOf("c");
    request.protocol_type = type;
    request.session_timeout_ms = static_cast<int32_t>(kHour / 2);
    const std::vector<ClassicJoinAnswer> joined = JoinAll({request});
    SyncAll(joined);
    return joined.at(0);
  }
  void Stay(const ClassicJoinAnswer& member, int64_t milliseconds) {
    for (int64_t passed = 0; passed < milliseconds; passed += kHour / 4) {
      Pass(kHour / 4);
      ASSERT_EQ(Beat(member.member_id, member.generation), ErrorCode::kNone);
    }
  }
  // Of offset 5. Whoever coordinates next knows when the last member went.
  void ExpectForgottenInAWeek() {
    FailOver();
    Pass(7 * kDay - 2 * kCheck);
    EXPECT_EQ(FetchOffset(topic_, 0), 5);
    FailOver();
    Pass(3 * kCheck);
    EXPECT_EQ(FetchOffset(topic_, 0), -1);
    EXPECT_TRUE(core_.groups().empty());
  }

  TopicId other_;
};

TEST_F(GroupExpiryTest, CommitsFromOutsideExpireAWeekAfterTheyCame) {
  CommitAs("", -1, 5);
  Pass(6 * kDay);
  CommitOffset("", -1, topic_, 1, 7);
  FailOver();
  Pass(kDay - 1);
  EXPECT_EQ(FetchOffset(topic_, 0), 5);
  Pass(kCheck);
  EXPECT_EQ(FetchOffset(topic_, 0), -1);
  EXPECT_EQ(FetchOffset(topic_, 1), 7);
  EXPECT_EQ(expired_.groups, 0U);
  Pass(6 * kDay);
  EXPECT_TRUE(core_.groups().empty());
  EXPECT_TRUE(log_.back().has_group_removed());
  EXPECT_EQ(expired_.offsets, 2U);
  EXPECT_EQ(expired_.groups, 1U);
  EXPECT_EQ(core_.held_bytes(), 0U);
}

// Groups that were used once make room for others.
TEST_F(GroupExpiryTest, ExpiredGroupsMakeRoom) {
  options_.groups_max = 1;
  FailOver();
  CommitAs("", -1, 5);
  message::GroupHeartbeatRequest request = JoinRequest("a", {"t"});
  request.set_group_id("next");
  EXPECT_EQ(*ErrorCodeFromWire(Heartbeat(request).error_code()), ErrorCode::kLimitReached);
  Pass(7 * kDay + kCheck);
  EXPECT_EQ(Heartbeat(request).error_code(), 0);
}

TEST_F(GroupExpiryTest, OffsetsOfMembersAreKeptAndExpireAfterTheLastHasGone) {
  const Answer joined = JoinLong("a");
  EXPECT_EQ(CommitOffset("a", 1, topic_, 0, 5), ErrorCode::kNone);
  Stay("a", 8 * kDay, joined);
  Leave("a");
  ExpectForgottenInAWeek();
}

TEST_F(GroupExpiryTest, AReturnBeginsTheTimeAnew) {
  JoinLong("a");
  CommitOffset("a", 1, topic_, 0, 5);
  Leave("a");
  Pass(5 * kDay);
  JoinLong("b");
  Leave("b");
  Pass(5 * kDay);
  EXPECT_EQ(FetchOffset(topic_, 0), 5);
  CommitOffset("", -1, topic_, 0, 6);
  Pass(6 * kDay);
  EXPECT_EQ(FetchOffset(topic_, 0), 6);
  Pass(kDay + kCheck);
  EXPECT_EQ(FetchOffset(topic_, 0), -1);
}

TEST_F(GroupExpiryTest, MembersWhoseSessionsEndCountAsGone) {
  JoinLong("a");
  CommitOffset("a", 1, topic_, 0, 5);
  Pass(7 * kDay);
  EXPECT_EQ(FetchOffset(topic_, 0), 5);
  Pass(kHour + kCheck);
  EXPECT_EQ(FetchOffset(topic_, 0), -1);
}

TEST_F(GroupExpiryTest, WhatMembersDoNotSubscribeExpires) {
  CommitOffset("", -1, other_, 0, 3);
  const Answer joined = JoinLong("a");
  CommitOffset("a", 1, topic_, 0, 5);
  Stay("a", 8 * kDay, joined);
  EXPECT_EQ(FetchOffset(topic_, 0), 5);
  EXPECT_EQ(FetchOffset(other_, 0), -1);
  EXPECT_EQ(expired_.offsets, 1U);
}

TEST_F(GroupExpiryTest, OffsetsOfClassicMembersAreKeptAndExpireAfterTheLastHasGone) {
  CommitOffset("", -1, other_, 0, 3);
  const ClassicJoinAnswer member = StableLong("consumer");
  CommitAs(member.member_id, member.generation, 5);
  Stay(member, 8 * kDay);
  EXPECT_EQ(FetchOffset(topic_, 0), 5);
  EXPECT_EQ(FetchOffset(other_, 0), -1);
  EXPECT_EQ(LeaveBy(member.member_id), ErrorCode::kNone);
  ExpectForgottenInAWeek();
  EXPECT_EQ(State(), "none");
}

// Nobody here knows what they read.
TEST_F(GroupExpiryTest, OffsetsOfOtherProtocolTypesAreKept) {
  const ClassicJoinAnswer member = StableLong("connect");
  CommitAs(member.member_id, member.generation, 5);
  Stay(member, 8 * kDay);
  EXPECT_EQ(FetchOffset(topic_, 0), 5);
}

TEST_F(GroupExpiryTest, WhoIsAboutToJoinFindsItsOffsets) {
  CommitAs("", -1, 5);
  Pass(7 * kDay - kCheck);
  ClassicJoinRequest request = JoinOf("c");
  request.require_known_member_id = true;
  request.session_timeout_ms = static_cast<int32_t>(kHour / 2);
  const uint64_t told = Send(request);
  EXPECT_EQ(ErrorOf(told), ErrorCode::kMemberIdRequired);
  Pass(kCheck + kCheck / 2);
  request.member_id = Joined(told).member_id;
  request.rebalance_timeout_ms = static_cast<int32_t>(kHour);
  Send(request);
  Pass(kCheck);
  EXPECT_EQ(FetchOffset(topic_, 0), 5);
}

// A group that is empty in fact and not yet in the log.
TEST_F(GroupExpiryTest, NothingExpiresBeforeTheLogKnowsThatAGroupIsEmpty) {
  const ClassicJoinAnswer member = StableLong("consumer");
  CommitAs(member.member_id, member.generation, 5);
  Stay(member, 8 * kDay);
  refuse_ = ErrorCode::kCoordinatorNotAvailable;
  EXPECT_EQ(LeaveBy(member.member_id), ErrorCode::kNone);
  now_.mono += std::chrono::milliseconds(kCheck);
  now_.wall += kCheck;
  Expire();
  EXPECT_EQ(FetchOffset(topic_, 0), 5);
  refuse_ = ErrorCode::kNone;
  Pass(7 * kDay - kCheck);
  EXPECT_EQ(FetchOffset(topic_, 0), 5);
  Pass(2 * kCheck);
  EXPECT_EQ(FetchOffset(topic_, 0), -1);
}

TEST_F(GroupExpiryTest, TurnsAreBounded) {
  options_.records_per_turn_max = 10;
  FailOver();
  message::OffsetCommitRequest request;
  request.set_member_epoch(-1);
  for (int32_t i = 0; i < 30; ++i) {
    auto* item = request.add_partitions();
    item->set_topic_id(other_.ToBytes());
    item->set_partition(i);
    item->set_leader_epoch(-1);
  }
  for (int i = 0; i < 25; ++i) {
    request.set_group_id("g" + std::to_string(i));
    Commit(core_.OffsetCommit(request, now_, topics_));
  }
  request.set_group_id("g");
  Commit(core_.OffsetCommit(request, now_, topics_));
  const Answer joined = JoinLong("a");
  Stay("a", 8 * kDay, joined);
  EXPECT_EQ(core_.groups().size(), 1U);
  EXPECT_TRUE(core_.groups().at("g").offsets.empty());
  EXPECT_EQ(expired_.groups, 25U);
  EXPECT_EQ(expired_.offsets, 26U * 30U);
  EXPECT_LE(expiry_records_most_, 10U);
}

// Records of a version that did not write when a group became empty.
TEST_F(GroupExpiryTest, WithoutATimeInTheLogTheCommitCounts) {
  JoinLong("a");
  CommitOffset("a", 1, topic_, 0, 5);
  Leave("a");
  for (record::GroupRecord& record : log_) {
    if (record.has_group()) record.mutable_group()->clear_empty_since_ms();
  }
  GroupCoordinatorCore fresh(options_);
  for (const record::GroupRecord& record : log_) fresh.Replay(record);
  core_ = std::move(fresh);
  core_.OnLoaded(now_.mono);
  Pass(7 * kDay + kCheck);
  EXPECT_EQ(FetchOffset(topic_, 0), -1);
}

}  // namespace
}  // namespace quipu
