// What every LogStore has to do alike: judge a batch that comes from disk, and rebuild producer
// state.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "base/ids.h"
#include "core/replication/partition_types.h"
#include "core/replication/producer_table.h"

namespace quipu {

// Producer snapshots kept per log: the newest may lie above the point of a later truncation, an
// older one then still spares reading the whole log.
inline constexpr size_t kProducerSnapshotsKept = 3;

// kResourceNotFound: no such log, or it was dropped.
absl::Status UnknownLog(LogId log_id);
// kCorruptMessage, naming log and offset.
absl::Status DamagedAt(LogId log_id, Offset last_offset, absl::string_view what);
// `damage` with the place of the batch, for whoever repairs it.
absl::Status WithPlace(absl::Status damage, DamagedBatch place);
// The place that a status carries; nullopt: it carries none.
std::optional<DamagedBatch> DamagedPlaceOf(const absl::Status& status);

// The batch that is stored under `last_offset`, with its header read: kCorruptMessage unless it is
// one whole batch whose CRC matches and which ends at `last_offset` (D5).
absl::StatusOr<StoredBatch> CheckedBatch(LogId log_id, Offset last_offset, const Bytes& bytes);

// Adds a damaged batch that a recovery met to what it reports.
void NameDamaged(DamagedBatch place, RecoveredLog& recovered);

// Producer state as of a log end: the newest snapshot at or below it, then the headers of every
// batch behind the snapshot, in offset order, through ProducerTable::Replay: the one rule by which
// live appends change that state too (I61).
class ProducerRecovery {
 public:
  // `snapshot` nullopt: from the beginning of the log.
  explicit ProducerRecovery(const std::optional<ProducerSnapshot>& snapshot);
  // First offset whose batch has to be added.
  [[nodiscard]] Offset from() const { return from_; }
  // Adds a batch that CheckedBatch has passed. kCorruptMessage as there.
  absl::Status Add(LogId log_id, const StoredBatch& batch);
  [[nodiscard]] std::vector<ProducerEntry> Finish() const { return table_.Entries(); }

 private:
  Offset from_{0};
  ProducerTable table_{SIZE_MAX};
};

}  // namespace quipu
