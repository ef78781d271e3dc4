#include "core/client/producer_core.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace quipu {
namespace {

// A produce message carries at most this much, or one larger batch alone.
constexpr size_t kRequestBytesMax = size_t{1} << 20;

// Sequences wrap from 2^31-1 to 0 (Kafka's DefaultRecordBatch.incrementSequence).
Sequence Advance(Sequence sequence, int32_t count) {
  constexpr int64_t kModulus = int64_t{std::numeric_limits<int32_t>::max()} + 1;
  return Sequence(static_cast<int32_t>((int64_t{sequence.value()} + count) % kModulus));
}

}  // namespace

ProducerCore::ProducerCore(ProducerOptions options, RecordAccumulator& accumulator, Rng rng)
    : options_(std::move(options)),
      accumulator_(accumulator),
      rng_(rng),
      metadata_(options_.metadata, ids_, rng_.Fork()),
      identity_(options_.resume, ids_, rng_.Fork()) {
  QUIPU_CHECK(options_.in_flight_max >= 1);
}

void ProducerCore::AddTopic(const std::string& name) { metadata_.AddTopic(name); }

void ProducerCore::OnAnswered(Instant now, CallId id, const UnaryResponse& response,
                              ProducerEffects& effects) {
  if (const auto* metadata = std::get_if<message::MetadataResponse>(&response)) {
    if (metadata_.OnAnswered(now, id, *metadata)) OnMetadataChanged(now, effects);
    return;
  }
  if (const auto* init = std::get_if<message::InitProducerIdResponse>(&response)) {
    if (!identity_.OnAnswered(now, id, *init)) return;
    if (identity_.ready()) StartNewEpoch();
    if (identity_.fatal() != ErrorCode::kNone && fatal_ == ErrorCode::kNone) {
      fatal_ = identity_.fatal();
      FailAll(fatal_, "the producer id was refused", effects);
    }
  }
}

void ProducerCore::OnCallFailed(Instant now, CallId id, const absl::Status& status,
                                ProducerEffects& /*effects*/) {
  if (metadata_.OnFailed(now, id, status)) return;
  identity_.OnFailed(now, id, status, metadata_);
}

void ProducerCore::OnMetadataChanged(Instant now, ProducerEffects& effects) {
  topics_changed_ = true;
  for (PartitionQueue& queue : queues_) {
    const TopicView* topic = metadata_.view().FindTopic(queue.topic);
    if (topic != nullptr && topic->topic_id != queue.partition.topic_id) {
      while (!queue.batches.empty()) {
        FailAlone(queue, 0, ErrorCode::kUnknownTopicId, "the topic was deleted and made anew",
                  effects);
      }
      continue;
    }
    const PartitionLeader leader = metadata_.view().Leader(queue.partition);
    if (leader == queue.leader) continue;
    queue.leader = leader;
    if (leader.broker == kNoBroker) continue;
    queue.not_before = now;
    // The former leader can no longer commit what it was sent; the new one can tell what it has.
    if (leader.broker != queue.sent_to) {
      for (OutgoingBatch& batch : queue.batches) {
        if (batch.request_id == 0) continue;
        Requeue(now, queue, batch, true, ErrorCode::kNotLeaderOrFollower, "the leader has changed");
      }
      queue.not_before = now;
    }
  }
}

// ---- pull ----------------------------------------------------------------------------------

