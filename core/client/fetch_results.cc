// Answers to fetches and offset look-ups: the second half of FetchCore.
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/client/fetch_core.h"
#include "core/client/produce_verdict.h"

namespace quipu {

void FetchCore::SetError(Partition& partition, ErrorCode error, std::string message) {
  partition.error = error;
  partition.error_message = std::move(message);
  partition.error_told = false;
}

void FetchCore::Count(Duration round_trip, const FetchResponse& response) {
  size_t bytes = 0;
  for (const FetchPartitionResult& result : response.partitions) {
    for (const Bytes& batch : result.batches) bytes += batch.size();
  }
  ++stats_.fetches;
  stats_.fetched_bytes += bytes;
  if (bytes > 0 && latencies_) latencies_->Add(round_trip);
}

LatencySummary FetchCore::TakeLatencies() {
  if (!latencies_) return {};
  const LatencySummary taken = latencies_->Summary();
  latencies_->Clear();
  return taken;
}

void FetchCore::OnFetchResponse(Instant now, const ServerAddress& address,
                                const FetchResponse& response) {
  const auto found = in_flight_.find(response.request_id);
  if (found == in_flight_.end()) return;
  metadata_.NoteReachable(address);
  const InFlightFetch request = found->second;
  Count(now - request.sent_at, response);
  for (const TopicPartition& id : request.partitions) {
    const auto assigned = partitions_.find(id);
    // Sought, moved to another leader or given up since: the answer is for another position.
    if (assigned == partitions_.end() || assigned->second.request_id != response.request_id) {
      continue;
    }
    Partition& partition = assigned->second;
    partition.request_id = 0;
    partition.not_before = Instant();
    if (response.error != ErrorCode::kNone) {
      ApplyError(now, id, partition, response.error, {});
      continue;
    }
    bool answered = false;
    for (const FetchPartitionResult& result : response.partitions) {
      if (result.topic_id != id.topic_id || result.partition != id.partition) continue;
      ApplyResult(now, id, partition, result);
      answered = true;
      break;
    }
    // Left out of an answer: asked for again, but not in a tight loop.
    if (!answered) partition.not_before = now + std::chrono::milliseconds(1);
  }
  in_flight_.erase(response.request_id);
}

void FetchCore::ApplyResult(Instant now, const TopicPartition& id, Partition& partition,
                            const FetchPartitionResult& result) {
  if (result.error == ErrorCode::kDamagedOnAllReplicas && !result.error_message.empty()) {
    partition.not_before = now + Backoff();
    SetError(partition, result.error, result.error_message);
    return;
  }
  if (result.error != ErrorCode::kNone) {
    ApplyError(now, id, partition, result.error, {result.leader_id, result.leader_epoch});
    return;
  }
  if (result.diverging_epoch != kNoLeaderEpoch) {
    SetError(partition, ErrorCode::kOffsetOutOfRange,
             absl::StrCat("the log was cut: position ", partition.fetch_offset.value(),
                          " of leader epoch ", partition.fetch_epoch.value(),
                          " is not in it; epoch ", result.diverging_epoch.value(), " ends at ",
                          result.diverging_end_offset.value(), "; seek to go on"));
    return;
  }
  partition.high_watermark = result.high_watermark;
  partition.from_reset = false;
  if (!TakeBatches(id, partition, result)) {
    SetError(
        partition, ErrorCode::kCorruptMessage,
        absl::StrCat("the batch at offset ", partition.fetch_offset.value(),
                     " fails its checksum or is malformed; seek there to try again, or past it"));
  }
}

bool FetchCore::TakeBatches(const TopicPartition& id, Partition& partition,
                            const FetchPartitionResult& result) {
  for (const Bytes& bytes : result.batches) {
    const absl::StatusOr<RecordBatchView> view = RecordBatchView::Parse(bytes);
    if (!view.ok() || !view->CrcMatches()) return false;
    if (view->end_offset() <= partition.fetch_offset) continue;
    BufferedBatch buffered{.batch = nullptr,
                           .end_offset = view->end_offset(),
                           .leader_epoch = view->leader_epoch(),
                           .bytes = view->size()};
    if (!view->is_control()) {
      absl::StatusOr<DecodedBatch> decoded = DecodedBatch::Decode(*view);
      if (!decoded.ok()) return false;
      buffered.batch =
          std::make_shared<FetchedBatch>(FetchedBatch{.topic = partition.topic,
                                                      .partition = id,
                                                      .leader_epoch = view->leader_epoch(),
                                                      .timestamp_type = view->timestamp_type(),
                                                      .decoded = *std::move(decoded)});
    }
    partition.fetch_offset = buffered.end_offset;
    partition.fetch_epoch = buffered.leader_epoch;
    partition.buffered_bytes += buffered.bytes;
    partition.buffer.push_back(std::move(buffered));
  }
  return true;
}

void FetchCore::ApplyError(Instant now, const TopicPartition& id, Partition& partition,
                           ErrorCode error, PartitionLeader hint) {
  partition.not_before = now + Backoff();
  if (error == ErrorCode::kOffsetOutOfRange) {
    if (partition.from_reset) {
      // Looked up a moment ago and trimmed since: look again.
      partition.position = {};
      return;
    }
    SetError(partition, error,
             absl::StrCat("offset ", partition.fetch_offset.value(),
                          " is outside of what the partition keeps; seek to go on"));
    return;
  }
  if (IsLeaderError(error)) {
    metadata_.RequestRefresh();
    if (metadata_.view().ApplyLeaderHint(id, hint)) {
      partition.leader = metadata_.view().Leader(id);
      partition.not_before = now;
    }
    return;
  }
  // Retriable in general, but the same leader would find the same bytes again.
  if (error == ErrorCode::kCorruptMessage) {
    SetError(
        partition, error,
        absl::StrCat("the leader, broker ", partition.leader.broker.value(),
                     ", holds a damaged batch at offset ", partition.fetch_offset.value(),
                     "; let another replica lead and seek there to try again, or seek past it"));
    return;
  }
  if (IsRetriable(error) || error == ErrorCode::kUnknownServerError ||
      error == ErrorCode::kOffsetNotAvailable) {
    return;
  }
  const absl::string_view text = ErrorDescription(error);
  SetError(partition, error, std::string(text.data(), text.size()));
}

void FetchCore::OnFetchStreamClosed(Instant now, const ServerAddress& address,
                                    const absl::Status& status) {
  const absl::string_view text = status.message();
  metadata_.NoteUnreachable(address, std::string(text.data(), text.size()));
  metadata_.RequestRefresh();
  for (auto it = in_flight_.begin(); it != in_flight_.end();) {
    if (it->second.address != address) {
      ++it;
      continue;
    }
    for (const TopicPartition& id : it->second.partitions) {
      const auto found = partitions_.find(id);
      if (found == partitions_.end() || found->second.request_id != it->first) continue;
      found->second.request_id = 0;
      found->second.not_before = now + Backoff();
    }
    it = in_flight_.erase(it);
  }
}

bool FetchCore::OnAnswered(Instant now, CallId id, const message::ListOffsetsResponse& response) {
  const auto found = reset_calls_.find(id);
  if (found == reset_calls_.end()) return false;
  const std::vector<TopicPartition> asked = std::move(found->second);
  reset_calls_.erase(found);
  for (const TopicPartition& wanted : asked) {
    const auto assigned = partitions_.find(wanted);
    if (assigned == partitions_.end() || assigned->second.reset_call != id) continue;
    Partition& partition = assigned->second;
    partition.reset_call = 0;
    partition.not_before = now + Backoff();
    for (const message::ListOffsetsResponse::Partition& result : response.partitions()) {
      if (result.topic_id() != wanted.topic_id.ToBytes() ||
          result.partition() != wanted.partition.value()) {
        continue;
      }
      const ErrorCode error = WireError(result.error_code());
      if (error != ErrorCode::kNone) {
        ApplyError(now, wanted, partition, error, {});
        break;
      }
      SetPosition(partition, {.offset = Offset(result.offset()), .metadata = {}});
      partition.from_reset = true;
      break;
    }
  }
  return true;
}

bool FetchCore::OnCallFailed(Instant now, CallId id, const absl::Status& /*status*/) {
  const auto found = reset_calls_.find(id);
  if (found == reset_calls_.end()) return false;
  metadata_.RequestRefresh();
  for (const TopicPartition& wanted : found->second) {
    const auto assigned = partitions_.find(wanted);
    if (assigned == partitions_.end() || assigned->second.reset_call != id) continue;
    assigned->second.reset_call = 0;
    assigned->second.not_before = now + Backoff();
  }
  reset_calls_.erase(found);
  return true;
}

}  // namespace quipu
