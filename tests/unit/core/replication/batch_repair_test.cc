// Goal: a damaged batch is asked for from every replica that is alive, only the very batch is
// taken, and offsets are refused only when all replicas are alive and none has it. Method: the
// machine alone; the test is its peers and its clock.
#include "core/replication/batch_repair.h"

#include <string>

#include "core/record/record_batch_builder.h"
#include "gmock/gmock.h"

namespace quipu {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr PartitionUid kRepairedUid(5);
constexpr LeaderEpoch kLedIn(9);
constexpr LeaderEpoch kBatchEpoch(3);
constexpr DamagedBatch kPlace{.first_offset = Offset(10), .last_offset = Offset(12)};

Bytes SoundBatch(int64_t base, int32_t records, LeaderEpoch epoch = kBatchEpoch) {
  RecordBatchBuilder builder({.base_offset = Offset(base), .leader_epoch = epoch});
  for (int32_t i = 0; i < records; ++i) {
    builder.Add({.timestamp = TimestampMs(1), .key = "k", .value = "v", .headers = {}});
  }
  return builder.Build();
}

class BatchRepairTest : public ::testing::Test {
 protected:
  BatchRepairTest() { View({{BrokerId(2), true}, {BrokerId(3), true}}); }

  void View(std::vector<BatchRepair::Peer> peers, LeaderEpoch epoch = kLedIn,
            BrokerId leader = BrokerId(2)) {
    repair_.OnView({.leader_epoch = epoch, .leader = leader, .peers = std::move(peers)}, now_,
                   effects_);
  }
  BatchRepair::State Damage(DamagedBatch place = kPlace) {
    return repair_.OnDamage(place, kBatchEpoch, now_, effects_);
  }
  void Answer(int32_t peer, ErrorCode error, Bytes records = {}, Offset last = kPlace.last_offset,
              LeaderEpoch epoch_now = kBatchEpoch, Offset log_start = Offset(0)) {
    repair_.OnAnswer(BrokerId(peer),
                     {.uid = kRepairedUid,
                      .leader_epoch = kLedIn,
                      .last_offset = last,
                      .error = error,
                      .records = std::move(records),
                      .log_start_offset = log_start},
                     epoch_now, now_, effects_);
  }
  void Pass(Duration time) {
    now_.mono += time;
    repair_.OnTime(now_, effects_);
  }
  // Whom the requests made since the last call go to.
  std::vector<int32_t> Asked() {
    std::vector<int32_t> brokers;
    for (const auto& [broker, request] : std::exchange(effects_.requests, {})) {
      brokers.push_back(broker.value());
    }
    return brokers;
  }
  std::vector<StoredBatch> Repairs() { return std::exchange(effects_.repairs, {}); }

