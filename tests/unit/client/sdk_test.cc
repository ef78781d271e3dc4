// Goal: the SDK's threads, locks and sockets carry what its brains decide. Method: a broker in the
// same process behind real sockets on 127.0.0.1.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <thread>

#include "client/admin.h"
#include "client/consumer.h"
#include "client/producer.h"
#include "tests/unit/client/fake_broker.h"

namespace quipu {
namespace {

using test::FakeBroker;
using testing::HasSubstr;

constexpr Duration kLong = std::chrono::seconds(30);

std::unique_ptr<Producer> MakeProducer(const std::string& servers, ConfigMap more = {}) {
  more["bootstrap.servers"] = servers;
  auto producer = Producer::Create(more);
  EXPECT_TRUE(producer.ok()) << producer.status();
  return *std::move(producer);
}

// A port on which nobody listens: it was just given to a socket that is closed again.
std::string DeadAddress() {
  FakeBroker broker(1);
  const std::string address = broker.address();
  broker.Stop();
  return address;
}

TEST(SdkTest, RecordsComeBackAsTheyWereSent) {
  FakeBroker broker(3);
  auto producer = MakeProducer(broker.address());
  std::atomic<int> acknowledged = 0;
  std::atomic<int> failed = 0;
  constexpr int kRecords = 20000;
  for (int i = 0; i < kRecords; ++i) {
    const std::string key = "key" + std::to_string(i % 17);
    const std::string value = std::to_string(i);
    producer->Send({.topic = "t", .key = key, .value = value, .headers = {{"h", "x"}}},
                   [&](const DeliveryResult& result) { ++(result.ok() ? acknowledged : failed); });
  }
  EXPECT_TRUE(producer->Close(kLong).ok());
  EXPECT_EQ(acknowledged, kRecords);
  EXPECT_EQ(failed, 0);

  auto consumer = Consumer::Create({{"bootstrap.servers", broker.address()}});
  ASSERT_TRUE(consumer.ok());
  auto partitions = (*consumer)->PartitionsOf("t");
  ASSERT_TRUE(partitions.ok()) << partitions.status();
  ASSERT_EQ(partitions->size(), 3U);
  ASSERT_TRUE((*consumer)->Assign(*partitions).ok());
  std::map<std::string, int> last;
  int seen = 0;
  while (seen < kRecords) {
    auto records = (*consumer)->Poll(kLong);
    ASSERT_TRUE(records.ok()) << records.status();
    ASSERT_FALSE(records->empty());
    for (const ConsumerRecord& record : *records) {
      const int number = std::stoi(std::string(*record.value()));
      int& previous = last.try_emplace(std::string(*record.key()), -1).first->second;
      EXPECT_GT(number, previous) << "order within a key";
      previous = number;
      ASSERT_EQ(record.headers().size(), 1U);
      EXPECT_EQ(record.headers()[0].key, "h");
      ++seen;
    }
  }
  EXPECT_EQ(last.size(), 17U);
  EXPECT_TRUE((*consumer)->Close().ok());
}

TEST(SdkTest, FutureTellsPartitionAndOffset) {
  FakeBroker broker(2);
  auto producer = MakeProducer(broker.address(), {{"linger.ms", "0"}});
  auto first = producer->Send({.topic = "t", .partition = PartitionIndex(1), .value = "a"});
  auto second = producer->Send({.topic = "t", .partition = PartitionIndex(1), .value = "b"});
  EXPECT_EQ(first.get().offset, Offset(0));
  const DeliveryResult result = second.get();
  EXPECT_EQ(result.offset, Offset(1));
  EXPECT_EQ(result.partition, PartitionIndex(1));
  EXPECT_EQ(result.persisted, Persisted::kYes);
}

TEST(SdkTest, RetriableErrorsAreHiddenFromTheApplication) {
  FakeBroker broker(1);
  auto producer = MakeProducer(broker.address());
  broker.FailNextProduces(ErrorCode::kNotEnoughReplicas, 3);
  EXPECT_TRUE(producer->Send({.topic = "t", .value = "a"}).get().ok());
  EXPECT_GE(producer->stats().retries, 3U);
}

TEST(SdkTest, BrokerThatComesBackIsFoundAgain) {
  auto broker = std::make_unique<FakeBroker>(1);
  const uint16_t port = broker->port();
  auto producer = MakeProducer(broker->address());
  EXPECT_TRUE(producer->Send({.topic = "t", .value = "a"}).get().ok());
  broker->Stop();
  auto future = producer->Send({.topic = "t", .value = "b"});
  broker.reset();
  FakeBroker again(1, port);
  // It has forgotten the producer: the record goes out under a new epoch, or is reported unknown.
  const DeliveryResult result = future.get();
  EXPECT_TRUE(result.ok() || result.persisted == Persisted::kUnknown) << result.message;
}

TEST(SdkTest, FlushWaitsForEverything) {
  FakeBroker broker(1);
  auto producer = MakeProducer(broker.address(), {{"linger.ms", "60000"}});
  std::atomic<int> done = 0;
  for (int i = 0; i < 10; ++i) {
    producer->Send({.topic = "t", .value = "v"}, [&](const DeliveryResult&) { ++done; });
  }
  EXPECT_TRUE(producer->Flush(kLong).ok());
  EXPECT_EQ(done, 10);
  EXPECT_EQ(broker.End(0), 10);
}

TEST(SdkTest, TrySendMakesRoomUnderALongLinger) {
  FakeBroker broker(1);
  auto producer =
      MakeProducer(broker.address(),
                   {{"linger.ms", "60000"}, {"batch.size", "16384"}, {"buffer.memory", "16384"}});
  ASSERT_TRUE(producer->PartitionCount("t", kLong).ok());
  const std::string value(1000, 'x');
  const auto end = std::chrono::steady_clock::now() + kLong;
  int sent = 0;
  int full = 0;
  while (sent < 100 && std::chrono::steady_clock::now() < end) {
    const ErrorCode error = producer->TrySend({.topic = "t", .value = value}, {});
    if (error == ErrorCode::kNone) {
      ++sent;
      continue;
    }
    ASSERT_EQ(error, ErrorCode::kBufferFull);
    ++full;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(sent, 100);
  EXPECT_GT(full, 0);
  EXPECT_TRUE(producer->Close(kLong).ok());
}

// The sender stops at the first failure it is told of; nothing has passed the record that failed.
TEST(SdkTest, SenderThatStopsAtAFailureLeavesNothingBehindIt) {
  FakeBroker broker(1);
  auto producer = MakeProducer(broker.address(), {{"linger.ms", "0"}, {"batch.size", "200"}});
  std::mutex mutex;
  bool failed = false;
  int told = 0;
  int sent = 0;
  ASSERT_TRUE(producer->PartitionCount("t", kLong).ok());
  while (sent < 100000) {
    if (sent == 500) broker.FailNextProduces(ErrorCode::kMessageTooLarge, 1);
    const std::lock_guard<std::mutex> lock(mutex);
    if (failed) break;
    const std::string value = std::to_string(sent);
    const ErrorCode error =
        producer->TrySend({.topic = "t", .value = value}, [&](const DeliveryResult& result) {
          const std::lock_guard<std::mutex> inner(mutex);
          ++told;
          if (!result.ok()) failed = true;
        });
    if (error == ErrorCode::kNone) ++sent;
  }
  EXPECT_TRUE(producer->Close(kLong).ok());
  EXPECT_TRUE(failed);
  EXPECT_EQ(told, sent);
  int expected = 0;
  for (const Bytes& batch : broker.Log(0)) {
    const auto view = RecordBatchView::Parse(batch);
    const auto decoded = DecodedBatch::Decode(*view);
    for (const RecordView& record : decoded->records()) {
      EXPECT_EQ(*record.value, std::to_string(expected++));
    }
  }
  EXPECT_LT(expected, sent);
}

TEST(SdkTest, UnknownTopicIsToldInTime) {
  FakeBroker broker(1);
  auto producer = MakeProducer(broker.address());
  const DeliveryResult result = producer->Send({.topic = "nope", .value = "v"}).get();
  EXPECT_EQ(result.error, ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(result.persisted, Persisted::kNo);
  EXPECT_THAT(result.message, HasSubstr("nope"));
}

TEST(SdkTest, RefusedRecordsAreToldWhichLimitOrPartition) {
  FakeBroker broker(2);
  auto producer = MakeProducer(broker.address(), {{"max.request.size", "1000"}});
  const std::string big(2000, 'x');
  EXPECT_THAT(producer->Send({.topic = "t", .value = big}).get().message,
              testing::AllOf(HasSubstr("max.request.size"), HasSubstr("1000")));
  EXPECT_THAT(
      producer->Send({.topic = "t", .partition = PartitionIndex(5), .value = "v"}).get().message,
      testing::AllOf(HasSubstr("no partition 5"), HasSubstr("it has 2")));
}

TEST(SdkTest, UnreachableServersAreNamed) {
  const std::string dead = DeadAddress();
  auto producer = MakeProducer(dead, {{"max.block.ms", "500"}});
  const DeliveryResult result = producer->Send({.topic = "t", .value = "v"}).get();
  EXPECT_EQ(result.error, ErrorCode::kNotConnected);
  EXPECT_THAT(result.message, HasSubstr(dead));
  auto admin = Admin::Create({{"bootstrap.servers", dead}});
  ASSERT_TRUE(admin.ok());
  const absl::Status status = (*admin)->DescribeCluster().status();
  EXPECT_EQ(CodeOf(status), ErrorCode::kNotConnected);
  EXPECT_THAT(std::string(status.message()), HasSubstr(dead));
}

TEST(SdkTest, ChangeThatReachedNobodyIsNoUnknownOutcomeAndNamesAllServers) {
  const std::string dead = DeadAddress();
  const std::string nowhere = "no-such-host.invalid:9092";
  auto admin = Admin::Create(
      {{"bootstrap.servers", dead + "," + nowhere}, {"default.api.timeout.ms", "1500"}});
  ASSERT_TRUE(admin.ok());
  const absl::Status status = (*admin)->DeleteTopic("t");
  EXPECT_EQ(CodeOf(status), ErrorCode::kNotConnected) << status;
  EXPECT_THAT(std::string(status.message()), testing::AllOf(HasSubstr(dead), HasSubstr(nowhere)));
}

TEST(SdkTest, CloseReportsWhatItCannotSend) {
  FakeBroker broker(1);
  auto producer = MakeProducer(broker.address());
  ASSERT_TRUE(producer->Send({.topic = "t", .value = "v"}).get().ok());
  broker.Stop();
  auto future = producer->Send({.topic = "t", .value = "v"});
  EXPECT_FALSE(producer->Close(std::chrono::milliseconds(200)).ok());
  EXPECT_EQ(future.get().error, ErrorCode::kClosed);
  EXPECT_EQ(producer->Send({.topic = "t", .value = "v"}).get().error, ErrorCode::kClosed);
}

TEST(SdkTest, IdentityIsKnownBeforeAnythingIsSent) {
  FakeBroker broker(1);
  auto producer = Producer::Create({{"bootstrap.servers", broker.address()}},
                                   {{ProducerId(9), ProducerEpoch(3)}});
  ASSERT_TRUE(producer.ok());
  const auto identity = (*producer)->WaitForIdentity(kLong);
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->first, ProducerId(9));
  EXPECT_EQ(identity->second, ProducerEpoch(4));
}

TEST(SdkTest, PollTellsThatNoBrokerIsReachedAndTheConsumerStaysUsable) {
  auto broker = std::make_unique<FakeBroker>(1);
  const uint16_t port = broker->port();
  auto consumer = Consumer::Create(
      {{"bootstrap.servers", broker->address()}, {"default.api.timeout.ms", "300"}});
  ASSERT_TRUE(consumer.ok());
  const NamedPartition partition{"t", PartitionIndex(0)};
  ASSERT_TRUE((*consumer)->Assign({partition}).ok());
  const std::string address = broker->address();
  broker->Stop();
  broker.reset();
  const auto records = (*consumer)->Poll(kLong);
  EXPECT_EQ(CodeOf(records.status()), ErrorCode::kNotConnected) << records.status();
  EXPECT_THAT(std::string(records.status().message()), HasSubstr(address));
  FakeBroker again(1, port);
  auto producer = MakeProducer(again.address());
  ASSERT_TRUE(producer->Send({.topic = "t", .value = "v"}).get().ok());
  size_t seen = 0;
  for (int i = 0; i < 100 && seen == 0; ++i) {
    const auto polled = (*consumer)->Poll(std::chrono::milliseconds(200));
    if (polled.ok()) seen += polled->size();
  }
  EXPECT_EQ(seen, 1U);
}

TEST(SdkTest, PollTellsThatAnAssignedTopicWasDeleted) {
  FakeBroker broker(1);
  auto consumer = Consumer::Create({{"bootstrap.servers", broker.address()}});
  ASSERT_TRUE(consumer.ok());
  ASSERT_TRUE((*consumer)->Assign({{"t", PartitionIndex(0)}}).ok());
  broker.DeleteTopic();
  const auto records = (*consumer)->Poll(kLong);
  EXPECT_EQ(CodeOf(records.status()), ErrorCode::kUnknownTopicOrPartition) << records.status();
  EXPECT_THAT(std::string(records.status().message()), HasSubstr("topic t"));
}

TEST(SdkTest, OffsetLookUpsKeepToTheTimeLimitOfTheConsumer) {
  const std::string dead = DeadAddress();
  auto consumer =
      Consumer::Create({{"bootstrap.servers", dead}, {"default.api.timeout.ms", "300"}});
  ASSERT_TRUE(consumer.ok());
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE((*consumer)->EndOffsets({{"t", PartitionIndex(0)}}).ok());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

std::unique_ptr<Consumer> MakeMember(const FakeBroker& broker, ConfigMap more = {}) {
  more["bootstrap.servers"] = broker.address();
  more["group.id"] = "g";
  auto consumer = Consumer::Create(more);
  EXPECT_TRUE(consumer.ok()) << consumer.status();
  return *std::move(consumer);
}

// Polls until `count` records have come; returns how many came.
size_t PollRecords(Consumer& consumer, size_t count) {
  size_t seen = 0;
  while (seen < count) {
    const auto records = consumer.Poll(kLong);
    if (!records.ok() || records->empty()) return seen;
    seen += records->size();
  }
  return seen;
}

TEST(SdkTest, GroupMemberCommitsAndTheNextOneGoesOn) {
  FakeBroker broker(2);
  auto producer = MakeProducer(broker.address());
  for (int32_t i = 0; i < 10; ++i) {
    producer->Send({.topic = "t", .partition = PartitionIndex(i % 2), .value = "v"}, {});
  }
  ASSERT_TRUE(producer->Flush(kLong).ok());
  {
    auto consumer = MakeMember(broker);
    ASSERT_TRUE(consumer->Subscribe({"t"}).ok());
    EXPECT_EQ(PollRecords(*consumer, 10), 10U);
    EXPECT_TRUE(consumer->CommitSync().ok());
    EXPECT_EQ(broker.Committed(0), 5);
    EXPECT_EQ(broker.Committed(1), 5);
    EXPECT_TRUE(consumer->Close().ok());
    EXPECT_TRUE(broker.Left());
  }
  producer->Send({.topic = "t", .partition = PartitionIndex(1), .value = "new"}, {});
  auto consumer = MakeMember(broker);
  ASSERT_TRUE(consumer->Subscribe({"t"}).ok());
  const auto records = consumer->Poll(kLong);
  ASSERT_TRUE(records.ok());
  ASSERT_EQ(records->size(), 1U);
  EXPECT_EQ(*records->front().value(), "new");
}

TEST(SdkTest, RevokedPartitionCanBeCommittedInTheListener) {
  FakeBroker broker(2);
  auto producer = MakeProducer(broker.address());
  for (int32_t i = 0; i < 10; ++i) {
    producer->Send({.topic = "t", .partition = PartitionIndex(i % 2), .value = "v"}, {});
  }
  ASSERT_TRUE(producer->Flush(kLong).ok());
  auto consumer = MakeMember(broker);
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
  EXPECT_EQ(PollRecords(*consumer, 10), 10U);
  broker.Reassign({0});
  for (int i = 0; i < 300 && broker.Owned() != std::vector<int32_t>{0}; ++i) {
    ASSERT_TRUE(consumer->Poll(std::chrono::milliseconds(20)).ok());
  }
  EXPECT_EQ(revoked, (std::vector<NamedPartition>{{"t", PartitionIndex(1)}}));
  EXPECT_EQ(broker.Committed(1), 5);
  EXPECT_EQ(consumer->Assignment().size(), 1U);
}

TEST(SdkTest, AsyncCommitsAndCommittedOffsets) {
  FakeBroker broker(1);
  auto consumer = MakeMember(broker);
  const NamedPartition partition{"t", PartitionIndex(0)};
  ASSERT_TRUE(consumer->PartitionsOf("t").ok());
  std::promise<absl::Status> done;
  consumer->CommitAsync({{partition, {.offset = Offset(3), .metadata = {}}}}, {});
  consumer->CommitAsync({{partition, {.offset = Offset(4), .metadata = {}}}},
                        [&](const absl::Status& status) { done.set_value(status); });
  EXPECT_TRUE(done.get_future().get().ok());
  const auto committed = consumer->Committed({partition});
  ASSERT_TRUE(committed.ok()) << committed.status();
  EXPECT_EQ((*committed)[0].second.offset, Offset(4));
}

TEST(SdkTest, EndOffsetsAndSeek) {
  FakeBroker broker(1);
  auto producer = MakeProducer(broker.address());
  for (int i = 0; i < 10; ++i) producer->Send({.topic = "t", .value = "v"}, {});
  ASSERT_TRUE(producer->Flush(kLong).ok());
  auto consumer = Consumer::Create({{"bootstrap.servers", broker.address()}});
  ASSERT_TRUE(consumer.ok());
  const NamedPartition partition{"t", PartitionIndex(0)};
  const auto ends = (*consumer)->EndOffsets({partition});
  ASSERT_TRUE(ends.ok()) << ends.status();
  EXPECT_EQ((*ends)[0].second.offset, Offset(10));
  ASSERT_TRUE((*consumer)->Assign({partition}).ok());
  ASSERT_TRUE((*consumer)->Seek(partition, Offset(8)).ok());
  const auto records = (*consumer)->Poll(kLong);
  ASSERT_TRUE(records.ok());
  ASSERT_EQ(records->size(), 2U);
  EXPECT_EQ(records->front().offset(), Offset(8));
  EXPECT_EQ(CodeOf((*consumer)->CommitSync()), ErrorCode::kInvalidConfig) << "no group.id";
}

}  // namespace
}  // namespace quipu
