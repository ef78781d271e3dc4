// What must have come about some time after the last fault: replication.md's list of liveness.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/checkers/partition_checker.h"
#include "tests/simulation/classic/sim_classic_group.h"
#include "tests/simulation/cluster.h"
#include "tests/simulation/nemesis.h"
#include "tests/simulation/sim_consumer.h"
#include "tests/simulation/sim_producer.h"

namespace quipu::sim {

class LivenessChecker {
 public:
  struct Ports {
    Cluster& cluster;
    const PartitionChecker& partitions;
    const Nemesis& nemesis;
    const DiskDamage& damage;
    const std::vector<std::unique_ptr<SimProducer>>& producers;
    const std::vector<std::unique_ptr<SimConsumer>>& consumers;
    const SimClassicGroup& classic;
  };
  // What `ports` names must outlive the checker. `topic`: what the clients use.
  LivenessChecker(Ports ports, std::string topic) : ports_(ports), topic_(std::move(topic)) {}

  // What is still open, in words; empty: everything has settled.
  //   With everybody back: no stored batch is damaged, the controllers have one leader and all
  //   follow it, every broker is registered and unfenced, all have the same metadata, every
  //   partition is led by somebody who knows it and has committed all that it has, every ISR is
  //   full, every payment that was sent is reported, each group owns each partition once and has
  //   read everything. With a minority away: the same of those that are there, for each partition
  //   that somebody who is there may lead; nothing of groups, whose coordinator may be away.
  [[nodiscard]] std::string Unsettled() const;

 private:
  [[nodiscard]] bool IsAway(BrokerId broker) const {
    return ports_.nemesis.IsAway(BrokerNodeId(broker));
  }
  [[nodiscard]] bool SomebodyIsAway() const;
  void CheckControllers(std::string& open) const;
  void CheckBrokers(std::string& open) const;
  void CheckPartitions(std::string& open) const;
  void CheckPartition(PartitionUid uid, const PartitionImage& partition, std::string& open) const;
  void CheckGroup(std::string& open) const;
  void CheckOwners(std::string& open) const;
  // The leader knows that it leads, and all that it holds is committed.
  [[nodiscard]] bool LeadsWell(PartitionUid uid, const PartitionImage& partition) const;

  Ports ports_;
  std::string topic_;
};

}  // namespace quipu::sim
