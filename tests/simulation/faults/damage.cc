#include "tests/simulation/faults/damage.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "core/record/record_batch.h"
#include "storage/log_recovery.h"

namespace quipu::sim {
namespace {

// Where the part of a batch begins that its CRC covers.
constexpr size_t kCrcCoversFrom = 21;
// Batches of a replica's end that are looked through for divergence.
constexpr int kDivergenceDepth = 20;
constexpr int kDrawsMax = 20;

}  // namespace

const StoredBatch* DiskDamage::Find(BrokerId broker, PartitionUid uid, Offset last) const {
  SimBroker* machine = cluster_.FindBroker(broker);
  if (machine == nullptr) return nullptr;
  const MemoryLogStore& store = machine->disk().store();
  const std::optional<LogId> log = store.FindLog(uid);
  if (!log) return nullptr;
  const auto& batches = store.StoredBatches(*log);
  const auto found = batches.find(last);
  return found == batches.end() ? nullptr : &found->second;
}

bool DiskDamage::IsSound(const Place& place) const {
  const StoredBatch* batch = Find(place.broker, place.uid, place.last_offset);
  return batch != nullptr && CheckedBatch(LogId(0), place.last_offset, batch->bytes).ok();
}

bool DiskDamage::MayDamage(const Place& place) const {
  const PartitionImage* partition = partitions_.image()->FindPartition(place.uid);
  if (partition == nullptr || place.last_offset >= partitions_.TrueHighWatermark(place.uid) ||
      !IsSound(place)) {
    return false;
  }
  const auto deleted = asked_to_delete_.find(place.uid);
  if (deleted != asked_to_delete_.end() && place.last_offset < deleted->second) return false;
  const StoredBatch* own = Find(place.broker, place.uid, place.last_offset);
  return GoodCopies(place, own->bytes, kNoBroker) >= good_copies_;
}

size_t DiskDamage::GoodCopies(const Place& place, const Bytes& batch, BrokerId without) const {
  size_t good = 0;
  for (const BrokerId replica : partitions_.image()->FindPartition(place.uid)->replicas) {
    if (replica == place.broker || replica == without || partitions_.IsLost(replica)) continue;
    const StoredBatch* copy = Find(replica, place.uid, place.last_offset);
    if (copy != nullptr && copy->bytes == batch) ++good;
  }
  return good;
}

bool DiskDamage::MayLose(BrokerId broker) const {
  return std::all_of(damaged_.begin(), damaged_.end(), [&](const Damaged& damaged) {
    const Place& place = damaged.place;
    const bool open = Find(place.broker, place.uid, place.last_offset) != nullptr &&
                      !IsSound(place) && place.broker != broker;
    return !open || GoodCopies(place, damaged.sound, broker) >= good_copies_;
  });
}

std::optional<DiskDamage::Place> DiskDamage::FindDivergent() const {
  for (const auto& [uid, partition] : partitions_.image()->partitions()) {
    for (const BrokerId odd : partition.replicas) {
      const ShadowLog* log = partitions_.shadows().Find(odd, uid);
      if (log == nullptr) continue;
      int left = kDivergenceDepth;
      for (auto it = log->batches.rbegin(); it != log->batches.rend() && left > 0; ++it, --left) {
        for (const BrokerId replica : partition.replicas) {
          const ShadowLog* other = partitions_.shadows().Find(replica, uid);
          if (replica == odd || other == nullptr) continue;
          const auto same = other->batches.find(it->first);
          if (same == other->batches.end() || same->second.epoch <= it->second.epoch) continue;
          const Place place{.broker = replica, .uid = uid, .last_offset = it->first};
          if (MayDamage(place)) return place;
        }
      }
    }
  }
  return std::nullopt;
}

std::optional<DiskDamage::Place> DiskDamage::Draw() {
  Rng& rng = cluster_.world().rng();
  std::vector<PartitionUid> uids;
  for (const auto& [uid, partition] : partitions_.image()->partitions()) uids.push_back(uid);
  if (uids.empty()) return std::nullopt;
  for (int draw = 0; draw < kDrawsMax; ++draw) {
    const PartitionUid uid = uids[rng.Below(uids.size())];
    const PartitionImage& partition = *partitions_.image()->FindPartition(uid);
    const BrokerId broker = partition.replicas[rng.Below(partition.replicas.size())];
    SimBroker* machine = cluster_.FindBroker(broker);
    const std::optional<LogId> log = machine->disk().store().FindLog(uid);
    if (!log) continue;
    const auto& batches = machine->disk().store().StoredBatches(*log);
    if (batches.empty()) continue;
    // As often as not near the end, where recovery has to read.
    const size_t among = rng.Chance(1, 2) ? batches.size() : std::min<size_t>(batches.size(), 8);
    const auto back = static_cast<std::ptrdiff_t>(1 + rng.Below(among));
    const Place place{
        .broker = broker, .uid = uid, .last_offset = std::prev(batches.end(), back)->first};
    if (MayDamage(place)) return place;
  }
  return std::nullopt;
}

bool DiskDamage::Damage(const Place& place, Kind kind) {
  Rng& rng = cluster_.world().rng();
  SimBroker& machine = *cluster_.FindBroker(place.broker);
  MemoryLogStore& store = machine.disk().store();
  const LogId log = *store.FindLog(place.uid);
  const auto& batches = store.StoredBatches(log);
  const StoredBatch batch = batches.at(place.last_offset);
  if (kind == Kind::kMisdirectedWrite) {
    const auto donor =
        std::next(batches.begin(), static_cast<std::ptrdiff_t>(rng.Below(batches.size())));
    if (donor->first == place.last_offset) return false;
    store.Overwrite(log, place.last_offset, donor->second.bytes);
  } else {
    std::string bytes = batch.bytes.ToString();
    const size_t at = kCrcCoversFrom + rng.Below(bytes.size() - kCrcCoversFrom);
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng.Below(8)));
    store.Overwrite(log, place.last_offset, Bytes(std::move(bytes)));
  }
  cluster_.world().Note("damage of broker " + place.broker.ToString() + ", partition " +
                        place.uid.ToString() + ", batch that ends at " +
                        place.last_offset.ToString());
  damaged_.push_back({place, batch.bytes});
  partitions_.OnDamaged(place.broker, place.uid, place.last_offset);
  return true;
}

