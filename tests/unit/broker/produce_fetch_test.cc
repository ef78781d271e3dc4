// Goal: a client's produce and fetch through a whole broker, on virtual time.
#include <gtest/gtest.h>

#include "tests/unit/broker/world/fake_world.h"

namespace quipu {
namespace {

using std::chrono::milliseconds;
using testing::FakeWorld;
using testing::MakeBatch;
using testing::ValuesIn;
using testing::Want;

using Values = std::vector<std::string>;

TEST(ProduceFetch, WhatWasProducedIsFetched) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1);
  const auto first = world.Produce(1, topic, 0, MakeBatch(0, 2));
  EXPECT_EQ(first.error, ErrorCode::kNone);
  EXPECT_EQ(first.base_offset, Offset(0));
  EXPECT_EQ(world.Produce(1, topic, 0, MakeBatch(2, 1)).base_offset, Offset(2));
  const auto fetched = world.FetchOne(1, topic, 0, 0).partitions.at(0);
  EXPECT_EQ(fetched.error, ErrorCode::kNone);
  EXPECT_EQ(fetched.high_watermark, Offset(3));
  EXPECT_EQ(ValuesIn(fetched.batches), (Values{"v0", "v1", "v2"}));
}

TEST(ProduceFetch, NothingIsAcknowledgedOrVisibleBeforeItIsSynced) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1);
  world.machine(1).writer->Pause();
  std::optional<ProduceResponse> answer;
  ProduceRequest request;
  request.partitions.push_back(
      {.topic_id = topic, .partition = PartitionIndex(0), .records = MakeBatch(0, 1)});
  world.node(1).Produce(request, [&](ProduceResponse response) { answer = response; });
  world.RunFor(milliseconds(200));
  EXPECT_FALSE(answer.has_value());
  EXPECT_TRUE(world.FetchOne(1, topic, 0, 0).partitions.at(0).batches.empty());
  world.machine(1).writer->Resume();
  world.RunUntil([&] { return answer.has_value(); });
  EXPECT_EQ(answer->partitions.at(0).error, ErrorCode::kNone);
}

TEST(ProduceFetch, AllAppendsOfATurnAreOneSubmission) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 4);
  world.RunFor(milliseconds(100));
  const size_t before = world.machine(1).writer->submissions();
  ProduceRequest request;
  for (int i = 0; i < 4; ++i) {
    request.partitions.push_back(
        {.topic_id = topic, .partition = PartitionIndex(i), .records = MakeBatch(i, 1)});
  }
  const auto response =
      world.Call<ProduceRequest, ProduceResponse>(1, &BrokerNode::Produce, request);
  for (const auto& partition : response.partitions) EXPECT_EQ(partition.error, ErrorCode::kNone);
  EXPECT_EQ(world.machine(1).writer->submissions(), before + 1);
}

TEST(ProduceFetch, RequestsOverSeveralShardsAreJoined) {
  FakeWorld world(1, 3);
  const TopicId topic = world.CreateTopic("payments", 6);
  ProduceRequest request;
  request.request_id = 77;
  for (int i = 0; i < 6; ++i) {
    request.partitions.push_back(
        {.topic_id = topic, .partition = PartitionIndex(i), .records = MakeBatch(i, 1)});
  }
  const auto produced =
      world.Call<ProduceRequest, ProduceResponse>(1, &BrokerNode::Produce, request);
  EXPECT_EQ(produced.request_id, 77U);
  ASSERT_EQ(produced.partitions.size(), 6U);
  FetchRequest fetch;
  for (int i = 0; i < 6; ++i) fetch.partitions.push_back(Want(topic, i, 0));
  const auto fetched = world.Fetch(1, fetch);
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(produced.partitions[static_cast<size_t>(i)].error, ErrorCode::kNone);
    EXPECT_EQ(ValuesIn(fetched.partitions.at(static_cast<size_t>(i)).batches),
              Values{"v" + std::to_string(i)});
  }
}

