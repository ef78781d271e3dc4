// Goal: completions come in order and only for durable writes; a failure completes nothing more.
// Method: a store whose writes wait for the test's permission or fail.
#include "storage/wal_writer.h"

#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/memory_log_store.h"
#include "storage/watermark_writer.h"

namespace quipu {
namespace {

using ::testing::ElementsAre;

// Forwards to a memory store; writes wait at a gate, and fail when told to.
class GatedStore final : public LogStore {
 public:
  absl::Status Write(const std::vector<LogWrite>& group) override {
    std::unique_lock<std::mutex> lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    groups_.push_back(group.size());
    if (fail_) return absl::DataLossError("the disk is gone");
    return memory_.Write(group);
  }
  absl::Status AfterWrite() override {
    std::unique_lock<std::mutex> lock(mutex_);
    ++afterwards_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_afterwards_; });
    return fail_afterwards_ ? absl::DataLossError("the disk is gone") : absl::OkStatus();
  }
  absl::StatusOr<LogId> CreateLog(PartitionUid uid) override { return memory_.CreateLog(uid); }
  absl::Status DropLog(PartitionUid uid) override { return memory_.DropLog(uid); }
  [[nodiscard]] std::vector<KnownLog> Logs() const override { return memory_.Logs(); }
  [[nodiscard]] std::optional<LogId> FindLog(PartitionUid uid) const override {
    return memory_.FindLog(uid);
  }
  absl::StatusOr<RecoveredLog> Recover(LogId id) const override { return memory_.Recover(id); }
  absl::StatusOr<std::vector<StoredBatch>> Read(LogId id, Offset from, Offset end,
                                                size_t bytes_max) const override {
    return memory_.Read(id, from, end, bytes_max);
  }
  absl::StatusOr<std::optional<StoredBatch>> FindByTimestamp(LogId id,
                                                             TimestampMs time) const override {
    return memory_.FindByTimestamp(id, time);
  }
  absl::StatusOr<std::optional<StoredBatch>> FindLargestTimestamp(LogId id,
                                                                  Offset from) const override {
    return memory_.FindLargestTimestamp(id, from);
  }
  absl::StatusOr<Offset> OffsetForSize(LogId id, int64_t bytes) const override {
    return memory_.OffsetForSize(id, bytes);
  }
  void PublishTrim(LogId id, Offset start) override { memory_.PublishTrim(id, start); }
  [[nodiscard]] int64_t ApproximateBytes(LogId id) const override {
    return memory_.ApproximateBytes(id);
  }
  absl::Status PutValue(const std::string& name, const std::string& value) override {
    return memory_.PutValue(name, value);
  }
  absl::StatusOr<std::optional<std::string>> GetValue(const std::string& name) const override {
    return memory_.GetValue(name);
  }

  void OpenGate() {
    const std::lock_guard<std::mutex> lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void CloseGate() {
    const std::lock_guard<std::mutex> lock(mutex_);
    open_ = false;
  }
  void OpenGateAfterwards(bool open) {
    const std::lock_guard<std::mutex> lock(mutex_);
    open_afterwards_ = open;
    changed_.notify_all();
  }
  void FailAfterwards() {
    const std::lock_guard<std::mutex> lock(mutex_);
    fail_afterwards_ = true;
  }
  void WaitForAfterWrite(int count) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return afterwards_ >= count; });
  }
  void FailFromNowOn() {
    const std::lock_guard<std::mutex> lock(mutex_);
    fail_ = true;
  }
  void WaitForWrite(int count) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return arrived_ >= count; });
  }
  std::vector<size_t> groups() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return groups_;
  }

 private:
  MemoryLogStore memory_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int arrived_ = 0;
  bool open_ = true;
  bool fail_ = false;
  int afterwards_ = 0;
  bool open_afterwards_ = true;
  bool fail_afterwards_ = false;
  std::vector<size_t> groups_;
};

LogWrite StateWrite(LogId log_id, int64_t high_watermark) {
  LogWrite write{.log_id = log_id, .mutation = {}};
  write.mutation.state = PartitionState{.high_watermark = Offset(high_watermark)};
  return write;
}

class WalWriterTest : public ::testing::Test {
 protected:
  void Start(WalWriter::Options options = {}) {
    writer_ = std::make_unique<WalWriter>(
        store_,
        [this](const std::string& reason) {
          const std::lock_guard<std::mutex> lock(mutex_);
          fatal_.push_back(reason);
          fatal_called_.notify_all();
        },
        options);
    std::promise<LogId> made;
    writer_->RunOnWriter(
        [&made](LogStore& store) { made.set_value(store.CreateLog(PartitionUid(1)).value()); });
    log_ = made.get_future().get();
  }
  std::function<void()> Done(int number) {
    return [this, number] {
      const std::lock_guard<std::mutex> lock(mutex_);
      done_.push_back(number);
    };
  }
  void WaitForFatal() {
    std::unique_lock<std::mutex> lock(mutex_);
    fatal_called_.wait(lock, [this] { return !fatal_.empty(); });
  }

