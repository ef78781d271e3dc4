#include "tests/simulation/nemesis_disks.h"

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

DiskNemesisOptions DiskNemesisOptions::Draw(Rng& rng) {
  DiskNemesisOptions options;
  if (!rng.Chance(2, 5)) return options;
  options.empty_disk = static_cast<int>(rng.Between(0, 3));
  options.rolled_back = static_cast<int>(rng.Between(0, 3));
  options.lost_tail = static_cast<int>(rng.Between(0, 5));
  return options;
}

std::string DiskNemesisOptions::Text() const {
  return " empty_disk=" + std::to_string(empty_disk) +
         " rolled_back=" + std::to_string(rolled_back) + " lost_tail=" + std::to_string(lost_tail);
}

DiskNemesis::DiskNemesis(Cluster& cluster, PartitionChecker& checker, DiskNemesisOptions options,
                         uint64_t seed)
    : cluster_(cluster),
      world_(cluster.world()),
      checker_(checker),
      options_(options),
      rng_(seed) {}

Duration DiskNemesis::Between(Duration low, Duration high) {
  return Duration(rng_.Between(low.count(), high.count()));
}

void DiskNemesis::After(Duration delay, std::function<void()> work) {
  world_.After(delay, nullptr, "disk-nemesis", [active = active_, work = std::move(work)] {
    if (*active) work();
  });
}

void DiskNemesis::Run(Instant until) {
  until_ = until;
  *active_ = true;
  if (options_.total() > 0) ScheduleNext();
}

void DiskNemesis::ScheduleNext() {
  After(Between(options_.interval_min, options_.interval_max), [this] {
    if (world_.now() >= until_) return;
    Strike();
    ScheduleNext();
  });
}

void DiskNemesis::Strike() {
  auto draw = static_cast<int>(rng_.Below(static_cast<uint64_t>(options_.total())));
  SimBroker& broker = *cluster_.brokers()[rng_.Below(cluster_.brokers().size())];
  if ((draw -= options_.empty_disk) < 0) return EmptyDisk(broker);
  if ((draw -= options_.rolled_back) < 0) return RollBack(broker);
  LoseTail(broker);
}

bool DiskNemesis::MayLose(BrokerId broker) const {
  const MetadataImagePtr& image = checker_.image();
  if (image == nullptr) return false;
  for (const auto& other : cluster_.brokers()) {
    if (checker_.IsLost(other->id())) return false;
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
  broker.FormatDisk(Uuid::Random(rng_));
  Lost(broker, "empty disk for broker ", milliseconds(4000));
}

void DiskNemesis::LoseTail(SimBroker& broker) {
  const auto older = std::make_shared<BrokerDisk>(broker.disk());
  After(Between(milliseconds(1), milliseconds(1500)), [this, &broker, older] {
    if (!MayLose(broker.id())) return;
    ++counters_.lost_tails;
    broker.Crash();
    BrokerDisk disk = broker.disk();
    disk.LoseTail(*older);
    broker.ReplaceDisk(std::move(disk));
    Lost(broker, "lost tail of broker ", milliseconds(2000));
  });
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
  After(Between(milliseconds(100), milliseconds(800)), [this, &broker, copy, tries] {
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
  strike_again_[broker.id()] = rng_.Chance(1, 2);
  RestartLater(broker, down_max);
}

void DiskNemesis::RestartLater(SimBroker& broker, Duration down_max) {
  // Not by After: what is down must come back after the end of the faults too.
  world_.After(Between(milliseconds(1), down_max), nullptr, "restart", [this, &broker] {
    if (broker.running()) return;
    world_.Note("restart broker " + broker.id().ToString());
    broker.Start();
  });
}

void DiskNemesis::OnControlSent(BrokerId sender, const message::BrokerToController& message) {
  if (!*active_ || !message.has_register_()) return;
  const auto again = strike_again_.find(sender);
  if (again == strike_again_.end() || !again->second) return;
  again->second = rng_.Chance(1, 3);
  After(Between(Duration(0), milliseconds(15)), [this, sender] {
    SimBroker& broker = *cluster_.FindBroker(sender);
    if (!broker.running()) return;
    ++counters_.crashes_unclean;
    world_.Note("crash broker " + sender.ToString() + ", which registers");
    broker.Crash();
    RestartLater(broker, milliseconds(150));
  });
}

}  // namespace quipu::sim
