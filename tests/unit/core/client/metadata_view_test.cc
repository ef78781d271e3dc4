// Goal: a client never goes back to older metadata (R23). Method: answers in awkward orders.
#include "core/client/metadata_view.h"

#include <gtest/gtest.h>

#include "tests/unit/core/client/client_test_support.h"

namespace quipu {
namespace {

using test::MetadataAnswer;

TEST(AddressOfTest, AnIpv6HostGetsItsBrackets) {
  record::Endpoint endpoint;
  endpoint.set_port(9092);
  for (const auto& [host, address] :
       {std::pair{"broker-1", "broker-1:9092"}, std::pair{"10.0.0.1", "10.0.0.1:9092"},
        std::pair{"::1", "[::1]:9092"}, std::pair{"[::1]", "[::1]:9092"}}) {
    endpoint.set_host(host);
    EXPECT_EQ(AddressOf(endpoint), address);
  }
}

TEST(MetadataViewTest, OlderLeaderEpochIsIgnored) {
  MetadataView view;
  view.Apply(MetadataAnswer(10, "t", test::kTopic, {{2, 7}}));
  view.Apply(MetadataAnswer(11, "t", test::kTopic, {{1, 6}}));
  EXPECT_EQ(view.Leader(test::Partition(0)), (PartitionLeader{BrokerId(2), LeaderEpoch(7)}));
}

TEST(MetadataViewTest, DeletedTopicIdDoesNotComeBack) {
  MetadataView view;
  const TopicId anew(9, 9);
  view.Apply(MetadataAnswer(10, "t", test::kTopic, {{1, 5}}));
  view.Apply(MetadataAnswer(20, "t", anew, {{1, 0}}));
  view.Apply(MetadataAnswer(15, "t", test::kTopic, {{1, 5}}));
  ASSERT_NE(view.FindTopic("t"), nullptr);
  EXPECT_EQ(view.FindTopic("t")->topic_id, anew);
  EXPECT_EQ(view.FindTopic(test::kTopic), nullptr);
}

TEST(MetadataViewTest, LeaderHintCountsOnlyWhenNewer) {
  MetadataView view;
  view.Apply(MetadataAnswer(10, "t", test::kTopic, {{1, 5}}));
  EXPECT_FALSE(view.ApplyLeaderHint(test::Partition(0), {BrokerId(2), LeaderEpoch(5)}));
  EXPECT_TRUE(view.ApplyLeaderHint(test::Partition(0), {BrokerId(2), LeaderEpoch(6)}));
  EXPECT_EQ(view.Leader(test::Partition(0)).broker, BrokerId(2));
}

TEST(MetadataViewTest, AnotherClusterIsRefused) {
  MetadataView view;
  view.Apply(MetadataAnswer(10, "t", test::kTopic, {{1, 5}}));
  message::MetadataResponse other = MetadataAnswer(11, "t", test::kTopic, {{2, 6}});
  other.set_cluster_id(std::string(16, 'x'));
  EXPECT_EQ(view.Apply(other), ErrorCode::kInconsistentClusterId);
  EXPECT_EQ(view.Leader(test::Partition(0)).broker, BrokerId(1));
}

TEST(MetadataViewTest, StaleBrokerDoesNotTakeATopicAway) {
  MetadataView view;
  view.Apply(MetadataAnswer(10, "t", test::kTopic, {{1, 5}}));
  view.Apply(test::UnknownTopicAnswer(9, "t"));
  EXPECT_NE(view.FindTopic("t"), nullptr);
  view.Apply(test::UnknownTopicAnswer(11, "t"));
  EXPECT_EQ(view.FindTopic("t"), nullptr);
  EXPECT_EQ(view.TopicError("t"), ErrorCode::kUnknownTopicOrPartition);
}

}  // namespace
}  // namespace quipu
