// The SDK's consumer.
//
//   auto consumer = quipu::Consumer::Create(
//       {{"bootstrap.servers", "127.0.0.1:9092"}, {"group.id", "balances"}});
//   (*consumer)->Subscribe({"payments"});
//   while (running) {
//     auto records = (*consumer)->Poll(std::chrono::milliseconds(500));
//     for (const quipu::ConsumerRecord& record : *records) Apply(record);
//     (*consumer)->CommitSync();
//   }
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/time.h"
#include "client/config_map.h"
#include "client/named_partition.h"
#include "client/observe/interceptors.h"
#include "core/client/consumer_types.h"

namespace quipu {

// Told of changes of a subscribed consumer's partitions; runs inside Poll, Close and a Subscribe to
// nothing, in the thread that calls them, and may call everything of the consumer but Poll,
// Subscribe, Assign and Close.
struct RebalanceListener {
  // With the committed offset of each; kNoOffset: none.
  std::function<void(const NamedOffsets&)> on_assigned;
  // About to be given up, also by Close and Subscribe({}): the place to commit what was processed,
  // which is accepted. Given up when it returns; within the coordinator's rebalance time-out of 60
  // s, or they are lost.
  std::function<void(const std::vector<NamedPartition>&)> on_revoked;
  // Another member owns them already: a commit would be refused.
  std::function<void(const std::vector<NamedPartition>&)> on_lost;
};

// Reads records, alone (Assign) or as a member of a group (Subscribe). Skips control records.
// Offsets may have holes. Poll, Seek, Assign, Subscribe and Close belong to one thread at a time;
// the rest is thread-safe. Heartbeats and fetches go on in threads of the consumer's own.
class Consumer {
 public:
  // kInvalidConfig names key and value. Does not connect yet. `hooks`: interceptors and the
  // statistics callback; what they hold must outlive the consumer.
  static absl::StatusOr<std::unique_ptr<Consumer>> Create(const ConfigMap& config,
                                                          ConsumerHooks hooks = {});
  // As Close without waiting; the group notices when the session ends.
  ~Consumer();
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  // Joins group.id and reads what the coordinator assigns. Replaces a former subscription. An empty
  // list leaves the group: commits if enable.auto.commit, tells the former listener that all
  // partitions are revoked, and returns; the group hears of it in the background. kInvalidConfig
  // without a group.id or after Assign.
  absl::Status Subscribe(std::vector<std::string> topics, RebalanceListener listener = {});
  // Reads exactly these, starting at the committed offset if there is a group.id and one was
  // committed, else as auto.offset.reset says. Waits up to default.api.timeout.ms for the metadata.
  //   kUnknownTopicOrPartition, kNotConnected (names the servers tried), kInvalidConfig after
  //   Subscribe
  absl::Status Assign(const std::vector<NamedPartition>& partitions);
  // What is being read now.
  [[nodiscard]] std::vector<NamedPartition> Assignment() const;

  // Returns as soon as there are records, at most max.poll.records of them; an empty list when
  // `timeout` passes. An error names the partition and what to do; other partitions go on with the
  // next call:
  //   kOffsetOutOfRange   the position is gone (retention) or the log was cut below it: Seek
  //   kCorruptMessage     a batch fails its checksum: Seek
  //   kUnknownTopicOrPartition, kUnknownTopicId (made anew), kGroupMaxSizeReached, kLimitReached,
  //   kInvalidGroupId, ...
  //   kNotConnected  no broker answered for default.api.timeout.ms; names the servers tried. The
  //                  consumer tries on, see ConnectionStatus.
  absl::StatusOr<std::vector<ConsumerRecord>> Poll(Duration timeout);

  // The next Poll starts there. kUnknownTopicOrPartition: not assigned.
  absl::Status Seek(const NamedPartition& partition, Offset offset,
                    LeaderEpoch leader_epoch = kNoLeaderEpoch);
  absl::Status SeekToBeginning(const NamedPartition& partition);
  absl::Status SeekToEnd(const NamedPartition& partition);
  // A paused partition is not fetched, and Poll does not return what is buffered of it; position
  // and buffer are kept for Resume. Survives a rebalance that leaves the partition here; one that
  // is given up and assigned again is not paused. kUnknownTopicOrPartition: not assigned.
  absl::Status Pause(const NamedPartition& partition);
  absl::Status Resume(const NamedPartition& partition);
  [[nodiscard]] std::vector<NamedPartition> Paused() const;
  // The offset of the next record that Poll will return, with the epoch of the one before; offset
  // kNoOffset while it is looked up. kUnknownTopicOrPartition: not assigned.
  absl::StatusOr<OffsetAndMetadata> Position(const NamedPartition& partition) const;
  // End of what can be read, as last heard; kNoOffset before the first fetch.
  absl::StatusOr<Offset> HighWatermark(const NamedPartition& partition) const;

  // Commits the positions of all partitions being read, or `offsets`, and waits for the answer.
  //   kFencedMemberEpoch, kUnknownMemberId, kStaleMemberEpoch  not (or no longer) this member's
  //   kRequestTimedOut  the outcome is unknown; committing again is harmless
  absl::Status CommitSync();
  absl::Status CommitSync(const NamedOffsets& offsets);
  // Commits in the order of the calls. `done` runs exactly once and must not block: on a thread of
  // the consumer; in the caller's, before CommitAsync returns, when there is nothing to commit or
  // the commit is refused at once; in the one that closes, for what is unanswered then.
  using CommitCallback = std::function<void(const absl::Status&)>;
  void CommitAsync(CommitCallback done = {});
  void CommitAsync(const NamedOffsets& offsets, CommitCallback done);
  // The group's committed offsets; kNoOffset where there is none.
  absl::StatusOr<NamedOffsets> Committed(const std::vector<NamedPartition>& partitions);

  // Offsets of the log's first record, and after its last one that can be read.
  absl::StatusOr<NamedOffsets> BeginningOffsets(const std::vector<NamedPartition>& partitions);
  absl::StatusOr<NamedOffsets> EndOffsets(const std::vector<NamedPartition>& partitions);
  // As Admin::OffsetsForTimes.
  absl::StatusOr<NamedTimes> OffsetsForTimes(
      const std::map<NamedPartition, TimestampMs>& timestamps);

  // All partitions of a topic, waiting for its metadata; errors as Assign.
  absl::StatusOr<std::vector<NamedPartition>> PartitionsOf(const std::string& topic);
  // OK while some broker answers; else kNotConnected, naming the servers tried.
  [[nodiscard]] absl::Status ConnectionStatus() const;
  // The id of this member in its group; it takes another when the group does not know it any more.
  [[nodiscard]] std::string member_id() const;

  // Commits what Poll has returned if enable.auto.commit, tells the listener that all partitions
  // are revoked, leaves the group, ends the threads. A second call does nothing. `timeout` 0: only
  // ends.
  absl::Status Close(Duration timeout = std::chrono::seconds(30));

 private:
  class Impl;
  explicit Consumer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace quipu
