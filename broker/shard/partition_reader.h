// Serves a consumer's reads of a shard's partitions: from memory where it can, else by a cold read.
// What may be read is PartitionCore's word alone, asked again after a cold read. Shard thread only.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "broker/shard/shard_context.h"
#include "core/request/log_messages.h"

namespace quipu {

// One partition of a fetch.
struct ReadSlot {
  size_t slot = 0;  // its position in the request
  PartitionUid uid;
  ReadInput input;
  size_t bytes_max = 0;
};
// What was found. `result` lacks topic id and index, which the caller knows.
struct ReadResult {
  size_t slot = 0;
  FetchPartitionResult result;
  Offset seen_end = kNoOffset;  // what could be read ended here (exclusive)
  bool cut_short = false;       // more was there than the limits let through
};
using ReadDone = std::function<void(std::vector<ReadResult>)>;

// Bytes of all batches of a result.
[[nodiscard]] size_t BatchBytes(const std::vector<Bytes>& batches);

class PartitionReader {
 public:
  // `context` must outlive the reader.
  explicit PartitionReader(ShardContext& context) : context_(context) {}

  // Reads all slots, together at most about `bytes_max` (but at least one batch where there is
  // one), and calls `done` once, maybe before it returns.
  void Read(const std::vector<ReadSlot>& slots, size_t bytes_max, ReadDone done);

 private:
  enum class Source { kNothing, kMemory, kDisk };
  struct Pending {
    std::vector<ReadResult> results;
    size_t open = 1;  // cold reads on their way, and the loop that starts them
    ReadDone done;
  };
  // Fills in all but the batches, and says where these are.
  Source Plan(const ReadSlot& slot, ReadResult& out);
  // Returns the bytes read, at least one batch.
  size_t ReadMemory(const ReadSlot& slot, size_t budget, ReadResult& out);
  void StartColdRead(const ReadSlot& slot, Offset end, size_t budget, size_t position,
                     const std::shared_ptr<Pending>& pending);
  void OnColdRead(const ReadSlot& slot, absl::StatusOr<std::vector<StoredBatch>> batches,
                  ReadResult& out);
  static void Finish(const std::shared_ptr<Pending>& pending);

  ShardContext& context_;
};

}  // namespace quipu
