// Goal: pausing, auto-commit, the rebalance listener and offsets for times do what Kafka's users
// expect of them. Method: the SDK's consumer against a fake broker over real sockets.
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
using testing::IsEmpty;
using testing::SizeIs;

constexpr Duration kPatience = std::chrono::seconds(10);
constexpr Duration kBrief = std::chrono::milliseconds(50);
const NamedPartition kFirst{"t", PartitionIndex(0)};
const NamedPartition kSecond{"t", PartitionIndex(1)};

class ConsumerSdkTest : public testing::Test {
 protected:
  void SetUp() override {
    auto producer = Producer::Create({{"bootstrap.servers", broker_.address()}});
    ASSERT_TRUE(producer.ok()) << producer.status();
    producer_ = *std::move(producer);
    Send(0, 5);
    Send(1, 5);
  }
  void Send(int32_t partition, int count) {
    for (int i = 0; i < count; ++i) {
      producer_->Send({.topic = "t", .partition = PartitionIndex(partition), .value = "v"}, {});
    }
    ASSERT_TRUE(producer_->Flush(kPatience).ok());
  }
  std::unique_ptr<Consumer> Make(ConfigMap more) {
    more["bootstrap.servers"] = broker_.address();
    more["group.id"] = "g";
    auto consumer = Consumer::Create(more);
    EXPECT_TRUE(consumer.ok()) << consumer.status();
    return *std::move(consumer);
  }
  static std::vector<ConsumerRecord> PollUntil(Consumer& consumer, size_t count) {
    std::vector<ConsumerRecord> all;
    while (all.size() < count) {
      const auto records = consumer.Poll(kPatience);
      if (!records.ok() || records->empty()) break;
      all.insert(all.end(), records->begin(), records->end());
    }
    EXPECT_THAT(all, SizeIs(count));
    return all;
  }

  FakeBroker broker_{2};
  std::unique_ptr<Producer> producer_;
};

TEST_F(ConsumerSdkTest, PausedPartitionWaitsAndLosesNothing) {
  auto consumer = Make({});
  ASSERT_TRUE(consumer->Assign({kFirst, kSecond}).ok());
  ASSERT_TRUE(consumer->Pause(kFirst).ok());
  EXPECT_THAT(consumer->Paused(), ElementsAre(kFirst));
  for (const ConsumerRecord& record : PollUntil(*consumer, 5)) {
    EXPECT_EQ(record.partition(), PartitionIndex(1));
  }
  EXPECT_THAT(*consumer->Poll(kBrief), IsEmpty());
  ASSERT_TRUE(consumer->Resume(kFirst).ok());
  EXPECT_EQ(PollUntil(*consumer, 5).front().offset(), Offset(0));
  EXPECT_EQ(CodeOf(consumer->Pause({"t", PartitionIndex(7)})), ErrorCode::kUnknownTopicOrPartition);
}

