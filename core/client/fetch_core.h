// Reads assigned partitions: positions, fetch requests, buffered batches.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "base/rng.h"
#include "core/client/client_metadata.h"
#include "core/client/client_types.h"
#include "core/client/consumer_options.h"
#include "core/client/consumer_types.h"

namespace quipu {

// Keeps each partition that has room fetching from its leader, one request per partition at a
// time, several partitions in a request. Control batches are skipped and offsets are never assumed
// to be dense. An offset out of range is an error, never a silent reset: a new leader that does
// not know its high watermark yet answers OFFSET_NOT_AVAILABLE, which is retried (R20). A log that
// was cut below the position is told as an error (R21). Pure; one owner.
class FetchCore {
 public:
  // `options`, `metadata` and `ids` must outlive this object.
  FetchCore(const ConsumerOptions& options, ClientMetadata& metadata, CallIds& ids, Rng rng);

  // Begins to read. Without `start`, at the place that auto.offset.reset names.
  void Assign(const TopicPartition& partition, const std::string& topic,
              const std::optional<OffsetAndMetadata>& start);
  void Unassign(const TopicPartition& partition);
  // False: not assigned. What was buffered is dropped.
  bool Seek(const TopicPartition& partition, const OffsetAndMetadata& position);
  bool SeekToReset(const TopicPartition& partition, OffsetReset where);
  // Paused: neither fetched nor handed out; what is buffered and the position are kept. A partition
  // that is assigned anew is not paused.
  bool Pause(const TopicPartition& partition, bool paused);
  // About to be given up: as paused until Unassign, whatever Pause says.
  void StopForRevocation(const TopicPartition& partition);
  [[nodiscard]] std::vector<TopicPartition> Paused() const;

  // Moves up to `records_max` records out, in offset order per partition, and the positions past
  // them; partitions take turns.
  void Poll(size_t records_max, std::vector<ConsumerRecord>& out);
  // Errors not yet told.
  void TakeErrors(std::vector<PartitionError>& out);
  // Poll or TakeErrors has something.
  [[nodiscard]] bool HasNews() const;

  // The next record to be returned; offset kNoOffset: not known yet. nullopt: not assigned.
  [[nodiscard]] std::optional<OffsetAndMetadata> Position(const TopicPartition& partition) const;
  // As last heard; kNoOffset before. nullopt: not assigned.
  [[nodiscard]] std::optional<Offset> HighWatermark(const TopicPartition& partition) const;
  [[nodiscard]] std::vector<TopicPartition> Assigned() const;

  // ---- inputs; the bool ones return false when the call is not this part's ----
  void OnFetchResponse(Instant now, const ServerAddress& address, const FetchResponse& response);
  void OnFetchStreamClosed(Instant now, const ServerAddress& address, const absl::Status& status);
  bool OnAnswered(Instant now, CallId id, const message::ListOffsetsResponse& response);
  bool OnCallFailed(Instant now, CallId id, const absl::Status& status);
  void OnMetadataChanged(Instant now);

  // ---- outputs ----
  // `resets`: fetch streams to be broken, because the broker does not answer.
  void Pump(Instant now, std::vector<FetchSend>& fetches, std::vector<UnaryCall>& calls,
            std::vector<ServerAddress>& resets);
  [[nodiscard]] std::optional<Instant> NextDeadline() const;

  // ---- statistics ----
  [[nodiscard]] const FetchStats& stats() const { return stats_; }
  // From now on round trips are measured.
  void MeasureLatencies() { latencies_ = std::make_unique<LatencyHistogram>(); }
  // Since the call before: of fetches that brought records, from their sending to their answer, the
  // wait for those records at the broker included. Nothing before MeasureLatencies.
  LatencySummary TakeLatencies();

 private:
  struct BufferedBatch {
    std::shared_ptr<const FetchedBatch> batch;  // nullptr: nothing to return (control)
    Offset end_offset;
    LeaderEpoch leader_epoch;
    size_t bytes = 0;
  };
  struct Partition {
    std::string topic;
    PartitionLeader leader;
    OffsetAndMetadata position;  // next to return; kNoOffset: must be looked up
    OffsetReset reset_to = OffsetReset::kEarliest;
    bool from_reset = false;          // the position was looked up and not yet confirmed by a fetch
    Offset fetch_offset = kNoOffset;  // next to fetch; >= position
    LeaderEpoch fetch_epoch = kNoLeaderEpoch;  // of the batch before it
    std::deque<BufferedBatch> buffer;
    size_t next_record = 0;  // in the front of `buffer`
    size_t buffered_bytes = 0;
    uint64_t request_id = 0;  // in flight
    CallId reset_call = 0;
    Instant not_before;
    Offset high_watermark = kNoOffset;
    bool paused = false;    // by the application
    bool revoking = false;  // its position may still be committed
    ErrorCode error = ErrorCode::kNone;
    std::string error_message;
    bool error_told = false;
  };
  struct InFlightFetch {
    ServerAddress address;
    BrokerId broker = kNoBroker;
    Instant sent_at;
    std::vector<TopicPartition> partitions;
  };
  using Partitions = absl::btree_map<TopicPartition, Partition>;

  // fetch_core.cc
  void SetPosition(Partition& partition, const OffsetAndMetadata& position);
  void TakeFrom(Partition& partition, size_t& left, std::vector<ConsumerRecord>& out);
  void PumpResets(Instant now, std::vector<UnaryCall>& calls);
  void PumpFetches(Instant now, std::vector<FetchSend>& fetches);
  void DropHungRequests(Instant now, std::vector<ServerAddress>& resets);
  void ForgetRequest(absl::btree_map<uint64_t, InFlightFetch>::iterator request);
  [[nodiscard]] static bool Stands(const Partition& partition) {
    return partition.paused || partition.revoking;
  }
  [[nodiscard]] bool WantsFetch(const Partition& partition) const;
  [[nodiscard]] Duration Backoff();

  // fetch_results.cc
  void Count(Duration round_trip, const FetchResponse& response);
  void ApplyResult(Instant now, const TopicPartition& id, Partition& partition,
                   const FetchPartitionResult& result);
  bool TakeBatches(const TopicPartition& id, Partition& partition,
                   const FetchPartitionResult& result);
  void ApplyError(Instant now, const TopicPartition& id, Partition& partition, ErrorCode error,
                  PartitionLeader hint);
  void SetError(Partition& partition, ErrorCode error, std::string message);

  const ConsumerOptions& options_;
  ClientMetadata& metadata_;
  CallIds& ids_;
  Rng rng_;
  Partitions partitions_;
  absl::btree_map<uint64_t, InFlightFetch> in_flight_;
  absl::btree_map<CallId, std::vector<TopicPartition>> reset_calls_;
  uint64_t last_request_id_ = 0;
  std::optional<TopicPartition> last_polled_;
  Instant next_probe_;
  FetchStats stats_;
  std::unique_ptr<LatencyHistogram> latencies_;  // nullptr: not measured
};

}  // namespace quipu
