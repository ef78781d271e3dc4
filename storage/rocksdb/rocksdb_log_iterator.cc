#include "storage/rocksdb/rocksdb_log_iterator.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/check.h"
#include "storage/log_recovery.h"
#include "storage/rocksdb/rocksdb_options.h"
#include "storage/rocksdb/rocksdb_status.h"

namespace quipu {
namespace {

rocksdb::ReadOptions RangeRead(const rocksdb::Slice& from, const rocksdb::Slice& end,
                               const rocksdb::Snapshot* snapshot) {
  rocksdb::ReadOptions options = CheckedRead();
  options.iterate_lower_bound = &from;
  options.iterate_upper_bound = &end;
  options.snapshot = snapshot;
  return options;
}

Offset AtLeastZero(Offset offset) { return std::max(offset, Offset{0}); }

Offset LastOffsetOf(const rocksdb::Iterator& it) {
  const std::optional<DecodedLogKey> key = DecodeLogKey(ToView(it.key()));
  QUIPU_CHECK_MSG(key.has_value(), "a key of the log family is not 16 bytes long");
  return key->last_offset;
}

// Whether a walk ended at a value and not at the keys: RocksDB names the blob file, or says "blob",
// in every error of one (BlobFileReader, BlobSource), and a table's file in all others.
bool IsOfValue(const rocksdb::DB& db, const rocksdb::Status& status) {
  std::string text = status.ToString();
  text = absl::StrReplaceAll(text, {{db.GetName(), ""}});
  return absl::StrContains(text, "blob") || absl::StrContains(text, "Blob");
}

}  // namespace

ScopedSnapshot::ScopedSnapshot(rocksdb::DB& db, const BatchPlace& place)
    : db_(db), snapshot_(nullptr), pin_(place.Pin()) {
  while (true) {
    snapshot_ = db.GetSnapshot();
    BatchPin now = place.Pin();
    if (now == pin_) return;
    pin_ = std::move(now);  // places came or went meanwhile
    db.ReleaseSnapshot(snapshot_);
  }
}

LogRange::LogRange(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, LogId log_id, Offset from,
                   Offset end, const rocksdb::Snapshot* snapshot)
    : log_id_(log_id),
      from_(EncodeLogKey(log_id, AtLeastZero(from))),
      end_(EncodeLogKey(log_id, std::max(AtLeastZero(from), end))),
      from_slice_(ToSlice(from_.view())),
      end_slice_(ToSlice(end_.view())),
      iterator_(db.NewIterator(RangeRead(from_slice_, end_slice_, snapshot), family)) {}

void LogRange::SeekTo(Offset from) {
  const LogKey key = EncodeLogKey(log_id_, from);
  iterator_->Seek(ToSlice(key.view()));
}

LogIterator::LogIterator(const LogSource& source, LogId log_id, Offset from, Offset end,
                         const ScopedSnapshot* snapshot)
    : source_(source),
      log_id_(log_id),
      from_(AtLeastZero(from)),
      end_(std::max(from_, end)),
      own_snapshot_(snapshot == nullptr
                        ? std::optional<ScopedSnapshot>(std::in_place, source.db, source.place)
                        : std::nullopt),
      snapshot_(snapshot == nullptr ? *own_snapshot_ : *snapshot),
      // The key of a batch before `end` may lie behind it.
      range_(source.db, source.family, log_id, from_,
             source.place.HoldsRuns() ? Offset::Max() : end_, snapshot_.get()) {
  range_.SeekTo(from_);
  if (Failed()) FindUnreadable(from_);
  OpenRun();
}

void LogIterator::OpenRun() {
  run_.clear();
  at_ = 0;
  const rocksdb::Iterator& it = range_.iterator();
  if (!source_.place.HoldsRuns() || !it.Valid() || IsBatchAlone(ToView(it.value()))) return;
  std::optional<BatchRun> run = DecodeBatchRun(LastOffsetOf(it), ToView(it.value()));
  if (!run.has_value()) return;
  run_ = *std::move(run);
  size_t first = 0;
  while (first + 1 < run_.size() && run_[first].last_offset < from_) ++first;
  GoTo(first);
}

void LogIterator::GoTo(size_t place_in_run) {
  at_ = place_in_run;
  value_ = EncodeBatchPointer(run_[at_].pointer);
}

bool LogIterator::Failed() const {
  return !range_.iterator().Valid() && !range_.iterator().status().ok();
}

LogIterator::Answer LogIterator::Ask(Offset from, Offset end, Which which) const {
  const LogRange range(source_.db, source_.family, log_id_, from, end, snapshot_.get());
  rocksdb::Iterator& it = range.iterator();
  which == Which::kFirst ? it.SeekToFirst() : it.SeekToLast();
  if (it.Valid()) return {.kind = Answer::kBatch, .last_offset = LastOffsetOf(it)};
  if (it.status().ok()) return {.kind = Answer::kNone};
  return {.kind = IsOfValue(source_.db, it.status()) ? Answer::kUnreadable : Answer::kFailed};
}

// [at, below) holds no batch, [at, above) does: found in steps that double, then halve.
void LogIterator::FindUnreadable(Offset at) {
  why_unreadable_ = range_.iterator().status();
  if (!IsOfValue(source_.db, why_unreadable_)) return;
  Offset below = at;
  Offset above = end_;
  int64_t step = 1;
  bool doubling = true;
  while (above - below > 1) {
    doubling = doubling && step < end_ - at;
    const Offset middle = doubling ? at + step : below + (above - below) / 2;
    const Answer answer = Ask(at, middle, Which::kFirst);
    if (answer.kind == Answer::kFailed) return;
    if (answer.kind == Answer::kBatch) {
      unreadable_ = answer.last_offset;
      return;
    }
    doubling = doubling && answer.kind == Answer::kNone && step <= INT64_MAX / 2;
    if (doubling) step *= 2;
    (answer.kind == Answer::kNone ? below : above) = middle;
  }
  unreadable_ = below;
}

// The mirror image: [from, end) holds a batch for every `from` up to `holds`, from `empty` on none.
void LogIterator::FindUnreadableLast() {
  why_unreadable_ = range_.iterator().status();
  if (!IsOfValue(source_.db, why_unreadable_)) return;
  Offset holds = from_;
  Offset empty = end_;
  int64_t step = 1;
  bool doubling = true;
  while (empty - holds > 1) {
    doubling = doubling && step < end_ - from_;
    const Offset middle = doubling ? from_ + step : holds + (empty - holds) / 2;
    const Answer answer = Ask(middle, end_, Which::kLast);
    if (answer.kind == Answer::kFailed) return;
    if (answer.kind == Answer::kBatch) {
      unreadable_ = answer.last_offset;
      return;
    }
    doubling = doubling && answer.kind == Answer::kUnreadable && step <= INT64_MAX / 2;
    if (doubling) step *= 2;
    (answer.kind == Answer::kNone ? empty : holds) = middle;
  }
  unreadable_ = holds;
}

void LogIterator::Next() {
  if (at_ + 1 < run_.size()) return GoTo(at_ + 1);
  if (!unreadable_) {
    const Offset before = last_offset();
    range_.iterator().Next();
    if (Failed()) FindUnreadable(before + 1);
    return OpenRun();
  }
  const Offset at = *unreadable_ + 1;
  unreadable_.reset();
  range_.SeekTo(at);
  if (Failed()) FindUnreadable(at);
}

void LogIterator::NextRun() {
  at_ = run_.empty() ? 0 : run_.size() - 1;
  Next();
}

// The last batch before `end` lies under the first key from there on, or under the one before that.
void LogIterator::SeekToLastOfRuns() {
  rocksdb::Iterator& it = range_.iterator();
  range_.SeekTo(end_);
  if (Failed()) return;
  OpenRun();
  size_t behind = run_.size();  // the last batch to be had
  while (behind > 0 && run_[behind - 1].last_offset >= end_) --behind;
  if (behind > 0 && run_[behind - 1].last_offset >= from_) return GoTo(behind - 1);
  it.Valid() ? it.Prev() : it.SeekToLast();
  OpenRun();
  if (!run_.empty()) GoTo(run_.size() - 1);
}

void LogIterator::SeekToLast() {
  if (source_.place.HoldsRuns()) return SeekToLastOfRuns();
  unreadable_.reset();
  range_.iterator().SeekToLast();
  if (Failed()) FindUnreadableLast();
}

Offset LogIterator::last_offset() const {
  if (unreadable_) return *unreadable_;
  return run_.empty() ? LastOffsetOf(range_.iterator()) : run_[at_].last_offset;
}

absl::string_view LogIterator::value() const { return run_.empty() ? run_value() : value_; }

absl::string_view LogIterator::run_value() const {
  return unreadable_ ? absl::string_view() : ToView(range_.iterator().value());
}

size_t LogIterator::batch_bytes() const { return source_.place.BytesOf(value()); }

TimestampMs LogIterator::max_timestamp() const { return source_.place.MaxTimestampOf(value()); }

Bytes LogIterator::Unchecked() const {
  if (unreadable_) return Bytes();
  return source_.place.Load(value(), snapshot_.pin()).value_or(Bytes());
}

void LogIterator::BeginReads(size_t bytes) const {
  if (unreadable_ || source_.place.IsInMemory(value())) return;
  std::vector<std::string> values;
  size_t found = 0;
  size_t later = 0;  // the first one behind this read
  for (LogIterator it(source_, log_id_, last_offset(), end_, &snapshot_);
       it.Valid() && found < 2 * bytes; it.Next()) {
    values.emplace_back(it.value());
    found += source_.place.BytesOf(values.back());
    if (found <= bytes) later = values.size();
  }
  if (!values.empty()) source_.place.WillLoad(values, later, snapshot_.pin());
}

DamagedBatch LogIterator::Place() const {
  const Offset last = last_offset();
  LogIterator before(source_, log_id_, Offset{0}, last, &snapshot_);
  before.SeekToLast();
  return {.first_offset = before.Valid() ? before.last_offset() + 1 : Offset{0},
          .last_offset = last};
}

absl::StatusOr<StoredBatch> LogIterator::Checked() const {
  if (unreadable_) {
    return WithPlace(DamagedAt(log_id_, *unreadable_, why_unreadable_.ToString()), Place());
  }
  const absl::StatusOr<Bytes> batch = source_.place.Load(value(), snapshot_.pin());
  if (!batch.ok()) {
    return WithPlace(DamagedAt(log_id_, last_offset(), batch.status().message()), Place());
  }
  if (!source_.place.Matches(value(), *batch)) {
    return WithPlace(DamagedAt(log_id_, last_offset(), "the header's checksum does not match"),
                     Place());
  }
  absl::StatusOr<StoredBatch> checked = CheckedBatch(log_id_, last_offset(), *batch);
  if (!checked.ok()) return WithPlace(checked.status(), Place());
  return checked;
}

absl::Status LogIterator::status() const {
  if (unreadable_) return absl::OkStatus();
  return FromRocksdb(range_.iterator().status(), absl::StrCat("cannot read log ", log_id_.value(),
                                                              " from offset ", from_.value()));
}

TimeIndexIterator::TimeIndexIterator(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family,
                                     LogId log_id, const rocksdb::Snapshot* snapshot)
    : log_id_(log_id),
      from_(EncodeLogRange(log_id)),
      end_(EncodeLogRange(log_id + 1)),
      from_slice_(ToSlice(from_.view())),
      end_slice_(ToSlice(end_.view())),
      iterator_(db.NewIterator(RangeRead(from_slice_, end_slice_, snapshot), family)) {}

void TimeIndexIterator::Seek(TimestampMs timestamp) {
  const TimeIndexKey key =
      EncodeTimeIndexKey({.log_id = log_id_, .running_max = timestamp, .last_offset = Offset{0}});
  iterator_->Seek(ToSlice(key.view()));
}

TimeIndexEntry TimeIndexIterator::entry() const {
  const std::optional<TimeIndexEntry> entry = DecodeTimeIndexKey(ToView(iterator_->key()));
  QUIPU_CHECK_MSG(entry.has_value(), "a key of the time index is not 24 bytes long");
  return *entry;
}

int64_t TimeIndexIterator::bytes() const {
  const std::optional<int64_t> bytes = DecodeLogBytes(ToView(iterator_->value()));
  QUIPU_CHECK_MSG(bytes.has_value(), "a value of the time index is not 8 bytes long");
  return *bytes;
}

absl::Status TimeIndexIterator::status() const {
  return FromRocksdb(iterator_->status(),
                     absl::StrCat("cannot read the time index of log ", log_id_.value()));
}

}  // namespace quipu
