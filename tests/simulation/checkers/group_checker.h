// What the members of a group own, read and commit: I28, I29, I50, I51, I52, I53, I54.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "core/client/consumer_types.h"
#include "tests/simulation/checkers/ownership_checker.h"
#include "tests/simulation/checkers/partition_checker.h"

namespace quipu::sim {

struct GroupCounters {
  uint64_t read = 0;      // records
  uint64_t assigned = 0;  // partitions given to a member
  uint64_t commits = 0;   // acknowledged
  uint64_t refused = 0;   // answered with an error
  uint64_t resets = 0;    // what a member was to read next was deleted
  uint64_t fenced = 0;    // static members that learnt that another has their place
};

class GroupChecker {
 public:
  explicit GroupChecker(const PartitionChecker& partitions) : partitions_(partitions) {}

  // The highest acknowledged commit of each partition, in one life of the group.
  struct Committed {
    uint64_t life = 0;
    std::map<TopicPartition, Offset> offsets;
  };

  // A member begins to read at `start` (kNoOffset: nothing is committed); `committed` is what had
  // been acknowledged when it asked.
  void OnAssigned(const TopicPartition& partition, Offset start, const Committed& committed);
  void OnRead(const TopicPartition& partition, Offset offset, absl::string_view value);
  // A member was told that it cannot read on: never so, since what is committed is never cut (I25).
  void OnError(const PartitionError& error) const;
  // A member that expected `due` next read `offset`. `reset`: it had asked for the first record
  // that is there.
  void OnPosition(const TopicPartition& partition, Offset due, Offset offset, bool reset) const;
  void OnReset() { ++counters_.resets; }
  // Records below it may have been deleted by operators.
  [[nodiscard]] Offset DeletedEnd(const TopicPartition& partition) const;
  // `committed`: as in OnAssigned, when the commit was asked for.
  void OnCommitAnswered(const PartitionOffsets& offsets, const Committed& committed,
                        ErrorCode error);
  void OnFenced() { ++counters_.fenced; }
  // The group was deleted, and its offsets with it.
  void OnRemoved() { committed_ = {.life = committed_.life + 1, .offsets = {}}; }
  // Who owns what, as the coordinator's log and the heartbeats tell.
  [[nodiscard]] OwnershipChecker& ownership() { return ownership_; }
  [[nodiscard]] const OwnershipChecker& ownership() const { return ownership_; }
  // Every record that was read, by partition and offset.
  using Values = std::map<std::pair<TopicPartition, Offset>, std::string>;
  [[nodiscard]] const Values& values() const { return values_; }
  [[nodiscard]] const Committed& committed() const { return committed_; }
  [[nodiscard]] const GroupCounters& counters() const { return counters_; }

 private:
  [[nodiscard]] Offset TrueHighWatermark(const TopicPartition& partition) const;
  // That commit of `committed`; nullopt: there is none, or not in this life of the group.
  [[nodiscard]] std::optional<Offset> KnownOf(const Committed& committed,
                                              const TopicPartition& partition) const;
  // nullptr: no such partition.
  [[nodiscard]] const PartitionImage* FindImage(const TopicPartition& partition) const;
  // I53: a committed offset carries the epoch of the record before it, so that a reader who goes
  // on from there can be told that the log was cut (R21).
  void CheckEpoch(const TopicPartition& partition, const OffsetAndMetadata& offset) const;

  const PartitionChecker& partitions_;
  OwnershipChecker ownership_;
  Committed committed_;
  Values values_;  // as first read
  GroupCounters counters_;
};

}  // namespace quipu::sim
