// log.store=journal: groups and batches in a journal, RocksDB as their index.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "storage/journal/journal.h"
#include "storage/journal/segment_uses.h"
#include "storage/rocksdb/groups/group_log.h"
#include "storage/rocksdb/journal/tail_batches.h"

namespace quipu {

// RocksDB runs without a log of its own. A group is written to the journal and synced, then applied
// to RocksDB's memory tables; at open, groups that are not in its tables yet are applied again. The
// family `log` holds where batches are, those of a group that follow each other in a log under one
// key (batch_run.h).
class JournalLog final : public GroupLog, public BatchPlace {
 public:
  struct Options {
    Journal::Options journal;
    size_t tail_bytes = JournalSettings().tail_bytes;  // of the newest batches, kept in memory
  };
  explicit JournalLog(Options options);

  // ---- GroupLog ----
  absl::StatusOr<DatabaseProof> Prove(const std::string& path,
                                      const std::vector<std::string>& families, uint64_t watermark,
                                      rocksdb::Env& env) override;
  void SetOptions(const DatabaseProof& proof, size_t family_count,
                  rocksdb::DBOptions& options) override;
  absl::Status Replay(rocksdb::DB& db, const std::vector<rocksdb::ColumnFamilyHandle*>& families,
                      const DatabaseProof& proof) override;
  absl::StatusOr<GroupRecord> Write(rocksdb::WriteBatch& batch, const std::vector<BatchPut>& puts,
                                    const GroupRecord& previous) override;
  [[nodiscard]] uint64_t WatermarkNeeded(uint64_t group) const override {
    return journal_->WatermarkNeeded(group);
  }
  absl::Status AfterWrite() override { return journal_->Mark(); }

  // ---- BatchPlace ----
  [[nodiscard]] BatchPin Pin() const override { return journal_->segments(); }
  [[nodiscard]] bool HoldsRuns() const override { return true; }
  [[nodiscard]] size_t BytesOf(absl::string_view value) const override;
  [[nodiscard]] TimestampMs MaxTimestampOf(absl::string_view value) const override;
  [[nodiscard]] absl::StatusOr<Bytes> Load(absl::string_view value,
                                           const BatchPin& pin) const override;
  [[nodiscard]] bool IsInMemory(absl::string_view value) const override;
  void WillLoad(const std::vector<std::string>& values, size_t later,
                const BatchPin& pin) const override;
  [[nodiscard]] bool Matches(absl::string_view value, const Bytes& batch) const override;

  // ---- space ----
  [[nodiscard]] Journal& journal() { return *journal_; }
  [[nodiscard]] const Journal& journal() const { return *journal_; }
  SegmentUses& uses() { return uses_; }
  // Bytes of groups since the start of the last flush (NoteFlush), which a start would replay.
  [[nodiscard]] uint64_t unflushed_bytes() const { return unflushed_bytes_.load(); }
  void NoteFlush() { unflushed_bytes_.store(0); }
  struct Replayed {
    uint64_t groups = 0;
    int64_t nanoseconds = 0;
  };
  [[nodiscard]] Replayed replayed() const { return replayed_; }

 private:
  absl::Status Apply(rocksdb::DB& db, const JournalGroup& group, uint64_t applied);
  absl::Status LoadUses(rocksdb::DB& db);
  // Segments before the `active` one that were not `walked`, and of which nothing is written down,
  // are never free.
  void KeepUnknown(const JournalReader& reader, const std::set<uint64_t>& walked, uint64_t active);
  absl::StatusOr<JournalReader> OpenReader() const;
  [[nodiscard]] bool WouldWait(absl::string_view value, const SegmentMap& segments) const;

  const Options options_;
  TailBatches tail_;
  SegmentUses uses_;
  std::unique_ptr<Journal> journal_;
  rocksdb::DB* db_ = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;
  uint64_t watermark_ = 0;
  std::atomic<uint64_t> unflushed_bytes_{0};
  Replayed replayed_;
};

// The batches of a journal that is not open for writing: for tools that look at a directory.
class JournalBatchReader final : public BatchPlace {
 public:
  JournalBatchReader(Files& files, std::string folder)
      : files_(files), folder_(std::move(folder)) {}
  [[nodiscard]] BatchPin Pin() const override { return nullptr; }
  [[nodiscard]] bool HoldsRuns() const override { return true; }
  [[nodiscard]] size_t BytesOf(absl::string_view value) const override;
  [[nodiscard]] TimestampMs MaxTimestampOf(absl::string_view value) const override;
  [[nodiscard]] absl::StatusOr<Bytes> Load(absl::string_view value,
                                           const BatchPin& pin) const override;
  [[nodiscard]] bool Matches(absl::string_view value, const Bytes& batch) const override;

 private:
  Files& files_;
  const std::string folder_;
};

// The group up to which each of the database's families holds everything: what a walk over the
// journal has to begin behind. kStorageError.
absl::StatusOr<JournalPoint> LowestApplied(
    rocksdb::DB& db, const std::vector<rocksdb::ColumnFamilyHandle*>& families);

// The index of a group is a WriteBatch that SealGroup sealed, over `family_count` families: its
// chain tells whether it is whole.
IndexHolds SealedIndex(size_t family_count);

// What a journal at `journal` shows of the database at `path`; see ProveDatabase.
absl::StatusOr<DatabaseProof> ProveWithJournal(const std::string& path,
                                               const std::vector<std::string>& families,
                                               uint64_t watermark, rocksdb::Env& env,
                                               const Journal::Options& journal);

}  // namespace quipu
