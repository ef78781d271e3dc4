// Goal: epochs ascend, and the end of any epoch is found as KIP-101 and KIP-279 want it.
#include "core/replication/leader_epoch_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quipu {
namespace {

using ::testing::ElementsAre;

EpochEntry E(int32_t epoch, int64_t start) { return {LeaderEpoch{epoch}, Offset{start}}; }

LeaderEpochCache Cache() { return LeaderEpochCache({E(1, 0), E(2, 10), E(5, 30)}); }

TEST(LeaderEpochCache, EndOfAnOlderEpochIsTheStartOfTheNext) {
  const auto end = Cache().EndOffsetFor(LeaderEpoch{1}, Offset{50});
  EXPECT_EQ(end->epoch, LeaderEpoch{1});
  EXPECT_EQ(end->end_offset, Offset{10});
}

TEST(LeaderEpochCache, EndOfTheNewestEpochIsTheLogEnd) {
  EXPECT_EQ(Cache().EndOffsetFor(LeaderEpoch{5}, Offset{50})->end_offset, Offset{50});
}

TEST(LeaderEpochCache, AnUnknownEpochAnswersWithTheLargestBelow) {
  const auto end = Cache().EndOffsetFor(LeaderEpoch{4}, Offset{50});
  EXPECT_EQ(end->epoch, LeaderEpoch{2});
  EXPECT_EQ(end->end_offset, Offset{30});
}

TEST(LeaderEpochCache, AnEpochOlderThanAllEndsWhereTheOldestStarts) {
  const LeaderEpochCache cache({E(3, 20)});
  const auto end = cache.EndOffsetFor(LeaderEpoch{1}, Offset{50});
  EXPECT_EQ(end->epoch, LeaderEpoch{1});
  EXPECT_EQ(end->end_offset, Offset{20});
}

TEST(LeaderEpochCache, AnEmptyCacheKnowsNoEnd) {
  EXPECT_FALSE(LeaderEpochCache().EndOffsetFor(LeaderEpoch{1}, Offset{50}).has_value());
}

TEST(LeaderEpochCache, AnEpochThatWroteNothingGivesWay) {
  LeaderEpochCache cache = Cache();
  EXPECT_TRUE(cache.AppendEpoch(LeaderEpoch{6}, Offset{40}));
  EXPECT_TRUE(cache.AppendEpoch(LeaderEpoch{7}, Offset{40}));
  EXPECT_THAT(cache.entries(), ElementsAre(E(1, 0), E(2, 10), E(5, 30), E(7, 40)));
}

TEST(LeaderEpochCache, ANewerEpochThatWroteNothingGivesWayToRecordsOfAnOlderOne) {
  LeaderEpochCache cache({E(1, 0), E(2, 10), E(7, 40)});
  EXPECT_TRUE(cache.AppendEpoch(LeaderEpoch{5}, Offset{40}));
  EXPECT_THAT(cache.entries(), ElementsAre(E(1, 0), E(2, 10), E(5, 40)));
  cache.AppendEpoch(LeaderEpoch{9}, Offset{50});
  EXPECT_TRUE(cache.AppendEpoch(LeaderEpoch{5}, Offset{50}));
  EXPECT_THAT(cache.entries(), ElementsAre(E(1, 0), E(2, 10), E(5, 40)));
}

TEST(LeaderEpochCache, TheNewestEpochAgainChangesNothing) {
  LeaderEpochCache cache = Cache();
  EXPECT_FALSE(cache.AppendEpoch(LeaderEpoch{5}, Offset{44}));
  EXPECT_EQ(cache.entries().back(), E(5, 30));
}

TEST(LeaderEpochCache, TruncationDropsEpochsThatBeganAtOrAfterTheCut) {
  LeaderEpochCache cache = Cache();
  EXPECT_TRUE(cache.TruncateTo(Offset{30}));
  EXPECT_THAT(cache.entries(), ElementsAre(E(1, 0), E(2, 10)));
  EXPECT_FALSE(cache.TruncateTo(Offset{11}));
}

TEST(LeaderEpochCache, TrimKeepsTheEpochOfTheLogStart) {
  LeaderEpochCache cache = Cache();
  EXPECT_TRUE(cache.TrimTo(Offset{20}));
  EXPECT_THAT(cache.entries(), ElementsAre(E(2, 20), E(5, 30)));
  EXPECT_FALSE(cache.TrimTo(Offset{20}));
  EXPECT_TRUE(cache.TrimTo(Offset{99}));
  EXPECT_THAT(cache.entries(), ElementsAre(E(5, 99)));
}

TEST(LeaderEpochCache, EpochBeforeIsThatOfTheLastRecord) {
  EXPECT_EQ(Cache().EpochBefore(Offset{30}), LeaderEpoch{2});
  EXPECT_EQ(Cache().EpochBefore(Offset{31}), LeaderEpoch{5});
  EXPECT_EQ(Cache().EpochBefore(Offset{0}), kNoLeaderEpoch);
}

}  // namespace
}  // namespace quipu
