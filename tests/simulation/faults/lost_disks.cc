#include "tests/simulation/faults/lost_disks.h"

#include <algorithm>
#include <utility>

#include "core/metadata/topic_config.h"

namespace quipu::sim {
namespace {

using std::chrono::milliseconds;

bool Contains(const std::vector<BrokerId>& brokers, BrokerId broker) {
  return std::find(brokers.begin(), brokers.end(), broker) != brokers.end();
}

}  // namespace

void DiskNemesis::After(Duration delay, std::function<void()> work) {
  world_.After(delay, nullptr, "disk-nemesis", [active = active_, work = std::move(work)] {
    if (*active) work();
  });
}

void DiskNemesis::Strike(Fault fault) {
  SimBroker& broker = *cluster_.brokers()[world_.rng().Below(cluster_.brokers().size())];
  if (fault == Fault::kEmptyDisk) return EmptyDisk(broker);
  if (fault == Fault::kRolledBackDisk) return RollBack(broker);
  if (fault == Fault::kLostDirectoryEntry) return LoseEntry(broker);
  LoseTail(broker);
}

bool DiskNemesis::MayLose(BrokerId broker, bool again) const {
  const MetadataImagePtr& image = checker_.image();
  if (image == nullptr || !damage_.MayLose(broker)) return false;
  for (const auto& other : cluster_.brokers()) {
    if (checker_.IsLost(other->id()) && !(again && other->id() == broker)) return false;
  }
  for (const auto& [uid, partition] : image->partitions()) {
    if (!Contains(partition.replicas, broker)) continue;
    if (EffectiveMinIsr(*image->FindTopic(partition.topic_id), partition) < 2) return false;
    const size_t eligible = partition.isr.size() + partition.elr.size();
    const bool member = Contains(partition.isr, broker) || Contains(partition.elr, broker);
    if (eligible < (member ? 2U : 1U)) return false;
  }
  return true;
}

void DiskNemesis::EmptyDisk(SimBroker& broker) {
  if (!MayLose(broker.id())) return;
  ++counters_.empty_disks;
  broker.Crash();
  broker.FormatDisk(Uuid::Random(world_.rng()));
  Lost(broker, "empty disk for broker ", milliseconds(4000));
}

void DiskNemesis::LoseTail(SimBroker& broker) {
  const auto older = std::make_shared<BrokerDisk>(broker.disk());
  After(world_.Between(milliseconds(1), milliseconds(1500)), [this, &broker, older] {
    if (!MayLose(broker.id())) return;
    ++counters_.lost_tails;
    broker.Crash();
    BrokerDisk disk = broker.disk();
    disk.LoseTail(*older);
    broker.ReplaceDisk(std::move(disk));
    Lost(broker, "lost tail of broker ", milliseconds(2000));
  });
}

void DiskNemesis::LoseEntry(SimBroker& broker) {
  if (!MayLose(broker.id())) return;
  broker.Crash();
  if (world_.rng().Chance(1, 2)) {
    ++counters_.lost_watermarks;
    BrokerDisk disk = broker.disk();
    disk.LoseWatermark();
    broker.ReplaceDisk(std::move(disk));
    return Lost(broker, "lost watermark of broker ", milliseconds(2000));
  }
  broker.FormatDisk(Uuid::Random(world_.rng()));
  Lost(broker, "new directory for broker ", milliseconds(2000));
  new_directories_.insert(broker.id());
  strike_again_[broker.id()] = true;
}

void DiskNemesis::LoseNewDirectory(SimBroker& broker) {
  if (new_directories_.erase(broker.id()) == 0 || !MayLose(broker.id(), /*again=*/true)) return;
  ++counters_.lost_directories;
  world_.Note("the new directory of broker " + broker.id().ToString() + " is lost");
  broker.FormatDisk(Uuid::Random(world_.rng()));
  checker_.OnDiskLost(broker);
}

void DiskNemesis::RollBack(SimBroker& broker) {
  const auto copy = std::make_shared<BrokerDisk>(broker.disk());
  if (copy->broker_epoch() == kNoBrokerEpoch || !broker.running()) return;
  // A restart: a newer epoch.
  world_.Note("bounce broker " + broker.id().ToString());
  broker.Crash();
  RestartLater(broker, milliseconds(100));
  AwaitNewerEpoch(broker, copy, 20);
}

void DiskNemesis::AwaitNewerEpoch(SimBroker& broker, std::shared_ptr<BrokerDisk> copy, int tries) {
  if (tries == 0) return;
  After(world_.Between(milliseconds(100), milliseconds(800)), [this, &broker, copy, tries] {
    const MetadataImagePtr& image = checker_.image();
    const BrokerImage* known = image == nullptr ? nullptr : image->FindBroker(broker.id());
    // Only a rollback behind an epoch that was heard can be noticed (docs/invariants.md).
    if (known == nullptr || known->heard_epoch <= copy->broker_epoch() || !MayLose(broker.id())) {
      return AwaitNewerEpoch(broker, copy, tries - 1);
    }
    // A directory that was given up since would be another kind of fault.
    ++counters_.rolled_back;
    broker.Crash();
    broker.ReplaceDisk(*copy);
    Lost(broker, "roll back the disk of broker ", milliseconds(4000));
  });
}

void DiskNemesis::Lost(SimBroker& broker, const std::string& what, Duration down_max) {
  world_.Note(what + broker.id().ToString());
  checker_.OnDiskLost(broker);
  strike_again_[broker.id()] = world_.rng().Chance(1, 2);
  RestartLater(broker, down_max);
}

void DiskNemesis::RestartLater(SimBroker& broker, Duration down_max) {
  After(world_.Between(milliseconds(1), down_max), [this, &broker] {
    if (broker.running()) return;
    world_.Note("restart broker " + broker.id().ToString());
    broker.Start();
  });
}

void DiskNemesis::OnControlSent(BrokerId sender, const message::BrokerToController& message) {
  if (!*active_ || !message.has_register_()) return;
  const auto again = strike_again_.find(sender);
  if (again == strike_again_.end() || !again->second) {
    new_directories_.erase(sender);  // it is not new any more
    return;
  }
  again->second = world_.rng().Chance(1, 3);
  After(world_.Between(Duration(0), milliseconds(15)), [this, sender] {
    SimBroker& broker = *cluster_.FindBroker(sender);
    if (!broker.running()) return;
    ++counters_.crashes_unclean;
    world_.Note("crash broker " + sender.ToString() + ", which registers");
    broker.Crash();
    LoseNewDirectory(broker);
    RestartLater(broker, milliseconds(150));
  });
}

}  // namespace quipu::sim
