// What one run is made of, drawn from its seed: the cluster, its clients, its configuration, and
// which faults it sees and how often (swarm testing: each seed has its own subset, so that faults
// that hide each other are also seen alone).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/rng.h"
#include "tests/simulation/swarm/faults.h"

namespace quipu::sim {

struct SwarmOptions {
  // The run.
  int64_t salt = 0;           // another run with the same options; never drawn
  int64_t fault_ms = 15000;   // how long the nemesis is at work
  int64_t core_only = 0;      // 1: the liveness phase begins with a minority still away
  int64_t interval_ms = 800;  // between two strikes, on average
  // The cluster.
  int64_t controllers = 3;
  int64_t brokers = 3;
  int64_t shards = 1;
  int64_t partitions = 3;
  int64_t replicas = 3;
  int64_t min_isr = 2;
  int64_t session_ms = 3000;
  int64_t group_session_ms = 2500;
  int64_t lag_ms = 1000;
  int64_t snapshot_entries = 100;
  int64_t snapshot_bytes = 5000;  // of producers
  // Idle producers are forgotten after this (P07); 0: after a week. What is retried later than that
  // is doubled: deliveries end long before it, and each producer is silent for longer than it once.
  int64_t expire_ms = 0;
  // Of disks that do not answer, where there are any (kStall); otherwise the product's defaults.
  int64_t stall_shed_ms = 2000;
  int64_t stall_exit_ms = 20000;
  // The clients.
  int64_t producers = 1;
  int64_t consumers = 0;
  int64_t static_members = 0;  // 1: each consumer has a group.instance.id
  int64_t range = 0;           // 1: most members ask for the assignor `range`
  int64_t send_ms = 30;        // between two payments of a producer, on average
  int64_t accounts = 5;        // of each producer
  int64_t linger_ms = 10;
  int64_t batch_bytes = 300;
  // Codecs: the number of a Compression, of the first producer; each next one has the next codec.
  int64_t codec = 0;
  // compression.type of the topic: 0: producer; otherwise the number of a Compression, and 1.
  int64_t topic_codec = 0;
  // offsets.retention; 0: a week. All members of groups fall silent for longer than it, once.
  int64_t retention_ms = 0;
  // The classic group: its members' assignor, their time-outs.
  int64_t classic = 0;         // members
  int64_t classic_static = 0;  // 1: each has a group.instance.id
  int64_t cooperative = 0;     // 1: they give up only what they have to
  int64_t classic_rebalance_ms = 3000;
  int64_t initial_delay_ms = 0;  // group.initial.rebalance.delay.ms
  int64_t classic_one_goes = 0;  // 1: after the faults one of several dies for good
  // The environment: chances in 10,000.
  int64_t loss = 0;
  int64_t duplication = 0;
  int64_t delay = 0;
  int64_t stream_break = 0;
  int64_t slow_sync = 0;
  int64_t torn_tail = 0;
  // The nemesis: weights.
  FaultNumbers faults{};
};

// Calls `visit(name, value)` for each option.
template <typename Options, typename Visit>
void ForEachOption(Options& options, Visit visit) {
  visit("salt", options.salt);
  visit("fault_ms", options.fault_ms);
  visit("core_only", options.core_only);
  visit("interval_ms", options.interval_ms);
  visit("controllers", options.controllers);
  visit("brokers", options.brokers);
  visit("shards", options.shards);
  visit("partitions", options.partitions);
  visit("replicas", options.replicas);
  visit("min_isr", options.min_isr);
  visit("session_ms", options.session_ms);
  visit("group_session_ms", options.group_session_ms);
  visit("lag_ms", options.lag_ms);
  visit("snapshot_entries", options.snapshot_entries);
  visit("snapshot_bytes", options.snapshot_bytes);
  visit("expire_ms", options.expire_ms);
  visit("stall_shed_ms", options.stall_shed_ms);
  visit("stall_exit_ms", options.stall_exit_ms);
  visit("producers", options.producers);
  visit("consumers", options.consumers);
  visit("static_members", options.static_members);
  visit("range", options.range);
  visit("send_ms", options.send_ms);
  visit("accounts", options.accounts);
  visit("linger_ms", options.linger_ms);
  visit("batch_bytes", options.batch_bytes);
  visit("codec", options.codec);
  visit("topic_codec", options.topic_codec);
  visit("retention_ms", options.retention_ms);
  visit("classic", options.classic);
  visit("classic_static", options.classic_static);
  visit("cooperative", options.cooperative);
  visit("classic_rebalance_ms", options.classic_rebalance_ms);
  visit("initial_delay_ms", options.initial_delay_ms);
  visit("classic_one_goes", options.classic_one_goes);
  visit("loss", options.loss);
  visit("duplication", options.duplication);
  visit("delay", options.delay);
  visit("stream_break", options.stream_break);
  visit("slow_sync", options.slow_sync);
  visit("torn_tail", options.torn_tail);
  for (size_t i = 0; i < kFaultCount; ++i) visit(kFaultNames[i], options.faults[i]);
}

SwarmOptions DrawSwarm(Rng& rng);

// How long members fall silent where retention_ms is set: until their groups' offsets expire.
int64_t RetentionSilenceMs(const SwarmOptions& options);

// "brokers=3 shards=1 ...": everything, but not the faults that are off.
std::string ToText(const SwarmOptions& options);

// Values that replace drawn ones, by name.
using Overrides = std::vector<std::pair<std::string, int64_t>>;
// False: there is no option of that name, or the value is negative.
bool Override(SwarmOptions& options, absl::string_view name, int64_t value);

}  // namespace quipu::sim
