#include "controller/metadata_publisher.h"

#include <utility>

#include "base/check.h"

namespace quipu {

LogIndex MetadataPublisher::TailStart() const {
  return last_ + 1 - static_cast<uint64_t>(tail_.size());
}

void MetadataPublisher::OnCommitted(LogIndex index, record::MetadataBatch batch) {
  QUIPU_CHECK_MSG(index == last_ + 1, "committed entries are contiguous");
  last_ = index;
  const size_t bytes = batch.ByteSizeLong() + 16;
  tail_bytes_ += bytes;
  tail_.push_back({.batch = std::move(batch), .bytes = bytes});
  while (tail_.size() > limits_.tail_entries_max ||
         (tail_bytes_ > limits_.tail_bytes_max && tail_.size() > 1)) {
    tail_bytes_ -= tail_.front().bytes;
    tail_.pop_front();
  }
}

void MetadataPublisher::OnRestore(LogIndex last) {
  last_ = last;
  tail_.clear();
  tail_bytes_ = 0;
  snapshot_.reset();
}

void MetadataPublisher::Subscribe(const ControlStreamPtr& stream, uint64_t request_id,
                                  LogIndex next, Instant now) {
  subscribers_[stream->number] = {.stream = stream,
                                  .request_id = request_id,
                                  .next = next < LogIndex(1) ? LogIndex(1) : next,
                                  .snapshot = nullptr,
                                  .last_progress = now};
}

void MetadataPublisher::Unsubscribe(const ControlStreamPtr& stream) {
  subscribers_.erase(stream->number);
}

std::shared_ptr<const MetadataPublisher::Snapshot> MetadataPublisher::SnapshotOf(
    const MetadataImage& committed) {
  std::shared_ptr<const Snapshot> shared = snapshot_.lock();
  // An older one will do as long as the tail still continues it.
  if (shared != nullptr && shared->last + 1 >= TailStart()) return shared;
  auto made = std::make_shared<Snapshot>();
  made->last = committed.index();
  made->records = committed.ToSnapshot();
  snapshot_ = made;
  return made;
}

void MetadataPublisher::FillSnapshot(Subscriber& subscriber,
                                     message::MetadataUpdate& update) const {
  const Snapshot& snapshot = *subscriber.snapshot;
  message::MetadataUpdate::Snapshot* piece = update.mutable_snapshot();
  piece->set_last_index(snapshot.last.value());
  piece->set_first(subscriber.snapshot_position == 0);
  size_t bytes = 0;
  while (subscriber.snapshot_position < snapshot.records.size()) {
    const record::MetadataRecord& record = snapshot.records[subscriber.snapshot_position];
    bytes += record.ByteSizeLong() + 8;
    if (bytes > limits_.message_bytes_max && piece->records_size() > 0) return;
    *piece->add_records() = record;
    ++subscriber.snapshot_position;
  }
  piece->set_last(true);
  subscriber.next = snapshot.last + 1;
  subscriber.snapshot = nullptr;
  subscriber.snapshot_position = 0;
}

void MetadataPublisher::FillEntries(Subscriber& subscriber, message::MetadataUpdate& update) const {
  size_t bytes = 0;
  while (subscriber.next <= last_) {
    const Entry& entry = tail_[static_cast<size_t>(subscriber.next - TailStart())];
    bytes += entry.bytes;
    if (bytes > limits_.message_bytes_max && update.entries_size() > 0) return;
    message::MetadataUpdate::Entry* out = update.add_entries();
    out->set_index(subscriber.next.value());
    *out->mutable_batch() = entry.batch;
    ++subscriber.next;
  }
}

bool MetadataPublisher::SendOne(Subscriber& subscriber, const MetadataImage& committed,
                                message::ControllerToBroker& message) {
  message::MetadataUpdate& update = *message.mutable_metadata();
  if (subscriber.snapshot == nullptr && subscriber.next < TailStart()) {
    subscriber.snapshot = SnapshotOf(committed);
  }
  if (subscriber.snapshot != nullptr) {
    FillSnapshot(subscriber, update);
  } else if (subscriber.next <= last_) {
    FillEntries(subscriber, update);
  } else if (subscriber.greeted) {
    return false;
  }
  subscriber.greeted = true;
  message.set_request_id(subscriber.request_id);
  update.set_committed_index(last_.value());
  return true;
}

std::vector<ControlStreamPtr> MetadataPublisher::Pump(const MetadataImage& committed,
                                                      ControllerId self, Term term, Instant now) {
  QUIPU_CHECK(committed.index() == last_);
  std::vector<ControlStreamPtr> to_close;
  for (auto& [number, subscriber] : subscribers_) {
    if (subscriber.next > last_ + 1) {
      to_close.push_back(subscriber.stream);
      continue;
    }
    ControlSender& sender = *subscriber.stream->sender;
    bool waits = false;
    while (true) {
      waits = sender.queued_bytes() > limits_.queued_bytes_max;
      if (waits) break;
      message::ControllerToBroker message;
      if (!SendOne(subscriber, committed, message)) break;
      message.mutable_metadata()->set_controller_id(self.value());
      message.mutable_metadata()->set_controller_epoch(term.value());
      sender.Send(std::move(message));
      subscriber.last_progress = now;
    }
    if (!waits) {
      subscriber.last_progress = now;
    } else if (now - subscriber.last_progress > limits_.stalled_max) {
      to_close.push_back(subscriber.stream);
    }
  }
  for (const ControlStreamPtr& stream : to_close) Unsubscribe(stream);
  return to_close;
}

}  // namespace quipu
