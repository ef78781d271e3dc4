// Goal: the monitor's rates and lags are right, also when offsets go back or are not known, and
// checks judge them as documented. Method: samples with times and offsets of our own; no cluster.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/error_code.h"
#include "client/cli/monitor/check.h"
#include "client/cli/monitor/screen.h"
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

// ---- brokers' counters and producers ----

// Broker 1 has counted so much since it began; batches under 1 ms, under 10 ms, above.
ClusterSample LoadSample(int at, uint64_t produced, uint64_t consumed,
                         std::vector<uint64_t> times = {0, 0, 0}) {
  ClusterSample sample = Sample(at, 0, 0);
  ClusterSample::BrokerLoad load{
      .broker = BrokerId(1), .topics = {}, .bounds_nanos = {}, .produce_times = {}};
  if (produced + consumed > 0) load.topics["t"] = {.produced = produced, .consumed = consumed};
  load.bounds_nanos = {1000000, 10000000};
  load.produce_times = std::move(times);
  sample.loads.push_back(std::move(load));
  return sample;
}

TEST(ProgressTracker, BytesPerSecondAreThoseOfTheWindow) {
  ProgressTracker tracker(std::chrono::seconds(10));
  ClusterProgress progress = tracker.Add(LoadSample(0, 5000, 100));
  ASSERT_EQ(progress.topics.size(), 1U);
  EXPECT_EQ(progress.topics[0].produced_bytes_per_second, std::nullopt) << "since when?";
  progress = tracker.Add(LoadSample(10, 6000, 400));
  EXPECT_EQ(progress.topics[0].name, "t");
  EXPECT_EQ(progress.topics[0].partitions, 1);
  EXPECT_DOUBLE_EQ(*progress.topics[0].produced_bytes_per_second, 100);
  EXPECT_DOUBLE_EQ(*progress.topics[0].consumed_bytes_per_second, 30);
  EXPECT_DOUBLE_EQ(*progress.produced_bytes_per_second, 100);
  // The broker began anew.
  EXPECT_EQ(tracker.Add(LoadSample(20, 50, 0)).produced_bytes_per_second, std::nullopt);
  EXPECT_DOUBLE_EQ(*tracker.Add(LoadSample(30, 250, 0)).produced_bytes_per_second, 20);
}

TEST(ProgressTracker, ATopicThatABrokerBeginsToCountBeganAtZero) {
  ProgressTracker tracker(std::chrono::seconds(10));
  EXPECT_EQ(tracker.Add(LoadSample(0, 0, 0)).produced_bytes_per_second, std::nullopt);
  EXPECT_DOUBLE_EQ(*tracker.Add(LoadSample(10, 500, 0)).produced_bytes_per_second, 50);
}

TEST(ProgressTracker, BrokersAreAddedUp) {
  ProgressTracker tracker(std::chrono::seconds(10));
  const auto both = [](int at, uint64_t first, uint64_t second) {
    ClusterSample sample = LoadSample(at, first, 0, {first, 0, 0});
    sample.loads.push_back(LoadSample(at, second, 0, {0, second, 0}).loads[0]);
    sample.loads[1].broker = BrokerId(2);
    return sample;
  };
  tracker.Add(both(0, 10, 10));
  const ClusterProgress progress = tracker.Add(both(10, 110, 310));
  EXPECT_DOUBLE_EQ(*progress.produced_bytes_per_second, 40);
  EXPECT_DOUBLE_EQ(*progress.produce_p50_ms, 1 + 9 * 100.0 / 300);  // the 200th of 400
}

