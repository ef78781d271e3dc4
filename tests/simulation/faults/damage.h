// Damage of batches that lie on simulated disks, and the atlas that keeps it survivable.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "storage/memory_log_store.h"
#include "tests/simulation/checkers/partition_checker.h"
#include "tests/simulation/cluster.h"

namespace quipu::sim {

// Only committed batches are damaged, and of each at least `good_copies` other replicas keep a
// sound copy on a disk that is not lost (fault atlas: the disks of all replicas, looked at before
// each strike, and before a disk is lost).
class DiskDamage {
 public:
  enum class Kind {
    kBitFlip,           // of what the batch's CRC covers
    kMisdirectedWrite,  // another batch of the same log lies in its place
  };
  DiskDamage(Cluster& cluster, PartitionChecker& partitions, size_t good_copies)
      : cluster_(cluster), partitions_(partitions), good_copies_(good_copies) {}

  // Damages one to three batches in a row on one disk. False: there was nothing to damage.
  bool Strike(Kind kind);
  // Somebody wants everything below `end` deleted: a replica may do so at any time, also a leader
  // that was deposed and does not know it, so that its copy is no longer one to count on.
  void OnDeletionAsked(PartitionUid uid, Offset end) { asked_to_delete_[uid] = end; }
  // Whether, without the disk of `broker`, enough sound copies of all that is damaged are left.
  [[nodiscard]] bool MayLose(BrokerId broker) const;
  // What is damaged still, on brokers that are running, in words; empty: everything is sound.
  [[nodiscard]] std::string Unrepaired() const;

 private:
  struct Place {
    BrokerId broker;
    PartitionUid uid;
    Offset last_offset;
  };
  // nullptr: the broker's disk holds no such batch.
  [[nodiscard]] const StoredBatch* Find(BrokerId broker, PartitionUid uid, Offset last) const;
  [[nodiscard]] bool IsSound(const Place& place) const;
  // Sound copies of `batch`, the one that belongs at `place`, on the disks of replicas other than
  // its broker and `without`.
  [[nodiscard]] size_t GoodCopies(const Place& place, const Bytes& batch, BrokerId without) const;
  [[nodiscard]] bool MayDamage(const Place& place) const;
  // A place where another replica holds a batch of another epoch under the same last offset, which
  // it has yet to cut off: what a repair must not take.
  [[nodiscard]] std::optional<Place> FindDivergent() const;
  [[nodiscard]] std::optional<Place> Draw();
  bool Damage(const Place& place, Kind kind);

  Cluster& cluster_;
  PartitionChecker& partitions_;
  const size_t good_copies_;
  struct Damaged {
    Place place;
    Bytes sound;  // what was there
  };
  std::vector<Damaged> damaged_;
  std::map<PartitionUid, Offset> asked_to_delete_;
};

}  // namespace quipu::sim
