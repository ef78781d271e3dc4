// Goal: every RaftStore behaves like the reference, also after it was opened again.
// Method: the same tests against each store, reopened before each Load.
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error_code.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/file_watermark.h"
#include "storage/memory_raft_store.h"
#include "storage/rocksdb/rocksdb_raft_store.h"
#include "tests/conformance/temporary_folder.h"

namespace quipu::conformance {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

enum class Kind { kMemory, kRocksdb };

message::RaftEntry Entry(uint64_t index, uint64_t term, const std::string& data = "x") {
  message::RaftEntry entry;
  entry.set_index(index);
  entry.set_term(term);
  entry.set_kind(message::RaftEntry::COMMAND);
  entry.set_data(data);
  return entry;
}

// A RaftWrite of which a test names only some fields.
struct Change {
  std::optional<RaftHardState> hard_state = std::nullopt;
  std::optional<RaftSnapshot> snapshot = std::nullopt;
  std::optional<LogIndex> truncate_from = std::nullopt;
  std::optional<LogIndex> compact_to = std::nullopt;
  std::vector<message::RaftEntry> append = {};
};

class RaftStoreTest : public ::testing::TestWithParam<Kind> {
 protected:
  RaftStoreTest() {
    if (GetParam() == Kind::kRocksdb) {
      EXPECT_TRUE(FileWatermark::Create(folder_.path() + "/watermark").ok());
    }
    Reopen();
  }
  void Reopen() {
    if (GetParam() == Kind::kMemory) {
      memory_ = std::make_unique<MemoryRaftStore>(memory_ ? *memory_ : MemoryRaftStore());
      return;
    }
    rocksdb_.reset();
    watermark_ = *FileWatermark::Open(folder_.path() + "/watermark");
    auto store = RocksdbRaftStore::Open(
        {.path = folder_.path() + "/log",
         .identity = "test",
         .fatal = [](const std::string& reason) { ADD_FAILURE() << reason; }},
        *watermark_);
    ASSERT_TRUE(store.ok()) << store.status();
    rocksdb_ = *std::move(store);
  }
  RaftStore& store() {
    if (GetParam() == Kind::kMemory) return *memory_;
    return *rocksdb_;
  }
  void Write(const Change& change) {
    RaftWrite write;
    write.hard_state = change.hard_state;
    write.snapshot = change.snapshot;
    write.truncate_from = change.truncate_from;
    write.compact_to = change.compact_to;
    write.append = change.append;
    const absl::Status status = store().Write(write);
    ASSERT_TRUE(status.ok()) << status;
  }
  RecoveredRaft Load() {
    Reopen();
    auto loaded = store().Load();
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return loaded.ok() ? *std::move(loaded) : RecoveredRaft{};
  }
  std::vector<std::pair<uint64_t, uint64_t>> LoadedEntries() {
    std::vector<std::pair<uint64_t, uint64_t>> out;
    for (const auto& entry : Load().entries) out.emplace_back(entry.index(), entry.term());
    return out;
  }

