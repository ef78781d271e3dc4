// Goal: interceptors see every record, acknowledgement, poll and commit once and stop none of them;
// statistics count what happened. Method: the SDK against a fake broker over real sockets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "client/consumer.h"
#include "client/producer.h"
#include "tests/unit/client/fake_broker.h"

namespace quipu {
namespace {

using test::FakeBroker;
using testing::ElementsAre;
using testing::SizeIs;

constexpr Duration kObserveWait = std::chrono::seconds(10);

class Stamping : public ProducerInterceptor {
 public:
  explicit Stamping(std::string mark) : mark_(std::move(mark)) {}
  absl::Status OnSend(const ProducerRecord& record, SendChanges& changes) noexcept override {
    const std::lock_guard<std::mutex> lock(mutex);
    headers_seen.push_back(record.headers.size());
    changes.headers.emplace_back("trace", mark_);
    if (mark_ == "refusing") return absl::InternalError("no");
    return absl::OkStatus();
  }
  absl::Status OnAcknowledgement(absl::string_view topic,
                                 const DeliveryResult& result) noexcept override {
    const std::lock_guard<std::mutex> lock(mutex);
    acknowledged.push_back(std::string(topic) + " " + std::string(ErrorName(result.error)));
    return mark_ == "refusing" ? absl::InternalError("no") : absl::OkStatus();
  }
  std::mutex mutex;
  std::vector<size_t> headers_seen;
  std::vector<std::string> acknowledged;