bool DiskDamage::Strike(Kind kind) {
  if (partitions_.image() == nullptr) return false;
  std::optional<Place> place = FindDivergent();
  if (!place) place = Draw();
  if (!place || !Damage(*place, kind)) return false;
  SimBroker& machine = *cluster_.FindBroker(place->broker);
  const MemoryLogStore& store = machine.disk().store();
  const auto& batches = store.StoredBatches(*store.FindLog(place->uid));
  auto next = batches.upper_bound(place->last_offset);
  for (uint64_t more = cluster_.world().rng().Below(3); more > 0 && next != batches.end(); --more) {
    place->last_offset = (next++)->first;
    if (!MayDamage(*place)) break;
    Damage(*place, kind);
  }
  return true;
}

std::string DiskDamage::Unrepaired() const {
  std::string open;
  for (const auto& [place, sound] : damaged_) {
    const SimBroker* machine = cluster_.FindBroker(place.broker);
    const PartitionImage* partition = partitions_.image()->FindPartition(place.uid);
    if (!machine->running() || partition == nullptr) continue;
    // Cut off or trimmed: nothing to repair.
    if (Find(place.broker, place.uid, place.last_offset) == nullptr || IsSound(place)) continue;
    open += " broker " + place.broker.ToString() + " still has a damaged batch of partition " +
            place.uid.ToString() + " that ends at " + place.last_offset.ToString() + ";";
  }
  return open;
}

}  // namespace quipu::sim
