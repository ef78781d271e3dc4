// The brain of a producer: sequences, the in-flight window, retries, outcomes.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "base/rng.h"
#include "core/client/client_metadata.h"
#include "core/client/client_types.h"
#include "core/client/produce_verdict.h"
#include "core/client/producer_identity.h"
#include "core/client/record_accumulator.h"

namespace quipu {

struct ProducerOptions {
  ClientMetadataOptions metadata;
  AccumulatorOptions accumulator;
  std::string client_id = "quipu";  // client.id
  int32_t in_flight_max = 10;  // max.in.flight.requests.per.connection, here batches per partition
  Duration request_timeout = std::chrono::seconds(30);          // request.timeout.ms
  Duration retry_backoff_max = std::chrono::milliseconds(100);  // retry.backoff.ms
  // The id and epoch of a former life of this producer, to be taken up with epoch + 1.
  std::optional<std::pair<ProducerId, ProducerEpoch>> resume;
};

// The fate of one batch; each of its records shares it.
struct DeliveryReport {
  uint64_t batch_id = 0;
  PartitionSlot slot = 0;
  std::string topic{};
  TopicPartition partition{};
  int32_t record_count = 0;
  ErrorCode error = ErrorCode::kNone;
  Persisted persisted = Persisted::kYes;
  // Of the first record; kNoOffset with an error, and when the broker answered that it has the
  // batch but no longer knows where.
  Offset base_offset = kNoOffset;
  TimestampMs log_append_time = kNoTimestamp;
  bool fails_queued = false;  // see FailQueued
  std::string message;
};

struct ProducerEffects {
  std::vector<UnaryCall> calls;
  std::vector<ProduceSend> produces;
  // Streams to be broken: the broker has not answered within request.timeout.ms.
  std::vector<ServerAddress> resets;
  std::vector<DeliveryReport> deliveries;
};

// Turns pending batches into produce requests and answers into delivery reports.
//
// Rules (docs: PR6, P01-P12):
//  - a batch gets its sequence when it is first sent, and keeps it, bytes included, in every retry;
//  - a failed batch waits until no successor on its partition is in flight, then all of them are
//    sent again in sequence order (P09);
//  - an outcome is unknown from the moment a batch was sent until a definite answer; an unknown
//    batch is sent again only under the same id, epoch and sequence (P12);
//  - after a gap in the sequences the epoch is raised, once every batch is settled: stored,
//    definitely refused, or reported unknown; only then sequences start again at 0 (P04, P08);
//  - when a batch fails, every batch behind it on its partition fails too, unless it was stored:
//    nothing sent before the failure was told stands behind a record that is missing (docs:
//    decision 17);
//  - bytes belong to the request until it ends: a batch that expires in flight leaves its bytes to
//    the stream (P11).
//
// A turn: any inputs, then Pull (which touches the accumulator, so the SDK holds its lock), then
// Pump; and FailQueued, under the lock too, before the deliveries are told. Pure; one owner.
class ProducerCore {
 public:
  // `accumulator` must outlive this object; it is touched by the constructor's caller, Pull and
  // FailQueued only.
  ProducerCore(ProducerOptions options, RecordAccumulator& accumulator, Rng rng);

  // ---- inputs ----
  // A topic that records are going to be sent to; its metadata is fetched.
  void AddTopic(const std::string& name);
  void OnAnswered(Instant now, CallId id, const UnaryResponse& response, ProducerEffects& effects);
  void OnCallFailed(Instant now, CallId id, const absl::Status& status, ProducerEffects& effects);
  void OnProduceResponse(Instant now, const ServerAddress& address, const ProduceResponse& response,
                         ProducerEffects& effects);
  void OnProduceStreamClosed(Instant now, const ServerAddress& address, const absl::Status& status,
                             ProducerEffects& effects);
  // Expires what is due.
  void OnTime(Instant now, ProducerEffects& effects);
  // Gives up: every batch is reported with `error`, sent ones as unknown. The end of the producer.
  void Abort(Instant now, ErrorCode error, ProducerEffects& effects);

  // ---- outputs ----
  void Pull(Instant now, ProducerEffects& effects);
  void Pump(Instant now, ProducerEffects& effects);
  // Fails what the accumulator holds behind the batches that failed, and adds the reports. Pull
  // does it first of all; whoever tells deliveries later than that calls it once more, so that
  // whatever was appended before the failure is told goes with it.
  void FailQueued(ProducerEffects& effects);
  // Also looks at the accumulator: under its lock.
  [[nodiscard]] std::optional<Instant> NextDeadline() const;

  // No batch is here; the accumulator may still hold some.
  [[nodiscard]] bool idle() const { return batch_count_ == 0; }
  [[nodiscard]] const ProducerIdentity& identity() const { return identity_; }
  [[nodiscard]] const ClientMetadata& metadata() const { return metadata_; }
  [[nodiscard]] ErrorCode fatal() const { return fatal_; }
  [[nodiscard]] const ProducerStats& stats() const { return stats_; }
  // From now on latencies are measured.
  void MeasureLatencies() { latencies_ = std::make_unique<Latencies>(); }
  // Nothing before MeasureLatencies.
  ProducerLatencies TakeLatencies();
  // Aborts the program when the books do not balance.
  void CheckInvariants() const;

