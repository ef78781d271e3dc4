// Brings a shard's partitions in line with the metadata image: makes and drops logs, starts and
// ends replicas, tells each core its assignment. Shard thread only.
//
// Rules (storage.md "Trim, truncate, delete"; PR4): only images at or after this broker's own
// registration are acted on (the caller sees to that), and a log is dropped only when the image
// knows of its end.
#pragma once

#include <functional>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "broker/shard/shard_context.h"

namespace quipu {

// Name of the directory's value that holds the newest image index which changed its set of logs.
inline constexpr char kNewestActedImage[] = "newest_acted_image";

// A log found at start, for which no image has spoken yet.
struct FoundLog {
  PartitionUid uid;
  LogId log_id;
  RecoveredLog recovered;
  bool given_up = false;  // what is damaged in it cannot be repaired now, or is not needed
};

class Reconciler {
 public:
  // `context` must outlive it. `removed` is called before a host is destroyed.
  Reconciler(ShardContext& context, std::function<void(PartitionHost&)> removed)
      : context_(context), removed_(std::move(removed)) {}

  void AddFound(FoundLog log) { found_.emplace(log.uid, std::move(log)); }
  void SetNewestActed(LogIndex index) { newest_acted_ = index; }

  // The image of the context is new.
  void Apply();
  // End of a turn: the logs that are to be made or dropped go to the writer, many in one piece of
  // work.
  void Flush();
  // A completion of `host` came in; a host that is being dropped goes once nothing is on its way.
  // `host` may be destroyed.
  void OnSettled(PartitionHost& host);

 private:
  // What the image says of one partition whose log was made, dropped or repaired meanwhile.
  void ApplyOne(PartitionUid uid);
  void ApplyPartition(const PartitionImage& partition);
  void Assign(PartitionHost& host, const PartitionImage& partition);
  void MakeHost(const PartitionImage& partition, LogId log_id, RecoveredLog recovered);
  // A log whose producers are not known for damage becomes a replica after its repair, or when
  // there is no hope for one.
  void AwaitRepair(PartitionUid uid, const FoundLog& log);
  void RecoverAgain(PartitionUid uid, LogId log_id, bool given_up);
  void StartCreate(PartitionUid uid);
  void CreateLogs(std::vector<PartitionUid> uids);
  void StartDropping(PartitionHost& host);
  void StartDrop(PartitionUid uid);
  void DropLogs(std::vector<PartitionUid> uids);
  // Whether the replica's log may be destroyed.
  [[nodiscard]] bool MayDrop(PartitionUid uid) const;

  ShardContext& context_;
  const std::function<void(PartitionHost&)> removed_;
  absl::btree_map<PartitionUid, FoundLog> found_;
  absl::btree_set<PartitionUid> changing_;  // a log is being made or dropped
  std::vector<PartitionUid> to_create_;     // at the end of the turn
  std::vector<PartitionUid> to_drop_;
  LogIndex newest_acted_{0};
};

}  // namespace quipu
