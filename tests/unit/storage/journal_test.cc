// Journal and JournalReader by themselves: what a start makes of a group that was cut short.
#include "storage/journal/journal.h"

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "storage/journal/journal_reader.h"
#include "tests/conformance/temporary_folder.h"

namespace quipu {
namespace {

constexpr uint64_t kSmallSegmentBytes = 64 << 10;
// More than what can be under way at once.
constexpr size_t kLargeGroupBytes = size_t{5} << 20;

class JournalTest : public ::testing::Test {
 protected:
  [[nodiscard]] Journal::Options Options() const {
    return {.folder = folder_.path() + "/journal",
            .directory_id = id_,
            .fatal = [](const std::string& why) { FAIL() << why; },
            .segment_bytes = kSmallSegmentBytes};
  }
  std::unique_ptr<Journal> Start(const JournalEnd& end) {
    auto journal = Journal::Start(Options(), end, {});
    EXPECT_TRUE(journal.ok()) << journal.status();
    return *std::move(journal);
  }
  // The next group, with 20 KiB: two of them fill a segment. In which one it is.
  uint64_t Append(Journal& journal) { return AppendPayload(journal, std::string(20 << 10, 'p')); }
  uint64_t AppendPayload(Journal& journal, const std::string& payload) {
    const auto room = journal.MakeRoom(kGroupHeaderBytes + payload.size() + kIndex.size());
    EXPECT_TRUE(room.ok()) << room.status();
    const JournalPoint next{.number = last_.number + 1, .chain = last_.chain + 7};
    const GroupHeader header{.segment = room->segment,
                             .number = next.number,
                             .previous_chain = last_.chain,
                             .chain = next.chain};
    EXPECT_TRUE(journal.Append(header, {{.bytes = payload}}, kIndex).ok());
    last_ = next;
    return room->segment;
  }
  [[nodiscard]] JournalReader Read() const {
    auto reader = JournalReader::Open(
        SystemFiles(), Options().folder, id_,
        [](const GroupHeader&, absl::string_view index) { return index == kIndex; });
    EXPECT_TRUE(reader.ok()) << reader.status();
    return *std::move(reader);
  }
  // No two blocks of it are the same.
  static std::string LargePayload() {
    std::string payload;
    while (payload.size() < kLargeGroupBytes) absl::StrAppend(&payload, payload.size(), ".");
    return payload;
  }
  JournalEnd Walk(const JournalPoint& after, std::vector<uint64_t>& seen) const {
    const auto end = Read().Walk(after, [&seen](const JournalGroup& group) {
      seen.push_back(group.header.number);
      return absl::OkStatus();
    });
    EXPECT_TRUE(end.ok()) << end.status();
    return *end;
  }
  [[nodiscard]] std::string PathOf(uint64_t segment) const {
    return absl::StrCat(Options().folder, "/", SegmentFileName(segment));
  }
  // As if the power had gone while the first group of the segment was being written.
  void CutShort(uint64_t segment) const {
    auto file = SystemFiles().OpenExisting(PathOf(segment));
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->WriteAt(kSegmentHeadBytes + kGroupHeaderBytes, "cut short").ok());
  }

  static constexpr absl::string_view kIndex = "index";
  conformance::TemporaryFolder folder_;
  DirectoryId id_{1, 2};
  JournalPoint last_;
};

// What segment 1 holds is said by the first group of segment 2, which is none: so it has to be
// read, though all of its groups are in the tables. Otherwise it would be taken for empty, and used
// again.
TEST_F(JournalTest, AWalkBeginsInTheSegmentOfTheLastGroupThatIsInTheTables) {
  JournalPoint in_tables;
  {
    const auto journal = Start({});
    EXPECT_EQ(Append(*journal), 1U);
    EXPECT_EQ(Append(*journal), 1U);
    in_tables = last_;
    EXPECT_EQ(Append(*journal), 2U);
  }
  std::vector<uint64_t> seen;
  CutShort(2);
  const JournalEnd end = Walk(in_tables, seen);
  EXPECT_EQ(seen, (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(end.last.number, 2U);
  EXPECT_EQ(end.segment, 1U);
  EXPECT_EQ(end.broken, "");
}

TEST_F(JournalTest, AGroupThatWasCutShortIsOutOfTheWayBeforeAnythingIsWritten) {
  {
    const auto journal = Start({});
    Append(*journal);
    Append(*journal);
    EXPECT_EQ(Append(*journal), 2U);
  }
  CutShort(2);
  std::vector<uint64_t> seen;
  const JournalEnd end = Walk({}, seen);
  last_ = end.last;
  {
    const auto journal = Start(end);
    EXPECT_FALSE(std::filesystem::exists(PathOf(2)));
    // No segment gets the id again: what the file still holds would pass for groups.
    EXPECT_GT(Append(*journal), 2U);
  }
  seen.clear();
  EXPECT_EQ(Walk({}, seen).broken, "");
  EXPECT_EQ(seen, (std::vector<uint64_t>{1, 2, 3}));
}

TEST_F(JournalTest, AGroupLargerThanItsBuffersIsWhole) {
  {
    const auto journal = Start({});
    Append(*journal);
    AppendPayload(*journal, LargePayload());
    ASSERT_TRUE(journal->Mark().ok());
    Append(*journal);
  }
  std::vector<uint64_t> seen;
  EXPECT_EQ(Walk({}, seen).broken, "");
  EXPECT_EQ(seen, (std::vector<uint64_t>{1, 2, 3}));
}

// Its header is written with its first piece, whatever becomes of the others.
TEST_F(JournalTest, AGroupWithoutAPieceOfItsMiddleIsTheOneThatWasUnderWay) {
  uint64_t segment = 0;
  {
    const auto journal = Start({});
    Append(*journal);
    segment = AppendPayload(*journal, LargePayload());
  }
  {
    auto file = SystemFiles().OpenExisting(PathOf(segment));
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->WriteAt(kLargeGroupBytes / 2, std::string(4096, '\0')).ok());
    const std::string no_marks(kSegmentMarks * kJournalBlockBytes, '\0');
    ASSERT_TRUE((*file)->WriteAt(MarkPosition(0), no_marks).ok());
  }
  std::vector<uint64_t> seen;
  const JournalEnd end = Walk({}, seen);
  EXPECT_EQ(end.broken, "");
  EXPECT_EQ(seen, std::vector<uint64_t>{1});
  last_ = end.last;
  EXPECT_GT(Append(*Start(end)), 0U);
  seen.clear();
  EXPECT_EQ(Walk({}, seen).broken, "");
  EXPECT_EQ(seen, (std::vector<uint64_t>{1, 2}));
}

}  // namespace
}  // namespace quipu
