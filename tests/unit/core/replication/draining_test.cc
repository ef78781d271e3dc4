// Goal: a leader proposes a follower that is being drained only where the minimum needs it, so that
// it neither asks the controller in vain nor stays below the minimum. Method: a ReplicaCluster.
#include "gtest/gtest.h"
#include "tests/unit/core/replication/scenario_fixture.h"

namespace quipu {
namespace {

class DrainingFollowerTest : public ReplicationScenarioTest {
 protected:
  DrainingFollowerTest() {
    Begin();
    c_.image.replicas[2].draining = true;
  }
};

TEST_F(DrainingFollowerTest, IsNotProposedWhereTheMinimumIsReached) {
  c_.SetIsr({1, 2});
  c_.Settle();
  EXPECT_TRUE(c_.proposals.empty());
  EXPECT_EQ(c_.image.isr.size(), 2U);
}

TEST_F(DrainingFollowerTest, IsProposedWhereTheMinimumNeedsIt) {
  c_.SetIsr({1});
  Fence(2);
  c_.Settle();
  ASSERT_EQ(c_.image.isr.size(), 2U);
  EXPECT_EQ(c_.image.isr.back(), BrokerId(3));
}

TEST_F(DrainingFollowerTest, AnotherFollowerGoesBeforeIt) {
  c_.decides = false;
  c_.SetIsr({1});
  c_.Settle();
  ASSERT_FALSE(c_.proposals.empty());
  for (const auto& [broker, epoch] : c_.proposals.back().new_isr) EXPECT_NE(broker, BrokerId(3));
}

}  // namespace
}  // namespace quipu
