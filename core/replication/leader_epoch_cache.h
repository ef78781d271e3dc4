// Which leader epoch wrote which part of a log.
#pragma once

#include <optional>
#include <vector>

#include "base/fingerprint.h"
#include "base/ids.h"
#include "core/replication/partition_types.h"

namespace quipu {

// Entries (epoch, start offset), both strictly ascending. Logs of two replicas are compared, and
// cut, by it and by nothing else (PR5). Shard thread only. Keeps I30. Source: KIP-101 (truncate by
// epoch), KIP-279 (several divergences in a row).
class LeaderEpochCache {
 public:
  struct EpochEnd {
    LeaderEpoch epoch;
    Offset end_offset;  // exclusive
  };

  LeaderEpochCache() = default;
  explicit LeaderEpochCache(std::vector<EpochEntry> entries);

  // A record of `epoch` (or a leader that may write one) comes at `start_offset`, which is the log
  // end. An epoch that is the newest already changes nothing. Epochs that wrote no record begin at
  // the same offset and go, so that both columns keep ascending (R04): also a newer one, since a
  // leader may have come and gone without a record while an older leader's records lived on
  // elsewhere. True when the entries changed.
  bool AppendEpoch(LeaderEpoch epoch, Offset start_offset);

  // The end of the largest epoch <= `epoch` in a log that ends at `log_end`. An epoch older than
  // all entries ended where the oldest entry starts. nullopt without entries.
  [[nodiscard]] std::optional<EpochEnd> EndOffsetFor(LeaderEpoch epoch, Offset log_end) const;
  // Epoch of the last record below `end`; kNoLeaderEpoch: no entry begins below it.
  [[nodiscard]] LeaderEpoch EpochBefore(Offset end) const;

  // The log was cut to `end`. True when entries went.
  bool TruncateTo(Offset end);
  // The log now begins at `log_start`: the epoch that holds it begins there, older ones go. True
  // when entries changed.
  bool TrimTo(Offset log_start);
  void Clear() { entries_.clear(); }

  [[nodiscard]] const std::vector<EpochEntry>& entries() const { return entries_; }
  // kNoLeaderEpoch: empty.
  [[nodiscard]] LeaderEpoch newest_epoch() const {
    return entries_.empty() ? kNoLeaderEpoch : entries_.back().epoch;
  }

  void CheckInvariants(Offset log_end) const;
  void AddTo(Fingerprint& state) const { state.Add(entries_); }

 private:
  std::vector<EpochEntry> entries_;
};

}  // namespace quipu
