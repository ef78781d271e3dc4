#include "core/replication/producer_table.h"

#include <iterator>
#include <utility>

#include "base/check.h"
#include "base/planted_bug.h"

namespace quipu {
namespace {

// Steps from `from` forward to `to` on the circle of 2^31 sequence numbers.
int64_t StepsForward(Sequence from, Sequence to) {
  constexpr int64_t kCircle = int64_t{1} << 31;
  const int64_t steps = static_cast<int64_t>(to.value()) - from.value();
  return steps >= 0 ? steps : steps + kCircle;
}

// A sequence less than half the circle ahead is ahead; otherwise it is behind.
constexpr int64_t kHalfCircle = int64_t{1} << 30;

bool IsBehind(Sequence sequence, Sequence expected) {
  const int64_t steps = StepsForward(sequence, expected);
  return steps > 0 && steps <= kHalfCircle;
}

}  // namespace

Sequence NextSequence(Sequence sequence) {
  return sequence == Sequence::Max() ? Sequence{0} : sequence + 1;
}

void ProducerTable::State::Add(const ProducerBatch& batch) {
  if (count == kProducerBatchesMax) {
    for (size_t i = 1; i < count; ++i) batches[i - 1] = batches[i];
    --count;
  }
  batches[count++] = batch;
  last_timestamp = batch.timestamp;
}

ProducerTable::ProducerTable(const ProducerTable& other) : producers_max_(other.producers_max_) {
  for (const auto& [id, state] : other.producers_) {
    producers_.emplace(id, std::make_unique<State>(*state));
  }
}

ProducerTable::Verdict ProducerTable::Check(const RecordBatchView& batch) const {
  if (batch.producer_id() < ProducerId{0}) return {};
  if (batch.producer_epoch() < ProducerEpoch{0} || batch.base_sequence() < Sequence{0}) {
    return {ErrorCode::kInvalidRecord, std::nullopt};
  }
  const auto found = producers_.find(batch.producer_id());
  if (found != producers_.end()) return CheckKnown(*found->second, batch);
  if (IsPlanted(PlantedBug::kDuplicateAfterFailover)) return {};
  if (batch.base_sequence() != Sequence{0} && !IsPlanted(PlantedBug::kFirstSequenceNotZero)) {
    return {ErrorCode::kUnknownProducerId, std::nullopt};
  }
  if (producers_.size() >= producers_max_) return {ErrorCode::kLimitReached, std::nullopt};
  return {};
}

ProducerTable::Verdict ProducerTable::CheckKnown(const State& state, const RecordBatchView& batch) {
  if (batch.producer_epoch() < state.epoch) {
    return {ErrorCode::kInvalidProducerEpoch, std::nullopt};
  }
  const Sequence base = batch.base_sequence();
  if (batch.producer_epoch() > state.epoch) {
    if (base == Sequence{0}) return {};
    return {ErrorCode::kOutOfOrderSequence, std::nullopt};
  }
  const Sequence expected = NextSequence(state.newest().last_sequence);
  if (base == expected) return {};
  if (IsPlanted(PlantedBug::kSequenceGapAccepted) && IsBehind(expected, base)) return {};
  const Sequence last = batch.last_sequence();
  for (size_t i = 0; i < state.count; ++i) {
    const ProducerBatch& known = state.batches[i];
    if (known.base_sequence == base && known.last_sequence == last) {
      if (IsPlanted(PlantedBug::kDuplicateNotRecognised)) return {};
      return {ErrorCode::kNone, known};
    }
  }
  // [base .. last] [oldest remembered .. newest] expected: wholly before the oldest means that it
  // was stored, since sequences of an epoch have no gap.
  const Sequence oldest = state.batches[0].base_sequence;
  if (IsBehind(base, oldest) && IsBehind(last, oldest)) {
    return {ErrorCode::kDuplicateSequence, std::nullopt, state.batches[0].base_offset};
  }
  return {ErrorCode::kOutOfOrderSequence, std::nullopt};
}

void ProducerTable::Replay(const RecordBatchView& batch) { ReplayAt(batch, batch.base_offset()); }

void ProducerTable::ReplayAt(const RecordBatchView& batch, Offset base_offset) {
  if (batch.producer_id() < ProducerId{0} || batch.base_sequence() < Sequence{0}) return;
  if (batch.is_control()) return;
  const ProducerBatch stored{.base_sequence = batch.base_sequence(),
                             .last_sequence = batch.last_sequence(),
                             .base_offset = base_offset,
                             .last_offset = base_offset + batch.last_offset_delta(),
                             .timestamp = batch.max_timestamp()};
  std::unique_ptr<State>& slot = producers_[batch.producer_id()];
  if (slot == nullptr) {
    slot = std::make_unique<State>();
    slot->epoch = batch.producer_epoch();
  } else if (slot->count > 0 && stored.base_offset <= slot->newest().last_offset) {
    return;
  }
  const bool follows =
      slot->count > 0 && stored.base_sequence == NextSequence(slot->newest().last_sequence);
  if (batch.producer_epoch() != slot->epoch || !follows) {
    // A new epoch, or a log whose beginning was trimmed away: what is known begins here.
    slot->epoch = batch.producer_epoch();
    slot->count = 0;
  }
  slot->Add(stored);
  slot->touched = true;
}

void ProducerTable::Expire(Instant now, Duration expiration, Offset high_watermark) {
  for (auto it = producers_.begin(); it != producers_.end();) {
    State& state = *it->second;
    if (state.touched) {
      state.touched = false;
      state.idle_since = now;
    }
    const bool settled = state.newest().last_offset < high_watermark;
    const bool idle =
        now - state.idle_since >= expiration || IsPlanted(PlantedBug::kRecentProducerForgotten);
    if (settled && idle) {
      it = producers_.erase(it);
    } else {
      ++it;
    }
  }
}

std::unique_ptr<ProducerTable::State> ProducerTable::StateOf(const ProducerEntry& entry) {
  auto state = std::make_unique<State>();
  state->epoch = entry.producer_epoch;
  for (const ProducerBatch& batch : entry.batches) state->Add(batch);
  state->last_timestamp = entry.last_timestamp;
  return state;
}

void ProducerTable::ForgetBelow(Offset offset) {
  absl::erase_if(producers_, [offset](const auto& producer) {
    return producer.second->newest().base_offset < offset;
  });
}

void ProducerTable::Restore(const std::vector<ProducerEntry>& entries) {
  producers_.clear();
  for (const ProducerEntry& entry : entries) {
    if (!entry.batches.empty()) producers_[entry.producer_id] = StateOf(entry);
  }
}

std::vector<ProducerEntry> ProducerTable::Entries() const {
  std::vector<ProducerEntry> entries;
  entries.reserve(producers_.size());
  for (const auto& [id, state] : producers_) {
    const auto begin = state->batches.begin();
    entries.push_back({.producer_id = id,
                       .producer_epoch = state->epoch,
                       .last_timestamp = state->last_timestamp,
                       .batches = {begin, begin + static_cast<std::ptrdiff_t>(state->count)}});
  }
  return entries;
}

void ProducerTable::ForEach(const Visit& visit) const {
  for (const auto& [id, state] : producers_) visit(id, state->epoch, state->newest());
}

ProducerSnapshot ProducerTable::Snapshot(Offset as_of) const {
  ProducerSnapshot snapshot{.as_of = as_of, .producers = Entries()};
  for (ProducerEntry& entry : snapshot.producers) {
    std::erase_if(entry.batches, [&](const ProducerBatch& b) { return b.base_offset >= as_of; });
  }
  std::erase_if(snapshot.producers, [](const ProducerEntry& e) { return e.batches.empty(); });
  return snapshot;
}

void ProducerTable::AddTo(Fingerprint& state) const {
  state.Add(producers_.size());
  for (const auto& [id, producer] : producers_) {
    state.Add(id, producer->epoch, producer->last_timestamp, producer->count);
    if (state.counts_time()) state.Add(producer->touched);
    if (!producer->touched) state.Add(producer->idle_since);
    for (size_t i = 0; i < producer->count; ++i) state.Add(producer->batches[i]);
  }
}

void ProducerTable::CheckInvariants(Offset log_end) const {
  for (const auto& [id, state] : producers_) {
    QUIPU_INVARIANT("I61", state->count > 0 && state->count <= kProducerBatchesMax);
    QUIPU_INVARIANT("I61", state->newest().base_offset < log_end);
    for (size_t i = 1; i < state->count; ++i) {
      const ProducerBatch& before = state->batches[i - 1];
      QUIPU_INVARIANT("I40", before.last_offset < state->batches[i].base_offset);
      QUIPU_INVARIANT("I40", NextSequence(before.last_sequence) == state->batches[i].base_sequence);
    }
  }
}

}  // namespace quipu