TEST(ProduceFetch, UnknownTopicAndPartitionAreTold) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1);
  EXPECT_EQ(world.Produce(1, Uuid(1, 2), 0, MakeBatch(0, 1)).error, ErrorCode::kUnknownTopicId);
  EXPECT_EQ(world.Produce(1, topic, 5, MakeBatch(0, 1)).error, ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(world.FetchOne(1, Uuid(1, 2), 0, 0).partitions.at(0).error, ErrorCode::kUnknownTopicId);
}

TEST(ProduceFetch, TooManyBytesInFlightAreRefusedAndForgottenAfterTheAnswer) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1);
  world.machine(1).Crash();
  world.machine(1).config.in_flight_bytes_max = 1000;
  world.machine(1).Boot();
  world.RunFor(std::chrono::seconds(2));
  world.machine(1).writer->Pause();
  std::optional<ProduceResponse> held;
  ProduceRequest request;
  request.partitions.push_back({.topic_id = topic,
                                .partition = PartitionIndex(0),
                                .records = MakeBatch(0, 1, -1, 0, 0, 1000, 800)});
  world.node(1).Produce(request, [&](ProduceResponse response) { held = response; });
  EXPECT_EQ(world.Produce(1, topic, 0, MakeBatch(1, 1, -1, 0, 0, 1000, 800)).error,
            ErrorCode::kTooManyInFlightBytes);
  world.machine(1).writer->Resume();
  world.RunUntil([&] { return held.has_value(); });
  EXPECT_EQ(held->partitions.at(0).error, ErrorCode::kNone);
  EXPECT_EQ(world.Produce(1, topic, 0, MakeBatch(1, 1)).error, ErrorCode::kNone);
}

TEST(ProduceFetch, AFullDiskRefusesProduceAndStillServesFetch) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1);
  ASSERT_EQ(world.Produce(1, topic, 0, MakeBatch(0, 1)).error, ErrorCode::kNone);
  world.machine(1).free_bytes = 10;
  world.RunFor(milliseconds(1500));
  EXPECT_EQ(world.Produce(1, topic, 0, MakeBatch(1, 1)).error, ErrorCode::kDiskFull);
  EXPECT_EQ(ValuesIn(world.FetchOne(1, topic, 0, 0).partitions.at(0).batches), Values{"v0"});
  world.machine(1).free_bytes = int64_t{1} << 40;
  world.RunFor(milliseconds(1500));
  EXPECT_EQ(world.Produce(1, topic, 0, MakeBatch(1, 1)).error, ErrorCode::kNone);
}

TEST(ProduceFetch, ADuplicateIsAnsweredWithItsFirstOffset) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1);
  ASSERT_EQ(world.Produce(1, topic, 0, MakeBatch(0, 3, 5, 0, 0)).base_offset, Offset(0));
  ASSERT_EQ(world.Produce(1, topic, 0, MakeBatch(3, 2, 5, 0, 3)).base_offset, Offset(3));
  const auto again = world.Produce(1, topic, 0, MakeBatch(0, 3, 5, 0, 0));
  EXPECT_EQ(again.error, ErrorCode::kNone);
  EXPECT_EQ(again.base_offset, Offset(0));
}

TEST(ProduceFetch, ARestartedBrokerServesWhatItAcknowledged) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1);
  ASSERT_EQ(world.Produce(1, topic, 0, MakeBatch(0, 2, 5, 0, 0)).error, ErrorCode::kNone);
  const LeaderEpoch before = world.Partition(topic, 0).leader_epoch;
  world.machine(1).Crash();
  world.RunFor(milliseconds(100));
  world.machine(1).Boot();
  world.RunUntil([&] {
    const auto* core = world.node(1).inspector().FindPartition(world.Partition(topic, 0).uid);
    return core != nullptr && core->role() == PartitionRole::kLeader;
  });
  EXPECT_GT(world.Partition(topic, 0).leader_epoch, before);
  EXPECT_EQ(world.Produce(1, topic, 0, MakeBatch(0, 2, 5, 0, 0)).base_offset, Offset(0));
  EXPECT_EQ(world.Produce(1, topic, 0, MakeBatch(2, 1, 5, 0, 2)).base_offset, Offset(2));
  const auto fetched = world.FetchOne(1, topic, 0, 0).partitions.at(0);
  EXPECT_EQ(ValuesIn(fetched.batches), (Values{"v0", "v1", "v2"}));
  EXPECT_GT(world.machine(1).cold_reads, 0U);
}

