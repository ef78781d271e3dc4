// How a replica gets a sound copy of a batch that it found damaged (D5).
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "base/ids.h"
#include "base/time.h"
#include "core/replication/partition_types.h"
#include "core/request/log_messages.h"

namespace quipu {

// The epoch that wrote the record at `offset`, by a log's epoch entries; kNoLeaderEpoch: unknown.
LeaderEpoch EpochAt(const std::vector<EpochEntry>& epochs, Offset offset);

// What one input to a BatchRepair brings about.
struct RepairEffects {
  std::vector<std::pair<BrokerId, RepairRequest>> requests;  // to be sent; then OnAnswer or OnLost
  std::vector<StoredBatch> repairs;   // to be written under their keys; then OnStored
  std::vector<DamagedBatch> refused;  // given up for now: every replica answered, none has it
  std::vector<std::pair<BrokerId, ErrorCode>> failures;  // what peers said, for the log
};

// The damaged batches of one replica of one partition, and the search for sound copies.
//
//   found -> asking, one peer after the other -> a good answer: storing -> gone
//                                             -> none: a pause that grows, then all over again
//
// While a peer that may have a copy is not alive or did not say, readers are told to come back.
// Only when every other replica is alive and has said that its copy is damaged too, or that it has
// none, the offsets are refused; they are asked for again later all the same.
//
// A batch that lies below the log start of the leader is not needed, and nobody else's answer is
// waited for: the leader also tells what producers have sent (ReplicaUpdate.producers_unknown).
//
// An answer is believed only if it is one whole batch with a matching CRC, ends at the key, begins
// at or behind the end of the batch before it, and is of the epoch that this log's epoch entries
// give for it. The peer holds its own epoch entries against the same epoch, so that by I29 both
// name the same records. Bounded: kDamagedBatchesMax entries, one request at a time.
//
// Keeps D5, I62, I64; PR3 by the leader epoch of request and answer (and the broker epoch of the
// stream). Shard thread only.
class BatchRepair {
 public:
  // More damaged batches than this are not kept in mind: whoever reads them finds them again.
  static constexpr size_t kDamagedBatchesMax = 64;
  static constexpr Duration kAnswerTimeout = std::chrono::seconds(2);
  // Between two rounds through all peers: doubles from the first to the second.
  static constexpr Duration kPauseMin = std::chrono::milliseconds(500);
  static constexpr Duration kPauseMax = std::chrono::seconds(30);

  struct Peer {
    BrokerId broker;
    bool alive = false;  // registered and not fenced
    friend bool operator==(const Peer&, const Peer&) = default;
  };
  // The partition in the newest image: its other replicas, in the order in which they are asked.
  struct View {
    LeaderEpoch leader_epoch = kNoLeaderEpoch;
    BrokerId leader = kNoBroker;
    std::vector<Peer> peers;
    friend bool operator==(const View&, const View&) = default;
  };
  enum class State { kRepairing, kRefused };

  explicit BatchRepair(PartitionUid uid) : uid_(uid) {}

  // News of the partition: what was refused or paused is tried again soon.
  void OnView(View view, Now now, RepairEffects& effects);
  // A read met this batch, which `epoch` wrote.
  State OnDamage(DamagedBatch place, LeaderEpoch epoch, Now now, RepairEffects& effects);
  // `epoch`: of the batch as of now, by the epoch entries of this log.
  void OnAnswer(BrokerId peer, const RepairAnswer& answer, LeaderEpoch epoch, Now now,
                RepairEffects& effects);
  // The stream to the peer ended, or could not be opened.
  void OnLost(BrokerId peer, Now now, RepairEffects& effects);
  // A repair that was handed out is durable. False when it is not known (cut off meanwhile).
  bool OnStored(Offset last_offset, Now now, RepairEffects& effects);
  // What lies outside of [log_start, log_end) was trimmed or cut off.
  void Keep(Offset log_start, Offset log_end);
  void OnTime(Now now, RepairEffects& effects);
  [[nodiscard]] std::optional<Instant> NextDeadline() const;

  [[nodiscard]] bool Knows(Offset last_offset) const { return entries_.contains(last_offset); }
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] size_t size() const { return entries_.size(); }
  // Nothing is to be waited for at present: all that is left is refused, or not needed.
  [[nodiscard]] bool AllGivenUp() const;

 private:
  enum class Step { kWaiting, kAsking, kStoring };
  struct Entry {
    DamagedBatch place;
    LeaderEpoch epoch;
    Step step = Step::kWaiting;
    bool refused = false;
    bool needless = false;                 // it lies below the log start of this view's leader
    BrokerId asked = kNoBroker;            // kAsking
    absl::btree_set<BrokerId> tried;       // in this round
    absl::btree_set<BrokerId> without_it;  // of these, who said so for sure
    Instant at;                            // kWaiting: next round; kAsking: the answer is late
    Duration pause = kPauseMin;
  };
  using Entries = absl::btree_map<Offset, Entry>;  // by last offset

  void Proceed(Now now, RepairEffects& effects);
  // Asks the next peer of `entry`, or ends its round.
  void Ask(Entry& entry, Now now, RepairEffects& effects);
  void EndRound(Entry& entry, Now now, RepairEffects& effects);
  [[nodiscard]] static std::optional<StoredBatch> Accept(const Entry& entry,
                                                         const RepairAnswer& answer,
                                                         LeaderEpoch epoch);
  Entry* Asking(BrokerId peer);

  const PartitionUid uid_;
  View view_;
  Entries entries_;
};

}  // namespace quipu
