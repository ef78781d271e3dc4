// Goal: a consumer returns each record once, in order, from the right place, and says so when it
// cannot (R20, R21). Method: the test plays the brokers by hand.
#include "core/client/fetch_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/client/consumer_core.h"
#include "core/record/record_batch_builder.h"
#include "tests/unit/core/client/client_test_support.h"

namespace quipu {
namespace {

using test::At;
using testing::ElementsAre;
using testing::HasSubstr;

// `count` records from `base_offset` on; value = offset.
Bytes Batch(int64_t base_offset, int count, int32_t epoch = 5, bool control = false) {
  RecordBatchBuilder builder(
      {.base_offset = Offset(base_offset), .leader_epoch = LeaderEpoch(epoch), .control = control});
  for (int i = 0; i < count; ++i) {
    builder.Add({.timestamp = TimestampMs(1),
                 .key = "k",
                 .value = std::to_string(base_offset + i),
                 .headers = {}});
  }
  return builder.Build();
}

// A consumer that reads partition 0 of "t" by hand; broker 1 leads it in epoch 5.
class FetchCoreTest : public testing::Test {
 protected:
  explicit FetchCoreTest(ConsumerOptions options = Options()) : core_(options, Rng(1)) {
    core_.AddTopic("t");
    Turn();
    AnswerMetadata({{1, 5}});
  }
  static ConsumerOptions Options() {
    ConsumerOptions options;
    options.metadata.bootstrap_servers = {"b1:9"};
    return options;
  }
  void Turn() {
    core_.Pump(now_, effects_);
    for (UnaryCall& call : effects_.calls) calls_.push_back(std::move(call));
    for (FetchSend& send : effects_.fetches) fetches_.push_back(std::move(send));
    effects_ = {};
  }
  template <typename Request>
  UnaryCall Take() {
    for (size_t i = 0; i < calls_.size(); ++i) {
      if (!std::holds_alternative<Request>(calls_[i].request)) continue;
      UnaryCall call = std::move(calls_[i]);
      calls_.erase(calls_.begin() + static_cast<std::ptrdiff_t>(i));
      return call;
    }
    ADD_FAILURE() << "no such call";
    return {};
  }
  void AnswerMetadata(const std::vector<std::pair<int, int>>& leaders) {
    const UnaryCall call = Take<message::MetadataRequest>();
    core_.OnAnswered(now_, call.id, test::MetadataAnswer(++index_, "t", test::kTopic, leaders),
                     effects_);
    Turn();
  }
  void AnswerListOffsets(int64_t offset, ErrorCode error = ErrorCode::kNone) {
    const UnaryCall call = Take<message::ListOffsetsRequest>();
    message::ListOffsetsResponse response;
    message::ListOffsetsResponse::Partition* p = response.add_partitions();
    p->set_topic_id(test::kTopic.ToBytes());
    p->set_error_code(static_cast<int32_t>(error));
    p->set_offset(offset);
    core_.OnAnswered(now_, call.id, response, effects_);
    Turn();
  }
  void AssignAt(int64_t offset, int32_t epoch = -1) {
    core_.Assign(test::Partition(0),
                 OffsetAndMetadata{
                     .offset = Offset(offset), .leader_epoch = LeaderEpoch(epoch), .metadata = {}});
    Turn();
  }
  FetchPartitionResult Result() const {
    FetchPartitionResult result;
    result.topic_id = test::kTopic;
    result.partition = PartitionIndex(0);
    return result;
  }
  void AnswerFetch(FetchPartitionResult result) {
    ASSERT_FALSE(fetches_.empty());
    const FetchSend send = fetches_.front();
    fetches_.erase(fetches_.begin());
    FetchResponse response;
    response.request_id = send.request.request_id;
    response.partitions.push_back(std::move(result));
    core_.OnFetchResponse(now_, send.address, response);
    Turn();
  }
  void AnswerFetch(std::vector<Bytes> batches) {
    FetchPartitionResult result = Result();
    result.batches = std::move(batches);
    AnswerFetch(std::move(result));
  }
  void AnswerFetch(ErrorCode error) {
    FetchPartitionResult result = Result();
    result.error = error;
    AnswerFetch(std::move(result));
  }
  std::vector<int64_t> Poll() {
    std::vector<ConsumerRecord> records;
    errors_.clear();
    core_.Poll(now_, records, errors_);
    std::vector<int64_t> offsets;
    for (const ConsumerRecord& record : records) {
      EXPECT_EQ(*record.value(), std::to_string(record.offset().value()));
      offsets.push_back(record.offset().value());
    }
    Turn();
    return offsets;
  }
  Offset Position() { return core_.fetch().Position(test::Partition(0))->offset; }
  void Advance(int64_t ms) {
    now_ += std::chrono::milliseconds(ms);
    Turn();
  }

