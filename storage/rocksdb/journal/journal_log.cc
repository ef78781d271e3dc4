#include "storage/rocksdb/journal/journal_log.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/big_endian.h"
#include "base/error_code.h"
#include "base/logging.h"
#include "base/status_macros.h"
#include "core/record/batch_layout.h"
#include "storage/batch_run.h"
#include "storage/key_encoding.h"
#include "storage/rocksdb/log_families.h"
#include "storage/rocksdb/rocksdb_options.h"
#include "storage/rocksdb/rocksdb_status.h"

namespace quipu {
namespace {

// Of one batch's entry in a WriteBatch: tag, family, lengths, key, pointer. In a run it takes less.
constexpr size_t kEntryBytes = 1 + 1 + 2 + 16 + kBatchPointerBytes;
// What lies between two batches and is read along with them rather than hinted at apart.
constexpr uint64_t kHintGapBytes = uint64_t{16} << 10;
// Of the records that seal a group, and of the entry of a full segment without its value.
constexpr size_t kSealBytes = 256;

// Bytes of a batch.
constexpr size_t kSumAgainBelow = 4096;

rocksdb::WriteOptions UnloggedWrite() {
  rocksdb::WriteOptions options;
  options.disableWAL = true;  // the journal is the log
  options.sync = false;
  return options;
}

// Finds the batches that a group's index puts into its segment. What is left of a run that was cut
// may lie in an older one: that is written down already, if it was not freed since.
class PutFinder final : public rocksdb::WriteBatch::Handler {
 public:
  PutFinder(uint32_t log_family, uint64_t segment, SegmentUses& uses)
      : log_family_(log_family), segment_(segment), uses_(uses) {}
  rocksdb::Status PutCF(uint32_t family, const rocksdb::Slice& key,
                        const rocksdb::Slice& value) override {
    if (family != log_family_) return rocksdb::Status::OK();
    const std::optional<DecodedLogKey> decoded = DecodeLogKey(ToView(key));
    if (!decoded.has_value()) return rocksdb::Status::OK();  // the group record
    const std::optional<BatchRun> run = DecodeBatchRun(decoded->last_offset, ToView(value));
    if (!run.has_value()) return rocksdb::Status::Corruption("a batch's place is damaged");
    for (const auto& [last_offset, pointer] : *run) {
      if (pointer.segment != segment_) continue;
      uses_.Add(pointer.segment, decoded->log_id, last_offset, pointer.bytes);
    }
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteCF(uint32_t /*family*/, const rocksdb::Slice& /*key*/) override {
    return rocksdb::Status::OK();
  }

 private:
  const uint32_t log_family_;
  const uint64_t segment_;
  SegmentUses& uses_;
};

// Puts batches into a group's index, as many under one key as may be.
class RunWriter {
 public:
  RunWriter(rocksdb::WriteBatch& batch, rocksdb::ColumnFamilyHandle* family)
      : batch_(batch), family_(family) {}
  // Puts of one log come one behind another.
  void Add(const BatchPut& put, const BatchPointer& pointer) {
    const bool joins = put.follows && !run_.empty() && put.log_id == log_id_ &&
                       run_.size() < kRunBatchesMax && run_bytes_ + pointer.bytes <= kRunBytesMax;
    if (!joins) End();
    log_id_ = put.log_id;
    run_.push_back({.last_offset = put.batch.last_offset, .pointer = pointer});
    run_bytes_ += pointer.bytes;
  }
  // The first error of all puts.
  rocksdb::Status Finish() {
    End();
    return status_;
  }

 private:
  void End() {
    if (run_.empty()) return;
    const LogKey key = EncodeLogKey(log_id_, run_.back().last_offset);
    KeepFirst(status_, batch_.Put(family_, ToSlice(key.view()), EncodeBatchRun(run_)));
    run_.clear();
    run_bytes_ = 0;
  }

