#include "storage/log_recovery.h"

#include "absl/strings/str_cat.h"
#include "base/error_code.h"
#include "base/status_macros.h"
#include "core/record/record_batch.h"

namespace quipu {

absl::Status UnknownLog(LogId log_id) {
  return ToStatus(ErrorCode::kResourceNotFound,
                  absl::StrCat("log ", log_id.value(), " is not in this directory"));
}

absl::Status DamagedBatch(LogId log_id, Offset last_offset, absl::string_view what) {
  return ToStatus(ErrorCode::kCorruptMessage,
                  absl::StrCat("log ", log_id.value(), ", batch that ends at offset ",
                               last_offset.value(), ": ", what));
}

absl::StatusOr<StoredBatch> CheckedBatch(LogId log_id, Offset last_offset, const Bytes& bytes) {
  absl::StatusOr<RecordBatchView> batch = RecordBatchView::Parse(bytes);
  if (!batch.ok()) return DamagedBatch(log_id, last_offset, "the header is damaged");
  if (batch->size() != bytes.size()) {
    return DamagedBatch(log_id, last_offset, "the length does not match");
  }
  if (batch->last_offset() != last_offset) {
    return DamagedBatch(log_id, last_offset, "the header names another offset");
  }
  if (!batch->CrcMatches()) return DamagedBatch(log_id, last_offset, "the CRC does not match");
  return StoredBatch{.base_offset = batch->base_offset(),
                     .last_offset = last_offset,
                     .max_timestamp = batch->max_timestamp(),
                     .bytes = bytes};
}

ProducerRecovery::ProducerRecovery(const std::optional<ProducerSnapshot>& snapshot) {
  if (!snapshot.has_value()) return;
  from_ = snapshot->as_of;
  table_.Restore(snapshot->producers);
}

absl::Status ProducerRecovery::Add(LogId log_id, const StoredBatch& batch) {
  absl::StatusOr<RecordBatchView> view = RecordBatchView::Parse(batch.bytes);
  if (!view.ok()) return DamagedBatch(log_id, batch.last_offset, "the header is damaged");
  if (batch.base_offset >= from_) table_.Replay(*view);
  return absl::OkStatus();
}

}  // namespace quipu
