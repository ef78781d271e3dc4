#include "tests/simulation/checkers/group_checker.h"

#include <algorithm>
#include <string>

#include "tests/simulation/checkers/violation.h"

namespace quipu::sim {
namespace {

std::string Name(const TopicPartition& partition) {
  return "partition index " + partition.partition.ToString();
}

}  // namespace

const PartitionImage* GroupChecker::FindImage(const TopicPartition& partition) const {
  for (const auto& [uid, image] : partitions_.image()->partitions()) {
    if (image.topic_id == partition.topic_id && image.index == partition.partition) return &image;
  }
  return nullptr;
}

Offset GroupChecker::TrueHighWatermark(const TopicPartition& partition) const {
  const PartitionImage* image = FindImage(partition);
  return image == nullptr ? Offset(0) : partitions_.TrueHighWatermark(image->uid);
}

Offset GroupChecker::DeletedEnd(const TopicPartition& partition) const {
  const PartitionImage* image = FindImage(partition);
  return image == nullptr ? Offset(0) : partitions_.deleted_end(image->uid);
}

void GroupChecker::CheckEpoch(const TopicPartition& partition,
                              const OffsetAndMetadata& offset) const {
  const PartitionImage* image = FindImage(partition);
  if (image == nullptr || offset.offset <= Offset(0)) return;
  // Who begins behind what is deleted has read nothing that has an epoch.
  const bool begins = offset.offset <= partitions_.deleted_end(image->uid);
  if (begins && offset.leader_epoch == kNoLeaderEpoch) return;
  const auto epoch = partitions_.EpochOfRecord(image->uid, offset.offset - 1);
  Require(!epoch || *epoch == offset.leader_epoch, "I53", [&] {
    return Name(partition) + ": offset " + offset.offset.ToString() +
           " was committed with leader epoch " + offset.leader_epoch.ToString() +
           ", the record before it is of epoch " + epoch->ToString();
  });
}

std::optional<Offset> GroupChecker::KnownOf(const Committed& committed,
                                            const TopicPartition& partition) const {
  const auto known = committed.offsets.find(partition);
  if (committed.life != committed_.life || known == committed.offsets.end()) return std::nullopt;
  return known->second;
}

void GroupChecker::OnAssigned(const TopicPartition& partition, Offset start,
                              const Committed& committed) {
  ++counters_.assigned;
  const auto known = KnownOf(committed, partition);
  Require(!known || (start != kNoOffset && start >= *known), "I54", [&] {
    return Name(partition) + ": a member begins at " + start.ToString() + ", but " +
           known->ToString() + " was committed before it asked";
  });
  Require(start == kNoOffset || start <= TrueHighWatermark(partition), "I53", [&] {
    return Name(partition) + ": committed offset " + start.ToString() +
           " is above the high watermark " + TrueHighWatermark(partition).ToString();
  });
}

void GroupChecker::OnRead(const TopicPartition& partition, Offset offset, absl::string_view value) {
  ++counters_.read;
  Require(offset < TrueHighWatermark(partition), "I28", [&] {
    return Name(partition) + ": offset " + offset.ToString() + " was read before it was committed";
  });
  const auto [known, is_new] = values_.try_emplace({partition, offset}, value);
  Require(is_new || known->second == value, "I29", [&] {
    return Name(partition) + " offset " + offset.ToString() + " was read as " + known->second +
           " and as " + std::string(value);
  });
}

void GroupChecker::OnError(const PartitionError& error) const {
  Require(false, "I25", [&] { return Name(error.partition) + ": " + error.message; });
}

void GroupChecker::OnPosition(const TopicPartition& partition, Offset due, Offset offset,
                              bool reset) const {
  const Offset wanted = due == kNoOffset ? Offset(0) : due;
  // The first record that is there: behind what is deleted, or before it at a leader that took over
  // and has not heard of the deletion. Then records are read again, which a reset allows.
  const bool first = reset && offset <= DeletedEnd(partition);
  Require(offset == wanted || first, "I50", [&] {
    return Name(partition) + ": a member read offset " + offset.ToString() + " where " +
           wanted.ToString() + " was due";
  });
}

void GroupChecker::OnCommitAnswered(const PartitionOffsets& offsets, const Committed& committed,
                                    ErrorCode error) {
  if (error != ErrorCode::kNone) {
    ++counters_.refused;
    return;
  }
  ++counters_.commits;
  for (const auto& [partition, offset] : offsets) {
    CheckEpoch(partition, offset);
    // Members begin where the last commit stands and read on: a lower one is an earlier owner's.
    const auto before = KnownOf(committed, partition);
    Require(!before || offset.offset >= *before, "I51", [&] {
      return Name(partition) + ": a commit of " + offset.offset.ToString() +
             " was acknowledged after one of " + before->ToString();
    });
    if (committed.life != committed_.life) continue;  // it went with the group
    Offset& highest = committed_.offsets.try_emplace(partition, Offset(0)).first->second;
    highest = std::max(highest, offset.offset);
  }
}

}  // namespace quipu::sim
