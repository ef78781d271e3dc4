// Goal: `range` deals out contiguous runs, alike for topics that are alike, and a group uses the
// assignor that most of its members ask for.
#include "core/coordinator/range_assignor.h"

#include "core/coordinator/rebalance.h"
#include "core/coordinator/uniform_assignor.h"
#include "tests/unit/core/coordinator/group_fixture.h"

namespace quipu {
namespace {

using Members = absl::btree_map<std::string, GroupMember>;

class RangeAssignorTest : public GroupFixture {
 protected:
  void Subscribe(const std::string& member_id, std::vector<std::string> topics,
                 const std::string& instance_id = "") {
    members_[member_id].member_id = member_id;
    members_[member_id].instance_id = instance_id;
    members_[member_id].subscribed_topics = std::move(topics);
  }
  // The numbers of the partitions of `topic` that the member gets.
  std::vector<int> Of(const std::string& member_id, TopicId topic) {
    std::vector<int> numbers;
    const auto targets = AssignByRange(members_, topics_);
    for (const TopicPartition& partition : targets.at(member_id)) {
      if (partition.topic_id == topic) numbers.push_back(partition.partition.value());
    }
    return numbers;
  }
  Answer JoinAsking(const std::string& member, const std::string& assignor) {
    message::GroupHeartbeatRequest request = JoinRequest(member, {"t"});
    request.set_assignor(assignor);
    return Heartbeat(request);
  }
  std::string AssignorOf() const { return core_.groups().at("g").membership.assignor; }

  Members members_;
};

using Numbers = std::vector<int>;

TEST_F(RangeAssignorTest, RunsAreContiguousAndTheFirstGetTheRest) {
  const TopicId t = topics_.Add("t", 1, 7);
  for (const char* member : {"a", "b", "c"}) Subscribe(member, {"t"});
  EXPECT_EQ(Of("a", t), (Numbers{0, 1, 2}));
  EXPECT_EQ(Of("b", t), (Numbers{3, 4}));
  EXPECT_EQ(Of("c", t), (Numbers{5, 6}));
}

TEST_F(RangeAssignorTest, TopicsThatAreAlikeAreDealtOutAlike) {
  const TopicId t = topics_.Add("t", 2, 4);
  const TopicId u = topics_.Add("u", 1, 4);
  for (const char* member : {"a", "b"}) Subscribe(member, {"t", "u"});
  EXPECT_EQ(Of("a", t), Of("a", u));
  EXPECT_EQ(Of("b", t), Of("b", u));
}

TEST_F(RangeAssignorTest, OnlyReadersOfATopicGetItAndSomeGetNothing) {
  const TopicId t = topics_.Add("t", 1, 1);
  const TopicId u = topics_.Add("u", 2, 3);
  Subscribe("a", {"gone", "t"});
  Subscribe("b", {"t", "u"});
  EXPECT_EQ(Of("a", t), (Numbers{0}));
  EXPECT_EQ(Of("b", t), (Numbers{}));
  EXPECT_EQ(Of("b", u), (Numbers{0, 1, 2}));
}

TEST_F(RangeAssignorTest, ARestartedStaticMemberHasTheSameRun) {
  const TopicId t = topics_.Add("t", 1, 4);
  Subscribe("z", {"t"}, "first");
  Subscribe("a", {"t"}, "second");
  EXPECT_EQ(Of("z", t), (Numbers{0, 1}));
  members_.erase("z");
  Subscribe("b", {"t"}, "first");
  EXPECT_EQ(Of("b", t), (Numbers{0, 1}));
}

TEST_F(RangeAssignorTest, AGroupUsesWhatMostOfItsMembersAskFor) {
  topics_.Add("t", 1, 4);
  EXPECT_EQ(JoinAsking("a", "").error_code(), 0);
  EXPECT_EQ(AssignorOf(), kUniformAssignor) << "nobody asks";
  JoinAsking("b", "range");
  EXPECT_EQ(AssignorOf(), kRangeAssignor);
  JoinAsking("c", "uniform");
  EXPECT_EQ(AssignorOf(), kRangeAssignor) << "the first by name of two";
  JoinAsking("d", "uniform");
  EXPECT_EQ(AssignorOf(), kUniformAssignor);
  Leave("c");
  Leave("d");
  EXPECT_EQ(AssignorOf(), kRangeAssignor);
  EXPECT_EQ(JoinAsking("e", "sticky").error_code(),
            static_cast<int32_t>(ErrorCode::kUnsupportedAssignor));
  EXPECT_TRUE(Replayed().SameStateAs(core_));
}

TEST_F(RangeAssignorTest, AGroupWithRangeSettles) {
  topics_.Add("t", 1, 5);
  std::map<std::string, Answer> members;
  for (const char* member : {"a", "b", "c"}) members[member] = JoinAsking(member, "range");
  Settle(members);
  EXPECT_EQ(Count(members["a"]) + Count(members["b"]) + Count(members["c"]), 5U);
  EXPECT_EQ(members["a"].assignment(0).partitions(1), 1);
}

}  // namespace
}  // namespace quipu