  rocksdb::WriteBatch& batch_;
  rocksdb::ColumnFamilyHandle* const family_;
  rocksdb::Status status_;
  LogId log_id_{0};
  BatchRun run_;
  size_t run_bytes_ = 0;
};

// Those of one log one behind another, in their order.
std::vector<const BatchPut*> ByLog(const std::vector<BatchPut>& puts) {
  std::vector<const BatchPut*> sorted;
  sorted.reserve(puts.size());
  for (const BatchPut& put : puts) sorted.push_back(&put);
  const auto by_log = [](const BatchPut* a, const BatchPut* b) { return a->log_id < b->log_id; };
  if (!std::is_sorted(sorted.begin(), sorted.end(), by_log)) {
    std::stable_sort(sorted.begin(), sorted.end(), by_log);
  }
  return sorted;
}

// Every batch was checked against its own CRC before it came here: the journal need not read it for
// its sum. Small ones are read sooner than that is worked out.
Journal::Piece SummedBatch(absl::string_view batch) {
  if (batch.size() < kSumAgainBelow) return {.bytes = batch};
  return {.bytes = batch,
          .summed_from = batch_layout::kAttributes,
          .sum = LoadBigEndian<uint32_t>(batch.data() + batch_layout::kCrc)};
}

absl::Status CannotRead(const BatchPointer& pointer, absl::string_view why) {
  return ToStatus(ErrorCode::kStorageError,
                  absl::StrCat("segment ", pointer.segment, " of the journal, byte ",
                               pointer.position, ": ", why));
}

bool PointsTo(absl::string_view value, const Bytes& batch) {
  const std::optional<BatchPointer> pointer = DecodeBatchPointer(value);
  return pointer.has_value() && batch.size() == pointer->bytes &&
         EncodeBatchChecksum(batch.view()).view() == pointer->checksum.view();
}

size_t PointedBytes(absl::string_view value) {
  const std::optional<BatchPointer> pointer = DecodeBatchPointer(value);
  return pointer.has_value() ? pointer->bytes : 0;
}

TimestampMs PointedMaxTimestamp(absl::string_view value) {
  const std::optional<BatchPointer> pointer = DecodeBatchPointer(value);
  return pointer.has_value() ? pointer->max_timestamp : kNoTimestamp;
}

}  // namespace

absl::StatusOr<JournalPoint> LowestApplied(
    rocksdb::DB& db, const std::vector<rocksdb::ColumnFamilyHandle*>& families) {
  std::optional<GroupRecord> lowest;
  for (rocksdb::ColumnFamilyHandle* family : families) {
    std::string value;
    const auto key = EncodeSingleKey(KeyPrefix::kGroup);
    const rocksdb::Status status = db.Get(CheckedRead(), family, ToSlice(key.view()), &value);
    GroupRecord record;
    if (!status.IsNotFound()) {
      QUIPU_RETURN_IF_ERROR(FromRocksdb(status, "cannot read a group record"));
      record = DecodeGroupRecord(value).value_or(GroupRecord{});
    }
    if (!lowest.has_value() || record.number < lowest->number) lowest = record;
  }
  return JournalPoint{.number = lowest->number, .chain = lowest->chain};
}

IndexHolds SealedIndex(size_t family_count) {
  return [family_count](const GroupHeader& header, absl::string_view index) {
    const std::optional<GroupRecord> sealed = ReadSealedGroup(index, family_count);
    return sealed.has_value() && sealed->number == header.number && sealed->chain == header.chain;
  };
}

absl::StatusOr<DatabaseProof> ProveWithJournal(const std::string& path,
                                               const std::vector<std::string>& families,
                                               uint64_t watermark, rocksdb::Env& env,
                                               const Journal::Options& journal) {
  QUIPU_ASSIGN_OR_RETURN(const JournalReader reader,
                         JournalReader::Open(*journal.files, journal.folder, journal.directory_id,
                                             SealedIndex(families.size())));
  for (const SegmentFile& file : reader.segments()) {
    if (file.other_version.has_value()) {
      return ToStatus(ErrorCode::kInvalidConfig,
                      absl::StrCat(journal.folder, "/", SegmentFileName(file.segment),
                                   " is of version ", *file.other_version,
                                   " of the journal's format, and this program reads versions ",
                                   kOldestSegmentVersion, " to ", kSegmentVersion,
                                   "; start the program that wrote it"));
    }
    if (!file.foreign.has_value()) continue;
    return ToStatus(ErrorCode::kInvalidConfig,
                    absl::StrCat(journal.folder, " holds a segment of directory ",
                                 file.foreign->ToText(), ", not of ", journal.directory_id.ToText(),
                                 "; put back the directory's own journal"));
  }
  if (env.FileExists(path + "/CURRENT").IsNotFound() && reader.holds_groups()) {
    return DatabaseProof{.last = {},
                         .unproven = "there is a journal, but not the database over it",
                         .is_prefix = false};
  }
  return ProveDatabase(
      path, families, std::max(watermark, reader.marked()), env,
      [&reader](const GroupRecord& after, GroupRun& run) -> absl::StatusOr<std::string> {
        if (after.number > 0 && !reader.holds_groups()) {
          return absl::DataLossError("the journal holds no groups");
        }
        QUIPU_ASSIGN_OR_RETURN(const JournalEnd end,
                               reader.Walk({.number = after.number, .chain = after.chain},
                                           [&run, &after](const JournalGroup& group) {
                                             if (group.header.number <= after.number)
                                               return absl::OkStatus();
                                             run.Add({.number = group.header.number,
                                                      .previous_chain = group.header.previous_chain,
                                                      .chain = group.header.chain});
                                             return absl::OkStatus();
                                           }));
        if (end.last.number < after.number) {
          return absl::DataLossError(absl::StrCat("groups ", end.last.number + 1, " to ",
                                                  after.number, " are missing in the journal"));
        }
        return end.broken;
      });
}

JournalLog::JournalLog(Options options)
    : options_(std::move(options)), tail_(options_.tail_bytes) {}

absl::StatusOr<DatabaseProof> JournalLog::Prove(const std::string& path,
                                                const std::vector<std::string>& families,
                                                uint64_t watermark, rocksdb::Env& env) {
  watermark_ = watermark;
  return ProveWithJournal(path, families, watermark, env, options_.journal);
}

void JournalLog::SetOptions(const DatabaseProof& /*proof*/, size_t /*family_count*/,
                            rocksdb::DBOptions& /*options*/) {}

absl::StatusOr<JournalReader> JournalLog::OpenReader() const {
  return JournalReader::Open(*options_.journal.files, options_.journal.folder,
                             options_.journal.directory_id, SealedIndex(families_.size()));
}

absl::Status JournalLog::Replay(rocksdb::DB& db,
                                const std::vector<rocksdb::ColumnFamilyHandle*>& families,
                                const DatabaseProof& proof) {
  const auto began = std::chrono::steady_clock::now();
  db_ = &db;
  families_ = families;
  QUIPU_ASSIGN_OR_RETURN(const JournalPoint applied, LowestApplied(db, families));
  QUIPU_ASSIGN_OR_RETURN(JournalReader reader, OpenReader());
  if (!proof.unproven.empty()) {
    const auto see_nothing = [](const JournalGroup&) { return absl::OkStatus(); };
    QUIPU_ASSIGN_OR_RETURN(const JournalEnd end, reader.Walk(applied, see_nothing));
    if (!end.broken.empty() || reader.marked() > end.last.number) {
      QUIPU_RETURN_IF_ERROR(Journal::CutBehind(options_.journal, reader, end));
      QUIPU_ASSIGN_OR_RETURN(reader, OpenReader());
    }
  }
  const uint64_t synced = std::max(watermark_, reader.marked());
  std::vector<Journal::Unsynced> unsynced;
  std::set<uint64_t> walked;
  QUIPU_ASSIGN_OR_RETURN(const JournalEnd end, reader.Walk(applied, [&](const JournalGroup& group) {
    walked.insert(group.header.segment);
    if (group.header.number > synced && !group.damaged) {
      unsynced.push_back({.segment = group.header.segment,
                          .position = group.position,
                          .bytes = group.header.bytes()});
    }
    return Apply(db, group, applied.number);
  }));
  if (!end.broken.empty() || end.last.number != proof.last.number) {
    return UnprovenError(options_.journal.folder,
                         absl::StrCat("it was read up to group ", end.last.number,
                                      ", proven was group ", proof.last.number));
  }
  QUIPU_RETURN_IF_ERROR(LoadUses(db));
  KeepUnknown(reader, walked, end.segment);
  QUIPU_ASSIGN_OR_RETURN(journal_, Journal::Start(options_.journal, end, unsynced));
  replayed_.nanoseconds =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - began)
          .count();
  return absl::OkStatus();
}

// A group up to `applied` is in all tables: only what its segment holds is of interest.
absl::Status JournalLog::Apply(rocksdb::DB& db, const JournalGroup& group, uint64_t applied) {
  if (group.damaged) uses_.AddUnknown(group.header.segment);
  if (group.payload_damaged) {
    LogWarn("storage.group_damaged", {{"folder", options_.journal.folder},
                                      {"segment", std::to_string(group.header.segment)},
                                      {"group", std::to_string(group.header.number)}});
  }
  if (group.index.empty()) return absl::OkStatus();
  rocksdb::WriteBatch batch{std::string(group.index)};
  PutFinder finder(families_[kLog]->GetID(), group.header.segment, uses_);
  rocksdb::Status status = batch.Iterate(&finder);
  if (group.header.number > applied) {
    if (!SealedIndex(families_.size())(group.header, group.index)) {
      return UnprovenError(options_.journal.folder,
                           absl::StrCat("the index of group ", group.header.number, " is damaged"));
    }
    if (status.ok()) status = db.Write(UnloggedWrite(), &batch);
    ++replayed_.groups;
    unflushed_bytes_ += group.header.bytes();
  }
  return FromRocksdb(status, absl::StrCat("cannot replay group ", group.header.number));
}

absl::Status JournalLog::LoadUses(rocksdb::DB& db) {
  const std::unique_ptr<rocksdb::Iterator> it(db.NewIterator(CheckedRead(), families_[kMeta]));
  const auto first = EncodeSegmentUseKey(0);
  for (it->Seek(ToSlice(first.view())); it->Valid(); it->Next()) {
    const std::optional<uint64_t> segment = DecodeSegmentUseKey(ToView(it->key()));
    if (!segment.has_value()) break;
    const std::optional<SegmentUse> use = DecodeSegmentUse(ToView(it->value()));
    if (!use.has_value()) {
      return ToStatus(ErrorCode::kCorruptMessage,
                      absl::StrCat("what segment ", *segment, " of the journal holds is damaged"));
    }
    uses_.Merge(*segment, *use);
  }
  return FromRocksdb(it->status(), "cannot read what the journal's segments hold");
}

// What a segment holds is written down behind it, and goes with its file: one of which nothing is
// known is none that nobody needs. But for one that was ready and had to give way to a larger one.
void JournalLog::KeepUnknown(const JournalReader& reader, const std::set<uint64_t>& walked,
                             uint64_t active) {
  const std::set<uint64_t> known = uses_.Segments();
  for (const SegmentFile& file : reader.segments()) {
    const bool never_used = file.unreadable.ok() && file.sound && !file.first.has_value();
    if (file.segment >= active || never_used) continue;
    if (walked.contains(file.segment) || known.contains(file.segment)) continue;
    uses_.AddUnknown(file.segment);
  }
  for (const uint64_t segment : uses_.Segments()) {
    if (!uses_.Get(segment).contains(SegmentUses::kUnknown)) continue;
    LogWarn("storage.segment_unknown",
            {{"folder", options_.journal.folder}, {"segment", std::to_string(segment)}});
  }
}

absl::StatusOr<GroupRecord> JournalLog::Write(rocksdb::WriteBatch& batch,
                                              const std::vector<BatchPut>& puts,
                                              const GroupRecord& previous) {
  uint64_t payload_bytes = 0;
  for (const BatchPut& put : puts) payload_bytes += put.batch.bytes.size();
  const uint64_t bytes_max = kGroupHeaderBytes + payload_bytes + batch.GetDataSize() +
                             puts.size() * kEntryBytes + uses_.EncodedBytes(journal_->active()) +
                             kSealBytes;
  QUIPU_ASSIGN_OR_RETURN(const Journal::Room room, journal_->MakeRoom(bytes_max));
  rocksdb::Status status;
  if (room.sealed.has_value()) {
    const auto key = EncodeSegmentUseKey(*room.sealed);
    status =
        batch.Put(families_[kMeta], ToSlice(key.view()), EncodeSegmentUse(uses_.Get(*room.sealed)));
  }
  uint64_t position = room.position + kGroupHeaderBytes;
  const std::vector<const BatchPut*> sorted = ByLog(puts);
  std::vector<Journal::Piece> payload;
  payload.reserve(puts.size());
  RunWriter runs(batch, families_[kLog]);
  for (const BatchPut* put : sorted) {
    const absl::string_view bytes = put->batch.bytes.view();
    runs.Add(*put, {.segment = room.segment,
                    .position = static_cast<uint32_t>(position),
                    .bytes = static_cast<uint32_t>(bytes.size()),
                    .max_timestamp = put->batch.max_timestamp,
                    .checksum = EncodeBatchChecksum(bytes)});
    payload.push_back(SummedBatch(bytes));
    position += bytes.size();
  }
  KeepFirst(status, runs.Finish());
  QUIPU_RETURN_IF_ERROR(FromRocksdb(status, "cannot put batches into a group"));
  const GroupRecord group = SealGroup(batch, previous, families_);
  const GroupHeader header{.segment = room.segment,
                           .number = group.number,
                           .previous_chain = group.previous_chain,
                           .chain = group.chain};
  QUIPU_RETURN_IF_ERROR(journal_->Append(header, payload, batch.Data()));
  unflushed_bytes_ += payload_bytes + batch.GetDataSize();
  position = room.position + kGroupHeaderBytes;
  for (const BatchPut* put : sorted) {
    const Bytes& bytes = put->batch.bytes;
    uses_.Add(room.segment, put->log_id, put->batch.last_offset, bytes.size());
    tail_.Add(room.segment, static_cast<uint32_t>(position), bytes);
    position += bytes.size();
  }
  status = db_->Write(UnloggedWrite(), &batch);
  if (status.ok()) return group;
  return ToStatus(ErrorCode::kStorageError,
                  absl::StrCat("cannot apply group ", group.number, " to ", db_->GetName(), ": ",
                               status.ToString()));
}

size_t JournalLog::BytesOf(absl::string_view value) const { return PointedBytes(value); }

TimestampMs JournalLog::MaxTimestampOf(absl::string_view value) const {
  return PointedMaxTimestamp(value);
}

absl::StatusOr<Bytes> JournalLog::Load(absl::string_view value, const BatchPin& pin) const {
  const std::optional<BatchPointer> pointer = DecodeBatchPointer(value);
  if (!pointer.has_value()) {
    return ToStatus(ErrorCode::kCorruptMessage, "its place in the journal is damaged");
  }
  if (std::optional<Bytes> kept = tail_.Find(pointer->segment, pointer->position)) {
    return *std::move(kept);
  }
  const auto& segments = *static_cast<const SegmentMap*>(pin.get());
  const auto found = segments.find(pointer->segment);
  if (found == segments.end()) return CannotRead(*pointer, "there is no such segment");
  std::string bytes(pointer->bytes, '\0');
  QUIPU_ASSIGN_OR_RETURN(const size_t got, journal_->Read(*found->second, pointer->position,
                                                          bytes.size(), bytes.data()));
  if (got != bytes.size()) return CannotRead(*pointer, "the file is too short");
  return Bytes(std::move(bytes));
}

bool JournalLog::IsInMemory(absl::string_view value) const {
  const std::optional<BatchPointer> pointer = DecodeBatchPointer(value);
  return !pointer.has_value() || tail_.Find(pointer->segment, pointer->position).has_value();
}

bool JournalLog::WouldWait(absl::string_view value, const SegmentMap& segments) const {
  const std::optional<BatchPointer> pointer = DecodeBatchPointer(value);
  const auto found = pointer.has_value() ? segments.find(pointer->segment) : segments.end();
  return found != segments.end() && journal_->WouldWait(*found->second, pointer->position);
}

void JournalLog::WillLoad(const std::vector<std::string>& values, size_t later,
                          const BatchPin& pin) const {
  const auto& segments = *static_cast<const SegmentMap*>(pin.get());
  const size_t from = WouldWait(values.front(), segments) ? 0 : later;
  // Batches that lie close to each other are one read.
  BatchPointer run;
  const auto tell = [&] {
    const auto found = run.bytes == 0 ? segments.end() : segments.find(run.segment);
    if (found != segments.end()) journal_->WillRead(*found->second, run.position, run.bytes);
  };
  for (size_t i = from; i < values.size(); ++i) {
    const std::optional<BatchPointer> pointer = DecodeBatchPointer(values[i]);
    if (!pointer.has_value()) continue;
    const uint64_t run_end = uint64_t{run.position} + run.bytes;
    const bool close = run.bytes > 0 && pointer->segment == run.segment &&
                       pointer->position >= run_end && pointer->position <= run_end + kHintGapBytes;
    if (close) {
      run.bytes = pointer->position + pointer->bytes - run.position;
      continue;
    }
    tell();
    run = *pointer;
  }
  tell();
}

bool JournalLog::Matches(absl::string_view value, const Bytes& batch) const {
  return PointsTo(value, batch);
}

size_t JournalBatchReader::BytesOf(absl::string_view value) const { return PointedBytes(value); }

TimestampMs JournalBatchReader::MaxTimestampOf(absl::string_view value) const {
  return PointedMaxTimestamp(value);
}

absl::StatusOr<Bytes> JournalBatchReader::Load(absl::string_view value,
                                               const BatchPin& /*pin*/) const {
  const std::optional<BatchPointer> pointer = DecodeBatchPointer(value);
  if (!pointer.has_value()) {
    return ToStatus(ErrorCode::kCorruptMessage, "its place in the journal is damaged");
  }
  QUIPU_ASSIGN_OR_RETURN(
      const std::unique_ptr<OpenFile> file,
      files_.OpenForReading(absl::StrCat(folder_, "/", SegmentFileName(pointer->segment))));
  std::string bytes(pointer->bytes, '\0');
  QUIPU_ASSIGN_OR_RETURN(const size_t got,
                         file->ReadAt(pointer->position, bytes.size(), bytes.data()));
  if (got != bytes.size()) return CannotRead(*pointer, "the file is too short");
  return Bytes(std::move(bytes));
}

bool JournalBatchReader::Matches(absl::string_view value, const Bytes& batch) const {
  return PointsTo(value, batch);
}

}  // namespace quipu