  Now now_{};
  RepairEffects effects_;
  BatchRepair repair_{kRepairedUid};
};

TEST_F(BatchRepairTest, RequestNamesBatchAndEpochs) {
  EXPECT_EQ(Damage(), BatchRepair::State::kRepairing);
  ASSERT_THAT(effects_.requests, SizeIs(1));
  const RepairRequest& request = effects_.requests[0].second;
  EXPECT_EQ(request.uid, kRepairedUid);
  EXPECT_EQ(request.leader_epoch, kLedIn);
  EXPECT_EQ(request.last_offset, Offset(12));
  EXPECT_EQ(request.batch_epoch, kBatchEpoch);
}

TEST_F(BatchRepairTest, GoodAnswerIsStoredAndThenForgotten) {
  Damage();
  Answer(2, ErrorCode::kNone, SoundBatch(10, 3));
  const std::vector<StoredBatch> repairs = Repairs();
  ASSERT_THAT(repairs, SizeIs(1));
  EXPECT_EQ(repairs[0].base_offset, Offset(10));
  EXPECT_EQ(repairs[0].last_offset, Offset(12));
  EXPECT_EQ(repairs[0].bytes, SoundBatch(10, 3));
  EXPECT_FALSE(repair_.empty());
  EXPECT_EQ(Damage(), BatchRepair::State::kRepairing);  // met again before it is durable
  EXPECT_TRUE(repair_.OnStored(Offset(12), now_, effects_));
  EXPECT_TRUE(repair_.empty());
  EXPECT_THAT(Asked(), ElementsAre(2));
}

TEST_F(BatchRepairTest, OnlyTheVeryBatchIsTaken) {
  std::string flipped = SoundBatch(10, 3).ToString();
  flipped.back() = static_cast<char>(flipped.back() ^ 1);
  const std::vector<Bytes> wrong = {
      Bytes(),
      Bytes(std::string("no batch")),
      Bytes(flipped),                            // CRC
      SoundBatch(11, 3),                         // ends elsewhere
      SoundBatch(9, 4),                          // begins inside the batch before
      SoundBatch(10, 3, LeaderEpoch(4)),         // another epoch
      Bytes(SoundBatch(10, 3).ToString() + "x")  // more than one batch
  };
  for (const Bytes& bytes : wrong) {
    Damage();
    Asked();
    Answer(2, ErrorCode::kNone, bytes);
    EXPECT_THAT(Repairs(), IsEmpty());
    EXPECT_THAT(Asked(), ElementsAre(3));
    repair_.Keep(Offset(0), Offset(0));
  }
}

TEST_F(BatchRepairTest, AnswerIsNotTakenWhenTheLogWasCutMeanwhile) {
  Damage();
  Answer(2, ErrorCode::kNone, SoundBatch(10, 3), Offset(12), /*epoch_now=*/LeaderEpoch(5));
  EXPECT_THAT(Repairs(), IsEmpty());
}

TEST_F(BatchRepairTest, LateAnswersAreIgnored) {
  Damage();
  View({{BrokerId(2), true}, {BrokerId(3), true}}, LeaderEpoch(10));
  Asked();
  Answer(2, ErrorCode::kNone, SoundBatch(10, 3));  // names the older leader epoch
  EXPECT_THAT(Repairs(), IsEmpty());
  Answer(3, ErrorCode::kCorruptMessage);  // was not asked
  EXPECT_THAT(Asked(), IsEmpty());
}

TEST_F(BatchRepairTest, RefusedWhenAllAreAliveAndNoneHasIt) {
  Damage();
  Answer(2, ErrorCode::kCorruptMessage);
  EXPECT_EQ(Damage(), BatchRepair::State::kRepairing);
  Answer(3, ErrorCode::kOffsetOutOfRange);
  EXPECT_THAT(effects_.refused, ElementsAre(kPlace));
  EXPECT_EQ(Damage(), BatchRepair::State::kRefused);
  EXPECT_TRUE(repair_.AllGivenUp());
  // Asked again later, and told only once.
  Asked();
  Pass(BatchRepair::kPauseMin);
  EXPECT_THAT(Asked(), ElementsAre(2));
  EXPECT_EQ(Damage(), BatchRepair::State::kRefused);
  Answer(2, ErrorCode::kCorruptMessage);
  Answer(3, ErrorCode::kCorruptMessage);
  EXPECT_THAT(effects_.refused, SizeIs(1));
  // Then a copy is there after all.
  Asked();
  Pass(BatchRepair::kPauseMax);
  Answer(2, ErrorCode::kNone, SoundBatch(10, 3));
  EXPECT_THAT(Repairs(), SizeIs(1));
}

TEST_F(BatchRepairTest, NotRefusedWhileAReplicaIsAwayOrDidNotSay) {
  View({{BrokerId(2), true}, {BrokerId(3), false}});
  Damage();
  Answer(2, ErrorCode::kCorruptMessage);
  EXPECT_EQ(Damage(), BatchRepair::State::kRepairing);
  View({{BrokerId(2), true}, {BrokerId(3), true}});
  EXPECT_THAT(Asked(), ElementsAre(2, 2));
  Answer(2, ErrorCode::kCorruptMessage);
  repair_.OnLost(BrokerId(3), now_, effects_);
  EXPECT_EQ(Damage(), BatchRepair::State::kRepairing);
  Pass(BatchRepair::kPauseMin);
  Answer(2, ErrorCode::kFencedLeaderEpoch);
  Answer(3, ErrorCode::kCorruptMessage);
  EXPECT_EQ(Damage(), BatchRepair::State::kRepairing);
  EXPECT_THAT(effects_.refused, IsEmpty());
}

// A replica that is away for good must not keep one out that needs nothing of it.
TEST_F(BatchRepairTest, WhatTheLeaderHasDeletedIsNotWaitedFor) {
  View({{BrokerId(2), true}, {BrokerId(3), false}});
  Damage();
  EXPECT_FALSE(repair_.AllGivenUp());
  Answer(2, ErrorCode::kOffsetOutOfRange, {}, kPlace.last_offset, kBatchEpoch,
         kPlace.last_offset + 1);
  EXPECT_TRUE(repair_.AllGivenUp());
  EXPECT_EQ(Damage(), BatchRepair::State::kRepairing);  // not proven lost: readers come back
  EXPECT_THAT(effects_.refused, IsEmpty());
  // The next leader may have it.
  View({{BrokerId(2), true}, {BrokerId(3), true}}, LeaderEpoch(10), BrokerId(3));
  EXPECT_FALSE(repair_.AllGivenUp());
}

TEST_F(BatchRepairTest, WhatAFollowerDoesNotHaveOrTheLeaderHasDamagedIsWaitedFor) {
  View({{BrokerId(2), true}, {BrokerId(3), true}, {BrokerId(4), false}});
  Damage();
  Answer(2, ErrorCode::kCorruptMessage);
  Answer(3, ErrorCode::kOffsetOutOfRange, {}, kPlace.last_offset, kBatchEpoch,
         kPlace.last_offset + 1);
  EXPECT_FALSE(repair_.AllGivenUp());
}

TEST_F(BatchRepairTest, WhatTheLeaderLacksAboveItsLogStartIsWaitedFor) {
  View({{BrokerId(2), true}, {BrokerId(3), false}});
  Damage();
  Answer(2, ErrorCode::kOffsetOutOfRange, {}, kPlace.last_offset, kBatchEpoch, kPlace.last_offset);
  EXPECT_FALSE(repair_.AllGivenUp());
}

TEST_F(BatchRepairTest, OnlyReplicaRefusesAtOnce) {
  View({});
  EXPECT_EQ(Damage(), BatchRepair::State::kRefused);
}

TEST_F(BatchRepairTest, SilentPeerIsPassedOver) {
  Damage();
  Asked();
  Pass(BatchRepair::kAnswerTimeout);
  EXPECT_THAT(Asked(), ElementsAre(3));
}

TEST_F(BatchRepairTest, RoundsComeAtABoundedRate) {
  Damage();
  int rounds = 0;
  const Instant end = now_.mono + std::chrono::minutes(10);
  while (now_.mono < end) {
    for (const int32_t peer : Asked()) {
      rounds += peer == 2 ? 1 : 0;
      Answer(peer, ErrorCode::kCorruptMessage);
    }
    const std::optional<Instant> next = repair_.NextDeadline();
    ASSERT_TRUE(next.has_value());
    Pass(std::max(*next - now_.mono, Duration(1)));
  }
  EXPECT_GT(rounds, 10);
  EXPECT_LT(rounds, 40);
}

TEST_F(BatchRepairTest, OneRequestAtATimeAndABoundedNumberOfEntries) {
  for (int64_t i = 0; i < 200; ++i) Damage({Offset(10 * i), Offset(10 * i + 2)});
  EXPECT_THAT(Asked(), SizeIs(1));
  int asked = 1;
  // Each is stored as soon as it was got.
  for (int64_t i = 0; i < 200; ++i) {
    Answer(2, ErrorCode::kNone, SoundBatch(10 * i, 3), Offset(10 * i + 2));
    for (const StoredBatch& batch : Repairs()) {
      repair_.OnStored(batch.last_offset, now_, effects_);
    }
    asked += static_cast<int>(Asked().size());
  }
  EXPECT_EQ(asked, static_cast<int>(BatchRepair::kDamagedBatchesMax));
  EXPECT_TRUE(repair_.empty());
}

TEST_F(BatchRepairTest, WhatWasTrimmedOrCutIsForgotten) {
  Damage();
  Damage({Offset(20), Offset(22)});
  Damage({Offset(30), Offset(32)});
  repair_.Keep(Offset(13), Offset(30));
  EXPECT_FALSE(repair_.empty());
  repair_.Keep(Offset(13), Offset(20));
  EXPECT_TRUE(repair_.empty());
}

TEST(EpochAtTest, FindsTheEpochOfAnOffset) {
  const std::vector<EpochEntry> epochs = {{.epoch = LeaderEpoch(1), .start_offset = Offset(5)},
                                          {.epoch = LeaderEpoch(4), .start_offset = Offset(9)}};
  EXPECT_EQ(EpochAt(epochs, Offset(4)), kNoLeaderEpoch);
  EXPECT_EQ(EpochAt(epochs, Offset(5)), LeaderEpoch(1));
  EXPECT_EQ(EpochAt(epochs, Offset(8)), LeaderEpoch(1));
  EXPECT_EQ(EpochAt(epochs, Offset(9)), LeaderEpoch(4));
}

}  // namespace
}  // namespace quipu
