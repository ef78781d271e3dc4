// Long polls: fetches that wait until min_bytes are there, over the partitions of several shards.
//
// A fetch lives on its home shard (that of its first partition). It reads on every shard, and when
// the sum is less than min_bytes it leaves watches there; shards report the bytes that became
// readable since what was seen or reported before, and the fetch reads once more and answers on the
// sum, the deadline or the first error. A report costs the same however many partitions the fetch
// has. Shard thread only.
#pragma once

#include <functional>
#include <vector>

#include "absl/container/btree_map.h"
#include "broker/shard/partition_reader.h"
#include "broker/shard/shard_context.h"

namespace quipu {

// A fetch whose partitions have been looked up. No two resolved slots are of one partition.
struct FetchJob {
  struct Slot {
    PartitionUid uid;
    size_t shard = 0;
    ReadInput input;
    size_t bytes_max = 0;
    bool resolved = false;  // false: the response holds an error for it already
  };
  uint64_t min_bytes = 1;
  size_t bytes_max = 0;
  Duration wait_max{};
  std::vector<Slot> slots;
  FetchResponse response;  // one partition per slot, with topic id and index
  std::function<void(FetchResponse)> reply;
};

// A wait's wish to be told about one partition.
struct WatchRequest {
  PartitionUid uid;
  Offset seen_end;
};

// What a fetch asks of shards, its own included.
struct FetchPeers {
  // Results come to OnRead of the home shard.
  std::function<void(size_t shard, uint64_t wait_id, std::vector<ReadSlot>, size_t bytes_max)> read;
  // Progress comes to OnProgress of the home shard.
  std::function<void(size_t shard, uint64_t wait_id, std::vector<WatchRequest>)> watch;
  std::function<void(size_t shard, uint64_t wait_id, std::vector<PartitionUid>)> unwatch;
};

class FetchWaiters {
 public:
  // `context` must outlive the waiters. `waiters_max` fetches may wait at a time; more are answered
  // with kLimitReached.
  FetchWaiters(ShardContext& context, FetchPeers peers, size_t waiters_max)
      : context_(context), peers_(std::move(peers)), waiters_max_(waiters_max) {}

  void Start(FetchJob job);
  void OnRead(uint64_t wait_id, std::vector<ReadResult> results);
  // `bytes` more are readable in one of its partitions; `look` says that something else happened
  // that the fetch has to hear of at once (leader changed, partition gone).
  void OnProgress(uint64_t wait_id, size_t bytes, bool look);
  // Answers all with `error`.
  void FailAll(ErrorCode error);
  [[nodiscard]] size_t size() const { return waits_.size(); }

 private:
  struct Wait {
    FetchJob job;
    Instant started;
    Instant read_began;  // the newest read
    Instant deadline;
    std::vector<Offset> seen_ends;  // by slot
    size_t shards_reading = 0;
    size_t bytes = 0;        // of the newest read, and reported since
    bool cut_short = false;  // in any slot
    bool final = false;      // the read on its way is the last
    bool watching = false;
  };
  static std::vector<size_t> ShardsOf(const FetchJob& job);
  void ReadAll(uint64_t wait_id);
  void Evaluate(uint64_t wait_id);
  void BeginWaiting(uint64_t wait_id, Wait& wait);
  void Finish(uint64_t wait_id);
  static void Trim(FetchJob& job);
  // Takes the answer into the counters.
  void Count(const Wait& wait);

  ShardContext& context_;
  const FetchPeers peers_;
  const size_t waiters_max_;
  absl::btree_map<uint64_t, std::unique_ptr<Wait>> waits_;
  uint64_t next_wait_id_ = 1;
};

}  // namespace quipu