  GatedStore store_;
  std::mutex mutex_;
  std::condition_variable fatal_called_;
  std::vector<int> done_;
  std::vector<std::string> fatal_;
  std::unique_ptr<WalWriter> writer_;
  LogId log_;
};

TEST_F(WalWriterTest, CompletesInOrderOfSubmission) {
  Start();
  for (int i = 0; i < 100; ++i) writer_->Submit({StateWrite(log_, i)}, Done(i));
  writer_.reset();  // drains
  ASSERT_EQ(done_.size(), 100U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(done_[static_cast<size_t>(i)], i);
  EXPECT_EQ(store_.Recover(log_)->state.high_watermark, Offset(99));
}

TEST_F(WalWriterTest, WhatIsQueuedDuringASyncBecomesOneGroup) {
  Start();
  store_.CloseGate();
  writer_->Submit({StateWrite(log_, 1)}, Done(1));
  store_.WaitForWrite(1);
  for (int i = 2; i <= 10; ++i) writer_->Submit({StateWrite(log_, i)}, Done(i));
  EXPECT_TRUE(done_.empty());
  EXPECT_GT(writer_->queued_bytes(), 0U);
  EXPECT_GT(writer_->WriteInProgressFor(), Duration::zero());
  store_.OpenGate();
  writer_.reset();
  EXPECT_THAT(store_.groups(), ElementsAre(1, 9));
  EXPECT_EQ(done_.size(), 10U);
}

// What is written when all were told stalls with the disk, and what is queued then with it (D6).
TEST_F(WalWriterTest, AStallAfterTheWriteIsSeen) {
  Start();
  store_.OpenGateAfterwards(false);
  std::promise<void> told;
  writer_->Submit({StateWrite(log_, 1)}, [&told] { told.set_value(); });
  store_.WaitForAfterWrite(1);
  EXPECT_EQ(told.get_future().wait_for(std::chrono::seconds(0)), std::future_status::ready);
  EXPECT_GT(writer_->WriteInProgressFor(), Duration::zero());
  store_.OpenGateAfterwards(true);
  writer_.reset();
}

TEST_F(WalWriterTest, AFailureAfterTheWriteIsFatalAndNothingFollows) {
  Start();
  store_.FailAfterwards();
  writer_->Submit({StateWrite(log_, 1)}, Done(1));
  store_.WaitForAfterWrite(1);
  writer_->Submit({StateWrite(log_, 2)}, Done(2));
  writer_.reset();
  EXPECT_THAT(done_, ElementsAre(1));
  EXPECT_EQ(fatal_.size(), 1U);
}

TEST_F(WalWriterTest, GroupsAreBoundedInBytes) {
  Start({.group_bytes_max = 300});
  store_.CloseGate();
  writer_->Submit({StateWrite(log_, 1)}, Done(1));
  store_.WaitForWrite(1);
  for (int i = 2; i <= 6; ++i) writer_->Submit({StateWrite(log_, i)}, Done(i));
  store_.OpenGate();
  writer_.reset();
  EXPECT_THAT(store_.groups(), ElementsAre(1, 2, 2, 1));
}

TEST_F(WalWriterTest, WorkRunsBetweenTheGroupsAroundIt) {
  Start();
  store_.CloseGate();
  writer_->Submit({StateWrite(log_, 1)}, Done(1));
  store_.WaitForWrite(1);
  writer_->Submit({StateWrite(log_, 2)}, Done(2));
  Offset seen;
  writer_->RunOnWriter([&](LogStore& store) {
    seen = store.Recover(log_)->state.high_watermark;
    Done(100)();
  });
  writer_->Submit({StateWrite(log_, 3)}, Done(3));
  store_.OpenGate();
  writer_.reset();
  EXPECT_EQ(seen, Offset(2));
  EXPECT_THAT(done_, ElementsAre(1, 2, 100, 3));
}

TEST_F(WalWriterTest, FailedWriteCompletesNothingAndIsFatalOnce) {
  Start();
  writer_->Submit({StateWrite(log_, 1)}, Done(1));
  std::promise<void> before;
  writer_->RunOnWriter([&before](LogStore&) { before.set_value(); });
  before.get_future().wait();
  store_.FailFromNowOn();
  writer_->Submit({StateWrite(log_, 2)}, Done(2));
  WaitForFatal();
  writer_->Submit({StateWrite(log_, 3)}, Done(3));
  writer_.reset();
  EXPECT_THAT(done_, ElementsAre(1));
  ASSERT_EQ(fatal_.size(), 1U);
  EXPECT_THAT(fatal_[0], ::testing::HasSubstr("the disk is gone"));
}

TEST_F(WalWriterTest, OverflowOfTheQueueIsFatalNotSilent) {
  Start({.queued_bytes_max = 1000});
  store_.CloseGate();
  for (int i = 0; i < 20; ++i) writer_->Submit({StateWrite(log_, i)}, Done(i));
  EXPECT_FALSE(fatal_.empty());
  store_.OpenGate();
}

// ---- the watermark ---------------------------------------------------------------------------

class FakeWatermark final : public WatermarkFile {
 public:
  absl::Status StoreBrokerEpoch(BrokerEpoch /*epoch*/) override { return absl::OkStatus(); }
  [[nodiscard]] BrokerEpoch broker_epoch() const override { return kNoBrokerEpoch; }
  absl::Status StoreLastGroup(uint64_t group) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    stored_ = group;
    ++stores_;
    changed_.notify_all();
    return fail_ ? absl::DataLossError("no") : absl::OkStatus();
  }
  [[nodiscard]] uint64_t last_group() const override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return stored_;
  }
  [[nodiscard]] bool unclean() const override { return false; }
  void WaitFor(uint64_t group) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return stored_ >= group; });
  }
  [[nodiscard]] int stores() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return stores_;
  }
  bool fail_ = false;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t stored_ = 0;
  int stores_ = 0;
};

