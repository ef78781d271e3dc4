// Answers, losses and time-outs of produce requests: the second half of ProducerCore.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/planted_bug.h"
#include "core/client/producer_core.h"

namespace quipu {
namespace {

// How often one batch may be given a new sequence before it is reported as failed.
constexpr int kResequencedMax = 3;

std::string TextOf(const std::string& message, ErrorCode error) {
  if (!message.empty()) return message;
  const absl::string_view text = ErrorDescription(error);
  return std::string(text.data(), text.size());
}

std::string WithLastError(std::string text, ErrorCode error, const std::string& message) {
  if (error == ErrorCode::kNone) return text;
  const absl::string_view name = ErrorName(error);
  absl::StrAppend(&text, "; last error ", name, ": ", message);
  return text;
}

// Of a batch behind the one of `report`.
std::string TextBehind(const DeliveryReport& report) {
  const absl::string_view name = ErrorName(report.error);
  return absl::StrCat("not written, since a batch before it failed: ", name, ": ", report.message);
}

}  // namespace

void ProducerCore::OnProduceResponse(Instant now, const ServerAddress& address,
                                     const ProduceResponse& response, ProducerEffects& effects) {
  const auto found = in_flight_.find(response.request_id);
  if (found == in_flight_.end()) return;  // given up before; its batches went another way
  const InFlightRequest request = std::move(found->second);
  in_flight_.erase(found);
  if (latencies_) latencies_->request.Add(now - request.sent_at);
  metadata_.NoteReachable(address);
  for (const auto& [slot, batch_id] : request.batches) {
    PartitionQueue& queue = queues_[slot];
    const auto batch =
        std::find_if(queue.batches.begin(), queue.batches.end(), [&](const OutgoingBatch& b) {
          return b.batch_id == batch_id && b.request_id == response.request_id;
        });
    if (batch == queue.batches.end()) continue;
    const auto result = std::find_if(response.partitions.begin(), response.partitions.end(),
                                     [&](const ProducePartitionResult& r) {
                                       return r.topic_id == queue.partition.topic_id &&
                                              r.partition == queue.partition.partition;
                                     });
    LeaveFlight(queue, *batch);
    if (result == response.partitions.end()) {
      Requeue(now, queue, *batch, true, ErrorCode::kUnknownServerError,
              "the answer leaves the partition out");
      continue;
    }
    ApplyResult(now, slot, static_cast<size_t>(batch - queue.batches.begin()), *result, effects);
    if (fatal_ != ErrorCode::kNone) return;
    ReportBehindFailure(queue, effects);
  }
}

void ProducerCore::ApplyResult(Instant now, PartitionSlot slot, size_t index,
                               const ProducePartitionResult& result, ProducerEffects& effects) {
  PartitionQueue& queue = queues_[slot];
  OutgoingBatch& batch = queue.batches[index];
  if (IsLeaderError(result.error)) {
    metadata_.RequestRefresh();
    if (metadata_.view().ApplyLeaderHint(queue.partition,
                                         {result.leader_id, result.leader_epoch})) {
      queue.leader = metadata_.view().Leader(queue.partition);
    }
  }
  const PartitionLeader leader = queue.leader;
  const std::string text = TextOf(result.error_message, result.error);
  switch (JudgeProduce(result.error)) {
    case ProduceVerdict::kStored:
    case ProduceVerdict::kStoredEarlier:
      if (result.error != ErrorCode::kNone) ++stats_.duplicates;
      Finish(queue, index,
             {.base_offset = result.error == ErrorCode::kNone ? result.base_offset : kNoOffset,
              .log_append_time = result.log_append_time,
              .message = {}},
             effects);
      return;
    case ProduceVerdict::kRefused:
      Requeue(now, queue, batch, false, result.error, text);
      // The hint named another leader: no reason to wait.
      if (leader.broker != kNoBroker && leader.broker != queue.sent_to) queue.not_before = now;
      return;
    case ProduceVerdict::kUnknown:
      Requeue(now, queue, batch, true, result.error, text);
      return;
    case ProduceVerdict::kRefusedForGood:
      Fail(queue, index, result.error, text, effects);
      return;
    case ProduceVerdict::kRefusedSequence:
      OnSequenceRefused(now, queue, index, result, effects);
      return;
    case ProduceVerdict::kFenced:
      fatal_ = ErrorCode::kProducerFenced;
      FailAll(fatal_, text, effects);
      return;
  }
}

void ProducerCore::OnSequenceRefused(Instant now, PartitionQueue& queue, size_t index,
                                     const ProducePartitionResult& result,
                                     ProducerEffects& effects) {
  OutgoingBatch& batch = queue.batches[index];
  const std::string text = TextOf(result.error_message, result.error);
  // A predecessor failed or is still on its way: this one follows it again (P09).
  if (index > 0 && !queue.gap) {
    Requeue(now, queue, batch, false, result.error, text);
    return;
  }
  // It may have been stored by an attempt whose answer was lost; sending its records under
  // another sequence could write them twice (P04).
  const bool unknown = batch.outcome_unknown && !IsPlanted(PlantedBug::kUnknownResentUnderNewEpoch);
  if (unknown || batch.resequenced >= kResequencedMax) {
    Fail(queue, index, ErrorCode::kOutOfOrderSequence, text, effects);
    return;
  }
  // The broker's state of this producer is gone or differs: it was surely not written, so it goes
  // out again under the next epoch (P07).
  batch.last_error = result.error;
  batch.last_message = text;
  queue.gap = true;
  bump_wanted_ = true;
}

void ProducerCore::LeaveFlight(PartitionQueue& queue, OutgoingBatch& batch) {
  if (batch.request_id == 0) return;
  batch.request_id = 0;
  --queue.in_flight;
  unsent_.insert(queue.slot);
  QUIPU_CHECK(queue.in_flight >= 0);
}

void ProducerCore::Requeue(Instant now, PartitionQueue& queue, OutgoingBatch& batch, bool unknown,
                           ErrorCode error, const std::string& message) {
  LeaveFlight(queue, batch);
  // A later refusal says nothing about an earlier attempt: unknown stays unknown.
  if (unknown) batch.outcome_unknown = true;
  batch.last_error = error;
  batch.last_message = message;
  queue.draining = true;
  const int64_t longest = std::max<int64_t>(ToMillis(options_.retry_backoff_max), 1);
  queue.not_before = now + std::chrono::milliseconds(rng_.Between((longest + 4) / 5, longest));
}

void ProducerCore::Finish(PartitionQueue& queue, size_t index, DeliveryReport report,
                          ProducerEffects& effects) {
  OutgoingBatch& batch = queue.batches[index];
  LeaveFlight(queue, batch);
  report.batch_id = batch.batch_id;
  report.slot = queue.slot;
  report.topic = queue.topic;
  report.partition = queue.partition;
  report.record_count = batch.record_count;
  released_bytes_ += batch.reserved_bytes;
  effects.deliveries.push_back(std::move(report));
  queue.batches.erase(queue.batches.begin() + static_cast<std::ptrdiff_t>(index));
  --batch_count_;
}

void ProducerCore::Fail(PartitionQueue& queue, size_t index, ErrorCode error,
                        const std::string& message, ProducerEffects& effects) {
  FailAlone(queue, index, error, message, effects);
  TakeAlong(queue, index, effects);
  ReportBehindFailure(queue, effects);
}

// What stands at or behind `index` fails with the failure that was reported last. True when
// something does that did not already.
bool ProducerCore::TakeAlong(PartitionQueue& queue, size_t index, ProducerEffects& effects) {
  if (IsPlanted(PlantedBug::kFailureTakesNobodyAlong)) return false;
  DeliveryReport& report = effects.deliveries.back();
  report.fails_queued = true;
  const std::string why = TextBehind(report);
  bool any = false;
  for (size_t i = index; i < queue.batches.size(); ++i) {
    if (!queue.batches[i].failed_ahead.empty()) continue;
    queue.batches[i].failed_ahead = why;
    any = true;
  }
  return any;
}

// Reports, in order, what stands behind a failure and has no attempt open. An open one ends by an
// answer (a refusal, since a sequence is missing, unless what failed was stored after all), by
// being sent again until there is one, or by delivery.timeout.ms. What is reported that late takes
// along in its turn what was sent since: the failure told first may have been another account's.
void ProducerCore::ReportBehindFailure(PartitionQueue& queue, ProducerEffects& effects) {
  size_t index = 0;
  bool reported = false;
  while (index < queue.batches.size()) {
    const OutgoingBatch& batch = queue.batches[index];
    if (batch.failed_ahead.empty()) {
      if (!reported || !TakeAlong(queue, index, effects)) ++index;
      continue;
    }
    if (batch.request_id != 0 || batch.outcome_unknown) break;
    const std::string why = batch.failed_ahead;
    FailAlone(queue, index, ErrorCode::kOperationNotAttempted, why, effects);
    reported = true;
  }
  if (reported) TakeAlong(queue, index, effects);
}

void ProducerCore::FailQueued(ProducerEffects& effects) {
  if (fatal_ != ErrorCode::kNone) return;  // Pull reports everything
  std::vector<PendingBatch> taken;
  for (size_t i = 0; i < effects.deliveries.size(); ++i) {  // grows meanwhile
    if (!effects.deliveries[i].fails_queued) continue;
    const std::string why = TextBehind(effects.deliveries[i]);
    PartitionQueue& queue = queues_[effects.deliveries[i].slot];
    taken.clear();
    accumulator_.TakeSlot(queue.slot, taken);
    for (PendingBatch& batch : taken) {
      TakeBatch(std::move(batch));
      queue.batches.back().failed_ahead = why;
    }
    ReportBehindFailure(queue, effects);
  }
}

void ProducerCore::FailAlone(PartitionQueue& queue, size_t index, ErrorCode error,
                             const std::string& message, ProducerEffects& effects) {
  const OutgoingBatch& batch = queue.batches[index];
  const bool unknown = (batch.outcome_unknown || batch.request_id != 0) &&
                       !IsPlanted(PlantedBug::kUnknownReportedAsFailed);
  if (batch.base_sequence != kNoSequence) {
    const bool last =
        index + 1 == queue.batches.size() || queue.batches[index + 1].base_sequence == kNoSequence;
    if (last && !unknown && !queue.gap) {
      queue.next_sequence = batch.base_sequence;  // never written: the next one takes it
    } else {
      queue.gap = true;
      bump_wanted_ = true;
    }
  }
  Finish(queue, index,
         {.error = error,
          .persisted = unknown ? Persisted::kUnknown : Persisted::kNo,
          .message = message},
         effects);
}

void ProducerCore::FailAll(ErrorCode error, const std::string& message, ProducerEffects& effects) {
  for (const PartitionSlot slot : busy_) {
    PartitionQueue& queue = queues_[slot];
    while (!queue.batches.empty()) {
      const OutgoingBatch& batch = queue.batches.front();
      FailAlone(queue, 0, error, WithLastError(message, batch.last_error, batch.last_message),
                effects);
    }
  }
  in_flight_.clear();
}

void ProducerCore::Abort(Instant /*now*/, ErrorCode error, ProducerEffects& effects) {
  if (fatal_ == ErrorCode::kNone) fatal_ = error;
  std::string text = "the producer was closed before an answer came";
  if (const absl::Status reach = metadata_.Reachability(); !reach.ok()) {
    const absl::string_view why = reach.message();
    absl::StrAppend(&text, "; ", why);
  }
  FailAll(error, text, effects);
}

void ProducerCore::LoseRequests(Instant now, const ServerAddress& address, const std::string& why) {
  for (auto it = in_flight_.begin(); it != in_flight_.end();) {
    if (it->second.address != address) {
      ++it;
      continue;
    }
    const uint64_t request_id = it->first;
    for (const auto& [slot, batch_id] : it->second.batches) {
      PartitionQueue& queue = queues_[slot];
      for (OutgoingBatch& batch : queue.batches) {
        if (batch.request_id != request_id || batch.batch_id != batch_id) continue;
        Requeue(now, queue, batch, true, ErrorCode::kNotConnected, why);
      }
    }
    it = in_flight_.erase(it);
  }
}

void ProducerCore::OnProduceStreamClosed(Instant now, const ServerAddress& address,
                                         const absl::Status& status, ProducerEffects& /*effects*/) {
  const absl::string_view text = status.message();
  const std::string why = absl::StrCat("connection to ", address, " lost: ", text);
  metadata_.NoteUnreachable(address, std::string(text.data(), text.size()));
  metadata_.RequestRefresh();
  LoseRequests(now, address, why);
}

void ProducerCore::OnTime(Instant now, ProducerEffects& effects) {
  while (!in_flight_.empty()) {
    const InFlightRequest& oldest = in_flight_.begin()->second;
    if (now < oldest.sent_at + options_.request_timeout) break;
    const ServerAddress address = oldest.address;
    effects.resets.push_back(address);
    metadata_.NoteUnreachable(address, "no answer within request.timeout.ms");
    metadata_.RequestRefresh();
    LoseRequests(now, address, absl::StrCat(address, " gave no answer within request.timeout.ms"));
  }
  ExpireQueues(now, effects);
}

void ProducerCore::ExpireQueues(Instant now, ProducerEffects& effects) {
  if (now < next_expiry_) return;
  next_expiry_ = Instant::max();
  for (const PartitionSlot slot : busy_) {
    PartitionQueue& queue = queues_[slot];
    ExpireQueue(now, queue, effects);
    if (queue.batches.empty()) continue;
    next_expiry_ = std::min(next_expiry_,
                            queue.batches.front().created + options_.accumulator.delivery_timeout);
  }
}

void ProducerCore::ExpireQueue(Instant now, PartitionQueue& queue, ProducerEffects& effects) {
  while (!queue.batches.empty()) {
    const OutgoingBatch& batch = queue.batches.front();
    if (now < batch.created + options_.accumulator.delivery_timeout) return;
    const std::string text =
        WithLastError("delivery.timeout.ms has passed", batch.last_error, batch.last_message);
    Fail(queue, 0, ErrorCode::kDeliveryTimedOut, text, effects);
  }
}

}  // namespace quipu
