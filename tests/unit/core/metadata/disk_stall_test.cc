// Goal: a broker whose disk stalls leads only where nobody else may, and comes back when it says so
// (D6). Method: heartbeats that report the disk.
#include "gtest/gtest.h"
#include "tests/unit/core/metadata/controller_harness.h"

namespace quipu {
namespace {

using std::chrono::seconds;

TEST(DiskStallTest, LeadersMoveAwayAndTheStalledBrokerLeavesTheIsr) {
  ControllerHarness cluster;
  cluster.StartBrokers(3);
  cluster.CreateTopic("a", 6, 3);
  cluster.ReportDisk(2, true);
  EXPECT_TRUE(cluster.image().FindBroker(BrokerId(2))->disk_stalled);
  EXPECT_FALSE(cluster.image().FindBroker(BrokerId(2))->fenced);
  for (const auto& [uid, partition] : cluster.image().partitions()) {
    EXPECT_NE(partition.leader, BrokerId(2));
    EXPECT_NE(partition.leader, kNoBroker);
    EXPECT_FALSE(Contains(partition.isr, BrokerId(2)));
    EXPECT_EQ(partition.isr.size(), 2U);
  }
  cluster.core().CheckInvariants();
}

TEST(DiskStallTest, NothingMovesTwice) {
  ControllerHarness cluster;
  cluster.StartBrokers(3);
  cluster.CreateTopic("a", 3, 3);
  cluster.ReportDisk(2, true);
  const LogIndex before = cluster.image().index();
  cluster.ReportDisk(2, true);
  EXPECT_EQ(cluster.image().index(), before);
}

TEST(DiskStallTest, ItJoinsNoIsrUntilTheDiskAnswers) {
  ControllerHarness cluster;
  cluster.StartBrokers(3);
  cluster.CreateTopic("a", 1, 3);
  cluster.ReportDisk(2, true);
  EXPECT_EQ(cluster.ChangeIsr(cluster.Partition("a").uid, {1, 2, 3}),
            ErrorCode::kIneligibleReplica);
  cluster.ReportDisk(2, false);
  EXPECT_FALSE(cluster.image().FindBroker(BrokerId(2))->disk_stalled);
  EXPECT_EQ(cluster.ChangeIsr(cluster.Partition("a").uid, {1, 2, 3}), ErrorCode::kNone);
}

TEST(DiskStallTest, ALeaderThatIsAloneStaysAndHandsOverToTheFirstThatJoins) {
  ControllerHarness cluster;
  cluster.StartBrokers(2);
  cluster.CreateTopic("a", 1, 2);
  const int32_t leader = cluster.Partition("a").leader.value();
  const int32_t other = 3 - leader;
  cluster.Fence(other);
  cluster.ReportDisk(leader, true);
  EXPECT_EQ(cluster.Partition("a").leader, BrokerId(leader));
  cluster.core().CheckInvariants();
  cluster.Heartbeat(other);
  EXPECT_EQ(cluster.ChangeIsr(cluster.Partition("a").uid, {1, 2}), ErrorCode::kNone);
  EXPECT_EQ(cluster.Partition("a").leader, BrokerId(other));
  EXPECT_EQ(cluster.Partition("a").isr, std::vector<BrokerId>{BrokerId(other)});
  cluster.core().CheckInvariants();
}

TEST(DiskStallTest, WhenAllStallTheLastOneLeadsOn) {
  ControllerHarness cluster;
  cluster.StartBrokers(3);
  cluster.CreateTopic("a", 4, 3);
  for (int32_t id = 1; id <= 3; ++id) {
    cluster.ReportDisk(id, true);
    cluster.core().CheckInvariants();
  }
  for (const auto& [uid, partition] : cluster.image().partitions()) {
    EXPECT_EQ(partition.leader, BrokerId(3));
  }
  // The one that leads dies: whoever holds everything may lead, stalled or not.
  cluster.Fence(3);
  for (const auto& [uid, partition] : cluster.image().partitions()) {
    EXPECT_NE(partition.leader, kNoBroker);
  }
  cluster.core().CheckInvariants();
}

TEST(DiskStallTest, ARestartForgetsIt) {
  ControllerHarness cluster;
  cluster.StartBrokers(3);
  cluster.ReportDisk(2, true);
  cluster.Restart(2);
  cluster.Heartbeat(2);
  EXPECT_FALSE(cluster.image().FindBroker(BrokerId(2))->disk_stalled);
}

}  // namespace
}  // namespace quipu