TEST(LongPoll, WaitsForMinBytesAndAnswersWhenTheyCome) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1);
  FetchRequest fetch;
  fetch.max_wait_ms = 5000;
  fetch.partitions.push_back(Want(topic, 0, 0));
  std::optional<FetchResponse> answer;
  world.node(1).Fetch(fetch, [&](FetchResponse response) { answer = response; });
  world.RunFor(milliseconds(100));
  EXPECT_FALSE(answer.has_value());
  const Instant before = world.time.now();
  world.Produce(1, topic, 0, MakeBatch(0, 1));
  world.RunUntil([&] { return answer.has_value(); });
  EXPECT_EQ(ValuesIn(answer->partitions.at(0).batches), Values{"v0"});
  EXPECT_LT(world.time.now() - before, milliseconds(10));
}

TEST(LongPoll, CompletesOnTheSumOverShards) {
  FakeWorld world(1, 2);
  const TopicId topic = world.CreateTopic("payments", 2);
  FetchRequest fetch;
  fetch.max_wait_ms = 60000;
  fetch.min_bytes = 1500;
  for (int i = 0; i < 2; ++i) fetch.partitions.push_back(Want(topic, i, 0));
  std::optional<FetchResponse> answer;
  world.node(1).Fetch(fetch, [&](FetchResponse response) { answer = response; });
  world.Produce(1, topic, 0, MakeBatch(0, 1, -1, 0, 0, 1000, 1000));
  world.RunFor(milliseconds(100));
  EXPECT_FALSE(answer.has_value());
  world.Produce(1, topic, 1, MakeBatch(1, 1, -1, 0, 0, 1000, 1000));
  world.RunUntil([&] { return answer.has_value(); });
  EXPECT_EQ(answer->partitions.at(0).batches.size(), 1U);
  EXPECT_EQ(answer->partitions.at(1).batches.size(), 1U);
}

TEST(LongPoll, AnswersWithWhatThereIsAtTheDeadline) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1);
  const Instant before = world.time.now();
  const auto response = world.FetchOne(1, topic, 0, 0, 500);
  EXPECT_TRUE(response.partitions.at(0).batches.empty());
  EXPECT_GE(world.time.now() - before, milliseconds(500));
  EXPECT_LT(world.time.now() - before, milliseconds(520));
}

TEST(LongPoll, ErrorAnswersAtOnce) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 2);
  FetchRequest fetch;
  fetch.max_wait_ms = 5000;
  fetch.partitions.push_back(Want(topic, 0, 0));
  fetch.partitions.push_back(Want(topic, 1, 99));
  const Instant before = world.time.now();
  const auto response = world.Fetch(1, fetch);
  EXPECT_EQ(response.partitions.at(1).error, ErrorCode::kOffsetOutOfRange);
  EXPECT_LT(world.time.now() - before, milliseconds(10));
}

TEST(LongPoll, TopicThatIsDeletedEndsTheWait) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1);
  FetchRequest fetch;
  fetch.max_wait_ms = 60000;
  fetch.partitions.push_back(Want(topic, 0, 0));
  std::optional<FetchResponse> answer;
  world.node(1).Fetch(fetch, [&](FetchResponse response) { answer = response; });
  world.RunFor(milliseconds(10));
  message::AdminRequest remove;
  remove.mutable_delete_topic()->set_name("payments");
  world.controller.Commit(world.controller.core().Admin(remove).batch);
  world.RunUntil([&] { return answer.has_value(); }, milliseconds(500));
  EXPECT_NE(answer->partitions.at(0).error, ErrorCode::kNone);
}

