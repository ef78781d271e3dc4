// Replicas are spread over brokers and racks.
#include "core/metadata/replica_placer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/unit/core/metadata/controller_harness.h"

namespace quipu {
namespace {

MetadataImage BrokersInRacks(const std::vector<std::string>& racks) {
  ControllerHarness cluster;
  for (size_t i = 0; i < racks.size(); ++i) {
    const auto id = static_cast<int32_t>(i + 1);
    message::RegisterBroker request = ControllerHarness::Registration(id, -1, i + 1);
    request.set_rack(racks[i]);
    cluster.Register(request);
    cluster.Heartbeat(id);
  }
  return cluster.image();
}

TEST(ReplicaPlacerTest, LeadersGoRoundRobin) {
  const ReplicaPlacer placer(BrokersInRacks({"", "", ""}));
  std::map<int32_t, int> leaders;
  for (uint64_t counter = 0; counter < 300; ++counter) {
    ++leaders[placer.Place(counter, 3).front().value()];
  }
  EXPECT_THAT(leaders,
              ::testing::ElementsAre(std::pair(1, 100), std::pair(2, 100), std::pair(3, 100)));
}

TEST(ReplicaPlacerTest, FollowersAreSpreadToo) {
  const ReplicaPlacer placer(BrokersInRacks({"", "", "", "", ""}));
  std::map<int32_t, int> replicas;
  for (uint64_t counter = 0; counter < 1000; ++counter) {
    for (const BrokerId id : placer.Place(counter, 3)) ++replicas[id.value()];
  }
  for (const auto& [id, count] : replicas) EXPECT_NEAR(count, 600, 30) << id;
}

TEST(ReplicaPlacerTest, NoBrokerTwice) {
  const ReplicaPlacer placer(BrokersInRacks({"a", "a", "b", ""}));
  for (uint64_t counter = 0; counter < 100; ++counter) {
    for (int32_t factor = 1; factor <= 4; ++factor) {
      const std::vector<BrokerId> replicas = placer.Place(counter, factor);
      const std::set<BrokerId> distinct(replicas.begin(), replicas.end());
      EXPECT_EQ(distinct.size(), static_cast<size_t>(factor));
    }
  }
}

TEST(ReplicaPlacerTest, EachRackHasOneBeforeAnyHasTwo) {
  const ReplicaPlacer placer(BrokersInRacks({"a", "a", "b", "b", "c", "c"}));
  for (uint64_t counter = 0; counter < 100; ++counter) {
    std::set<int32_t> racks;
    for (const BrokerId id : placer.Place(counter, 3)) racks.insert((id.value() - 1) / 2);
    EXPECT_EQ(racks.size(), 3U) << counter;
  }
}

TEST(ReplicaPlacerTest, FencedBrokersGetNothing) {
  ControllerHarness cluster;
  cluster.StartBrokers(3);
  cluster.Fence(2);
  const ReplicaPlacer placer(cluster.image());
  EXPECT_EQ(placer.broker_count(), 2U);
  EXPECT_THAT(Ids(placer.Place(0, 2)), ::testing::UnorderedElementsAre(1, 3));
}

}  // namespace
}  // namespace quipu
