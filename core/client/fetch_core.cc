#include "core/client/fetch_core.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/planted_bug.h"

namespace quipu {
namespace {

constexpr Duration kResetCallTimeout = std::chrono::seconds(5);
constexpr int64_t kEarliestTimestamp = -2;
constexpr int64_t kLatestTimestamp = -1;

}  // namespace

FetchCore::FetchCore(const ConsumerOptions& options, ClientMetadata& metadata, CallIds& ids,
                     Rng rng)
    : options_(options), metadata_(metadata), ids_(ids), rng_(rng) {}

Duration FetchCore::Backoff() { return std::chrono::milliseconds(rng_.Between(20, 100)); }

// ---- assignment and positions ----------------------------------------------------------------

void FetchCore::SetPosition(Partition& partition, const OffsetAndMetadata& position) {
  partition.position = position;
  partition.from_reset = false;
  partition.fetch_offset = position.offset;
  partition.fetch_epoch = position.leader_epoch;
  partition.buffer.clear();
  partition.next_record = 0;
  partition.buffered_bytes = 0;
  partition.request_id = 0;  // an answer under way is for another position
  partition.reset_call = 0;
  partition.error = ErrorCode::kNone;
  partition.error_told = false;
  partition.not_before = Instant();
}

void FetchCore::Assign(const TopicPartition& partition, const std::string& topic,
                       const std::optional<OffsetAndMetadata>& start) {
  Partition& state = partitions_[partition];
  state.topic = topic;
  state.leader = metadata_.view().Leader(partition);
  state.reset_to = options_.offset_reset;
  state.paused = false;
  state.revoking = false;
  SetPosition(state, start.value_or(OffsetAndMetadata{}));
  if (!start && options_.offset_reset == OffsetReset::kNone) {
    SetError(state, ErrorCode::kOffsetOutOfRange,
             "there is no offset to start from and auto.offset.reset is none");
  }
}

void FetchCore::Unassign(const TopicPartition& partition) { partitions_.erase(partition); }

bool FetchCore::Seek(const TopicPartition& partition, const OffsetAndMetadata& position) {
  const auto found = partitions_.find(partition);
  if (found == partitions_.end()) return false;
  SetPosition(found->second, position);
  return true;
}

bool FetchCore::SeekToReset(const TopicPartition& partition, OffsetReset where) {
  const auto found = partitions_.find(partition);
  if (found == partitions_.end()) return false;
  SetPosition(found->second, {});
  found->second.reset_to = where;
  return true;
}

bool FetchCore::Pause(const TopicPartition& partition, bool paused) {
  const auto found = partitions_.find(partition);
  if (found == partitions_.end()) return false;
  found->second.paused = paused;
  return true;
}

void FetchCore::StopForRevocation(const TopicPartition& partition) {
  const auto found = partitions_.find(partition);
  if (found != partitions_.end()) found->second.revoking = true;
}

std::vector<TopicPartition> FetchCore::Paused() const {
  std::vector<TopicPartition> paused;
  for (const auto& [id, partition] : partitions_) {
    if (partition.paused) paused.push_back(id);
  }
  return paused;
}

std::optional<OffsetAndMetadata> FetchCore::Position(const TopicPartition& partition) const {
  const auto found = partitions_.find(partition);
  if (found == partitions_.end()) return std::nullopt;
  OffsetAndMetadata position = found->second.position;
  if (IsPlanted(PlantedBug::kCommitAheadOfPoll) && position.offset != kNoOffset) {
    position.offset = found->second.fetch_offset;
    position.leader_epoch = found->second.fetch_epoch;
  }
  if (IsPlanted(PlantedBug::kCommitWithoutEpoch)) position.leader_epoch = kNoLeaderEpoch;
  return position;
}

std::optional<Offset> FetchCore::HighWatermark(const TopicPartition& partition) const {
  const auto found = partitions_.find(partition);
  if (found == partitions_.end()) return std::nullopt;
  return found->second.high_watermark;
}

std::vector<TopicPartition> FetchCore::Assigned() const {
  std::vector<TopicPartition> assigned;
  assigned.reserve(partitions_.size());
  for (const auto& [id, partition] : partitions_) assigned.push_back(id);
  return assigned;
}

// ---- poll --------------------------------------------------------------------------------------

void FetchCore::TakeFrom(Partition& partition, size_t& left, std::vector<ConsumerRecord>& out) {
  while (!partition.buffer.empty()) {
    const BufferedBatch& front = partition.buffer.front();
    const size_t count = front.batch == nullptr ? 0 : front.batch->decoded.records().size();
    while (partition.next_record < count) {
      const Offset offset = front.batch->decoded.records()[partition.next_record].offset;
      // The first batch may begin below the position.
      if (offset >= partition.position.offset) {
        if (left == 0) return;
        out.emplace_back(front.batch, partition.next_record);
        partition.position.offset = offset + 1;
        partition.position.metadata.clear();  // said of another offset
        partition.position.leader_epoch = front.leader_epoch;
        --left;
      }
      ++partition.next_record;
    }
    // Past the batch, whatever its last record was: offsets have holes.
    QUIPU_CHECK(front.end_offset >= partition.position.offset);
    if (partition.position.offset != front.end_offset) partition.position.metadata.clear();
    partition.position.offset = front.end_offset;
    partition.position.leader_epoch = front.leader_epoch;
    partition.buffered_bytes -= front.bytes;
    partition.buffer.pop_front();
    partition.next_record = 0;
  }
}

void FetchCore::Poll(size_t records_max, std::vector<ConsumerRecord>& out) {
  if (partitions_.empty()) return;
  size_t left = records_max;
  auto it = last_polled_ ? partitions_.upper_bound(*last_polled_) : partitions_.begin();
  for (size_t i = 0; i < partitions_.size() && left > 0; ++i) {
    if (it == partitions_.end()) it = partitions_.begin();
    last_polled_ = it->first;
    if (!Stands(it->second)) TakeFrom(it->second, left, out);
    ++it;
  }
}

bool FetchCore::HasNews() const {
  for (const auto& [id, partition] : partitions_) {
    if (!Stands(partition) && !partition.buffer.empty()) return true;
    if (partition.error != ErrorCode::kNone && !partition.error_told) return true;
  }
  return false;
}

void FetchCore::TakeErrors(std::vector<PartitionError>& out) {
  for (auto& [id, partition] : partitions_) {
    // What was read before the error comes first.
    if (partition.error == ErrorCode::kNone || partition.error_told || !partition.buffer.empty()) {
      continue;
    }
    partition.error_told = true;
    out.push_back({id, partition.topic, partition.error, partition.error_message});
  }
}

// ---- pump --------------------------------------------------------------------------------------

void FetchCore::OnMetadataChanged(Instant now) {
  for (auto& [id, partition] : partitions_) {
    const PartitionLeader leader = metadata_.view().Leader(id);
    if (leader == partition.leader) continue;
    partition.leader = leader;
    if (leader.broker == kNoBroker) continue;
    partition.not_before = now;
    const auto request = in_flight_.find(partition.request_id);
    // A deposed or hung leader's answer is not waited for.
    if (request != in_flight_.end() && request->second.broker != leader.broker) {
      partition.request_id = 0;
    }
  }
}

void FetchCore::Pump(Instant now, std::vector<FetchSend>& fetches, std::vector<UnaryCall>& calls,
                     std::vector<ServerAddress>& resets) {
  DropHungRequests(now, resets);
  PumpResets(now, calls);
  PumpFetches(now, fetches);
}

void FetchCore::DropHungRequests(Instant now, std::vector<ServerAddress>& resets) {
  if (in_flight_.empty()) return;
  const InFlightFetch& oldest = in_flight_.begin()->second;
  if (now >= oldest.sent_at + options_.fetch_max_wait + kAnswerStall && now >= next_probe_) {
    metadata_.LookPast(oldest.address);
    next_probe_ = now + kStallProbePause;
  }
  for (auto it = in_flight_.begin(); it != in_flight_.end();) {
    if (now < it->second.sent_at + options_.fetch_max_wait + options_.request_timeout) break;
    resets.push_back(it->second.address);
    metadata_.NoteUnreachable(it->second.address, "no answer within request.timeout.ms");
    ForgetRequest(it);
    it = in_flight_.erase(it);
  }
}

void FetchCore::ForgetRequest(absl::btree_map<uint64_t, InFlightFetch>::iterator request) {
  for (const TopicPartition& id : request->second.partitions) {
    const auto found = partitions_.find(id);
    if (found != partitions_.end() && found->second.request_id == request->first) {
      found->second.request_id = 0;
    }
  }
}

void FetchCore::PumpResets(Instant now, std::vector<UnaryCall>& calls) {
  absl::btree_map<ServerAddress,
                  std::pair<message::ListOffsetsRequest, std::vector<TopicPartition>>>
      requests;
  for (auto& [id, partition] : partitions_) {
    if (partition.position.offset != kNoOffset || partition.reset_call != 0) continue;
    if (partition.error != ErrorCode::kNone || now < partition.not_before) continue;
    const auto address = metadata_.view().AddressOf(partition.leader.broker);
    if (!address) {
      metadata_.RequestRefresh();
      continue;
    }
    auto& [request, ids] = requests[*address];
    message::ListOffsetsRequest::Partition* wanted = request.add_partitions();
    wanted->set_topic_id(id.topic_id.ToBytes());
    wanted->set_partition(id.partition.value());
    wanted->set_current_leader_epoch(partition.leader.epoch.value());
    wanted->set_timestamp(partition.reset_to == OffsetReset::kLatest ? kLatestTimestamp
                                                                     : kEarliestTimestamp);
    ids.push_back(id);
  }
  for (auto& [address, entry] : requests) {
    const CallId call = ids_.Next();
    for (const TopicPartition& id : entry.second) partitions_[id].reset_call = call;
    reset_calls_[call] = std::move(entry.second);
    calls.push_back({.id = call,
                     .address = address,
                     .timeout = kResetCallTimeout,
                     .request = std::move(entry.first)});
  }
}

bool FetchCore::WantsFetch(const Partition& partition) const {
  return partition.position.offset != kNoOffset && partition.request_id == 0 &&
         partition.error == ErrorCode::kNone && !Stands(partition) &&
         partition.buffered_bytes < static_cast<size_t>(options_.partition_fetch_bytes);
}

void FetchCore::PumpFetches(Instant now, std::vector<FetchSend>& fetches) {
  absl::btree_map<ServerAddress, size_t> busy;
  for (const auto& [id, request] : in_flight_) ++busy[request.address];
  absl::btree_map<ServerAddress, FetchSend> sends;
  for (auto& [id, partition] : partitions_) {
    if (!WantsFetch(partition) || now < partition.not_before) continue;
    const auto address = metadata_.view().AddressOf(partition.leader.broker);
    if (!address) {
      metadata_.RequestRefresh();
      continue;
    }
    if (busy[*address] >= options_.fetches_in_flight_max) {
      partition.not_before = Instant();  // an answer makes room, not the time
      continue;
    }
    FetchSend& send = sends[*address];
    if (send.request.request_id == 0) {
      send.address = *address;
      send.request.request_id = ++last_request_id_;
      send.request.max_wait_ms = static_cast<int32_t>(ToMillis(options_.fetch_max_wait));
      send.request.min_bytes = options_.fetch_min_bytes;
      send.request.max_bytes = options_.fetch_max_bytes;
      send.request.client_id = options_.client_id;
      in_flight_[last_request_id_] = {
          .address = *address, .broker = partition.leader.broker, .sent_at = now, .partitions = {}};
    }
    send.request.partitions.push_back({.topic_id = id.topic_id,
                                       .partition = id.partition,
                                       .fetch_offset = partition.fetch_offset,
                                       .leader_epoch = partition.leader.epoch,
                                       .max_bytes = options_.partition_fetch_bytes,
                                       .last_fetched_epoch = partition.fetch_epoch});
    partition.request_id = send.request.request_id;
    in_flight_[send.request.request_id].partitions.push_back(id);
  }
  for (auto& [address, send] : sends) fetches.push_back(std::move(send));
}

std::optional<Instant> FetchCore::NextDeadline() const {
  std::optional<Instant> next;
  if (!in_flight_.empty()) {
    const Instant oldest = in_flight_.begin()->second.sent_at + options_.fetch_max_wait;
    next = std::max(oldest + kAnswerStall, next_probe_);
    next = Earlier(next, oldest + options_.request_timeout);
  }
  for (const auto& [id, partition] : partitions_) {
    const bool reset = partition.position.offset == kNoOffset && partition.reset_call == 0 &&
                       partition.error == ErrorCode::kNone;
    if (!reset && !WantsFetch(partition)) continue;
    // Without an address the metadata's deadline counts; without back-off it was sent already, or
    // waits for a place among the requests in flight.
    if (partition.not_before == Instant()) continue;
    if (!metadata_.view().AddressOf(partition.leader.broker)) continue;
    if (reset || partition.request_id == 0) next = Earlier(next, partition.not_before);
  }
  return next;
}

}  // namespace quipu