 private:
  TemporaryFolder folder_;
  std::unique_ptr<MemoryRaftStore> memory_;
  std::unique_ptr<FileWatermark> watermark_;
  std::unique_ptr<RocksdbRaftStore> rocksdb_;
};

INSTANTIATE_TEST_SUITE_P(Stores, RaftStoreTest, ::testing::Values(Kind::kMemory, Kind::kRocksdb),
                         [](const ::testing::TestParamInfo<Kind>& kind) {
                           return kind.param == Kind::kMemory ? "Memory" : "Rocksdb";
                         });

TEST_P(RaftStoreTest, FreshStoreIsEmpty) {
  const RecoveredRaft loaded = Load();
  EXPECT_EQ(loaded.hard_state, RaftHardState{});
  EXPECT_FALSE(loaded.snapshot.has_value());
  EXPECT_THAT(loaded.entries, IsEmpty());
}

TEST_P(RaftStoreTest, TermAndVoteAreKeptTogether) {
  const RaftHardState state{
      .term = Term(7), .voted_for = ControllerId(2), .voted_directory = DirectoryId(3, 4)};
  Write({.hard_state = state});
  EXPECT_EQ(Load().hard_state, state);
}

TEST_P(RaftStoreTest, EntriesAreKept) {
  Write({.append = {Entry(1, 1, "one"), Entry(2, 1, std::string("\0two", 4))}});
  Write({.append = {Entry(3, 2, "")}});
  const RecoveredRaft loaded = Load();
  ASSERT_EQ(loaded.entries.size(), 3U);
  EXPECT_EQ(loaded.entries[0].data(), "one");
  EXPECT_EQ(loaded.entries[1].data(), std::string("\0two", 4));
  EXPECT_EQ(loaded.entries[2].term(), 2U);
  EXPECT_EQ(loaded.entries[2].kind(), message::RaftEntry::COMMAND);
}

TEST_P(RaftStoreTest, TruncationComesBeforeTheAppendsOfTheSameWrite) {
  Write({.append = {Entry(1, 1), Entry(2, 1), Entry(3, 1)}});
  Write({.truncate_from = LogIndex(2), .append = {Entry(2, 2)}});
  EXPECT_THAT(LoadedEntries(), ElementsAre(std::pair(1, 1), std::pair(2, 2)));
}

TEST_P(RaftStoreTest, TruncationBeyondTheEndDoesNothing) {
  Write({.append = {Entry(1, 1)}});
  Write({.truncate_from = LogIndex(9)});
  EXPECT_THAT(LoadedEntries(), ElementsAre(std::pair(1, 1)));
}

TEST_P(RaftStoreTest, CompactionRemovesWhatTheSnapshotCovers) {
  Write({.append = {Entry(1, 1), Entry(2, 1), Entry(3, 1)}});
  Write({.snapshot = RaftSnapshot{LogIndex(2), Term(1), "state"}, .compact_to = LogIndex(2)});
  const RecoveredRaft loaded = Load();
  ASSERT_TRUE(loaded.snapshot.has_value());
  EXPECT_EQ(loaded.snapshot->data, "state");
  EXPECT_EQ(loaded.snapshot->last_index, LogIndex(2));
  ASSERT_EQ(loaded.entries.size(), 1U);
  EXPECT_EQ(loaded.entries[0].index(), 3U);
}

TEST_P(RaftStoreTest, InstalledSnapshotMayLieBeyondTheLog) {
  Write({.append = {Entry(1, 1), Entry(2, 1)}});
  Write({.snapshot = RaftSnapshot{LogIndex(50), Term(4), "state"},
         .truncate_from = LogIndex(1),
         .compact_to = LogIndex(50)});
  EXPECT_THAT(LoadedEntries(), IsEmpty());
  Write({.append = {Entry(51, 4), Entry(52, 4)}});
  EXPECT_THAT(LoadedEntries(), ElementsAre(std::pair(51, 4), std::pair(52, 4)));
}

TEST_P(RaftStoreTest, ASnapshotKeepsTheVotersOfItsTime) {
  Write({.snapshot = RaftSnapshot{LogIndex(2), Term(1), "old", "some voters"}});
  EXPECT_EQ(Load().snapshot->voters, "some voters");
  // From before the first change, or with others.
  Write({.snapshot = RaftSnapshot{LogIndex(5), Term(2), "new"}});
  EXPECT_EQ(Load().snapshot->voters, "");
}

TEST_P(RaftStoreTest, NewestSnapshotReplacesTheFormerOne) {
  Write({.snapshot = RaftSnapshot{LogIndex(2), Term(1), "old"}});
  Write({.snapshot = RaftSnapshot{LogIndex(5), Term(2), std::string(1 << 20, 'n')}});
  const RecoveredRaft loaded = Load();
  EXPECT_EQ(loaded.snapshot->last_index, LogIndex(5));
  EXPECT_EQ(loaded.snapshot->data, std::string(1 << 20, 'n'));
}

TEST_P(RaftStoreTest, EmptyWriteIsAllowed) {
  Write({});
  EXPECT_THAT(Load().entries, IsEmpty());
}

TEST_P(RaftStoreTest, EverythingOfOneWriteIsThere) {
  Write({.hard_state =
             RaftHardState{.term = Term(3), .voted_for = kNoController, .voted_directory = {}},
         .append = {Entry(1, 3), Entry(2, 3)}});
  const RecoveredRaft loaded = Load();
  EXPECT_EQ(loaded.hard_state.term, Term(3));
  EXPECT_EQ(loaded.entries.size(), 2U);
}

}  // namespace
}  // namespace quipu::conformance
