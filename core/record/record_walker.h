// Reads the records of a batch one by one, uncompressed, checking their structure.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "core/record/record_batch.h"
#include "core/record/varint.h"

namespace quipu {

// Call Next until it returns false, then look at `ok()`. One owner; `records` must outlive it and
// every RecordView that it fills.
class RecordWalker {
 public:
  // `records` are the uncompressed records of the batch that `header` describes.
  RecordWalker(const RecordBatchView& header, absl::string_view records);

  // Fills `record` with the next one. False at the end or at the first record that is broken.
  // A RecordView may be used again and again: its vector of headers keeps its memory.
  bool Next(RecordView& record);

  // After Next returned false: whether exactly record_count well-formed records with rising offsets
  // up to last_offset filled the bytes.
  [[nodiscard]] bool ok() const { return ok_; }
  // Whether the offsets seen so far were base_offset, +1, +2, ... without a gap, as a producer has
  // to number them.
  [[nodiscard]] bool is_dense() const { return is_dense_; }
  // The newest create time seen, kNoTimestamp at first.
  [[nodiscard]] TimestampMs max_create_time() const { return max_create_time_; }

 private:
  bool ReadBody(RecordCursor& body, RecordView& record);
  static bool ReadHeaders(RecordCursor& body, RecordView& record);

  RecordCursor cursor_;
  Offset base_offset_;
  int32_t last_offset_delta_;
  TimestampMs base_timestamp_;
  TimestampMs max_timestamp_;
  bool is_log_append_time_;
  int32_t left_;
  int32_t index_ = 0;
  int32_t previous_delta_ = -1;
  bool ok_ = false;
  bool is_dense_ = true;
  TimestampMs max_create_time_ = kNoTimestamp;
};

}  // namespace quipu