TEST_F(ConsumerSdkTest, AutoCommitCommitsWhatEarlierPollsReturnedAndNoMore) {
  auto consumer = Make({{"enable.auto.commit", "true"},
                        {"auto.commit.interval.ms", "1"},
                        {"max.poll.records", "2"}});
  ASSERT_TRUE(consumer->Assign({kFirst}).ok());
  PollUntil(*consumer, 2);
  std::this_thread::sleep_for(kBrief);
  EXPECT_LE(broker_.Committed(0), 0) << "they may not be processed yet";
  PollUntil(*consumer, 2);
  for (int i = 0; i < 200 && broker_.Committed(0) != 2; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(broker_.Committed(0), 2) << "of four that were returned";
  ASSERT_TRUE(consumer->Close().ok());
  EXPECT_EQ(broker_.Committed(0), 4) << "closing says that all of it was processed";
}

TEST_F(ConsumerSdkTest, AutoCommitIsOffByDefaultAndNeedsAGroup) {
  {
    auto consumer = Make({{"auto.commit.interval.ms", "1"}});
    ASSERT_TRUE(consumer->Subscribe({"t"}).ok());
    PollUntil(*consumer, 10);
    EXPECT_THAT(*consumer->Poll(kBrief), IsEmpty());
    ASSERT_TRUE(consumer->Close().ok());
  }
  EXPECT_EQ(broker_.Committed(0), -1);
  const auto refused =
      Consumer::Create({{"bootstrap.servers", broker_.address()}, {"enable.auto.commit", "true"}});
  EXPECT_EQ(CodeOf(refused.status()), ErrorCode::kInvalidConfig);
}

TEST_F(ConsumerSdkTest, RevokedPartitionIsAutoCommittedBeforeTheListenerIsTold) {
  auto consumer = Make({{"enable.auto.commit", "true"}});
  int64_t committed_then = -1;
  const auto polling = std::this_thread::get_id();
  ASSERT_TRUE(consumer
                  ->Subscribe({"t"}, {.on_assigned = {},
                                      .on_revoked =
                                          [&](const std::vector<NamedPartition>& revoked) {
                                            EXPECT_EQ(std::this_thread::get_id(), polling);
                                            EXPECT_THAT(revoked, ElementsAre(kSecond));
                                            committed_then = broker_.Committed(1);
                                          },
                                      .on_lost = {}})
                  .ok());
  PollUntil(*consumer, 10);
  ASSERT_TRUE(consumer->Pause(kFirst).ok());
  broker_.Reassign({0});
  for (int i = 0; i < 300 && broker_.Owned() != std::vector<int32_t>{0}; ++i) {
    ASSERT_TRUE(consumer->Poll(std::chrono::milliseconds(20)).ok());
  }
  EXPECT_EQ(committed_then, 5);
  EXPECT_THAT(consumer->Assignment(), ElementsAre(kFirst));
  EXPECT_THAT(consumer->Paused(), ElementsAre(kFirst)) << "it stayed here";
}

TEST_F(ConsumerSdkTest, CloseRevokesEverythingAndTakesTheListenersCommit) {
  auto consumer = Make({});
  std::vector<NamedPartition> revoked;
  ASSERT_TRUE(consumer
                  ->Subscribe({"t"}, {.on_assigned = {},
                                      .on_revoked =
                                          [&](const std::vector<NamedPartition>& partitions) {
                                            revoked = partitions;
                                            EXPECT_TRUE(consumer->CommitSync().ok());
                                          },
                                      .on_lost = {}})
                  .ok());
  PollUntil(*consumer, 10);
  ASSERT_TRUE(consumer->Close().ok());
  EXPECT_THAT(revoked, ElementsAre(kFirst, kSecond));
  EXPECT_EQ(broker_.Committed(0), 5);
  EXPECT_EQ(broker_.Committed(1), 5);
  EXPECT_TRUE(broker_.Left());
}

TEST_F(ConsumerSdkTest, SubscribingToNothingRevokesEverythingAndLosesNothing) {
  auto consumer = Make({});
  std::vector<NamedPartition> revoked;
  bool lost = false;
  ASSERT_TRUE(
      consumer
          ->Subscribe({"t"}, {.on_assigned = {},
                              .on_revoked =
                                  [&](const std::vector<NamedPartition>& partitions) {
                                    revoked = partitions;
                                    EXPECT_TRUE(consumer->CommitSync().ok());
                                  },
                              .on_lost = [&](const std::vector<NamedPartition>&) { lost = true; }})
          .ok());
  PollUntil(*consumer, 10);
  ASSERT_TRUE(consumer->Subscribe({}).ok());
  EXPECT_THAT(revoked, ElementsAre(kFirst, kSecond)) << "before it returns";
  EXPECT_EQ(broker_.Committed(0), 5);
  EXPECT_EQ(broker_.Committed(1), 5);
  EXPECT_THAT(consumer->Assignment(), IsEmpty());
  for (int i = 0; i < 300 && !broker_.Left(); ++i) {
    EXPECT_THAT(*consumer->Poll(std::chrono::milliseconds(20)), IsEmpty());
  }
  EXPECT_TRUE(broker_.Left());
  EXPECT_THAT(*consumer->Poll(kBrief), IsEmpty());
  EXPECT_FALSE(lost);
  // And in again.
  ASSERT_TRUE(consumer->Subscribe({"t"}).ok());
  for (int i = 0; i < 300 && consumer->Assignment().size() < 2; ++i) {
    ASSERT_TRUE(consumer->Poll(std::chrono::milliseconds(20)).ok());
  }
  EXPECT_THAT(consumer->Assignment(), ElementsAre(kFirst, kSecond));
}

TEST_F(ConsumerSdkTest, OffsetsForTimesNameTheFirstRecordAtOrAfter) {
  auto consumer = Make({});
  ASSERT_TRUE(consumer->Assign({kFirst}).ok());
  const std::vector<ConsumerRecord> records = PollUntil(*consumer, 5);
  const auto found = consumer->OffsetsForTimes(
      {{kFirst, records[0].timestamp()}, {kSecond, TimestampMs(int64_t{1} << 60)}});
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_THAT(*found, SizeIs(2));
  EXPECT_EQ((*found)[0].second.offset, Offset(0));
  EXPECT_EQ((*found)[0].second.timestamp, records[0].timestamp());
  EXPECT_EQ((*found)[1].second.offset, kNoOffset) << "nothing is that new";
  EXPECT_EQ(CodeOf(consumer->OffsetsForTimes({{kFirst, TimestampMs(-2)}}).status()),
            ErrorCode::kInvalidTimestamp);
}

}  // namespace
}  // namespace quipu
