// Goal: the monitor's rates and lags are right, also when offsets go back or are not known, and
// checks judge them as documented. Method: samples with times and offsets of our own; no cluster.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error_code.h"
#include "client/cli/monitor/check.h"
#include "client/monitor.h"

namespace quipu {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const NamedPartition kPartition{.topic = "t", .partition = PartitionIndex(0)};

// One partition and one group, `at` seconds after the beginning. committed -1: the group has none.
ClusterSample Sample(int at, int64_t log_end, int64_t committed) {
  ClusterSample sample;
  sample.at = Instant(std::chrono::seconds(at));
  sample.brokers = 3;
  sample.partitions.push_back({.name = kPartition,
                               .leader = BrokerId(1),
                               .replicas = 3,
                               .in_sync = 3,
                               .log_start_offset = Offset(0),
                               .log_end_offset = Offset(log_end)});
  sample.groups.push_back({.id = "g", .state = "Stable", .members = 1, .committed = {}});
  if (committed >= 0) sample.groups[0].committed[kPartition] = Offset(committed);
  return sample;
}

TEST(ProgressTracker, RatesAreThoseOfTheWindow) {
  ProgressTracker tracker(std::chrono::seconds(10));
  EXPECT_EQ(tracker.Add(Sample(0, 0, 0)).records_per_second, std::nullopt);
  ClusterProgress progress = tracker.Add(Sample(5, 500, 100));
  EXPECT_DOUBLE_EQ(*progress.records_per_second, 100);
  EXPECT_DOUBLE_EQ(*progress.groups[0].consumed_per_second, 20);
  tracker.Add(Sample(10, 500, 100));
  progress = tracker.Add(Sample(20, 500, 100));  // the burst has left the window
  EXPECT_DOUBLE_EQ(*progress.records_per_second, 0);
}

TEST(ProgressTracker, LagInSecondsIsTheAgeOfTheNextRecord) {
  ProgressTracker tracker(std::chrono::seconds(10));
  tracker.Add(Sample(0, 100, 100));
  tracker.Add(Sample(10, 200, 100));
  ClusterProgress progress = tracker.Add(Sample(20, 200, 150));
  EXPECT_EQ(progress.groups[0].lag, 50);
  EXPECT_DOUBLE_EQ(*progress.groups[0].lag_seconds, 15);  // 150 was written at 5
  EXPECT_FALSE(progress.groups[0].lag_seconds_or_more);
  progress = tracker.Add(Sample(30, 200, 200));
  EXPECT_DOUBLE_EQ(*progress.groups[0].lag_seconds, 0);
  EXPECT_EQ(progress.groups[0].lag, 0);
}

TEST(ProgressTracker, LagFromBeforeTheFirstSampleIsALowerBound) {
  ProgressTracker tracker(std::chrono::seconds(10));
  tracker.Add(Sample(0, 100, 10));
  const ClusterProgress progress = tracker.Add(Sample(7, 100, 20));
  EXPECT_DOUBLE_EQ(*progress.groups[0].lag_seconds, 7);
  EXPECT_TRUE(progress.groups[0].lag_seconds_or_more);
}

TEST(ProgressTracker, OffsetsThatGoBackBeginAnew) {
  ProgressTracker tracker(std::chrono::seconds(10));
  tracker.Add(Sample(0, 1000, 900));
  const ClusterProgress progress = tracker.Add(Sample(1, 10, 5));  // the topic was made anew
  EXPECT_EQ(progress.records_per_second, std::nullopt);
  EXPECT_EQ(progress.groups[0].consumed_per_second, std::nullopt);
  EXPECT_EQ(progress.groups[0].lag, 5);
}

TEST(ProgressTracker, WhatIsNotKnownStaysUnknown) {
  ProgressTracker tracker(std::chrono::seconds(10));
  ClusterSample sample = Sample(0, 100, 50);
  sample.partitions[0].log_end_offset = kNoOffset;
  sample.partitions[0].leader = kNoBroker;
  sample.partitions[0].in_sync = 1;
  sample.missing = {"broker 2"};
  const ClusterProgress progress = tracker.Add(sample);
  EXPECT_EQ(progress.groups[0].lag, std::nullopt);
  EXPECT_EQ(progress.groups[0].lag_seconds, std::nullopt);
  EXPECT_EQ(progress.offline_partitions, 1);
  EXPECT_EQ(progress.under_replicated_partitions, 1);
  EXPECT_THAT(progress.missing, ElementsAre("broker 2"));
}

TEST(ProgressTracker, ACommitAheadOfTheKnownEndIsNoLag) {
  ProgressTracker tracker(std::chrono::seconds(10));
  EXPECT_EQ(tracker.Add(Sample(0, 100, 120)).groups[0].lag, 0);
}

TEST(ClusterMonitor, AnErrorChangesNothing) {
  int calls = 0;
  ClusterMonitor monitor(
      [&calls]() -> absl::StatusOr<ClusterSample> {
        ++calls;
        if (calls == 2) return ToStatus(ErrorCode::kNotConnected, "nobody");
        return Sample(calls, 100 * calls, 0);
      },
      std::chrono::seconds(10));
  EXPECT_TRUE(monitor.Poll().ok());
  EXPECT_EQ(CodeOf(monitor.Poll().status()), ErrorCode::kNotConnected);
  const absl::StatusOr<ClusterProgress> progress = monitor.Poll();
  ASSERT_TRUE(progress.ok());
  EXPECT_DOUBLE_EQ(*progress->records_per_second, 100);  // 200 records in 2 seconds
}

// ---- checks ----

std::vector<std::string> Judge(absl::string_view text, const ClusterProgress& progress) {
  const absl::StatusOr<cli::Check> check = cli::Check::Parse(text);
  EXPECT_TRUE(check.ok()) << check.status();
  return check.ok() ? check->Violations(progress) : std::vector<std::string>();
}

TEST(Check, JudgesGroupsTopicsAndTheCluster) {
  ProgressTracker tracker(std::chrono::seconds(10));
  tracker.Add(Sample(0, 0, 0));
  const ClusterProgress progress = tracker.Add(Sample(10, 1000, 900));
  for (const char* holds :
       {"lag<101", "lag <= 100", "lag@g==100", "lag!=99", "lag_seconds<=1",
        "consumed_per_second>=90", "records_per_second@t == 100", "records_per_second>99.5",
        "under_replicated==0", "offline<1", "fenced==0"}) {
    EXPECT_THAT(Judge(holds, progress), ElementsAre()) << holds;
  }
  EXPECT_THAT(Judge("lag<100", progress), ElementsAre("lag<100: lag of group g is 100"));
  EXPECT_THAT(Judge("lag@g>100", progress), ElementsAre("lag@g>100: lag of group g is 100"));
  EXPECT_THAT(Judge("lag@x<1", progress), ElementsAre("lag@x<1: there is no group x"));
  EXPECT_THAT(Judge("records_per_second@x>=0", progress),
              ElementsAre("records_per_second@x>=0: records_per_second of topic x is not known"));
}

TEST(Check, WhatIsNotKnownDoesNotHold) {
  ProgressTracker tracker(std::chrono::seconds(10));
  tracker.Add(Sample(0, 100, 100));
  ClusterSample silent = Sample(10, 0, 100);  // its leader does not answer any more
  silent.partitions[0].log_end_offset = kNoOffset;
  EXPECT_THAT(Judge("lag<1", tracker.Add(silent)),
              ElementsAre("lag<1: lag of group g is not known"));
  ClusterSample half = Sample(20, 100, 100);
  const NamedPartition other{.topic = "t", .partition = PartitionIndex(1)};
  half.groups[0].committed[other] = Offset(7);
  EXPECT_THAT(Judge("lag<1", tracker.Add(half)), ElementsAre("lag<1: lag of group g is not known"));
  ClusterSample deaf = Sample(30, 100, 100);
  deaf.missing = {"groups of broker 2: gone"};
  EXPECT_THAT(Judge("lag<1", tracker.Add(deaf)), ElementsAre(HasSubstr("broker 2: gone")));
}

TEST(Check, AGroupThatHasNotCommittedIsJudgedByNameOnly) {
  ProgressTracker tracker(std::chrono::seconds(10));
  const ClusterProgress progress = tracker.Add(Sample(0, 10, -1));
  EXPECT_THAT(Judge("lag<1", progress), ElementsAre());
  EXPECT_THAT(Judge("lag@g<1", progress), ElementsAre("lag@g<1: lag of group g is not known"));
}

TEST(Check, RefusesWhatIsNoCheck) {
  for (const auto& [text, what] :
       std::vector<std::pair<std::string, std::string>>{{"lag", "expected METRIC"},
                                                        {"lag=1", "the comparison is one of"},
                                                        {"lag@<1", "a name was expected"},
                                                        {"speed<1", "the metric is one of"},
                                                        {"offline@t<1", "takes no name"},
                                                        {"lag<many", "a number was expected"},
                                                        {"lag<", "a number was expected"}}) {
    const absl::StatusOr<cli::Check> check = cli::Check::Parse(text);
    EXPECT_EQ(CodeOf(check.status()), ErrorCode::kInvalidConfig) << text;
    EXPECT_THAT(std::string(check.status().message()), HasSubstr(what)) << text;
  }
}

}  // namespace
}  // namespace quipu