 private:
  struct OutgoingBatch {
    uint64_t batch_id = 0;
    Instant created;
    std::optional<RecordBatchBuilder> builder;  // until first sent
    Bytes bytes;                                // from then on
    int32_t record_count = 0;
    size_t reserved_bytes = 0;
    Sequence base_sequence = kNoSequence;
    uint64_t request_id = 0;  // in flight in this request; 0: not in flight
    bool ever_sent = false;
    bool outcome_unknown = false;  // an attempt went unanswered; no later refusal clears it
    int resequenced = 0;
    ErrorCode last_error = ErrorCode::kNone;
    std::string last_message;
    // Not empty: what failed ahead of it. It fails too once no attempt of it is open.
    std::string failed_ahead;
  };
  struct PartitionQueue {
    PartitionSlot slot = 0;
    std::string topic;
    TopicPartition partition;
    PartitionLeader leader;
    std::deque<OutgoingBatch> batches;  // in order of sending
    Sequence next_sequence{0};
    int in_flight = 0;
    bool draining = false;  // a batch failed: send nothing until none is in flight
    bool gap = false;       // a sequence is missing for good: wait for a new epoch
    Instant not_before;
    BrokerId sent_to = kNoBroker;
  };
  struct InFlightRequest {
    ServerAddress address;
    Instant sent_at;
    std::vector<std::pair<PartitionSlot, uint64_t>> batches;  // slot, batch id
  };
  struct Latencies {
    LatencyHistogram queue;
    LatencyHistogram request;
  };
  // Requests to one broker that are being filled.
  using OpenRequests = absl::btree_map<ServerAddress, std::vector<ProduceSend>>;

  // producer_core.cc
  void OnMetadataChanged(Instant now, ProducerEffects& effects);
  void TakeBatch(PendingBatch batch);
  void ForgetIdleQueues();
  // How many batches more a partition may hold here.
  [[nodiscard]] int32_t RoomOf(PartitionSlot slot) const;
  void ProbeWhenStalled(Instant now);
  void SendPartition(Instant now, PartitionSlot slot, OpenRequests& open);
  void SendBatch(Instant now, PartitionSlot slot, OutgoingBatch& batch,
                 const ServerAddress& address, std::vector<ProduceSend>& requests, size_t& from);
  void PrepareBytes(PartitionQueue& queue, OutgoingBatch& batch);
  [[nodiscard]] bool MaySend(const PartitionQueue& queue, const OutgoingBatch& batch) const;
  [[nodiscard]] bool AllSettled() const;
  void StartNewEpoch();

  // producer_outcomes.cc
  void ApplyResult(Instant now, PartitionSlot slot, size_t index,
                   const ProducePartitionResult& result, ProducerEffects& effects);
  void OnSequenceRefused(Instant now, PartitionQueue& queue, size_t index,
                         const ProducePartitionResult& result, ProducerEffects& effects);
  void Requeue(Instant now, PartitionQueue& queue, OutgoingBatch& batch, bool unknown,
               ErrorCode error, const std::string& message);
  void Finish(PartitionQueue& queue, size_t index, DeliveryReport report, ProducerEffects& effects);
  void Fail(PartitionQueue& queue, size_t index, ErrorCode error, const std::string& message,
            ProducerEffects& effects);
  void FailAlone(PartitionQueue& queue, size_t index, ErrorCode error, const std::string& message,
                 ProducerEffects& effects);
  bool TakeAlong(PartitionQueue& queue, size_t index, ProducerEffects& effects);
  void ReportBehindFailure(PartitionQueue& queue, ProducerEffects& effects);
  void FailAll(ErrorCode error, const std::string& message, ProducerEffects& effects);
  void ExpireQueues(Instant now, ProducerEffects& effects);
  void ExpireQueue(Instant now, PartitionQueue& queue, ProducerEffects& effects);
  void LoseRequests(Instant now, const ServerAddress& address, const std::string& why);
  void LeaveFlight(PartitionQueue& queue, OutgoingBatch& batch);

  const ProducerOptions options_;
  RecordAccumulator& accumulator_;
  Rng rng_;
  CallIds ids_;
  ClientMetadata metadata_;
  ProducerIdentity identity_;
  std::vector<PartitionQueue> queues_;  // by slot
  // Slots of queues that hold a batch, and of those that hold one that is not in flight; and some
  // that did until the last Pull. A turn's work grows with the second, not with the partitions.
  absl::btree_set<PartitionSlot> busy_;
  absl::btree_set<PartitionSlot> unsent_;
  Instant next_expiry_ = Instant::max();  // no batch meets delivery.timeout.ms before
  absl::btree_map<uint64_t, InFlightRequest> in_flight_;
  uint64_t last_request_id_ = 0;
  size_t batch_count_ = 0;
  size_t released_bytes_ = 0;
  bool topics_changed_ = false;
  bool bump_wanted_ = false;
  ErrorCode fatal_ = ErrorCode::kNone;
  Instant next_probe_;
  ProducerStats stats_;
  std::unique_ptr<Latencies> latencies_;  // nullptr: not measured
};

}  // namespace quipu
