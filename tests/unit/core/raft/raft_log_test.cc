// Goal: the log in memory numbers, cuts, compacts and searches its entries as Raft needs it.

#include "core/raft/raft_log.h"

#include <utility>

#include "base/error_code.h"
#include "gtest/gtest.h"

namespace quipu {
namespace {

message::RaftEntry Entry(uint64_t index, uint64_t term, size_t bytes = 0) {
  message::RaftEntry entry;
  entry.set_index(index);
  entry.set_term(term);
  entry.set_kind(message::RaftEntry::COMMAND);
  entry.set_data(std::string(bytes, 'x'));
  return entry;
}

// Snapshot up to 2 (term 1), then entries 3 to 7 of terms 2 2 4 4 5.
RaftLog Sample() {
  return *RaftLog::Create(LogIndex(2), Term(1),
                          {Entry(3, 2), Entry(4, 2), Entry(5, 4), Entry(6, 4), Entry(7, 5)});
}

ErrorCode CreateError(uint64_t snapshot_index, uint64_t snapshot_term,
                      std::vector<message::RaftEntry> entries) {
  return CodeOf(
      RaftLog::Create(LogIndex(snapshot_index), Term(snapshot_term), std::move(entries)).status());
}

TEST(RaftLogTest, EntriesThatTheSnapshotCoversAreDropped) {
  absl::StatusOr<RaftLog> log =
      RaftLog::Create(LogIndex(2), Term(1), {Entry(1, 1), Entry(2, 1), Entry(3, 2)});
  ASSERT_TRUE(log.ok());
  EXPECT_EQ(log->entries().size(), 1U);
  EXPECT_EQ(log->last_index(), LogIndex(3));
}

TEST(RaftLogTest, DamagedLogsAreRefusedNotRepaired) {
  EXPECT_EQ(CreateError(0, 0, {Entry(1, 1), Entry(3, 1)}), ErrorCode::kCorruptMessage);
  EXPECT_EQ(CreateError(0, 0, {Entry(1, 2), Entry(2, 1)}), ErrorCode::kCorruptMessage);
  EXPECT_EQ(CreateError(2, 1, {Entry(4, 1)}), ErrorCode::kCorruptMessage);
  EXPECT_EQ(CreateError(2, 3, {Entry(3, 2)}), ErrorCode::kCorruptMessage);
  EXPECT_EQ(CreateError(5, 1, {Entry(2, 1), Entry(4, 1)}), ErrorCode::kCorruptMessage);
}

TEST(RaftLogTest, TheTermIsKnownFromTheSnapshotToTheEnd) {
  RaftLog log = Sample();
  EXPECT_EQ(log.TermAt(LogIndex(1)), std::nullopt);
  EXPECT_EQ(log.TermAt(LogIndex(2)), Term(1));
  EXPECT_EQ(log.TermAt(LogIndex(7)), Term(5));
  EXPECT_EQ(log.TermAt(LogIndex(8)), std::nullopt);
}

TEST(RaftLogTest, TheLaterTermIsMoreUpToDateThanTheLongerLog) {
  RaftLog log = Sample();
  EXPECT_TRUE(log.IsUpToDate(LogIndex(3), Term(6)));
  EXPECT_TRUE(log.IsUpToDate(LogIndex(7), Term(5)));
  EXPECT_FALSE(log.IsUpToDate(LogIndex(6), Term(5)));
  EXPECT_FALSE(log.IsUpToDate(LogIndex(100), Term(4)));
}

TEST(RaftLogTest, TheSearchForAgreementSkipsWholeTerms) {
  RaftLog log = Sample();
  EXPECT_EQ(log.LastAgreeable(LogIndex(7), Term(3)), LogIndex(4));
  EXPECT_EQ(log.LastAgreeable(LogIndex(100), Term(5)), LogIndex(7));
  EXPECT_EQ(log.LastAgreeable(LogIndex(6), Term(1)), LogIndex(2));
  EXPECT_EQ(log.LastAgreeable(LogIndex(1), Term(9)), LogIndex(2));
}

TEST(RaftLogTest, ASliceIsBoundedByBytesButNeverEmpty) {
  RaftLog log = *RaftLog::Create(LogIndex(0), Term(0), {Entry(1, 1, 100), Entry(2, 1, 100)});
  EXPECT_EQ(log.Slice(LogIndex(1), 10).size(), 1U);
  EXPECT_EQ(log.Slice(LogIndex(1), 2 * RaftEntryBytes(100)).size(), 2U);
  EXPECT_EQ(log.Slice(LogIndex(1), 2 * RaftEntryBytes(100) - 1).size(), 1U);
}

TEST(RaftLogTest, CompactionKeepsTheTermOfTheLastEntryThatWent) {
  RaftLog log = Sample();
  log.CompactTo(LogIndex(5));
  EXPECT_EQ(log.snapshot_term(), Term(4));
  EXPECT_EQ(log.TermAt(LogIndex(5)), Term(4));
  EXPECT_EQ(log.last_index(), LogIndex(7));
  log.CompactTo(LogIndex(7));
  EXPECT_EQ(log.last_term(), Term(5));
}

TEST(RaftLogTest, ATruncatedLogTakesOtherEntriesInPlace) {
  RaftLog log = Sample();
  log.TruncateFrom(LogIndex(5));
  EXPECT_EQ(log.last_index(), LogIndex(4));
  log.Append(Entry(5, 6));
  EXPECT_EQ(log.last_term(), Term(6));
}

TEST(RaftLogDeathTest, AGapIsAProgrammersError) {
  RaftLog log = Sample();
  EXPECT_DEATH(log.Append(Entry(9, 5)), "last_index");
  EXPECT_DEATH(log.TruncateFrom(LogIndex(2)), "snapshot_index_");
}

}  // namespace
}  // namespace quipu
