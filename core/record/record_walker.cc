#include "core/record/record_walker.h"

#include <algorithm>

#include "core/record/batch_layout.h"

namespace quipu {
namespace {

// A length of -1 means null; a length below that fails the cursor.
std::optional<absl::string_view> ReadNullable(RecordCursor& cursor) {
  const int32_t length = cursor.ReadVarint32();
  if (length == -1) return std::nullopt;
  return cursor.ReadBytes(length);
}

}  // namespace

RecordWalker::RecordWalker(const RecordBatchView& header, absl::string_view records)
    : cursor_(records),
      base_offset_(header.base_offset()),
      last_offset_delta_(header.last_offset_delta()),
      base_timestamp_(header.base_timestamp()),
      max_timestamp_(header.max_timestamp()),
      is_log_append_time_(header.timestamp_type() == TimestampType::kLogAppendTime),
      left_(header.record_count()) {}

bool RecordWalker::Next(RecordView& record) {
  if (cursor_.failed()) return false;
  if (left_ == 0) {
    ok_ = cursor_.rest().empty();
    return false;
  }
  const int32_t length = cursor_.ReadVarint32();
  RecordCursor body(cursor_.ReadBytes(length));
  if (cursor_.failed() || !ReadBody(body, record)) {
    cursor_.Fail();
    return false;
  }
  --left_;
  ++index_;
  return true;
}

bool RecordWalker::ReadBody(RecordCursor& body, RecordView& record) {
  body.ReadByte();  // attributes of a record: no bit has a meaning yet
  const int64_t timestamp_delta = body.ReadVarint64();
  const int32_t offset_delta = body.ReadVarint32();
  record.key = ReadNullable(body);
  record.value = ReadNullable(body);
  if (body.failed() || !ReadHeaders(body, record)) return false;
  if (!body.rest().empty()) return false;

  if (offset_delta <= previous_delta_ || offset_delta > last_offset_delta_) return false;
  is_dense_ = is_dense_ && offset_delta == index_;
  previous_delta_ = offset_delta;
  record.offset = base_offset_ + offset_delta;

  int64_t create_time = 0;
  if (__builtin_add_overflow(base_timestamp_.value(), timestamp_delta, &create_time)) return false;
  max_create_time_ = std::max(max_create_time_, TimestampMs(create_time));
  record.timestamp = is_log_append_time_ ? max_timestamp_ : TimestampMs(create_time);
  return true;
}

bool RecordWalker::ReadHeaders(RecordCursor& body, RecordView& record) {
  record.headers.clear();
  const int32_t count = body.ReadVarint32();
  // The count is checked against the bytes that are there before anything is reserved.
  if (body.failed() || count < 0) return false;
  if (static_cast<size_t>(count) > body.rest().size() / batch_layout::kRecordHeaderBytesMin) {
    return false;
  }
  record.headers.reserve(static_cast<size_t>(count));
  for (int32_t i = 0; i < count; ++i) {
    RecordHeader header;
    header.key = body.ReadBytes(body.ReadVarint32());
    header.value = ReadNullable(body);
    record.headers.push_back(header);
  }
  return !body.failed();
}

}  // namespace quipu