TEST(ProgressTracker, LatencyIsThatOfTheWindow) {
  ProgressTracker tracker(std::chrono::seconds(10));
  EXPECT_EQ(tracker.Add(LoadSample(0, 0, 0, {0, 900, 0})).produce_p50_ms, std::nullopt);
  ClusterProgress progress = tracker.Add(LoadSample(5, 0, 0, {100, 900, 0}));
  EXPECT_DOUBLE_EQ(*progress.produce_p50_ms, 0.5) << "what was before does not count";
  EXPECT_DOUBLE_EQ(*progress.produce_p99_ms, 0.99);
  tracker.Add(LoadSample(10, 0, 0, {100, 900, 7}));
  progress = tracker.Add(LoadSample(15, 0, 0, {100, 900, 7}));
  EXPECT_DOUBLE_EQ(*progress.produce_p50_ms, 10) << "more than the last bound is known of";
  tracker.Add(LoadSample(22, 0, 0, {100, 900, 7}));
  progress = tracker.Add(LoadSample(30, 0, 0, {100, 900, 7}));
  EXPECT_EQ(progress.produce_p50_ms, std::nullopt) << "nothing was acknowledged";
  tracker.Add(LoadSample(31, 0, 0, {1, 0, 0}));  // the broker began anew
  progress = tracker.Add(LoadSample(32, 0, 0, {1, 4, 0}));
  EXPECT_DOUBLE_EQ(*progress.produce_p50_ms, 1 + 9 * 0.5);
}

// Of each: partition, epoch, last sequence, timestamp.
struct SeenProducer {
  int64_t id;
  int32_t partition;
  int32_t epoch;
  int32_t last_sequence;
  int64_t timestamp;
};
ClusterSample ProducerSample(int at, const std::vector<SeenProducer>& producers) {
  ClusterSample sample = Sample(at, 0, 0);
  sample.producers_known = 77;
  for (const SeenProducer& one : producers) {
    sample.producers.push_back(
        {.id = one.id,
         .epoch = one.epoch,
         .partition = {.topic = "t", .partition = PartitionIndex(one.partition)},
         .last_sequence = one.last_sequence,
         .last_offset = Offset(0),
         .last_timestamp = TimestampMs(one.timestamp)});
  }
  return sample;
}

TEST(ProgressTracker, ProducersAreAddedUpOverTheirPartitions) {
  ProgressTracker tracker(std::chrono::seconds(10));
  tracker.Add(ProducerSample(0, {{5, 0, 1, 99, 1000}, {5, 1, 1, 9, 3000}, {6, 0, 0, 0, 500}}));
  const ClusterProgress progress = tracker.Add(
      ProducerSample(10, {{5, 0, 1, 199, 2000}, {5, 1, 1, 59, 2500}, {6, 0, 0, 0, 500}}));
  EXPECT_EQ(progress.producers_known, 77);
  ASSERT_EQ(progress.producers.size(), 2U);
  EXPECT_EQ(progress.producers[0].id, 5);
  EXPECT_EQ(progress.producers[0].partitions.size(), 2U);
  EXPECT_DOUBLE_EQ(*progress.producers[0].records_per_second, 15);
  EXPECT_EQ(progress.producers[0].last_timestamp, TimestampMs(2500));
  EXPECT_DOUBLE_EQ(*progress.producers[1].records_per_second, 0);
}