TEST(LongPoll, MoreWaitersThanTheLimitAreRefused) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1);
  world.machine(1).Crash();
  world.machine(1).config.fetch_waiters_max = 1;
  world.machine(1).Boot();
  world.RunFor(std::chrono::seconds(2));
  FetchRequest fetch;
  fetch.max_wait_ms = 5000;
  fetch.partitions.push_back(Want(topic, 0, 0));
  std::optional<FetchResponse> first;
  world.node(1).Fetch(fetch, [&](FetchResponse response) { first = response; });
  EXPECT_EQ(world.Fetch(1, fetch).error, ErrorCode::kLimitReached);
  world.RunUntil([&] { return first.has_value(); });
}

TEST(LongPoll, ItsPartitionsHaveRoomBesideThoseOfOthersOrItIsRefused) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 4);
  world.machine(1).Crash();
  world.machine(1).config.fetch_partitions_max = 3;
  world.machine(1).Boot();
  world.RunFor(std::chrono::seconds(2));
  FetchRequest fetch;
  fetch.max_wait_ms = 5000;
  for (int i = 0; i < 4; ++i) fetch.partitions.push_back(Want(topic, i, 0));
  std::optional<FetchResponse> first;
  world.node(1).Fetch(fetch, [&](FetchResponse response) { first = response; });
  EXPECT_EQ(world.FetchOne(1, topic, 0, 0).error, ErrorCode::kLimitReached);
  EXPECT_FALSE(first.has_value());  // alone it may have as many as it likes
  world.RunUntil([&] { return first.has_value(); });
  EXPECT_EQ(first->error, ErrorCode::kNone);
  EXPECT_EQ(world.FetchOne(1, topic, 0, 0).error, ErrorCode::kNone);
}

TEST(LongPoll, ManyPartitionsAndManyAppendsAddUp) {
  FakeWorld world(1, 2);
  constexpr int kPartitions = 200;
  const TopicId topic = world.CreateTopic("payments", kPartitions);
  const size_t size = MakeBatch(0, 1, -1, 0, 0, 1000, 1000).size();
  FetchRequest fetch;
  fetch.max_wait_ms = 60000;
  fetch.min_bytes = static_cast<int32_t>(10 * size);
  for (int i = 0; i < kPartitions; ++i) fetch.partitions.push_back(Want(topic, i, 0));
  std::optional<FetchResponse> answer;
  world.node(1).Fetch(fetch, [&](FetchResponse response) { answer = response; });
  for (int i = 0; i < 10; ++i) {  // into partitions 0, 1, 2 and 3
    world.RunFor(milliseconds(20));
    EXPECT_FALSE(answer.has_value()) << i;
    world.Produce(1, topic, i % 4, MakeBatch(i, 1, -1, 0, 0, 1000, 1000));
  }
  world.RunUntil([&] { return answer.has_value(); }, milliseconds(100));
  EXPECT_EQ(answer->partitions.at(0).batches.size(), 3U);
  EXPECT_EQ(answer->partitions.at(3).batches.size(), 2U);
}

TEST(LongPoll, NoMoreIsWaitedForThanAnAnswerCarries) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1);
  FetchRequest fetch;
  fetch.max_wait_ms = 60000;
  fetch.min_bytes = INT32_MAX;
  fetch.max_bytes = 2500;
  fetch.partitions.push_back(Want(topic, 0, 0));
  std::optional<FetchResponse> answer;
  world.node(1).Fetch(fetch, [&](FetchResponse response) { answer = response; });
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(answer.has_value());
    world.Produce(1, topic, 0, MakeBatch(i, 1, -1, 0, 0, 1000, 1000));
  }
  world.RunUntil([&] { return answer.has_value(); }, milliseconds(100));
  EXPECT_EQ(answer->partitions.at(0).batches.size(), 2U);
}

