// Gathers records into batches until they are worth sending.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "base/rng.h"
#include "core/client/client_types.h"
#include "core/record/record_batch_builder.h"

namespace quipu {

struct AccumulatorOptions {
  size_t batch_bytes = 16384;                             // batch.size
  Duration linger = std::chrono::milliseconds(5);         // linger.ms
  size_t buffer_bytes_max = size_t{32} << 20;             // buffer.memory
  size_t request_bytes_max = 1 << 20;                     // max.request.size
  Duration delivery_timeout = std::chrono::seconds(120);  // delivery.timeout.ms
  Compression compression = Compression::kNone;           // compression.type
};

// A partition as the accumulator numbers it, from 0, in the order of learning.
using PartitionSlot = uint32_t;

// A batch that is not yet given a sequence.
struct PendingBatch {
  uint64_t batch_id = 0;  // never reused; > 0
  PartitionSlot slot = 0;
  Instant created;  // when its first record was appended
  RecordBatchBuilder builder;
};

// One partition of SetTopic's answer.
struct SlotInfo {
  PartitionSlot slot = 0;
  TopicPartition partition;
};

// The half of the producer that `Send` touches. Pure and without a lock of its own: the SDK guards
// every call with one mutex, the simulator needs none. An append costs one hash look-up and
// allocates nothing beyond the growth of the batch.
//
// Null keys stick to one partition of the topic until its batch is closed, then another is drawn
// (KIP-480, KIP-794).
class RecordAccumulator {
 public:
  struct Appended {
    ErrorCode error = ErrorCode::kNone;
    uint64_t batch_id = 0;  // with kNone: the batch that holds the record
    int32_t index = 0;      // with kNone: its place in the batch; offset = base offset + index
    PartitionIndex partition{};
    bool wake = false;  // the owner has something to do earlier than it knew
  };

  RecordAccumulator(AccumulatorOptions options, Rng rng);

  // Adds one record. Without `partition` it is chosen by key.
  //   kUnknownTopicOrPartition  topic not known here (see SetTopic), or no such partition of it
  //   kMessageTooLarge          the record alone exceeds max.request.size
  //   kBufferFull               buffer.memory is used up; retry when batches were released
  //   the code of Close         afterwards
  Appended Append(absl::string_view topic, std::optional<PartitionIndex> partition,
                  const RecordInput& record, Instant now);

  // Makes a topic known, or another id or more partitions of it. Returns the slots that are new.
  // With another id the old slots stay until their batches are gone; records go to the new ones.
  std::vector<SlotInfo> SetTopic(const std::string& name, TopicId topic_id,
                                 int32_t partition_count);

  // How many batches of a slot may be taken.
  using RoomOf = absl::FunctionRef<int32_t(PartitionSlot)>;
  // Moves out, in order, what is ready and fits: closed batches, and open ones whose linger has
  // passed.
  void TakeReady(Instant now, RoomOf room_of, std::vector<PendingBatch>& out);
  // Moves out batches that are older than delivery.timeout.ms.
  void TakeExpired(Instant now, std::vector<PendingBatch>& out);
  // Moves out, in order, what `slot` holds.
  void TakeSlot(PartitionSlot slot, std::vector<PendingBatch>& out);
  // Moves out everything.
  void TakeAll(std::vector<PendingBatch>& out);
  // Closes all open batches: they no longer wait for linger.
  void FlushOpen();
  // When TakeReady or TakeExpired will next have something, given that room.
  [[nodiscard]] std::optional<Instant> NextDeadline(RoomOf room_of) const;

  // Gives back the memory of finished batches (their builders' size_bytes at TakeReady).
  void Release(size_t bytes);
  // Refuses records from now on with `error` (kClosed, kProducerFenced).
  void Close(ErrorCode error) { closed_ = error; }

  [[nodiscard]] bool HasTopic(absl::string_view name) const {
    return topics_.contains(std::string_view(name.data(), name.size()));
  }
  // 0: not known.
  [[nodiscard]] int32_t PartitionCount(absl::string_view name) const;
  [[nodiscard]] bool empty() const { return active_.empty(); }
  // Some batch is closed and waits for its turn.
  [[nodiscard]] bool has_closed() const;
  [[nodiscard]] size_t buffered_bytes() const { return buffered_bytes_; }
  [[nodiscard]] const AccumulatorOptions& options() const { return options_; }

 private:
  struct Slot {
    std::optional<PendingBatch> open;
    std::deque<PendingBatch> closed;
  };
  struct Topic {
    TopicId topic_id;
    std::vector<PartitionSlot> slots;  // by partition index
    size_t sticky = 0;
  };
  struct StringHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  struct StringEqual {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const { return a == b; }
  };

  void CloseOpen(Slot& slot);
  void OpenBatch(PartitionSlot index, Instant now);

  const AccumulatorOptions options_;
  Rng rng_;
  // Looked up only, never walked.
  absl::flat_hash_map<std::string, Topic, StringHash, StringEqual> topics_;
  std::vector<Slot> slots_;
  absl::btree_set<PartitionSlot> active_;  // slots that hold records
  size_t buffered_bytes_ = 0;
  uint64_t last_batch_id_ = 0;
  ErrorCode closed_ = ErrorCode::kNone;
};

}  // namespace quipu
