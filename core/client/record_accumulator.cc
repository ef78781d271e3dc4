#include "core/client/record_accumulator.h"

#include <utility>

#include "base/check.h"
#include "core/client/partitioner.h"

namespace quipu {

RecordAccumulator::RecordAccumulator(AccumulatorOptions options, Rng rng)
    : options_(options), rng_(rng) {}

void RecordAccumulator::CloseOpen(Slot& slot) {
  if (!slot.open) return;
  slot.closed.push_back(std::move(*slot.open));
  slot.open.reset();
}

void RecordAccumulator::OpenBatch(PartitionSlot index, Instant now) {
  slots_[index].open.emplace(
      PendingBatch{.batch_id = ++last_batch_id_,
                   .slot = index,
                   .created = now,
                   .builder = RecordBatchBuilder({.compression = options_.compression})});
  buffered_bytes_ += kRecordBatchHeaderBytes;
  active_.insert(index);
}

RecordAccumulator::Appended RecordAccumulator::Append(absl::string_view topic_name,
                                                      std::optional<PartitionIndex> partition,
                                                      const RecordInput& record, Instant now) {
  if (closed_ != ErrorCode::kNone) return {.error = closed_};
  const auto found = topics_.find(std::string_view(topic_name.data(), topic_name.size()));
  if (found == topics_.end()) return {.error = ErrorCode::kUnknownTopicOrPartition};
  Topic& topic = found->second;
  const auto count = static_cast<int32_t>(topic.slots.size());
  size_t index = topic.sticky;
  if (partition) {
    if (partition->value() < 0 || partition->value() >= count) {
      return {.error = ErrorCode::kUnknownTopicOrPartition};
    }
    index = static_cast<size_t>(partition->value());
  } else if (record.key) {
    index = static_cast<size_t>(PartitionForKey(*record.key, count).value());
  }
  const size_t bytes = RecordBatchBuilder::SizeUpperBound(record);
  if (kRecordBatchHeaderBytes + bytes > options_.request_bytes_max) {
    return {.error = ErrorCode::kMessageTooLarge};
  }
  if (buffered_bytes_ + bytes + kRecordBatchHeaderBytes > options_.buffer_bytes_max) {
    return {.error = ErrorCode::kBufferFull};
  }
  bool wake = false;
  const auto full = [&](const Slot& s) {
    return s.open && s.open->builder.size_bytes() + bytes > options_.batch_bytes;
  };
  if (!partition && !record.key) {
    Slot& sticky = slots_[topic.slots[topic.sticky]];
    if (!sticky.open || full(sticky)) {
      wake = sticky.open.has_value();
      CloseOpen(sticky);
      if (count > 1) {
        topic.sticky =
            (topic.sticky + 1 + rng_.Below(static_cast<uint64_t>(count - 1))) % topic.slots.size();
      }
    }
    index = topic.sticky;
  }
  Slot* slot = &slots_[topic.slots[index]];
  if (full(*slot)) {
    CloseOpen(*slot);
    wake = true;
  }
  if (!slot->open) {
    OpenBatch(topic.slots[index], now);
    wake = true;
  }
  PendingBatch& batch = *slot->open;
  const int32_t place = batch.builder.record_count();
  const size_t before = batch.builder.size_bytes();
  batch.builder.Add(record);
  buffered_bytes_ += batch.builder.size_bytes() - before;
  const uint64_t batch_id = batch.batch_id;
  if (batch.builder.size_bytes() >= options_.batch_bytes) {
    CloseOpen(*slot);
    wake = true;
  }
  return {.batch_id = batch_id,
          .index = place,
          .partition = PartitionIndex(static_cast<int32_t>(index)),
          .wake = wake};
}

int32_t RecordAccumulator::PartitionCount(absl::string_view name) const {
  const auto found = topics_.find(std::string_view(name.data(), name.size()));
  return found == topics_.end() ? 0 : static_cast<int32_t>(found->second.slots.size());
}

std::vector<SlotInfo> RecordAccumulator::SetTopic(const std::string& name, TopicId topic_id,
                                                  int32_t partition_count) {
  std::vector<SlotInfo> added;
  if (partition_count <= 0) return added;
  Topic& topic = topics_[name];
  if (topic.topic_id != topic_id) {
    for (PartitionSlot slot : topic.slots) CloseOpen(slots_[slot]);
    topic = Topic{.topic_id = topic_id, .slots = {}, .sticky = 0};
  }
  const bool fresh = topic.slots.empty();
  for (auto i = static_cast<int32_t>(topic.slots.size()); i < partition_count; ++i) {
    const auto slot = static_cast<PartitionSlot>(slots_.size());
    slots_.emplace_back();
    topic.slots.push_back(slot);
    added.push_back({slot, {topic_id, PartitionIndex(i)}});
  }
  if (fresh) topic.sticky = rng_.Below(topic.slots.size());
  return added;
}

void RecordAccumulator::TakeReady(Instant now, RoomOf room_of, std::vector<PendingBatch>& out) {
  for (auto it = active_.begin(); it != active_.end();) {
    Slot& slot = slots_[*it];
    int32_t left = room_of(*it);
    while (left > 0 && !slot.closed.empty()) {
      out.push_back(std::move(slot.closed.front()));
      slot.closed.pop_front();
      --left;
    }
    if (left > 0 && slot.open && now >= slot.open->created + options_.linger) {
      out.push_back(std::move(*slot.open));
      slot.open.reset();
    }
    it = slot.closed.empty() && !slot.open ? active_.erase(it) : std::next(it);
  }
}

void RecordAccumulator::TakeExpired(Instant now, std::vector<PendingBatch>& out) {
  for (auto it = active_.begin(); it != active_.end();) {
    Slot& slot = slots_[*it];
    while (!slot.closed.empty() && now >= slot.closed.front().created + options_.delivery_timeout) {
      out.push_back(std::move(slot.closed.front()));
      slot.closed.pop_front();
    }
    if (slot.closed.empty() && slot.open && now >= slot.open->created + options_.delivery_timeout) {
      out.push_back(std::move(*slot.open));
      slot.open.reset();
    }
    it = slot.closed.empty() && !slot.open ? active_.erase(it) : std::next(it);
  }
}

void RecordAccumulator::TakeSlot(PartitionSlot slot, std::vector<PendingBatch>& out) {
  Slot& from = slots_[slot];
  CloseOpen(from);
  for (PendingBatch& batch : from.closed) out.push_back(std::move(batch));
  from.closed.clear();
  active_.erase(slot);
}

void RecordAccumulator::TakeAll(std::vector<PendingBatch>& out) {
  while (!active_.empty()) TakeSlot(*active_.begin(), out);
}

void RecordAccumulator::FlushOpen() {
  for (PartitionSlot index : active_) CloseOpen(slots_[index]);
}

bool RecordAccumulator::has_closed() const {
  for (const PartitionSlot index : active_) {
    if (!slots_[index].closed.empty()) return true;
  }
  return false;
}

std::optional<Instant> RecordAccumulator::NextDeadline(RoomOf room_of) const {
  std::optional<Instant> next;
  for (PartitionSlot index : active_) {
    const Slot& slot = slots_[index];
    const Instant created = slot.closed.empty() ? slot.open->created : slot.closed.front().created;
    if (room_of(index) <= 0) {
      next = Earlier(next, created + options_.delivery_timeout);
    } else if (!slot.closed.empty()) {
      next = Earlier(next, created);
    } else {
      next = Earlier(next, created + std::min(options_.linger, options_.delivery_timeout));
    }
  }
  return next;
}

void RecordAccumulator::Release(size_t bytes) {
  QUIPU_CHECK(bytes <= buffered_bytes_);
  buffered_bytes_ -= bytes;
}

}  // namespace quipu
