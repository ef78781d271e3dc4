// Goal: a coordinator that learnt everything from the log is the one that wrote it, at every
// moment, and whatever happens each partition has one owner. Method: a fixed failover scenario,
// snapshots, then random operations of honest and dishonest clients with the invariants checked
// after each step.
#include <set>

#include "base/rng.h"
#include "tests/unit/core/coordinator/group_fixture.h"

namespace quipu {
namespace {

class GroupReplayTest : public GroupFixture {
 protected:
  GroupReplayTest() : topic_(topics_.Add("t", 1, 6)) {}

  void FailOver() {
    GroupCoordinatorCore fresh = Replayed();
    ASSERT_TRUE(fresh.SameStateAs(core_)) << core_.DebugString() << "---\n" << fresh.DebugString();
    ASSERT_EQ(fresh.DebugString(), core_.DebugString());
    core_ = std::move(fresh);
    core_.OnLoaded(now_.mono);
    TopicsChanged();
  }

  TopicId topic_;
};

TEST_F(GroupReplayTest, AGroupGoesOnAfterAFailoverInTheMiddleOfARebalance) {
  std::map<std::string, Answer> members;
  members["a"] = Join("a");
  CommitOffset("a", 1, topic_, 0, 42);
  members["b"] = Join("b");
  members["a"] = Follow("a", members["a"]);  // has partitions pending now
  ASSERT_FALSE(core_.groups().at("g").membership.members.at("a").pending_revocation.empty());
  FailOver();
  members["c"] = Join("c");
  Settle(members);
  for (const auto& [member, answer] : members) EXPECT_EQ(Count(answer), 2U) << member;
  EXPECT_EQ(FetchOffset(topic_, 0), 42);
}

TEST_F(GroupReplayTest, MembersGetTheirFullSessionAgainAfterAFailover) {
  Answer a = Join("a");
  Advance(9000);
  FailOver();
  Advance(9000);
  a = Follow("a", a);
  EXPECT_EQ(a.error_code(), 0);
  Advance(10000);
  EXPECT_EQ(Follow("a", a).error_code(), static_cast<int32_t>(ErrorCode::kUnknownMemberId));
}

TEST_F(GroupReplayTest, TheRebalanceClockRunsAfterAFailoverToo) {
  const Answer a = Join("a");
  Join("b");
  Follow("a", a);
  FailOver();
  message::GroupHeartbeatRequest clinging = Request("a", 1);
  clinging.set_owned_present(true);
  *clinging.mutable_owned() = a.assignment();
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(Heartbeat(clinging).error_code(), 0);
    Advance(5000);
  }
  EXPECT_EQ(Heartbeat(clinging).error_code(), static_cast<int32_t>(ErrorCode::kUnknownMemberId));
}

TEST_F(GroupReplayTest, ASnapshotIsTheWholeState) {
  std::map<std::string, Answer> members;
  members["a"] = Join("a");
  members["b"] = Join("b");
  Follow("a", members["a"]);
  CommitOffset("a", 1, topic_, 0, 42, "note");
  const GroupRecords snapshot = core_.Snapshot(7);
  EXPECT_EQ(snapshot.size(), core_.StateRecordCount() + 2);
  EXPECT_TRUE(snapshot.front().has_snapshot_begin());
  EXPECT_TRUE(snapshot.back().has_snapshot_end());
  GroupCoordinatorCore fresh(TestOptions());
  for (const record::GroupRecord& record : snapshot) fresh.Replay(record);
  EXPECT_TRUE(fresh.SameStateAs(core_));
}

TEST_F(GroupReplayTest, ReplayingItsOwnSnapshotChangesNothing) {
  Join("a");
  CommitOffset("a", 1, topic_, 0, 42);
  const std::string before = core_.DebugString();
  const auto deadline = core_.NextDeadline();
  Append(core_.Snapshot(1));
  EXPECT_EQ(core_.DebugString(), before);
  EXPECT_EQ(core_.NextDeadline(), deadline);
}

TEST_F(GroupReplayTest, ASnapshotThatWasCutOffDoesNoHarm) {
  Join("a");
  CommitOffset("a", 1, topic_, 0, 42);
  GroupRecords snapshot = core_.Snapshot(1);
  snapshot.resize(2);  // the leader died here
  Append(snapshot);
  FailOver();
  CommitOffset("a", 1, topic_, 0, 43);
  Append(core_.Snapshot(2));
  FailOver();
  EXPECT_EQ(FetchOffset(topic_, 0), 43);
}

TEST_F(GroupReplayTest, ARecordOfALaterVersionIsSkipped) {
  Join("a");
  const std::string before = core_.DebugString();
  core_.Replay(record::GroupRecord());
  EXPECT_EQ(core_.DebugString(), before);
}

// Clients that mostly behave and sometimes do not, over a coordinator that fails over at random.
class RandomGroupTest : public GroupReplayTest, public ::testing::WithParamInterface<int> {
 protected:
  explicit RandomGroupTest() : rng_(static_cast<uint64_t>(GetParam())) {}