void ProducerCore::Pull(Instant now, ProducerEffects& effects) {
  ForgetIdleQueues();
  FailQueued(effects);  // before anything is taken to be sent
  if (topics_changed_) {
    topics_changed_ = false;
    for (const auto& [name, topic] : metadata_.view().topics()) {
      const auto count = static_cast<int32_t>(topic.partitions.size());
      for (const SlotInfo& slot : accumulator_.SetTopic(name, topic.topic_id, count)) {
        QUIPU_CHECK(slot.slot == queues_.size());
        queues_.emplace_back();
        queues_.back().slot = slot.slot;
        queues_.back().topic = name;
        queues_.back().partition = slot.partition;
        queues_.back().leader = metadata_.view().Leader(slot.partition);
      }
    }
  }
  std::vector<PendingBatch> taken;
  if (fatal_ != ErrorCode::kNone) {
    accumulator_.Close(fatal_);
    accumulator_.TakeAll(taken);
    for (PendingBatch& batch : taken) TakeBatch(std::move(batch));
    const absl::string_view why = ErrorDescription(fatal_);
    FailAll(fatal_, absl::StrCat("never sent: ", why), effects);
  } else {
    accumulator_.TakeReady(now, [this](PartitionSlot slot) { return RoomOf(slot); }, taken);
    for (PendingBatch& batch : taken) TakeBatch(std::move(batch));
    taken.clear();
    accumulator_.TakeExpired(now, taken);
    for (PendingBatch& batch : taken) {
      const PartitionSlot slot = batch.slot;
      TakeBatch(std::move(batch));
      PartitionQueue& queue = queues_[slot];
      std::string why = "not sent within delivery.timeout.ms";
      if (const absl::Status reach = metadata_.Reachability(); !reach.ok()) {
        why += "; " + std::string(reach.message());
      }
      Fail(queue, queue.batches.size() - 1, ErrorCode::kDeliveryTimedOut, why, effects);
    }
    FailQueued(effects);
  }
  accumulator_.Release(released_bytes_);
  released_bytes_ = 0;
}

int32_t ProducerCore::RoomOf(PartitionSlot slot) const {
  if (bump_wanted_) return 0;
  return options_.in_flight_max - static_cast<int32_t>(queues_[slot].batches.size());
}

void ProducerCore::ForgetIdleQueues() {
  for (auto it = unsent_.begin(); it != unsent_.end();) {
    const PartitionQueue& queue = queues_[*it];
    if (queue.batches.empty()) busy_.erase(*it);
    const bool all_sent = queue.batches.size() == static_cast<size_t>(queue.in_flight);
    it = all_sent ? unsent_.erase(it) : std::next(it);
  }
}

void ProducerCore::TakeBatch(PendingBatch batch) {
  OutgoingBatch out;
  out.batch_id = batch.batch_id;
  out.created = batch.created;
  out.record_count = batch.builder.record_count();
  out.reserved_bytes = batch.builder.size_bytes();
  out.builder = std::move(batch.builder);
  busy_.insert(batch.slot);
  unsent_.insert(batch.slot);
  next_expiry_ = std::min(next_expiry_, out.created + options_.accumulator.delivery_timeout);
  queues_[batch.slot].batches.push_back(std::move(out));
  ++batch_count_;
}

// ---- pump ----------------------------------------------------------------------------------

void ProducerCore::Pump(Instant now, ProducerEffects& effects) {
  ProbeWhenStalled(now);
  if (bump_wanted_ && identity_.ready() && fatal_ == ErrorCode::kNone && AllSettled()) {
    identity_.RequestBump();
    ++stats_.epoch_bumps;
  }
  identity_.Pump(now, metadata_, effects.calls);
  OpenRequests open;
  if (identity_.ready() && fatal_ == ErrorCode::kNone) {
    for (const PartitionSlot slot : unsent_) {
      if (!queues_[slot].batches.empty()) SendPartition(now, slot, open);
    }
  }
  metadata_.Pump(now, effects.calls);
  for (auto& [address, sends] : open) {
    for (ProduceSend& send : sends) effects.produces.push_back(std::move(send));
  }
}

void ProducerCore::ProbeWhenStalled(Instant now) {
  if (in_flight_.empty() || now < next_probe_) return;
  const InFlightRequest& oldest = in_flight_.begin()->second;
  if (now < oldest.sent_at + kAnswerStall) return;
  metadata_.LookPast(oldest.address);
  next_probe_ = now + kStallProbePause;
}

