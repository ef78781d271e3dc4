// Goal: the assignor is complete, balanced, sticky and deterministic.
// Method: small cases by hand, then random groups that grow, shrink and change their mind.
#include "core/coordinator/uniform_assignor.h"

#include <algorithm>
#include <set>

#include "base/rng.h"
#include "tests/unit/core/coordinator/group_fixture.h"

namespace quipu {
namespace {

using Members = absl::btree_map<std::string, GroupMember>;

class UniformAssignorTest : public ::testing::Test {
 protected:
  void Subscribe(const std::string& member_id, std::vector<std::string> topics) {
    std::sort(topics.begin(), topics.end());
    members_[member_id].member_id = member_id;
    members_[member_id].subscribed_topics = std::move(topics);
  }
  // Assigns and makes the result the members' target. Returns how many partitions changed hands.
  size_t Assign() {
    size_t moved = 0;
    auto targets = AssignUniformly(members_, topics_);
    for (auto& [member_id, member] : members_) {
      for (const TopicPartition& partition : member.target) {
        if (!Contains(targets.at(member_id), partition)) ++moved;
      }
      member.target = targets.at(member_id);
    }
    CheckComplete();
    return moved;
  }

  void CheckComplete() {
    std::set<TopicPartition> seen;
    std::set<std::string> subscribed;
    for (const auto& [member_id, member] : members_) {
      EXPECT_TRUE(std::is_sorted(member.target.begin(), member.target.end()));
      for (const TopicPartition& partition : member.target) {
        EXPECT_TRUE(seen.insert(partition).second);
        EXPECT_TRUE(Reads(member, partition.topic_id));
      }
      subscribed.insert(member.subscribed_topics.begin(), member.subscribed_topics.end());
    }
    size_t expected = 0;
    for (const std::string& name : subscribed) {
      if (const auto topic = topics_.FindByName(name); topic.has_value()) {
        expected += static_cast<size_t>(topic->partition_count);
      }
    }
    EXPECT_EQ(seen.size(), expected);
  }

  [[nodiscard]] bool Reads(const GroupMember& member, TopicId topic_id) const {
    return std::any_of(member.subscribed_topics.begin(), member.subscribed_topics.end(),
                       [this, topic_id](const std::string& name) {
                         const auto topic = topics_.FindByName(name);
                         return topic.has_value() && topic->id == topic_id;
                       });
  }

  // No single hand-over would make things fairer.
  void ExpectBalanced() {
    for (const auto& [giver_id, giver] : members_) {
      for (const TopicPartition& partition : giver.target) {
        for (const auto& [taker_id, taker] : members_) {
          if (!Reads(taker, partition.topic_id)) continue;
          EXPECT_LE(giver.target.size(), taker.target.size() + 1) << giver_id << " " << taker_id;
        }
      }
    }
  }

  FakeTopics topics_;
  Members members_;
};

TEST_F(UniformAssignorTest, NobodyGetsNothing) {
  EXPECT_TRUE(AssignUniformly({}, topics_).empty());
  Subscribe("a", {"missing"});
  Assign();
  EXPECT_TRUE(members_["a"].target.empty());
}

TEST_F(UniformAssignorTest, MorePartitionsThanMembers) {
  topics_.Add("t", 1, 7);
  for (const char* member : {"a", "b", "c"}) Subscribe(member, {"t"});
  Assign();
  ExpectBalanced();
}

TEST_F(UniformAssignorTest, MoreMembersThanPartitions) {
  topics_.Add("t", 1, 2);
  for (const char* member : {"a", "b", "c"}) Subscribe(member, {"t"});
  Assign();
  ExpectBalanced();
}

TEST_F(UniformAssignorTest, ANewMemberTakesOnlyItsShare) {
  topics_.Add("t", 1, 12);
  for (const char* member : {"a", "b", "c"}) Subscribe(member, {"t"});
  Assign();
  Subscribe("d", {"t"});
  EXPECT_EQ(Assign(), 3U);
  ExpectBalanced();
}

TEST_F(UniformAssignorTest, ALeavingMembersShareGoesToTheOthersAndNothingElseMoves) {
  topics_.Add("t", 1, 12);
  for (const char* member : {"a", "b", "c", "d"}) Subscribe(member, {"t"});
  Assign();
  members_.erase("b");
  EXPECT_EQ(Assign(), 0U);
  ExpectBalanced();
}

TEST_F(UniformAssignorTest, ATopicOfFewReadersIsBalancedAroundThem) {
  topics_.Add("wide", 1, 6);
  topics_.Add("narrow", 2, 3);
  Subscribe("a", {"wide", "narrow"});
  Subscribe("b", {"wide"});
  Subscribe("c", {"wide"});
  Assign();
  for (const auto& [member_id, member] : members_) EXPECT_EQ(member.target.size(), 3U) << member_id;
}

TEST_F(UniformAssignorTest, RandomGroupsStayBalancedAndSticky) {
  Rng rng(7);
  for (int round = 0; round < 300; ++round) {
    const std::string member = "m" + std::to_string(rng.Below(6));
    const std::string topic(1, static_cast<char>('a' + rng.Below(4)));
    switch (rng.Below(4)) {
      case 0:
        members_.erase(member);
        break;
      case 1:
        topics_.Add(topic, static_cast<uint64_t>(topic[0]), static_cast<int32_t>(rng.Below(9)));
        break;
      default: {
        std::vector<std::string> names;
        for (char c = 'a'; c < 'e'; ++c) {
          if (rng.Chance(1, 2)) names.emplace_back(1, c);
        }
        Subscribe(member, names);
      }
    }
    Assign();
    ExpectBalanced();
    EXPECT_EQ(Assign(), 0U);  // its own result satisfies it
  }
}

TEST_F(UniformAssignorTest, LargeGroupsAreQuick) {
  topics_.Add("t", 1, 10000);
  for (int i = 0; i < 500; ++i) Subscribe("m" + std::to_string(1000 + i), {"t"});
  Assign();
  Subscribe("new", {"t"});
  EXPECT_EQ(Assign(), 10000U / 501);
}

}  // namespace
}  // namespace quipu
