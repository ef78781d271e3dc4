// Goal: whatever is written in whatever groups, every store shows the same log, before and after it
// is reopened. Method: random groups of small batches, cuts, repairs, trims and dropped logs, the
// same into a store on disk and into the one in memory; all reads compared after each.
#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "core/record/batch_layout.h"
#include "storage/log_recovery.h"
#include "tests/conformance/log_store_test_suite.h"

namespace quipu::conformance {
namespace {

constexpr int kLogs = 3;
constexpr int kSteps = 150;

class LogStoreRandomTest : public ::testing::TestWithParam<std::tuple<Kind, int>> {
 protected:
  struct Written {
    LogId disk;
    LogId model;
    Offset start{0};
    Offset end{0};
    Offset stored{0};  // the end before this group, or to what it was cut since
    std::map<Offset, StoredBatch> sound = {};  // by last offset
  };

  LogStoreRandomTest()
      : disk_(std::get<0>(GetParam()) == Kind::kJournal),
        random_(static_cast<uint64_t>(std::get<1>(GetParam()))) {
    for (int i = 0; i < kLogs; ++i) Create(i);
  }
  LogStore& model() { return model_.store(); }
  int64_t Below(int64_t limit) {
    return std::uniform_int_distribution<int64_t>(0, limit - 1)(random_);
  }
  bool OneIn(int64_t n) { return Below(n) == 0; }

  void Create(int i) {
    const PartitionUid uid(static_cast<uint64_t>(i + 1));
    logs_[i] = {.disk = *disk_.store().CreateLog(uid), .model = *model().CreateLog(uid)};
  }
  void Drop(int i) {
    const PartitionUid uid(static_cast<uint64_t>(i + 1));
    ASSERT_TRUE(disk_.store().DropLog(uid).ok());
    ASSERT_TRUE(model().DropLog(uid).ok());
    Create(i);
  }

  LogMutation Appends(Written& log) {
    LogMutation mutation;
    for (int64_t i = Below(OneIn(5) ? 80 : 6); i >= 0; --i) {
      StoredBatch batch =
          MakeBatch({.base = log.end + (OneIn(20) ? 2 : 0),
                     .records = static_cast<int32_t>(1 + Below(3)),
                     .timestamp = TimestampMs(1000 + Below(500)),
                     .value_bytes = static_cast<size_t>(Below(OneIn(10) ? 9000 : 300)),
                     .producer = ProducerId(7),
                     .sequence = Sequence(0)});
      log.end = batch.last_offset + 1;
      log.sound[batch.last_offset] = batch;
      if (OneIn(25)) batch = Damaged(batch, batch_layout::kCrc + 8);
      mutation.appends.push_back(std::move(batch));
    }
    return mutation;
  }
  LogMutation Cut(Written& log) {
    LogMutation mutation;
    const int64_t length = log.end - log.start;
    const Offset to = log.end - Below(std::min<int64_t>(length, OneIn(4) ? length : 12) + 1);
    mutation.truncate_to = to;
    log.sound.erase(log.sound.lower_bound(to), log.sound.end());
    // No less than the log start, and what reached beyond `to` is gone as a whole.
    log.stored = std::min(log.stored, to);
    log.end = log.sound.empty() ? log.start : std::max(log.start, log.sound.rbegin()->first + 1);
    return mutation;
  }
  LogMutation Repairs(Written& log) {
    LogMutation mutation;
    std::vector<StoredBatch> stored;  // what comes in the same group cannot be damaged yet
    for (const auto& [last_offset, batch] : log.sound) {
      if (last_offset < log.stored) stored.push_back(batch);
    }
    for (int64_t i = Below(4); i >= 0 && !stored.empty(); --i) {
      mutation.repairs.push_back(
          stored[static_cast<size_t>(Below(static_cast<int64_t>(stored.size())))]);
    }
    return mutation;
  }
  LogMutation Trim(Written& log) {
    LogMutation mutation;
    log.start = log.start + Below(log.end - log.start + 1);
    log.sound.erase(log.sound.begin(), log.sound.lower_bound(log.start));
    mutation.state = PartitionState{.log_start_offset = log.start};
    return mutation;
  }

  // One group of several mutations.
  void WriteGroup() {
    std::vector<LogWrite> to_disk;
    std::vector<LogWrite> to_model;
    for (auto& [i, log] : logs_) log.stored = log.end;
    for (int64_t i = Below(6); i >= 0; --i) {
      Written& log = logs_[static_cast<int>(Below(kLogs))];
      const int64_t kind = Below(10);
      LogMutation mutation = kind < 6   ? Appends(log)
                             : kind < 8 ? Cut(log)
                             : kind < 9 ? Repairs(log)
                                        : Trim(log);
      if (kind == 6) {
        LogMutation behind = Appends(log);
        mutation.appends = std::move(behind.appends);
      }
      to_disk.push_back({log.disk, mutation});
      to_model.push_back({log.model, std::move(mutation)});
    }
    const absl::Status status = disk_.store().Write(to_disk);
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_TRUE(model().Write(to_model).ok());
    for (auto& [i, log] : logs_) disk_.store().PublishTrim(log.disk, log.start);
  }

