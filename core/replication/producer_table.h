// What a partition remembers of its idempotent producers, so that a retry is stored once.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/container/btree_map.h"
#include "base/error_code.h"
#include "base/fingerprint.h"
#include "base/ids.h"
#include "base/time.h"
#include "core/record/record_batch.h"
#include "core/replication/partition_types.h"

namespace quipu {

// Batches of a producer that are remembered: as many as it may have in flight. Kafka's five
// (KIP-98) bind its own clients alone.
inline constexpr size_t kProducerBatchesMax = 16;

// The sequence that follows `sequence`; 2^31-1 is followed by 0.
Sequence NextSequence(Sequence sequence);

// Producer state of one log, as of its log end. Replay is the only way in, for live appends, for
// appends of a follower and for recovery alike, so that every replica holds the same table and a
// new leader knows the retries of the old one (I41, P02).
//
// Shard thread only. Keeps I40 and PR6.
// Source: KIP-98 and KIP-360; stricter than Kafka where state is missing: only sequence 0 is taken
// then (P08).
class ProducerTable {
 public:
  // What is to be done with a batch that a producer sent.
  struct Verdict {
    ErrorCode error = ErrorCode::kNone;
    // Set with kNone: the batch is stored already, here. Answer with its first offset.
    std::optional<ProducerBatch> duplicate_of;
    // Set with kDuplicateSequence: the batch is stored below this offset.
    Offset stored_below = kNoOffset;
  };

  explicit ProducerTable(size_t producers_max = 100000) : producers_max_(producers_max) {}
  ProducerTable(const ProducerTable& other);
  ProducerTable& operator=(const ProducerTable&) = delete;

  // Judges a batch before it is appended; batches without a producer id are always taken. Changes
  // nothing.
  //   kInvalidRecord         a producer id without epoch or sequence
  //   kInvalidProducerEpoch  epoch below the known one: a zombie
  //   kUnknownProducerId     no state, and not sequence 0
  //   kOutOfOrderSequence    a gap, a new epoch that does not begin at 0, or a batch that cuts
  //                          across stored ones
  //   kDuplicateSequence     stored, but too long ago to know where
  //   kLimitReached          no room for another producer
  [[nodiscard]] Verdict Check(const RecordBatchView& batch) const;

  // Takes note of a batch that is now in the log, with its offsets stamped. Batches at or below
  // what is known of that producer are ignored, so replaying twice does no harm. Never refuses:
  // what is in the log was let in by a leader. Control batches and batches without a producer id
  // pass by.
  void Replay(const RecordBatchView& batch);
  // The same for a batch that is being stamped with `base_offset`.
  void ReplayAt(const RecordBatchView& batch, Offset base_offset);

  // Forgets producers that sent nothing for `expiration`, counted by the monotonic clock between
  // calls of this function. One whose newest batch is not below `high_watermark` stays, since its
  // outcome is still open (P07).
  void Expire(Instant now, Duration expiration, Offset high_watermark);

  // Forgets producers whose newest batch begins below `offset`.
  void ForgetBelow(Offset offset);

  // Takes over `entries`, instead of everything known.
  void Restore(const std::vector<ProducerEntry>& entries);
  // Everything, by ascending producer id.
  [[nodiscard]] std::vector<ProducerEntry> Entries() const;
  // Each with its newest batch, by ascending producer id, without a copy of all.
  using Visit = std::function<void(ProducerId, ProducerEpoch, const ProducerBatch& newest)>;
  void ForEach(const Visit& visit) const;
  // What is known of batches that begin below `as_of`. Together with the batches from `as_of` on
  // this gives the whole state: where more than is remembered begins behind it, those give it
  // alone.
  [[nodiscard]] ProducerSnapshot Snapshot(Offset as_of) const;

  void Clear() { producers_.clear(); }
  [[nodiscard]] size_t size() const { return producers_.size(); }
  [[nodiscard]] bool empty() const { return producers_.empty(); }

  // Batches of each producer ascend in sequence and offset and begin below `log_end` (I61).
  void CheckInvariants(Offset log_end) const;
  void AddTo(Fingerprint& state) const;

 private:
  // A producer with its newest batches, oldest first. Never empty.
  struct State {
    ProducerEpoch epoch;
    TimestampMs last_timestamp = kNoTimestamp;
    std::array<ProducerBatch, kProducerBatchesMax> batches;
    size_t count = 0;
    bool touched = true;  // since the last Expire
    Instant idle_since;   // valid when not touched

    [[nodiscard]] const ProducerBatch& newest() const { return batches[count - 1]; }
    void Add(const ProducerBatch& batch);
  };

  static std::unique_ptr<State> StateOf(const ProducerEntry& entry);
  static Verdict CheckKnown(const State& state, const RecordBatchView& batch);

  size_t producers_max_;
  absl::btree_map<ProducerId, std::unique_ptr<State>> producers_;
};

}  // namespace quipu
