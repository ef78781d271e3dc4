#include "storage/log_recovery.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/error_code.h"
#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "core/record/record_batch.h"

namespace quipu {
namespace {

constexpr char kPlaceUrl[] = "quipu/damaged_batch";

}  // namespace

absl::Status UnknownLog(LogId log_id) {
  return ToStatus(ErrorCode::kResourceNotFound,
                  absl::StrCat("log ", log_id.value(), " is not in this directory"));
}

absl::Status DamagedAt(LogId log_id, Offset last_offset, absl::string_view what) {
  return ToStatus(ErrorCode::kCorruptMessage,
                  absl::StrCat("log ", log_id.value(), ", batch that ends at offset ",
                               last_offset.value(), ": ", what));
}

absl::Status WithPlace(absl::Status damage, DamagedBatch place) {
  damage.SetPayload(kPlaceUrl, absl::Cord(absl::StrCat(place.first_offset.value(), " ",
                                                       place.last_offset.value())));
  return damage;
}

std::optional<DamagedBatch> DamagedPlaceOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kPlaceUrl);
  if (!payload.has_value()) return std::nullopt;
  const std::string text(*payload);
  const size_t space = text.find(' ');
  int64_t first = 0;
  int64_t last = 0;
  if (space == std::string::npos || !absl::SimpleAtoi(text.substr(0, space), &first) ||
      !absl::SimpleAtoi(text.substr(space + 1), &last)) {
    return std::nullopt;
  }
  return DamagedBatch{.first_offset = Offset(first), .last_offset = Offset(last)};
}

absl::StatusOr<StoredBatch> CheckedBatch(LogId log_id, Offset last_offset, const Bytes& bytes) {
  absl::StatusOr<RecordBatchView> batch = RecordBatchView::Parse(bytes);
  if (!batch.ok()) return DamagedAt(log_id, last_offset, "the header is damaged");
  if (batch->size() != bytes.size()) {
    return DamagedAt(log_id, last_offset, "the length does not match");
  }
  if (batch->last_offset() != last_offset) {
    return DamagedAt(log_id, last_offset, "the header names another offset");
  }
  if (!batch->CrcMatches() && !IsPlanted(PlantedBug::kDamagedBatchServed))
    return DamagedAt(log_id, last_offset, "the CRC does not match");
  return StoredBatch{.base_offset = batch->base_offset(),
                     .last_offset = last_offset,
                     .max_timestamp = batch->max_timestamp(),
                     .bytes = bytes};
}

void NameDamaged(DamagedBatch place, RecoveredLog& recovered) {
  if (recovered.damaged.size() < kDamagedBatchesNamed) recovered.damaged.push_back(place);
}

ProducerRecovery::ProducerRecovery(const std::optional<ProducerSnapshot>& snapshot) {
  if (!snapshot.has_value()) return;
  from_ = snapshot->as_of;
  table_.Restore(snapshot->producers);
}

absl::Status ProducerRecovery::Add(LogId log_id, const StoredBatch& batch) {
  absl::StatusOr<RecordBatchView> view = RecordBatchView::Parse(batch.bytes);
  if (!view.ok()) return DamagedAt(log_id, batch.last_offset, "the header is damaged");
  if (batch.base_offset >= from_) table_.Replay(*view);
  return absl::OkStatus();
}

}  // namespace quipu