TEST(WatermarkWriterTest, GroupIsWrittenWhenTheNextBegins) {
  FakeWatermark file;
  WatermarkWriter writer(file, 0, [](const std::string&) {});
  EXPECT_TRUE(writer.OnGroupSynced(1, 0));
  writer.OnGroupBegins(1);
  file.WaitFor(1);
  EXPECT_EQ(file.last_group(), 1U);
}

TEST(WatermarkWriterTest, LastGroupIsWrittenWithoutANextOne) {
  FakeWatermark file;
  WatermarkWriter writer(file, 2, [](const std::string&) {});
  EXPECT_TRUE(writer.OnGroupSynced(3, 2));
  file.WaitFor(3);  // after the delay; hangs when it never comes
}

TEST(WatermarkWriterTest, GroupThatTheOpeningFoundIsWritten) {
  FakeWatermark file;
  WatermarkWriter writer(file, 7, [](const std::string&) {});
  file.WaitFor(7);
}

TEST(WatermarkWriterTest, EndWritesTheNewestGroup) {
  FakeWatermark file;
  {
    WatermarkWriter writer(file, 3, [](const std::string&) {});
    EXPECT_TRUE(writer.OnGroupSynced(4, 3));
    writer.OnGroupBegins(4);
    EXPECT_TRUE(writer.OnGroupSynced(5, 4));
  }
  EXPECT_EQ(file.last_group(), 5U);
}

// A disk whose log is fast and whose watermark is slow: the file must not fall behind by more than
// the one group that D4 cannot see.
TEST(WatermarkWriterTest, FileIsNeverBehindByMoreThanOneGroup) {
  FakeWatermark file;
  WatermarkWriter writer(file, 0, [](const std::string&) {});
  for (uint64_t group = 1; group <= 300; ++group) {
    writer.OnGroupBegins(group - 1);
    ASSERT_TRUE(writer.OnGroupSynced(group, group - 1));
    ASSERT_GE(file.last_group() + 1, group);
  }
}

// A log that keeps marks needs the file for its segments alone: it is not asked for each group.
TEST(WatermarkWriterTest, FileFollowsByItselfWhenOnlyAnOlderGroupIsNeeded) {
  FakeWatermark file;
  WatermarkWriter writer(file, 0, [](const std::string&) {});
  ASSERT_TRUE(writer.OnGroupSynced(1, 0));
  for (uint64_t group = 2; group <= 3000; ++group) {
    writer.OnGroupBegins(1);
    ASSERT_TRUE(writer.OnGroupSynced(group, 1));
  }
  EXPECT_GE(file.last_group(), 1U);
  EXPECT_LT(file.stores(), 300);
  file.WaitFor(3000);
}

TEST(WatermarkWriterTest, FailedWriteIsFatalAndNothingCountsAsSyncedAfterIt) {
  FakeWatermark file;
  file.fail_ = true;
  std::promise<void> fatal;
  {
    WatermarkWriter writer(file, 0, [&fatal](const std::string&) { fatal.set_value(); });
    EXPECT_TRUE(writer.OnGroupSynced(1, 0));
    writer.OnGroupBegins(1);
    EXPECT_FALSE(writer.OnGroupSynced(2, 1));
  }
  fatal.get_future().wait();
}

}  // namespace
}  // namespace quipu
