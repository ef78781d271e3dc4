// Tells subscribed brokers what is committed.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/container/btree_map.h"
#include "base/time.h"
#include "controller/control_stream.h"
#include "core/metadata/metadata_image.h"

namespace quipu {

// Keeps the newest committed entries in memory and, for each subscriber, the index that it needs
// next. A subscriber that needs an older entry gets a snapshot in pieces first. What is queued at a
// subscriber's transport is bounded: it is sent more only when that has drained, and one that takes
// nothing for too long is closed. Only committed entries are ever sent (C20).
// Controller's executor only.
class MetadataPublisher {
 public:
  struct Limits {
    size_t tail_entries_max = 20000;
    size_t tail_bytes_max = size_t{32} << 20;
    size_t message_bytes_max = size_t{1} << 20;  // a larger entry goes alone
    size_t queued_bytes_max = size_t{4} << 20;   // at one subscriber's transport
    Duration stalled_max = std::chrono::seconds(10);
  };
  explicit MetadataPublisher(Limits limits) : limits_(limits) {}

  // `batch` was committed at `index`, the one after the last.
  void OnCommitted(LogIndex index, record::MetadataBatch batch);
  // The state was replaced by a snapshot as of `last`.
  void OnRestore(LogIndex last);

  // `next` is the first index that the broker lacks. Replaces an earlier subscription of the
  // stream. The first update follows at the next Pump, also when there is nothing new.
  void Subscribe(const ControlStreamPtr& stream, uint64_t request_id, LogIndex next, Instant now);
  void Unsubscribe(const ControlStreamPtr& stream);
  void Clear() { subscribers_.clear(); }

  // Sends what may be sent. `committed` is the image that OnCommitted led to. Returns the streams
  // to be closed: too slow, or ahead of this log, which a sound quorum never is.
  std::vector<ControlStreamPtr> Pump(const MetadataImage& committed, ControllerId self, Term term,
                                     Instant now);

 private:
  struct Entry {
    record::MetadataBatch batch;
    size_t bytes = 0;
  };
  struct Snapshot {
    LogIndex last;
    std::vector<record::MetadataRecord> records;
  };
  struct Subscriber {
    ControlStreamPtr stream;
    uint64_t request_id = 0;
    LogIndex next;
    bool greeted = false;
    std::shared_ptr<const Snapshot> snapshot;  // being sent
    size_t snapshot_position = 0;
    Instant last_progress;
  };

  // One message's worth; false when there is nothing to send.
  bool SendOne(Subscriber& subscriber, const MetadataImage& committed,
               message::ControllerToBroker& message);
  void FillEntries(Subscriber& subscriber, message::MetadataUpdate& update) const;
  void FillSnapshot(Subscriber& subscriber, message::MetadataUpdate& update) const;
  std::shared_ptr<const Snapshot> SnapshotOf(const MetadataImage& committed);
  [[nodiscard]] LogIndex TailStart() const;

  Limits limits_;
  LogIndex last_{0};        // newest committed
  std::deque<Entry> tail_;  // contiguous, ends at last_
  size_t tail_bytes_ = 0;
  std::weak_ptr<const Snapshot> snapshot_;  // shared by subscribers that need it at the same time
  absl::btree_map<uint64_t, Subscriber> subscribers_;  // by stream number
};

}  // namespace quipu