  Instant now_ = At(0);
  uint64_t index_ = 100;
  ConsumerCore core_;
  ConsumerEffects effects_;
  std::vector<UnaryCall> calls_;
  std::vector<FetchSend> fetches_;
  std::vector<PartitionError> errors_;
};

TEST_F(FetchCoreTest, RecordsComeOnceAndInOrder) {
  AssignAt(0);
  AnswerFetch({Batch(0, 2), Batch(2, 1)});
  AnswerFetch({Batch(3, 1)});
  EXPECT_THAT(Poll(), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(Poll(), ElementsAre());
  EXPECT_EQ(Position(), Offset(4));
}

TEST_F(FetchCoreTest, RoundTripsOfFetchesThatBroughtRecordsAreMeasured) {
  core_.fetch().MeasureLatencies();
  AssignAt(0);
  Advance(12);
  AnswerFetch({Batch(0, 2)});
  Advance(400);
  AnswerFetch(std::vector<Bytes>{});
  EXPECT_EQ(core_.fetch().stats().fetches, 2U);
  EXPECT_EQ(core_.fetch().stats().fetched_bytes, Batch(0, 2).size());
  const LatencySummary taken = core_.fetch().TakeLatencies();
  EXPECT_EQ(taken.count, 1U);
  EXPECT_EQ(taken.max, std::chrono::milliseconds(12));
  EXPECT_EQ(core_.fetch().TakeLatencies().count, 0U);
}

TEST_F(FetchCoreTest, NextFetchIsUnderWayWhileRecordsWait) {
  AssignAt(0);
  AnswerFetch({Batch(0, 2)});
  ASSERT_EQ(fetches_.size(), 1U);
  EXPECT_EQ(fetches_[0].request.partitions[0].fetch_offset, Offset(2));
  EXPECT_EQ(fetches_[0].request.partitions[0].last_fetched_epoch, LeaderEpoch(5));
}

TEST_F(FetchCoreTest, RecordsBelowThePositionAreSkipped) {
  AssignAt(3);
  AnswerFetch({Batch(0, 5)});
  EXPECT_THAT(Poll(), ElementsAre(3, 4));
}

TEST_F(FetchCoreTest, HolesInOffsetsAreSteppedOver) {
  AssignAt(0);
  AnswerFetch({Batch(0, 1), Batch(10, 2)});
  EXPECT_THAT(Poll(), ElementsAre(0, 10, 11));
  EXPECT_EQ(Position(), Offset(12));
}

TEST_F(FetchCoreTest, ControlBatchesAreSkippedAndPassed) {
  AssignAt(0);
  AnswerFetch({Batch(0, 1), Batch(1, 1, 5, true), Batch(2, 1)});
  EXPECT_THAT(Poll(), ElementsAre(0, 2));
  AnswerFetch({Batch(3, 1, 5, true)});
  EXPECT_THAT(Poll(), ElementsAre());
  EXPECT_EQ(Position(), Offset(4));
}

TEST_F(FetchCoreTest, WithoutAnOffsetTheLogStartIsLookedUp) {
  core_.Assign(test::Partition(0), std::nullopt);
  Turn();
  AnswerListOffsets(7);
  ASSERT_EQ(fetches_.size(), 1U);
  EXPECT_EQ(fetches_[0].request.partitions[0].fetch_offset, Offset(7));
}

TEST_F(FetchCoreTest, LookUpIsRepeatedWhileTheLeaderDoesNotKnow) {
  core_.Assign(test::Partition(0), std::nullopt);
  Turn();
  AnswerListOffsets(-1, ErrorCode::kOffsetNotAvailable);
  EXPECT_TRUE(fetches_.empty());
  Advance(200);
  AnswerListOffsets(0);
  EXPECT_EQ(fetches_.size(), 1U);
}

// R20
TEST_F(FetchCoreTest, OffsetNotAvailableIsRetriedAndNeverResets) {
  AssignAt(50);
  AnswerFetch(ErrorCode::kOffsetNotAvailable);
  Advance(200);
  ASSERT_EQ(fetches_.size(), 1U);
  EXPECT_EQ(fetches_[0].request.partitions[0].fetch_offset, Offset(50));
  EXPECT_TRUE(calls_.empty() ||
              !std::holds_alternative<message::ListOffsetsRequest>(calls_[0].request));
}

TEST_F(FetchCoreTest, OutOfRangePositionIsAnErrorUntilSought) {
  AssignAt(50);
  AnswerFetch(ErrorCode::kOffsetOutOfRange);
  EXPECT_THAT(Poll(), ElementsAre());
  ASSERT_EQ(errors_.size(), 1U);
  EXPECT_EQ(errors_[0].error, ErrorCode::kOffsetOutOfRange);
  EXPECT_TRUE(fetches_.empty());
  core_.fetch().Seek(test::Partition(0), {.offset = Offset(60), .metadata = {}});
  Turn();
  EXPECT_EQ(fetches_.size(), 1U);
}

// R21
TEST_F(FetchCoreTest, CutLogIsToldAsAnError) {
  AssignAt(50, 4);
  EXPECT_EQ(fetches_[0].request.partitions[0].last_fetched_epoch, LeaderEpoch(4));
  FetchPartitionResult result = Result();
  result.diverging_epoch = LeaderEpoch(4);
  result.diverging_end_offset = Offset(40);
  AnswerFetch(std::move(result));
  Poll();
  ASSERT_EQ(errors_.size(), 1U);
  EXPECT_THAT(errors_[0].message, HasSubstr("ends at 40"));
}

TEST_F(FetchCoreTest, CorruptBatchIsReportedNotReturned) {
  AssignAt(0);
  std::string bytes = Batch(0, 2).ToString();
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  AnswerFetch({Bytes(bytes)});
  EXPECT_THAT(Poll(), ElementsAre());
  ASSERT_EQ(errors_.size(), 1U);
  EXPECT_EQ(errors_[0].error, ErrorCode::kCorruptMessage);
}

// The leader says itself that its batch is damaged: asking again would find the same.
TEST_F(FetchCoreTest, BatchDamagedAtTheLeaderIsAnErrorUntilSought) {
  AssignAt(7);
  AnswerFetch(ErrorCode::kCorruptMessage);
  Advance(1000);
  EXPECT_TRUE(fetches_.empty());
  Poll();
  ASSERT_EQ(errors_.size(), 1U);
  EXPECT_EQ(errors_[0].error, ErrorCode::kCorruptMessage);
  EXPECT_THAT(errors_[0].message, HasSubstr("offset 7"));
  core_.fetch().Seek(test::Partition(0), {.offset = Offset(7), .metadata = {}});
  Turn();
  EXPECT_EQ(fetches_.size(), 1U);
}

TEST_F(FetchCoreTest, BatchUnderRepairIsAskedForAgainWithoutAnError) {
  AssignAt(7);
  AnswerFetch(ErrorCode::kUnderRepair);
  Advance(1000);
  EXPECT_EQ(fetches_.size(), 1U);
  Poll();
  EXPECT_TRUE(errors_.empty());
}

TEST_F(FetchCoreTest, RefusedOffsetsAreToldWithTheBrokersWordsUntilSought) {
  AssignAt(7);
  FetchPartitionResult result = Result();
  result.error = ErrorCode::kDamagedOnAllReplicas;
  result.error_message = "offsets 7 to 9 are damaged; seek to 10";
  result.refused_end_offset = Offset(10);
  AnswerFetch(std::move(result));
  Advance(1000);
  EXPECT_TRUE(fetches_.empty());
  Poll();
  ASSERT_EQ(errors_.size(), 1U);
  EXPECT_EQ(errors_[0].error, ErrorCode::kDamagedOnAllReplicas);
  EXPECT_THAT(errors_[0].message, HasSubstr("seek to 10"));
}

TEST_F(FetchCoreTest, AnswerForAnOlderPositionIsIgnored) {
  AssignAt(0);
  core_.fetch().Seek(test::Partition(0), {.offset = Offset(100), .metadata = {}});
  Turn();
  AnswerFetch({Batch(0, 2)});
  EXPECT_THAT(Poll(), ElementsAre());
  AnswerFetch({Batch(100, 1)});
  EXPECT_THAT(Poll(), ElementsAre(100));
}

TEST_F(FetchCoreTest, LeaderChangeIsFollowed) {
  AssignAt(0);
  AnswerFetch(ErrorCode::kNotLeaderOrFollower);
  Advance(150);
  fetches_.clear();
  AnswerMetadata({{2, 6}});
  ASSERT_EQ(fetches_.size(), 1U);
  EXPECT_EQ(fetches_[0].address, test::Address(2));
  EXPECT_EQ(fetches_[0].request.partitions[0].leader_epoch, LeaderEpoch(6));
}

TEST_F(FetchCoreTest, PollReturnsAtMostMaxPollRecords) {
  AssignAt(0);
  AnswerFetch({Batch(0, 600)});
  EXPECT_EQ(Poll().size(), 500U);
  EXPECT_EQ(Position(), Offset(500));
  EXPECT_EQ(Poll().size(), 100U);
}

TEST_F(FetchCoreTest, PausedPartitionIsNotFetchedAndItsBufferIsKept) {
  AssignAt(0);
  AnswerFetch({Batch(0, 2)});
  ASSERT_TRUE(core_.fetch().Pause(test::Partition(0), true));
  EXPECT_THAT(core_.fetch().Paused(), ElementsAre(test::Partition(0)));
  EXPECT_FALSE(core_.fetch().HasNews());
  EXPECT_THAT(Poll(), ElementsAre());
  AnswerFetch({Batch(2, 1)});  // was under way
  EXPECT_TRUE(fetches_.empty());
  EXPECT_THAT(Poll(), ElementsAre());
  EXPECT_EQ(Position(), Offset(0));
  ASSERT_TRUE(core_.fetch().Pause(test::Partition(0), false));
  EXPECT_THAT(Poll(), ElementsAre(0, 1, 2));
  EXPECT_EQ(fetches_.size(), 1U);
  EXPECT_EQ(fetches_[0].request.partitions[0].fetch_offset, Offset(3));
}

TEST_F(FetchCoreTest, PartitionThatIsAssignedAnewIsNotPaused) {
  AssignAt(0);
  core_.fetch().Pause(test::Partition(0), true);
  core_.Unassign(test::Partition(0));
  EXPECT_FALSE(core_.fetch().Pause(test::Partition(0), true)) << "not assigned";
  AssignAt(0);
  EXPECT_TRUE(core_.fetch().Paused().empty());
}

TEST_F(FetchCoreTest, FullBufferStopsFetching) {
  AssignAt(0);
  const std::string big(600000, 'x');
  int64_t offset = 0;
  while (!fetches_.empty() && offset < 10) {
    RecordBatchBuilder builder({.base_offset = Offset(offset++), .leader_epoch = LeaderEpoch(5)});
    builder.Add({.timestamp = TimestampMs(1), .key = "k", .value = big, .headers = {}});
    AnswerFetch({builder.Build()});
  }
  EXPECT_EQ(offset, 2);
}

}  // namespace
}  // namespace quipu