  // Below the log start a store may know more than another: how much was given back by then.
  std::string ToldPlace(const DamagedBatch& place) const {
    return absl::StrCat(" damaged ", std::max(place.first_offset, start_).value(), "-",
                        place.last_offset.value());
  }
  // What a read returned, in words.
  std::string Told(const absl::StatusOr<std::vector<StoredBatch>>& batches) const {
    std::string out;
    if (!batches.ok()) {
      const std::optional<DamagedBatch> place = DamagedPlaceOf(batches.status());
      if (!place.has_value()) return std::string(batches.status().message());
      return ToldPlace(*place);
    }
    for (const StoredBatch& batch : *batches) {
      absl::StrAppend(&out, batch.base_offset.value(), "-", batch.last_offset.value(), "@",
                      batch.max_timestamp.value(), ":", absl::HashOf(batch.bytes.view()), " ");
    }
    return out;
  }
  std::string Told(const absl::StatusOr<std::optional<StoredBatch>>& batch) const {
    if (!batch.ok()) return Told(absl::StatusOr<std::vector<StoredBatch>>(batch.status()));
    if (!batch->has_value()) return "none";
    return Told(absl::StatusOr<std::vector<StoredBatch>>(std::vector<StoredBatch>{**batch}));
  }
  std::string Told(const RecoveredLog& log) const {
    std::string out = absl::StrCat("end ", log.log_end_offset.value());
    for (const DamagedBatch& place : log.damaged) out += ToldPlace(place);
    return out;
  }

  // A search looks into more batches than it needs, each store into others: damage may be in its
  // way.
  void ExpectSame(const absl::StatusOr<std::optional<StoredBatch>>& disk,
                  const absl::StatusOr<std::optional<StoredBatch>>& model) const {
    if (disk.ok() && model.ok()) {
      EXPECT_EQ(Told(disk), Told(model));
    }
    for (const auto* found : {&disk, &model}) {
      EXPECT_TRUE(found->ok() || DamagedPlaceOf(found->status()).has_value()) << found->status();
    }
  }

  void Compare(const Written& log) {
    LogStore& disk = disk_.store();
    start_ = log.start;
    EXPECT_EQ(Told(*disk.Recover(log.disk)), Told(*model().Recover(log.model)));
    for (int i = 0; i < 6; ++i) {
      const Offset from = log.start + Below(log.end - log.start + 2);
      const Offset end = OneIn(2) ? Offset::Max() : from + Below(30);
      const auto bytes_max = static_cast<size_t>(1 + Below(OneIn(2) ? 1000 : 200'000));
      EXPECT_EQ(Told(disk.Read(log.disk, from, end, bytes_max)),
                Told(model().Read(log.model, from, end, bytes_max)))
          << from.value() << " to " << end.value() << ", bytes " << bytes_max;
    }
    const TimestampMs time(1000 + Below(520));
    ExpectSame(disk.FindByTimestamp(log.disk, time), model().FindByTimestamp(log.model, time));
    ExpectSame(disk.FindLargestTimestamp(log.disk, log.start),
               model().FindLargestTimestamp(log.model, log.start));
    const int64_t bytes = Below(60'000);
    // Between two batches there may be offsets that are nobody's.
    EXPECT_EQ(
        Told(model().Read(log.model, *disk.OffsetForSize(log.disk, bytes), Offset::Max(), 1)),
        Told(model().Read(log.model, *model().OffsetForSize(log.model, bytes), Offset::Max(), 1)))
        << bytes;
  }

  RocksdbStoreUnderTest disk_;
  MemoryStoreUnderTest model_;
  std::mt19937_64 random_;
  std::map<int, Written> logs_;
  Offset start_{0};  // of the log that is compared
};

INSTANTIATE_TEST_SUITE_P(Stores, LogStoreRandomTest,
                         ::testing::Combine(::testing::Values(Kind::kRocksdb, Kind::kJournal),
                                            ::testing::Range(1, 9)));

TEST_P(LogStoreRandomTest, ShowsWhatTheModelShows) {
  for (int step = 0; step < kSteps && !HasFailure(); ++step) {
    SCOPED_TRACE(absl::StrCat("step ", step));
    WriteGroup();
    if (OneIn(10)) disk_.Reopen();
    if (OneIn(20)) {
      EXPECT_TRUE(disk_.rocksdb_store().Flush().ok());
    }
    if (OneIn(30)) Drop(static_cast<int>(Below(kLogs)));
    if (OneIn(10)) disk_.rocksdb_store().WaitForTrimmer();
    for (const auto& [i, log] : logs_) Compare(log);
  }
}

}  // namespace
}  // namespace quipu::conformance