bool ProducerCore::MaySend(const PartitionQueue& queue, const OutgoingBatch& batch) const {
  const bool sequenced = batch.base_sequence != kNoSequence;
  // Behind a gap only batches of unknown outcome go out again, to become settled.
  if (queue.gap) return sequenced && batch.outcome_unknown;
  return sequenced || !bump_wanted_;
}

void ProducerCore::SendPartition(Instant now, PartitionSlot slot, OpenRequests& open) {
  PartitionQueue& queue = queues_[slot];
  if (now < queue.not_before) return;
  if (queue.leader.broker == kNoBroker) {
    metadata_.RequestRefresh();
    return;
  }
  if (queue.draining || queue.gap) {
    if (queue.in_flight > 0) return;
    queue.draining = false;
  }
  const std::optional<ServerAddress> address = metadata_.view().AddressOf(queue.leader.broker);
  if (!address) {
    metadata_.RequestRefresh();
    return;
  }
  std::vector<ProduceSend>* requests = nullptr;
  size_t from = 0;
  for (OutgoingBatch& batch : queue.batches) {
    if (batch.request_id != 0) continue;
    if (!MaySend(queue, batch)) {
      if (queue.gap) continue;
      break;
    }
    if (queue.in_flight >= options_.in_flight_max) break;
    if (requests == nullptr) requests = &open[*address];
    SendBatch(now, slot, batch, *address, *requests, from);
    if (queue.gap) break;  // settled one by one
  }
}

void ProducerCore::SendBatch(Instant now, PartitionSlot slot, OutgoingBatch& batch,
                             const ServerAddress& address, std::vector<ProduceSend>& requests,
                             size_t& from) {
  PartitionQueue& queue = queues_[slot];
  PrepareBytes(queue, batch);
  // A request holds one batch of a partition; the next one goes into a later request.
  size_t index = from;
  const auto bytes_of = [](const ProduceSend& send) {
    size_t bytes = 0;
    for (const ProducePartition& part : send.request.partitions) bytes += part.records.size();
    return bytes;
  };
  while (index < requests.size() &&
         bytes_of(requests[index]) + batch.bytes.size() > kRequestBytesMax) {
    ++index;
  }
  if (index == requests.size()) {
    ProduceSend send{.address = address, .request = {}};
    send.request.request_id = ++last_request_id_;
    send.request.timeout_ms = static_cast<int32_t>(ToMillis(options_.request_timeout));
    send.request.client_id = options_.client_id;
    in_flight_[last_request_id_] = {.address = address, .sent_at = now, .batches = {}};
    requests.push_back(std::move(send));
  }
  from = index + 1;
  ProduceRequest& request = requests[index].request;
  request.partitions.push_back({.topic_id = queue.partition.topic_id,
                                .partition = queue.partition.partition,
                                .leader_epoch = queue.leader.epoch,
                                .records = batch.bytes});
  in_flight_[request.request_id].batches.emplace_back(slot, batch.batch_id);
  if (batch.ever_sent) ++stats_.retries;
  if (!batch.ever_sent && latencies_) latencies_->queue.Add(now - batch.created);
  ++stats_.batches_sent;
  stats_.bytes_sent += batch.bytes.size();
  batch.request_id = request.request_id;
  batch.ever_sent = true;
  ++queue.in_flight;
  queue.sent_to = queue.leader.broker;
}

void ProducerCore::PrepareBytes(PartitionQueue& queue, OutgoingBatch& batch) {
  if (batch.base_sequence != kNoSequence) return;
  batch.base_sequence = queue.next_sequence;
  queue.next_sequence = Advance(queue.next_sequence, batch.record_count);
  if (batch.builder) {
    batch.builder->SetProducer(identity_.id(), identity_.epoch(), batch.base_sequence);
    batch.bytes = batch.builder->Build();
    batch.builder.reset();
    return;
  }
  // Refused for good under a former epoch: the same records under the new one.
  const absl::StatusOr<RecordBatchView> view = RecordBatchView::Parse(batch.bytes);
  QUIPU_CHECK(view.ok());
  batch.bytes = WithProducer(*view, identity_.id(), identity_.epoch(), batch.base_sequence);
}