TEST(Fetch, APartitionThatIsNamedAgainIsRefusedThere) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 2);
  world.Produce(1, topic, 0, MakeBatch(0, 1));
  FetchRequest fetch;
  fetch.max_wait_ms = 60000;
  fetch.partitions = {Want(topic, 0, 0), Want(topic, 1, 0), Want(topic, 0, 0), Want(topic, 9, 0),
                      Want(topic, 9, 0)};
  const auto response = world.Fetch(1, fetch);
  EXPECT_EQ(ValuesIn(response.partitions.at(0).batches), Values{"v0"});
  EXPECT_EQ(response.partitions.at(1).error, ErrorCode::kNone);
  EXPECT_EQ(response.partitions.at(2).error, ErrorCode::kInvalidRequest);
  EXPECT_TRUE(response.partitions.at(2).batches.empty());
  EXPECT_EQ(response.partitions.at(4).error, ErrorCode::kUnknownTopicOrPartition);
}

TEST(Fetch, NeverReturnsMoreThanAskedButAlwaysOneBatch) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 2);
  for (int i = 0; i < 4; ++i) {
    world.Produce(1, topic, i % 2, MakeBatch(i, 1, -1, 0, 0, 1000, 1000));
  }
  FetchRequest fetch;
  fetch.max_bytes = 2500;
  for (int i = 0; i < 2; ++i) fetch.partitions.push_back(Want(topic, i, 0));
  const auto response = world.Fetch(1, fetch);
  EXPECT_EQ(response.partitions.at(0).batches.size() + response.partitions.at(1).batches.size(),
            2U);
  fetch.max_bytes = 10;
  const auto one = world.Fetch(1, fetch);
  EXPECT_EQ(one.partitions.at(0).batches.size(), 1U);
  EXPECT_TRUE(one.partitions.at(1).batches.empty());
}

TEST(Fetch, PartitionsReadFromDiskShareTheLimit) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 2);
  for (int i = 0; i < 20; ++i) {
    world.Produce(1, topic, i % 2, MakeBatch(i, 1, -1, 0, 0, 1000, 20000));
  }
  world.machine(1).Crash();  // nothing is in memory any more
  world.machine(1).Boot();
  world.RunFor(std::chrono::seconds(2));
  FetchRequest fetch;
  fetch.max_bytes = 140000;
  for (int i = 0; i < 2; ++i) fetch.partitions.push_back(Want(topic, i, 0));
  const auto shared = world.Fetch(1, fetch);
  EXPECT_EQ(shared.partitions.at(0).batches.size(), 3U);
  EXPECT_EQ(shared.partitions.at(1).batches.size(), 3U);
  // The same one again and again is not read again and again.
  fetch.partitions.assign(1000, Want(topic, 0, 0));
  const uint64_t before = world.machine(1).cold_reads;
  world.Fetch(1, fetch);
  EXPECT_LE(world.machine(1).cold_reads - before, 3U);
}

TEST(LongPoll, MoreThanAnAnswerCarriesIsNotWaitedFor) {
  FakeWorld world;
  const TopicId topic = world.CreateTopic("payments", 1);
  for (int i = 0; i < 4; ++i) {
    world.Produce(1, topic, 0, MakeBatch(i, 1, -1, 0, 0, 1000, 1000));
  }
  FetchRequest fetch;
  fetch.max_bytes = 2500;
  fetch.min_bytes = 1 << 30;
  fetch.max_wait_ms = 60000;
  fetch.partitions.push_back(Want(topic, 0, 0));
  const Instant before = world.time.now();
  EXPECT_EQ(world.Fetch(1, fetch).partitions.at(0).batches.size(), 2U);
  EXPECT_LT(world.time.now() - before, milliseconds(10));
}

}  // namespace
}  // namespace quipu