  // The last of them is static: its process is replaced now and then, and the ones before go on.
  std::string SomeMember() {
    const uint64_t number = rng_.Below(5);
    if (number < 4) return "m" + std::to_string(number);
    if (rng_.Chance(1, 20)) ++life_;
    return "static" + std::to_string(rng_.Chance(4, 5) ? life_ : rng_.Below(life_ + 1));
  }

  message::GroupHeartbeatRequest SomeHeartbeat(const std::string& member) {
    message::GroupHeartbeatRequest request = SomeRequest(member);
    if (member[0] == 's') request.set_instance_id("static");
    if (rng_.Chance(1, 30)) request.set_assignor(rng_.Chance(1, 2) ? "range" : "uniform");
    return request;
  }

  message::GroupHeartbeatRequest SomeRequest(const std::string& member) {
    const Answer& last = answers_[member];
    message::GroupHeartbeatRequest request = Request(member, last.member_epoch());
    if (last.member_epoch() <= 0 || rng_.Chance(1, 20)) {
      request = JoinRequest(member, {"t"});
      if (rng_.Chance(1, 2)) request.add_subscribed_topics("u");
      return request;
    }
    if (rng_.Chance(1, 10)) request.set_member_epoch(static_cast<int32_t>(rng_.Below(20)));
    if (rng_.Chance(3, 4) && request.member_epoch() != 0) {
      request.set_owned_present(true);
      *request.mutable_owned() = rng_.Chance(9, 10) ? last.assignment() : owned_[member];
    }
    return request;
  }

  void Step() {
    const std::string member = SomeMember();
    switch (rng_.Below(12)) {
      case 0:
        Advance(static_cast<int64_t>(rng_.Below(4000)));
        break;
      case 1:
        Leave(member);
        answers_[member] = Answer();
        break;
      case 2:
        topics_.Add("u", 2, static_cast<int32_t>(1 + step_ / 40));
        TopicsChanged();
        break;
      case 3:
        if (rng_.Chance(1, 4)) topics_.Remove("u");
        TopicsChanged();
        break;
      case 4:
        FailOver();
        break;
      case 5:
        Append(core_.Snapshot(static_cast<uint64_t>(step_)));
        break;
      case 6:
        CommitOffset(member, answers_[member].member_epoch(), topic_,
                     static_cast<int32_t>(rng_.Below(6)), step_);
        break;
      default: {
        const Answer answer = Heartbeat(SomeHeartbeat(member));
        if (answer.error_code() != 0) {
          answers_[member] = Answer();
        } else if (rng_.Chance(9, 10)) {  // else the answer is lost
          owned_[member] = answers_[member].assignment();
          answers_[member] = answer;
        }
      }
    }
    ++step_;
  }

  Rng rng_;
  uint64_t life_ = 0;  // of the static member
  int step_ = 0;
  std::map<std::string, Answer> answers_;
  std::map<std::string, TopicPartitionsField> owned_;
};

TEST_P(RandomGroupTest, EveryPartitionHasOneOwnerAndTheLogTellsAll) {
  for (int i = 0; i < 400 && !HasFatalFailure(); ++i) Step();
  FailOver();
  // Once everybody behaves the group settles, and all partitions are somebody's.
  Advance(60000);
  EXPECT_TRUE(core_.groups().empty() || core_.groups().at("g").membership.members.empty());
  std::map<std::string, Answer> members;
  for (const char* member : {"m0", "m1", "m2"}) members[member] = Join(member);
  Settle(members);
  std::set<std::pair<std::string, int32_t>> owned;
  for (const auto& [member, answer] : members) {
    for (const auto& topic : answer.assignment()) {
      for (const int32_t index : topic.partitions()) {
        EXPECT_TRUE(owned.insert({topic.topic_id(), index}).second);
      }
    }
    EXPECT_EQ(Count(answer), 2U);
  }
  EXPECT_EQ(owned.size(), 6U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomGroupTest, ::testing::Range(0, 100));

}  // namespace
}  // namespace quipu