 private:
  const std::string mark_;
};

class Watching : public ConsumerInterceptor {
 public:
  absl::Status OnConsume(const std::vector<ConsumerRecord>& records) noexcept override {
    consumed += records.size();
    return absl::InternalError("an error that changes nothing");
  }
  absl::Status OnCommit(const NamedOffsets& offsets) noexcept override {
    const std::lock_guard<std::mutex> lock(mutex);
    for (const auto& [partition, offset] : offsets) committed.push_back(offset.offset.value());
    return absl::InternalError("an error that changes nothing");
  }
  std::atomic<size_t> consumed{0};
  std::mutex mutex;
  std::vector<int64_t> committed;
};

TEST(ObserveTest, InterceptorsSeeTheWholeWayAndTheirErrorsStopNothing) {
  FakeBroker broker(1);
  auto first = std::make_shared<Stamping>("first");
  auto refusing = std::make_shared<Stamping>("refusing");
  auto last = std::make_shared<Stamping>("last");
  auto producer = Producer::Create({{"bootstrap.servers", broker.address()}}, std::nullopt,
                                   {.interceptors = {first, refusing, last}});
  ASSERT_TRUE(producer.ok()) << producer.status();
  EXPECT_TRUE((*producer)->Send({.topic = "t", .value = "v"}).get().ok());
  EXPECT_FALSE((*producer)->Send({.topic = "absent", .value = "v"}).get().ok());
  EXPECT_THAT(last->headers_seen, ElementsAre(1, 1)) << "the refused changes are dropped";
  for (const auto& interceptor : {first, refusing, last}) {
    EXPECT_THAT(interceptor->acknowledged,
                ElementsAre("t NONE", "absent UNKNOWN_TOPIC_OR_PARTITION"));
  }

  auto watching = std::make_shared<Watching>();
  auto consumer = Consumer::Create({{"bootstrap.servers", broker.address()}, {"group.id", "g"}},
                                   {.interceptors = {watching}});
  ASSERT_TRUE(consumer.ok()) << consumer.status();
  ASSERT_TRUE((*consumer)->Assign({{"t", PartitionIndex(0)}}).ok());
  const auto records = (*consumer)->Poll(kObserveWait);
  ASSERT_TRUE(records.ok());
  ASSERT_THAT(*records, SizeIs(1));
  EXPECT_EQ(watching->consumed, 1U);
  ASSERT_THAT(records->front().headers(), SizeIs(2));
  EXPECT_EQ(*records->front().headers()[0].value, "first");
  EXPECT_EQ(*records->front().headers()[1].value, "last");
  ASSERT_TRUE((*consumer)->CommitSync().ok());
  EXPECT_THAT(watching->committed, ElementsAre(1));
}

// Keeps the summary of an interval in which most was measured.
void Keep(const LatencySummary& told, LatencySummary& kept) {
  if (told.count > kept.count) kept = told;
}

void ExpectMeasured(const LatencySummary& latency) {
  EXPECT_GE(latency.count, 1U);
  EXPECT_GT(latency.max, Duration(0));
  EXPECT_LE(latency.p50, latency.p99);
  EXPECT_LE(latency.p999, latency.max);
  EXPECT_LT(latency.max, kObserveWait);
}

TEST(ObserveTest, StatisticsCountWhatHappened) {
  FakeBroker broker(2);
  std::mutex mutex;
  ProducerStatistics produced;
  ConsumerStatistics consumed;
  LatencySummary queued, requested, fetched;  // told once each
  auto producer =
      Producer::Create({{"bootstrap.servers", broker.address()}, {"statistics.interval.ms", "20"}},
                       std::nullopt, {.interceptors = {}, .on_statistics = [&](const auto& told) {
                                        const std::lock_guard<std::mutex> lock(mutex);
                                        produced = told;
                                        Keep(told.latencies.queue, queued);
                                        Keep(told.latencies.request, requested);
                                      }});
  ASSERT_TRUE(producer.ok()) << producer.status();
  for (int i = 0; i < 6; ++i) {
    const auto sent = (*producer)->Send(
        {.topic = "t", .partition = PartitionIndex(i % 2), .key = "k", .value = "four"});
  }
  EXPECT_FALSE(
      (*producer)->Send({.topic = "t", .partition = PartitionIndex(9), .value = "v"}).get().ok());
  ASSERT_TRUE((*producer)->Flush(kObserveWait).ok());
  auto consumer = Consumer::Create({{"bootstrap.servers", broker.address()},
                                    {"group.id", "g"},
                                    {"statistics.interval.ms", "20"}},
                                   {.interceptors = {}, .on_statistics = [&](const auto& told) {
                                      const std::lock_guard<std::mutex> lock(mutex);
                                      consumed = told;
                                      Keep(told.fetch_latency, fetched);
                                    }});
  ASSERT_TRUE(consumer.ok()) << consumer.status();
  ASSERT_TRUE((*consumer)->Assign({{"t", PartitionIndex(0)}, {"t", PartitionIndex(1)}}).ok());
  for (size_t seen = 0; seen < 6;) {
    const auto records = (*consumer)->Poll(kObserveWait);
    ASSERT_TRUE(records.ok() && !records->empty());
    seen += records->size();
  }
  ASSERT_TRUE((*consumer)->CommitSync().ok());
  ASSERT_TRUE((*consumer)->Pause({"t", PartitionIndex(1)}).ok());
  const auto told = [&] {
    const std::lock_guard<std::mutex> lock(mutex);
    return produced.acknowledged == 6 && consumed.commits == 1 && consumed.partitions.size() == 2 &&
           consumed.partitions[1].paused;
  };
  for (int i = 0; i < 500 && !told(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  const std::lock_guard<std::mutex> lock(mutex);
  EXPECT_EQ(produced.records_sent, 6U);
  EXPECT_EQ(produced.bytes_sent, 30U);
  EXPECT_EQ(produced.records_refused, 1U);
  EXPECT_EQ(produced.records_waiting, 0U);
  EXPECT_GT(produced.batches.batches_sent, 0U);
  ASSERT_THAT(produced.partitions, SizeIs(2));
  EXPECT_EQ(produced.partitions[1].acknowledged, 3U);
  EXPECT_EQ(consumed.records, 6U);
  EXPECT_EQ(consumed.bytes, 30U);
  EXPECT_EQ(consumed.lag, 0);
  ASSERT_THAT(consumed.partitions, SizeIs(2));
  EXPECT_EQ(consumed.partitions[0].position, Offset(3));
  EXPECT_EQ(consumed.partitions[0].high_watermark, Offset(3));
  EXPECT_FALSE(consumed.partitions[0].paused);
  EXPECT_GT(produced.batches.bytes_sent, 6U * 5) << "with the batches' headers";
  EXPECT_GE(consumed.fetches.fetches, 1U);
  EXPECT_GT(consumed.fetches.fetched_bytes, 6U * 5);
  for (const LatencySummary& latency : {queued, requested, fetched}) ExpectMeasured(latency);
}

}  // namespace
}  // namespace quipu
