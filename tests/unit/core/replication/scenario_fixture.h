// What the scenario tests of this folder share: a cluster with a committed past, and brokers that
// go and come back.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/core/replication/replica_cluster.h"

namespace quipu {

class ReplicationScenarioTest : public ::testing::Test {
 protected:
  // A cluster led by 1, with `committed` on all three.
  void Begin(const std::string& committed = "a") {
    c_.Elect(1);
    c_.Settle();
    if (!committed.empty()) c_.Produce(1, {.value = committed});
    c_.Settle();
  }
  // Appends at a leader that reaches nobody and syncs it there.
  void AppendAlone(int leader, const std::string& value) {
    c_.Produce(leader, {.value = value});
    c_.Sync(leader);
  }
  void Fence(int broker) {
    for (ReplicaInfo& replica : c_.image.replicas) {
      if (replica.broker == BrokerId{broker}) replica.fenced = true;
    }
    std::erase(c_.image.isr, BrokerId{broker});
    c_.Commit();
  }
  void Register(int broker) {
    for (ReplicaInfo& replica : c_.image.replicas) {
      if (replica.broker != BrokerId{broker}) continue;
      replica.fenced = false;
      replica.epoch = c_.node(broker).epoch;
    }
    c_.Commit();
  }
  ReplicaCluster c_;
};

}  // namespace quipu