bool ProducerCore::AllSettled() const {
  for (const PartitionSlot slot : busy_) {
    const PartitionQueue& queue = queues_[slot];
    if (queue.in_flight > 0) return false;
    for (const OutgoingBatch& batch : queue.batches) {
      if (batch.outcome_unknown) return false;
    }
  }
  return true;
}

void ProducerCore::StartNewEpoch() {
  bump_wanted_ = false;
  for (PartitionQueue& queue : queues_) {
    queue.next_sequence = Sequence(0);
    queue.gap = false;
    queue.draining = false;
    for (OutgoingBatch& batch : queue.batches) {
      QUIPU_CHECK(batch.request_id == 0 && !batch.outcome_unknown);
      if (batch.base_sequence != kNoSequence) ++batch.resequenced;
      batch.base_sequence = kNoSequence;
    }
  }
}

std::optional<Instant> ProducerCore::NextDeadline() const {
  std::optional<Instant> next = Earlier(metadata_.NextDeadline(), identity_.NextDeadline());
  next =
      Earlier(next, accumulator_.NextDeadline([this](PartitionSlot slot) { return RoomOf(slot); }));
  if (!in_flight_.empty()) {
    const Instant oldest = in_flight_.begin()->second.sent_at;
    next = Earlier(next, oldest + options_.request_timeout);
    next = Earlier(next, std::max(oldest + kAnswerStall, next_probe_));
  }
  if (!busy_.empty()) next = Earlier(next, next_expiry_);
  for (const PartitionSlot slot : unsent_) {
    const PartitionQueue& queue = queues_[slot];
    const bool waits = queue.in_flight == 0 && identity_.ready() &&
                       metadata_.view().AddressOf(queue.leader.broker).has_value();
    if (waits && std::any_of(queue.batches.begin(), queue.batches.end(),
                             [&](const OutgoingBatch& b) { return MaySend(queue, b); })) {
      next = Earlier(next, queue.not_before);
    }
  }
  return next;
}

ProducerLatencies ProducerCore::TakeLatencies() {
  if (!latencies_) return {};
  ProducerLatencies taken{.queue = latencies_->queue.Summary(),
                          .request = latencies_->request.Summary()};
  latencies_->queue.Clear();
  latencies_->request.Clear();
  return taken;
}

void ProducerCore::CheckInvariants() const {
  size_t batches = 0;
  for (const PartitionQueue& queue : queues_) {
    QUIPU_CHECK(queue.batches.empty() || busy_.contains(queue.slot));
    batches += queue.batches.size();
    const bool all_sent = queue.batches.size() == static_cast<size_t>(queue.in_flight);
    QUIPU_CHECK(all_sent || unsent_.contains(queue.slot));
    int in_flight = 0;
    bool unsequenced = false;
    for (const OutgoingBatch& batch : queue.batches) {
      QUIPU_CHECK(next_expiry_ <= batch.created + options_.accumulator.delivery_timeout);
      if (batch.request_id != 0) ++in_flight;
      if (batch.base_sequence == kNoSequence) unsequenced = true;
      // Sequences follow the queue's order: none behind a batch that has none.
      QUIPU_CHECK(!(unsequenced && batch.base_sequence != kNoSequence));
      QUIPU_CHECK(!batch.outcome_unknown || batch.ever_sent);
      // It waits for open attempts under a sequence, its own or one ahead of it.
      QUIPU_CHECK(batch.failed_ahead.empty() || queue.gap);
    }
    QUIPU_CHECK(in_flight == queue.in_flight);
    QUIPU_CHECK(queue.in_flight <= options_.in_flight_max);
  }
  QUIPU_CHECK(batches == batch_count_);
}

}  // namespace quipu
