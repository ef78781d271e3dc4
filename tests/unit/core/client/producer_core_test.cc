// Goal: no lost, doubled or reordered record whatever the brokers answer (P01-P12). Method: the
// test plays the brokers by hand and looks at what the producer sends and reports.
#include "core/client/producer_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/core/client/producer_harness.h"

namespace quipu {
namespace {

using test::ProducerHarness;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(ProducerCoreTest, BatchesOfAPartitionCarryConsecutiveSequences) {
  ProducerHarness h;
  h.Ready({{1, 3}});
  h.Send(0);
  h.Append(0, "a");
  h.Append(0, "b");
  h.Turn();
  h.Send(0);
  EXPECT_THAT(h.SeenSequences(), ElementsAre(0, 1, 3));
  EXPECT_EQ(h.seen[1].records, 2);
}

TEST(ProducerCoreTest, AcknowledgedBatchReportsItsOffset) {
  ProducerHarness h;
  h.Ready({{1, 3}});
  const uint64_t id = h.Send(0);
  h.Answer(ErrorCode::kNone, 42);
  ASSERT_NE(h.ReportOf(id), nullptr);
  EXPECT_EQ(h.ReportOf(id)->base_offset, Offset(42));
  EXPECT_EQ(h.ReportOf(id)->persisted, Persisted::kYes);
  EXPECT_EQ(h.accumulator().buffered_bytes(), 0U);
}

TEST(ProducerCoreTest, LatenciesAreThoseSinceTheyWereTaken) {
  using std::chrono::milliseconds;
  ProducerHarness h;
  h.Metadata({{1, 3}});
  EXPECT_EQ(h.core().TakeLatencies().queue.count, 0U) << "nobody wants them";
  h.core().MeasureLatencies();
  h.Send(0);
  h.Advance(30);
  h.GiveId(5, 0);  // now it is sent
  h.Advance(7);
  h.Answer(ErrorCode::kNotEnoughReplicas);
  ProducerLatencies taken = h.core().TakeLatencies();
  EXPECT_EQ(taken.queue.count, 1U);
  EXPECT_EQ(taken.queue.max, milliseconds(30));
  EXPECT_EQ(taken.request.count, 1U);
  EXPECT_EQ(taken.request.max, milliseconds(7));
  h.Advance(200);  // it is sent again, and has left the queue long ago
  ASSERT_FALSE(h.seen.empty());
  h.Advance(2);
  h.Answer(ErrorCode::kNone, 0);
  taken = h.core().TakeLatencies();
  EXPECT_EQ(taken.queue.count, 0U);
  EXPECT_EQ(taken.request.count, 1U);
  EXPECT_EQ(h.core().stats().retries, 1U);
  EXPECT_EQ(h.core().stats().bytes_sent % 2, 0U) << "the same bytes twice";
  EXPECT_EQ(h.core().TakeLatencies().request.count, 0U);
}

TEST(ProducerCoreTest, NothingIsSentBeforeTheProducerIdIsKnown) {
  ProducerHarness h;
  h.Metadata({{1, 3}});
  h.Send(0);
  EXPECT_TRUE(h.seen.empty());
  h.GiveId(5, 0);
  EXPECT_EQ(h.seen.size(), 1U);
}

TEST(ProducerCoreTest, NoMoreBatchesOfAPartitionAreInFlightThanMayBe) {
  ProducerHarness h;
  h.Ready({{1, 3}, {1, 3}});
  for (int i = 0; i < 12; ++i) h.Send(0);
  h.Send(1);
  EXPECT_EQ(h.seen.size(), 11U);
  h.Answer(ErrorCode::kNone, 0);
  EXPECT_EQ(h.seen.size(), 11U);
  EXPECT_EQ(h.seen.back().records, 2) << "what waited became one batch";
}

// P01, P02: same bytes, same sequence, to whoever leads now.
TEST(ProducerCoreTest, LostConnectionResendsSameBytesToTheNewLeader) {
  ProducerHarness h;
  h.Ready({{1, 3}});
  const uint64_t id = h.Send(0);
  const Bytes first = h.seen.front().bytes;
  h.LoseConnection(1);
  EXPECT_TRUE(h.seen.empty());
  h.Advance(100);
  h.seen.clear();
  h.Metadata({{2, 4}});
  ASSERT_EQ(h.seen.size(), 1U);
  EXPECT_EQ(h.seen.front().address, test::Address(2));
  EXPECT_EQ(h.seen.front().bytes, first);
  h.Answer(ErrorCode::kNone, 7);
  EXPECT_EQ(h.ReportOf(id)->base_offset, Offset(7));
}

TEST(ProducerCoreTest, DuplicateWithoutOffsetIsSuccess) {
  ProducerHarness h;
  h.Ready({{1, 3}});
  const uint64_t id = h.Send(0);
  h.Answer(ErrorCode::kDuplicateSequence);
  EXPECT_EQ(h.ReportOf(id)->error, ErrorCode::kNone);
  EXPECT_EQ(h.ReportOf(id)->base_offset, kNoOffset);
}

// P09
TEST(ProducerCoreTest, FailedBatchAndItsSuccessorsAreResentInOrder) {
  ProducerHarness h;
  h.Ready({{1, 3}});
  for (int i = 0; i < 3; ++i) h.Send(0);
  h.Answer(ErrorCode::kNotEnoughReplicas);
  h.Advance(200);
  EXPECT_EQ(h.seen.size(), 2U) << "resent while successors were in flight";
  h.Answer(ErrorCode::kOutOfOrderSequence);
  h.Answer(ErrorCode::kOutOfOrderSequence);
  h.Advance(200);
  EXPECT_THAT(h.SeenSequences(), ElementsAre(0, 1, 2));
  for (int i = 0; i < 3; ++i) h.Answer(ErrorCode::kNone, i);
  EXPECT_EQ(h.reports.size(), 3U);
  EXPECT_EQ(h.core().stats().epoch_bumps, 0U);
}

TEST(ProducerCoreTest, LeaderHintIsFollowedWithoutWaiting) {
  ProducerHarness h;
  h.Ready({{1, 3}});
  h.Send(0);
  h.Answer(ErrorCode::kNotLeaderOrFollower, -1, 2, 4);
  ASSERT_EQ(h.seen.size(), 1U);
  EXPECT_EQ(h.seen.front().address, test::Address(2));
}

TEST(ProducerCoreTest, HungLeaderIsLeftWhenMetadataNamesAnother) {
  ProducerHarness h;
  h.Ready({{1, 3}});
  const uint64_t id = h.Send(0);
  const test::SeenBatch hung = h.seen.front();
  h.Advance(1100);
  h.Metadata({{2, 4}});
  ASSERT_EQ(h.seen.size(), 2U);
  EXPECT_EQ(h.seen.back().address, test::Address(2));
  EXPECT_EQ(h.seen.back().base_sequence, 0);
  h.AnswerBatch(hung, ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(h.ReportOf(id), nullptr) << "the answer of a given-up request decided the batch";
  h.AnswerBatch(h.seen.back(), ErrorCode::kNone, 3);
  EXPECT_EQ(h.ReportOf(id)->base_offset, Offset(3));
}

// As soon as another leads, it is found: nothing waits for the one that is silent.
TEST(ProducerCoreTest, OthersAreAskedOftenWhileALeaderHangs) {
  ProducerHarness h;
  h.Ready({{1, 3}});
  h.Send(0);
  const test::SeenBatch hung = h.seen.front();
  h.Advance(999);
  EXPECT_EQ(h.FindCall<message::MetadataRequest>(), nullptr);
  for (int i = 0; i < 6; ++i) {
    h.Advance(i == 0 ? 1 : 200);
    ASSERT_EQ(h.calls.size(), 1U) << i;
    EXPECT_NE(h.calls.front().address, hung.address);
    h.Metadata({{1, 3}});
  }
  h.AnswerBatch(hung, ErrorCode::kNone, 3);
  h.Advance(1000);
  EXPECT_TRUE(h.calls.empty());
}

TEST(ProducerCoreTest, NeverSentBatchExpiresAsNotPersisted) {
  ProducerHarness h;
  h.Ready({{-1, 3}});
  const uint64_t id = h.Send(0);
  h.Advance(120000);
  ASSERT_NE(h.ReportOf(id), nullptr);
  EXPECT_EQ(h.ReportOf(id)->error, ErrorCode::kDeliveryTimedOut);
  EXPECT_EQ(h.ReportOf(id)->persisted, Persisted::kNo);
}

TEST(ProducerCoreTest, RefusedBatchExpiresAsNotPersisted) {
  ProducerHarness h;
  h.Ready({{1, 3}});
  const uint64_t id = h.Send(0);
  h.Answer(ErrorCode::kNotEnoughReplicas);
  h.Advance(120000);
  ASSERT_NE(h.ReportOf(id), nullptr);
  EXPECT_EQ(h.ReportOf(id)->persisted, Persisted::kNo);
  EXPECT_THAT(h.ReportOf(id)->message, HasSubstr("NOT_ENOUGH_REPLICAS"));
}

// P12
TEST(ProducerCoreTest, UnansweredBatchExpiresAsUnknown) {
  ProducerHarness h;
  h.Ready({{1, 3}});
  const uint64_t id = h.Send(0);
  h.LoseConnection(1);
  h.Advance(100);
  h.seen.clear();
  h.Metadata({{-1, 4}});
  h.Advance(120000);
  ASSERT_NE(h.ReportOf(id), nullptr);
  EXPECT_EQ(h.ReportOf(id)->persisted, Persisted::kUnknown);
}

TEST(ProducerCoreTest, LaterRefusalDoesNotMakeAnUnknownBatchKnown) {
  ProducerHarness h;
  h.Ready({{1, 3}});
  const uint64_t id = h.Send(0);
  h.Answer(ErrorCode::kLeadershipLostAfterAppend);
  h.Advance(100);
  ASSERT_EQ(h.seen.size(), 1U);
  h.Answer(ErrorCode::kMessageTooLarge);
  ASSERT_NE(h.ReportOf(id), nullptr);
  EXPECT_EQ(h.ReportOf(id)->persisted, Persisted::kUnknown);
}

// P11: the bytes of an expired batch stay with the request that carries them.
TEST(ProducerCoreTest, BytesOfAnExpiredBatchAreLeftAlone) {
  ProducerHarness h;
  h.Ready({{1, 3}});
  h.Send(0, "payload");
  const Bytes held = h.seen.front().bytes;
  const std::string before = held.ToString();
  h.Advance(120000);
  h.Send(0, "another");
  EXPECT_EQ(held.ToString(), before);
}

TEST(ProducerCoreTest, HungStreamIsResetAfterTheRequestTimeout) {
  ProducerHarness h;
  h.Ready({{1, 3}});
  h.Send(0);
  h.Advance(30000);
  EXPECT_THAT(h.resets, ElementsAre(test::Address(1)));
}

TEST(ProducerCoreTest, TooLargeBatchAtTheEndNeedsNoNewEpoch) {
  ProducerHarness h;
  h.Ready({{1, 3}});
  const uint64_t id = h.Send(0);
  h.Answer(ErrorCode::kMessageTooLarge);
  EXPECT_EQ(h.ReportOf(id)->persisted, Persisted::kNo);
  h.Send(0);
  EXPECT_THAT(h.SeenSequences(), ElementsAre(0));
  EXPECT_EQ(h.seen.front().epoch, 0);
}

// P04, P08: a gap ends in a new epoch, after everything is settled, and no record goes twice.
TEST(ProducerCoreTest, GapRaisesTheEpochWhenAllIsSettled) {
  ProducerHarness h;
  h.Ready({{1, 3}, {2, 3}});
  const uint64_t bad = h.Send(0);
  const uint64_t next = h.Send(0);
  h.Send(1);
  h.Answer(ErrorCode::kMessageTooLarge);
  EXPECT_EQ(h.ReportOf(bad)->persisted, Persisted::kNo);
  EXPECT_EQ(h.ReportOf(next), nullptr) << "its answer is still due";
  h.Answer(ErrorCode::kOutOfOrderSequence);
  ASSERT_NE(h.ReportOf(next), nullptr);
  EXPECT_EQ(h.ReportOf(next)->error, ErrorCode::kOperationNotAttempted);
  EXPECT_EQ(h.ReportOf(next)->persisted, Persisted::kNo);
  const uint64_t later = h.Send(0);
  EXPECT_EQ(h.FindCall<message::InitProducerIdRequest>(), nullptr)
      << "partition 1 is still in flight";
  h.Answer(ErrorCode::kNone, 5);
  ASSERT_NE(h.FindCall<message::InitProducerIdRequest>(), nullptr);
  EXPECT_EQ(h.FindCall<message::InitProducerIdRequest>()->producer_id(), 77);
  h.GiveId(77, 1);
  ASSERT_EQ(h.seen.size(), 1U);
  EXPECT_EQ(h.seen.front().epoch, 1);
  EXPECT_EQ(h.seen.front().base_sequence, 0);
  h.Answer(ErrorCode::kNone, 6);
  EXPECT_EQ(h.ReportOf(later)->error, ErrorCode::kNone);
}

// Decision 17: what is behind a failed batch, sent or not, fails with it; what comes later goes on.
TEST(ProducerCoreTest, WhatIsQueuedBehindAFailedBatchFailsToo) {
  ProducerOptions options = ProducerHarness::Options();
  options.in_flight_max = 1;
  ProducerHarness h(options);
  h.Ready({{1, 3}, {1, 3}});
  const uint64_t bad = h.Send(0);
  const uint64_t waiting = h.Send(0);
  const uint64_t elsewhere = h.Send(1);
  ASSERT_EQ(h.seen.size(), 2U);
  h.Answer(ErrorCode::kMessageTooLarge);
  EXPECT_EQ(h.ReportOf(bad)->error, ErrorCode::kMessageTooLarge);
  ASSERT_NE(h.ReportOf(waiting), nullptr);
  EXPECT_EQ(h.ReportOf(waiting)->error, ErrorCode::kOperationNotAttempted);
  EXPECT_EQ(h.ReportOf(waiting)->persisted, Persisted::kNo);
  EXPECT_THAT(h.ReportOf(waiting)->message, HasSubstr("MESSAGE_TOO_LARGE"));
  EXPECT_EQ(h.ReportOf(elsewhere), nullptr) << "another partition has nothing to do with it";
  const uint64_t later = h.Send(0);
  h.Answer(ErrorCode::kNone, 1);
  h.Answer(ErrorCode::kNone, 2);
  EXPECT_EQ(h.ReportOf(later)->error, ErrorCode::kNone);
}

// What waits for its answer behind a failure fails later than that is told. What was sent in
// between, perhaps for the same account, must not be written in its place.
TEST(ProducerCoreTest, WhatFailsLateBehindAFailureTakesAlongWhatWasSentSince) {
  ProducerHarness h;
  h.Ready({{1, 3}});
  const uint64_t bad = h.Send(0);
  const uint64_t open = h.Send(0);
  h.Answer(ErrorCode::kMessageTooLarge);
  ASSERT_NE(h.ReportOf(bad), nullptr);
  ASSERT_EQ(h.ReportOf(open), nullptr) << "its answer is still due";
  const uint64_t since = h.Send(0);
  EXPECT_EQ(h.ReportOf(since), nullptr);
  h.Answer(ErrorCode::kOutOfOrderSequence);
  EXPECT_EQ(h.ReportOf(open)->persisted, Persisted::kNo);
  ASSERT_NE(h.ReportOf(since), nullptr);
  EXPECT_EQ(h.ReportOf(since)->error, ErrorCode::kOperationNotAttempted);
  EXPECT_EQ(h.ReportOf(since)->persisted, Persisted::kNo);
  h.GiveId(77, 1);
  const uint64_t later = h.Send(0);
  h.Answer(ErrorCode::kNone, 6);
  EXPECT_EQ(h.ReportOf(later)->error, ErrorCode::kNone);
}

TEST(ProducerCoreTest, BatchesQueuedBehindAnExpiredOneExpireWithIt) {
  ProducerHarness h;
  h.Ready({{-1, 3}});
  const uint64_t old = h.Send(0);
  h.Advance(119000);
  const uint64_t young = h.Send(0);
  h.Advance(1000);
  EXPECT_EQ(h.ReportOf(old)->error, ErrorCode::kDeliveryTimedOut);
  ASSERT_NE(h.ReportOf(young), nullptr);
  EXPECT_EQ(h.ReportOf(young)->persisted, Persisted::kNo);
}

// What was in flight behind a batch of unknown outcome may be stored with it, and only with it.
TEST(ProducerCoreTest, BatchStoredBehindAFailureIsAcknowledged) {
  ProducerHarness h;
  h.Ready({{1, 3}});
  const uint64_t old = h.Send(0);
  h.Advance(119000);
  h.LoseConnection(1);
  h.Advance(150);
  h.Metadata({{1, 3}});
  const uint64_t young = h.Send(0);
  h.Advance(850);
  EXPECT_EQ(h.ReportOf(old)->persisted, Persisted::kUnknown);
  EXPECT_EQ(h.ReportOf(young), nullptr);
  ASSERT_EQ(h.seen.size(), 2U);
  h.AnswerBatch(h.seen[1], ErrorCode::kNone, 8);
  ASSERT_NE(h.ReportOf(young), nullptr);
  EXPECT_EQ(h.ReportOf(young)->persisted, Persisted::kYes);
}

TEST(ProducerCoreTest, ReportsOfAFailureAreInTheOrderOfSending) {
  ProducerHarness h;
  h.Ready({{1, 3}});
  std::vector<uint64_t> ids;
  for (int i = 0; i < 13; ++i) ids.push_back(h.Send(0));
  for (int i = 0; i < 10; ++i)
    h.Answer(i == 0 ? ErrorCode::kInvalidRecord : ErrorCode::kUnknownProducerId);
  std::vector<uint64_t> told;
  for (const DeliveryReport& report : h.reports) told.push_back(report.batch_id);
  ids.resize(11);  // what waited became one batch
  EXPECT_EQ(told, ids);
}

// P04
TEST(ProducerCoreTest, OutOfOrderAfterAnUnknownAttemptIsReportedAsUnknown) {
  ProducerHarness h;
  h.Ready({{1, 3}});
  const uint64_t id = h.Send(0);
  h.LoseConnection(1);
  h.Advance(100);
  ASSERT_EQ(h.seen.size(), 1U);
  h.Answer(ErrorCode::kOutOfOrderSequence);
  ASSERT_NE(h.ReportOf(id), nullptr);
  EXPECT_EQ(h.ReportOf(id)->persisted, Persisted::kUnknown);
  h.GiveId(77, 1);
  h.Send(0);
  ASSERT_EQ(h.seen.size(), 1U);
  EXPECT_EQ(h.seen.front().epoch, 1);
}

// P07
TEST(ProducerCoreTest, ForgottenProducerStateIsNotFatal) {
  ProducerHarness h;
  h.Ready({{1, 3}});
  h.Send(0);
  h.Answer(ErrorCode::kNone, 0);
  const uint64_t id = h.Send(0);
  h.Answer(ErrorCode::kUnknownProducerId);
  h.GiveId(77, 1);
  ASSERT_EQ(h.seen.size(), 1U);
  EXPECT_EQ(h.seen.front().base_sequence, 0);
  h.Answer(ErrorCode::kNone, 1);
  EXPECT_EQ(h.ReportOf(id)->error, ErrorCode::kNone);
}

TEST(ProducerCoreTest, FencedProducerFailsEverythingAndRefusesMore) {
  ProducerHarness h;
  h.Ready({{1, 3}});
  const uint64_t first = h.Send(0);
  const uint64_t second = h.Send(0);
  h.Answer(ErrorCode::kInvalidProducerEpoch);
  EXPECT_EQ(h.ReportOf(first)->error, ErrorCode::kProducerFenced);
  EXPECT_EQ(h.ReportOf(first)->persisted, Persisted::kNo);
  EXPECT_EQ(h.ReportOf(second)->persisted, Persisted::kUnknown) << "its answer was still due";
  EXPECT_EQ(h.Append(0, "x").error, ErrorCode::kProducerFenced);
}

TEST(ProducerCoreTest, FormerIdIsTakenUpAgain) {
  ProducerOptions options = ProducerHarness::Options();
  options.resume = {ProducerId(9), ProducerEpoch(4)};
  ProducerHarness h(options);
  ASSERT_NE(h.FindCall<message::InitProducerIdRequest>(), nullptr);
  EXPECT_EQ(h.FindCall<message::InitProducerIdRequest>()->producer_id(), 9);
  EXPECT_EQ(h.FindCall<message::InitProducerIdRequest>()->producer_epoch(), 4);
}

TEST(ProducerCoreTest, AbortReportsEveryBatch) {
  ProducerHarness h;
  h.Ready({{1, 3}, {-1, 3}});
  const uint64_t sent = h.Send(0);
  const uint64_t waiting = h.Send(1);
  ProducerEffects effects;
  h.core().Abort(h.now, ErrorCode::kClosed, effects);
  ASSERT_EQ(effects.deliveries.size(), 2U);
  EXPECT_EQ(effects.deliveries[0].batch_id, sent);
  EXPECT_EQ(effects.deliveries[0].persisted, Persisted::kUnknown);
  EXPECT_EQ(effects.deliveries[1].batch_id, waiting);
  EXPECT_EQ(effects.deliveries[1].persisted, Persisted::kNo);
}

TEST(ProducerCoreTest, AbortTellsTheLastErrorOfABatch) {
  ProducerHarness h;
  h.Ready({{1, 3}});
  h.Send(0);
  h.Answer(ErrorCode::kNotEnoughReplicas);
  ProducerEffects effects;
  h.core().Abort(h.now, ErrorCode::kClosed, effects);
  ASSERT_EQ(effects.deliveries.size(), 1U);
  EXPECT_THAT(effects.deliveries[0].message, HasSubstr("NOT_ENOUGH_REPLICAS"));
}

TEST(ProducerCoreTest, DeadlineIsNeverInThePastAfterATurn) {
  ProducerHarness h;
  h.Ready({{1, 3}, {-1, 3}});
  h.Send(0);
  h.Send(1);
  h.LoseConnection(1);
  ASSERT_TRUE(h.core().NextDeadline().has_value());
  EXPECT_GE(*h.core().NextDeadline(), h.now);
}

}  // namespace
}  // namespace quipu
