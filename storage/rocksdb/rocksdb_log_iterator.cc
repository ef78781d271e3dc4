#include "storage/rocksdb/rocksdb_log_iterator.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
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

}  // namespace

LogIterator::LogIterator(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* log_family, LogId log_id,
                         Offset from, Offset end, const rocksdb::Snapshot* snapshot)
    : log_id_(log_id),
      from_(EncodeLogKey(log_id, AtLeastZero(from))),
      end_(EncodeLogKey(log_id, std::max(AtLeastZero(from), end))),
      from_slice_(ToSlice(from_.view())),
      end_slice_(ToSlice(end_.view())),
      iterator_(db.NewIterator(RangeRead(from_slice_, end_slice_, snapshot), log_family)) {
  iterator_->Seek(from_slice_);
}

Offset LogIterator::last_offset() const {
  const std::optional<DecodedLogKey> key = DecodeLogKey(ToView(iterator_->key()));
  QUIPU_CHECK_MSG(key.has_value(), "a key of the log family is not 16 bytes long");
  return key->last_offset;
}

size_t LogIterator::batch_bytes() const { return batch().size(); }

absl::string_view LogIterator::batch() const {
  absl::string_view value = ToView(iterator_->value());
  value.remove_prefix(std::min(value.size(), kBatchChecksumBytes));
  return value;
}

absl::StatusOr<StoredBatch> LogIterator::Checked() const {
  if (!BatchChecksumMatches(ToView(iterator_->value()))) {
    return DamagedBatch(log_id_, last_offset(), "the header's checksum does not match");
  }
  return CheckedBatch(log_id_, last_offset(), Bytes::CopyOf(batch()));
}

absl::Status LogIterator::status() const {
  return FromRocksdb(iterator_->status(),
                     absl::StrCat("cannot read log ", log_id_.value(), " from offset ",
                                  DecodeLogKey(from_.view())->last_offset.value()));
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
