// Goal: what a journal's marks say of its end counts as what the watermark file says (D4): the file
// may be behind, and the loss of more than the last group shows all the same. Method: a real
// directory as a dead process leaves it, whose files are changed.
#include <filesystem>
#include <fstream>
#include <vector>

#include "base/error_code.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/file_watermark.h"
#include "storage/journal/journal_reader.h"
#include "storage/rocksdb/journal/journal_log.h"
#include "storage/rocksdb/open_storage.h"
#include "tests/conformance/log_store_fixture.h"

namespace quipu {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kSegmentBytes = 128 << 10;

class JournalMarksTest : public ::testing::Test {
 protected:
  JournalMarksTest() {
    EXPECT_TRUE(FormatDirectory(path_, {.cluster_id = ClusterId(1, 1),
                                        .role = NodeRole::kBroker,
                                        .node_id = 1,
                                        .directory_id = id_,
                                        .voters = {}})
                    .ok());
    Open();
    log_id_ = *storage_->store->CreateLog(PartitionUid(1));
    EXPECT_TRUE(storage_->watermark->StoreBrokerEpoch(BrokerEpoch(5)).ok());
  }
  void Open() {
    const absl::Status status = TryOpen();
    ASSERT_TRUE(status.ok()) << status;
  }
  absl::Status TryOpen() {
    storage_.reset();
    auto storage =
        OpenBrokerStorage({.path = path_,
                           .expected = {},
                           .fatal = conformance::FailTest,
                           .log_store = LogStoreKind::kJournal,
                           .journal = {.segment_bytes = kSegmentBytes, .spare_bytes = 0}});
    if (!storage.ok()) return storage.status();
    storage_ = std::make_unique<BrokerStorage>(*std::move(storage));
    return absl::OkStatus();
  }
  // Groups of one block each.
  void Append(int count, size_t value_bytes = 500) {
    for (int i = 0; i < count; ++i) {
      LogWrite write{.log_id = log_id_, .mutation = {}};
      write.mutation.appends = {
          conformance::MakeBatch({.base = Offset(next_), .value_bytes = value_bytes})};
      ASSERT_TRUE(storage_->store->Write({write}).ok());
      ++next_;
    }
  }
  // The process dies, and nothing is written out; the watermark file knows nothing of what came
  // behind `kept`.
  void DieWithOldWatermark(const std::string& kept) {
    const std::string as_it_was = path_ + "-as-it-was";
    fs::copy(path_, as_it_was, fs::copy_options::recursive);
    storage_.reset();
    fs::remove_all(path_);
    fs::rename(as_it_was, path_);
    std::ofstream(WatermarkPath(), std::ios::binary) << kept;
  }
  [[nodiscard]] std::string Watermark() const {
    std::ifstream file(WatermarkPath(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  struct Place {
    uint64_t number;
    std::string path;
    uint64_t position;
    uint64_t bytes;
    uint64_t body_bytes;
  };
  [[nodiscard]] std::vector<Place> Groups() const {
    std::vector<Place> places;
    const auto reader = JournalReader::Open(SystemFiles(), folder(), id_, SealedIndex(4));
    EXPECT_TRUE(reader.ok());
    const auto end = reader->Walk({}, [&](const JournalGroup& group) {
      places.push_back({group.header.number, folder() + "/" + SegmentFileName(group.header.segment),
                        group.position, group.header.bytes(), group.header.body_bytes()});
      return absl::OkStatus();
    });
    EXPECT_TRUE(end.ok());
    return places;
  }
  // As if the disk had confirmed the last `count` groups and not kept them.
  void LoseLast(size_t count) {
    const std::vector<Place> places = Groups();
    for (size_t i = places.size() - count; i < places.size(); ++i) {
      std::fstream file(places[i].path, std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(static_cast<std::streamoff>(places[i].position));
      file << std::string(places[i].bytes, '\0');
    }
  }
  // Four groups that the watermark file knows of, and six that it does not; `marked`: of the last
  // of them the segment does. Then the process dies.
  void TenGroups(bool marked) {
    Append(4);
    const std::string early = Watermark();
    Append(6);
    if (marked) {
      ASSERT_TRUE(storage_->store->AfterWrite().ok());
    }
    DieWithOldWatermark(early);
  }
  // Flips a bit of the group that is the `back`th from the end, at `offset` behind its header; of a
  // negative one, so far before the end of its body.
  void FlipBit(size_t back, int64_t offset) {
    const std::vector<Place> places = Groups();
    const Place& place = places[places.size() - back];
    const int64_t begin = static_cast<int64_t>(place.position + kGroupHeaderBytes);
    const int64_t at =
        offset < 0 ? begin + static_cast<int64_t>(place.body_bytes) + offset : begin + offset;
    std::fstream file(place.path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at);
    const char was = static_cast<char>(file.get());
    file.seekp(at);
    file.put(static_cast<char>(was ^ 0x10));
  }
  [[nodiscard]] uint64_t Marked() const {
    return JournalReader::Open(SystemFiles(), folder(), id_, SealedIndex(4))->marked();
  }
  [[nodiscard]] int64_t End() const {
    return storage_->store->Recover(log_id_)->log_end_offset.value();
  }
  [[nodiscard]] std::string folder() const { return path_ + "/journal"; }
  [[nodiscard]] std::string WatermarkPath() const { return path_ + "/watermark"; }

  conformance::TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/data";
  const DirectoryId id_{2, 2};
  std::unique_ptr<BrokerStorage> storage_;
  LogId log_id_;
  int64_t next_ = 0;
};

// What D4 cannot see: the only group whose sync nothing tells of.
TEST_F(JournalMarksTest, LossOfTheLastGroupAloneDoesNotShow) {
  TenGroups(false);
  LoseLast(1);
  Open();
  EXPECT_FALSE(storage_->watermark->unclean());
  EXPECT_EQ(End(), 9);
}

TEST_F(JournalMarksTest, LossOfTheLastGroupShowsOnceItIsMarked) {
  TenGroups(true);
  LoseLast(1);
  Open();
  EXPECT_TRUE(storage_->watermark->unclean());
  EXPECT_EQ(End(), 9);
}

// D5, not D4: what was synced is all there but for bytes of one batch.
TEST_F(JournalMarksTest, ABitOfABatchThatIsKnownToBeSyncedCostsThatBatchAlone) {
  TenGroups(true);
  FlipBit(3, 70);  // of the batch at 7
  Open();
  EXPECT_FALSE(storage_->watermark->unclean());
  EXPECT_EQ(End(), 10);
  const auto read = [&](int64_t from) {
    return storage_->store->Read(log_id_, Offset(from), Offset(10), 1);
  };
  EXPECT_TRUE(read(6).ok());
  const auto damaged = read(7);
  ASSERT_TRUE(DamagedPlaceOf(damaged.status()).has_value()) << damaged.status();
  EXPECT_EQ(DamagedPlaceOf(damaged.status())->last_offset, Offset(7));
  EXPECT_TRUE(read(8).ok());
  EXPECT_TRUE(read(9).ok());
  // And so it stays: what is written behind it stands on it.
  Append(2);
  storage_.reset();
  Open();
  EXPECT_FALSE(storage_->watermark->unclean());
  EXPECT_EQ(End(), 12);
}

TEST_F(JournalMarksTest, ABitOfAnIndexStillEndsTheLog) {
  TenGroups(true);
  FlipBit(3, -10);
  Open();
  EXPECT_TRUE(storage_->watermark->unclean());
  EXPECT_EQ(End(), 7);
}

// Of the last group nobody knows whether its sync had returned: it may have been cut short.
TEST_F(JournalMarksTest, ABitOfTheLastGroupEndsTheLogBeforeIt) {
  TenGroups(false);
  FlipBit(1, 70);
  Open();
  EXPECT_FALSE(storage_->watermark->unclean());
  EXPECT_EQ(End(), 9);
}

TEST_F(JournalMarksTest, LossOfMoreThanOneGroupShowsAndTheMarkOutlivesNothing) {
  TenGroups(false);
  LoseLast(2);
  Open();
  EXPECT_TRUE(storage_->watermark->unclean());
  EXPECT_EQ(End(), 8);
  // The shorter log is what there is from now on: nothing speaks of groups that are given up.
  ASSERT_TRUE(storage_->watermark->StoreBrokerEpoch(BrokerEpoch(6)).ok());
  storage_.reset();
  Open();
  EXPECT_FALSE(storage_->watermark->unclean());
  EXPECT_EQ(End(), 8);
}

// The watermark file must know of a segment before a second group of it counts: a segment that is
// gone takes its marks along.
TEST_F(JournalMarksTest, LossOfANewSegmentShows) {
  do {
    Append(1, 30 << 10);
  } while (Groups().size() < 2 || Groups().back().path == Groups()[Groups().size() - 2].path);
  const Place first = Groups().back();
  Append(1, 30 << 10);
  const auto needed = FileWatermark::Read(WatermarkPath());
  ASSERT_TRUE(needed.ok());
  EXPECT_GE(needed->last_group, first.number);
  DieWithOldWatermark(Watermark());
  fs::remove(first.path);
  Open();
  EXPECT_TRUE(storage_->watermark->unclean());
}

TEST_F(JournalMarksTest, MarksOfASegmentsFormerLifeSayNothing) {
  Append(20);
  storage_.reset();
  const uint64_t marked = Marked();
  EXPECT_GT(marked, 20U);
  const std::string path = Groups().back().path;
  std::string block(kJournalBlockBytes, '\0');
  std::ifstream(path, std::ios::binary).read(block.data(), kJournalBlockBytes);
  // The same marks under the next id.
  auto header = *DecodeSegmentHeader(block);
  ++header.segment;
  fs::copy_file(path, folder() + "/" + SegmentFileName(header.segment),
                fs::copy_options::overwrite_existing);
  std::fstream(folder() + "/" + SegmentFileName(header.segment),
               std::ios::in | std::ios::out | std::ios::binary)
      << EncodeSegmentHeader(header);
  fs::remove(path);
  EXPECT_EQ(Marked(), 0U);
}

// One that a later program wrote is no damage: nothing is set aside.
TEST_F(JournalMarksTest, ASegmentOfAnotherVersionIsRefusedAndLeftAsItIs) {
  Append(5);
  storage_.reset();
  const std::string path = Groups().back().path;
  const auto write_header = [&](uint32_t version) {
    std::string block(kJournalBlockBytes, '\0');
    std::ifstream(path, std::ios::binary).read(block.data(), kJournalBlockBytes);
    auto header = *DecodeSegmentHeader(block);
    header.version = version;
    std::fstream(path, std::ios::in | std::ios::out | std::ios::binary)
        << EncodeSegmentHeader(header);
  };
  write_header(kSegmentVersion + 1);
  const absl::Status refused = TryOpen();
  EXPECT_EQ(CodeOf(refused), ErrorCode::kInvalidConfig) << refused;
  EXPECT_THAT(std::string(refused.message()), ::testing::HasSubstr("is of version 4"));
  write_header(kSegmentVersion);
  Open();
  EXPECT_FALSE(storage_->watermark->unclean());
  EXPECT_EQ(End(), 5);
}

// A mark that was torn, or rots, leaves the one before.
TEST_F(JournalMarksTest, ADamagedMarkCostsOnlyItself) {
  Append(20);
  storage_.reset();
  const uint64_t marked = Marked();
  const std::string path = Groups().back().path;
  for (size_t slot = 0; slot < kSegmentMarks; ++slot) {
    const fs::path copy = path + ".copy";
    fs::copy_file(path, copy);
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(MarkPosition(slot) + 15));
    file << 'x';
    file.close();
    EXPECT_GE(Marked() + 1, marked);
    fs::rename(copy, path);
  }
}

}  // namespace
}  // namespace quipu