TEST(ProgressTracker, SequencesWrapAndBeginAnewWithAnEpoch) {
  ProgressTracker tracker(std::chrono::seconds(10));
  EXPECT_EQ(
      tracker.Add(ProducerSample(0, {{5, 0, 1, 2147483640, 0}})).producers[0].records_per_second,
      std::nullopt);
  EXPECT_DOUBLE_EQ(
      *tracker.Add(ProducerSample(1, {{5, 0, 1, 2, 0}})).producers[0].records_per_second, 10);
  // 30 of the new epoch; what the old one had beyond the sample is not seen.
  EXPECT_DOUBLE_EQ(
      *tracker.Add(ProducerSample(2, {{5, 0, 2, 29, 0}})).producers[0].records_per_second, 20);
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

TEST(Check, JudgesBytesAndLatency) {
  ProgressTracker tracker(std::chrono::seconds(10));
  tracker.Add(LoadSample(0, 1000, 1000, {0, 0, 0}));
  const ClusterProgress progress = tracker.Add(LoadSample(10, 2000, 1500, {100, 0, 0}));
  for (const char* holds : {"produced_bytes_per_second==100", "consumed_bytes_per_second@t==50",
                            "produce_p50_ms==0.5", "produce_p99_ms<1"}) {
    EXPECT_THAT(Judge(holds, progress), ElementsAre()) << holds;
  }
  EXPECT_THAT(Judge("produce_p99_ms<0.9", progress),
              ElementsAre("produce_p99_ms<0.9: produce_p99_ms is 0.99"));
  EXPECT_THAT(Judge("produce_p99_ms<100", ClusterProgress()),
              ElementsAre("produce_p99_ms<100: produce_p99_ms is not known"));
}

// ---- the screen ----

// A cluster with much of everything, and names that would not fit.
ClusterProgress Crowd() {
  ClusterProgress progress;
  progress.brokers = 3;
  progress.records_per_second = 12345.6;
  progress.produce_p99_ms = 7.25;
  for (int i = 0; i < 60; ++i) {
    const std::string name =
        absl::StrCat("a-topic-with-a-very-long-name-", std::string(150, 'x'), i);
    TopicProgress topic;
    topic.name = name;
    topic.produced_bytes_per_second = 1e6 * i;
    progress.topics.push_back(topic);
    ClusterSample::Partition now{.name = {.topic = name, .partition = PartitionIndex(0)}};
    now.replicas = 3;
    now.in_sync = i == 59 ? 1 : 3;
    progress.partitions.push_back({.now = now, .records_per_second = i});
    ProducerProgress producer;
    producer.id = i;
    producer.partitions = {now.name};
    progress.producers.push_back(producer);
    GroupProgress group;
    group.id = i == 0 ? "evil\x1b[2Jgroup\n" : absl::StrCat("gr\u00fcn-", i);
    group.state = "Stable";
    group.lag = 100000 - i;
    progress.groups.push_back(group);
  }
  return progress;
}

// Lines as a terminal shows them: colours take no room.
std::vector<std::string> Shown(std::string text) {
  for (const char* colour : {"\x1b[31m", "\x1b[33m", "\x1b[0m"}) {
    text = absl::StrReplaceAll(text, {{colour, ""}});
  }
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  EXPECT_EQ(lines.back(), "");
  lines.pop_back();
  return lines;
}

TEST(Screen, FitsIntoEveryTerminal) {
  const ClusterProgress progress = Crowd();
  for (const size_t columns : {1, 7, 40, 80, 200}) {
    for (const size_t rows : {1, 5, 24, 60}) {
      const std::vector<std::string> lines =
          Shown(cli::DrawScreen(progress, {"lag<1: lag of group g is 100000"}, 0,
                                {.coloured = true, .columns = columns, .lines = rows}));
      EXPECT_LE(lines.size(), rows);
      for (const std::string& line : lines) {
        const auto width = std::count_if(line.begin(), line.end(), [](char c) {
          return (static_cast<unsigned char>(c) & 0xC0U) != 0x80;
        });
        EXPECT_LE(static_cast<size_t>(width), columns) << line;
      }
    }
  }
}

TEST(Screen, EveryTableHasAPlaceOnAnOrdinaryTerminal) {
  const std::string text =
      cli::DrawScreen(Crowd(), {}, 0, {.coloured = false, .columns = 80, .lines = 24});
  for (const char* head : {"TOPIC ", "PRODUCER ", "GROUP ", "LAG-SECONDS"}) {
    EXPECT_THAT(text, HasSubstr(head));
  }
  EXPECT_THAT(text, HasSubstr("more (--rows)"));
  EXPECT_THAT(text, HasSubstr("p99 7.2 ms"));
}

TEST(Screen, PutsTroubleFirstAndColoursIt) {
  const std::string text =
      cli::DrawScreen(Crowd(), {"it is late"}, 0, {.rows = 1, .coloured = true});
  EXPECT_THAT(text, HasSubstr("\x1b[31mit is late\x1b[0m"));
  EXPECT_THAT(text, HasSubstr("\x1b[33m1/3\x1b[0m"));
  EXPECT_THAT(text, HasSubstr("\x1b[31m100000\x1b[0m"));
  EXPECT_THAT(text, HasSubstr("evil?[2Jgroup?")) << "names do not move the cursor";
  EXPECT_THAT(text, HasSubstr("... 59 more"));
}

}  // namespace
}  // namespace quipu
