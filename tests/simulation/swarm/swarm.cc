#include "tests/simulation/swarm/swarm.h"

#include <algorithm>

namespace quipu::sim {
namespace {

// Which faults a run sees at all is drawn with a chance that is itself drawn: some runs see a few
// kinds often, some see nearly all.
class Subset {
 public:
  explicit Subset(Rng& rng) : rng_(rng) {
    constexpr uint64_t kPercents[] = {20, 35, 50, 50, 80};
    percent_ = kPercents[rng.Below(std::size(kPercents))];
  }
  int64_t Maybe(int64_t low, int64_t high) {
    // Both numbers are drawn, so that one more kind shifts the others as little as it can.
    const bool on = rng_.Chance(percent_, 100);
    const int64_t value = rng_.Between(low, high);
    return on ? value : 0;
  }

 private:
  Rng& rng_;
  uint64_t percent_ = 50;
};

void DrawCluster(Rng& rng, SwarmOptions& options) {
  const uint64_t quorum = rng.Below(20);
  options.controllers = quorum == 0 ? 1 : quorum <= 3 ? 5 : 3;
  options.brokers = rng.Between(3, 5);
  options.shards = rng.Between(1, 4);
  options.partitions = rng.Between(1, 4);
  options.replicas = rng.Chance(4, 5) ? 3 : rng.Between(1, options.brokers);
  options.min_isr = rng.Chance(4, 5) ? 2 : rng.Between(1, 3);
  options.session_ms = rng.Chance(1, 2) ? 3000 : rng.Between(1500, 6000);
  options.lag_ms = rng.Between(300, 2000);
  options.snapshot_entries = rng.Between(20, 200);
  options.snapshot_bytes = rng.Between(500, 20000);
}

void DrawClients(Rng& rng, SwarmOptions& options) {
  options.producers = rng.Between(1, 3);
  // Partitions move between members: mostly there are several.
  options.consumers = rng.Chance(1, 3) ? 0 : rng.Chance(1, 5) ? 1 : rng.Between(2, 3);
  options.group_session_ms = rng.Between(1500, 3500);
  options.send_ms = rng.Between(2, 60);
  options.accounts = rng.Between(1, 8);
  options.linger_ms = rng.Between(0, 20);
  options.batch_bytes = rng.Between(120, 600);
}

// Short, so that stalls that end a process fit into a run; only where disks stall, since a process
// that was paused in a write takes that for a stall, too.
void DrawStall(Rng& rng, SwarmOptions& options) {
  const int64_t shed = rng.Between(300, 1500);
  const int64_t exit = shed * rng.Between(2, 4);
  if (options.faults[static_cast<size_t>(Fault::kStall)] == 0) return;
  options.stall_shed_ms = shed;
  options.stall_exit_ms = exit;
}

void DrawExpiration(Rng& rng, SwarmOptions& options) {
  const int64_t expire_ms = rng.Between(14000, 18000);
  if (!rng.Chance(1, 10)) return;
  options.expire_ms = expire_ms;
  options.fault_ms =
      std::max(options.fault_ms, expire_ms * 5 / 4 + 12000);  // silence and what follows
}

// The most that a fault may weigh.
int64_t MostWeight(Fault fault) {
  switch (fault) {
    case Fault::kCrashBroker:
      return 8;
    case Fault::kCrashInSync:
      return 6;
    case Fault::kCrashController:
    case Fault::kPause:
    case Fault::kCutPair:
    case Fault::kCutOneWay:
    case Fault::kIsolate:
    case Fault::kIsolateLeader:
    case Fault::kPauseConsumer:
    case Fault::kSlowConsumer:
    case Fault::kContestElection:
    case Fault::kStrandLeader:
    case Fault::kDuplicateConsumer:
    case Fault::kCrashClassic:
    case Fault::kPauseClassic:
    case Fault::kSlowClassic:
    case Fault::kLeaveClassic:
    case Fault::kDuplicateClassic:
      return 4;
    case Fault::kAlterConfig:
    case Fault::kBounceJoiner:
    case Fault::kPartialPartition:
    case Fault::kSlowNode:
    case Fault::kWriteError:
    case Fault::kSyncError:
    case Fault::kStall:
    case Fault::kLostTail:
    case Fault::kLostDirectoryEntry:
    case Fault::kReplaceVoter:
      return 3;
    case Fault::kCrashProducer:
    case Fault::kCrashConsumer:
    case Fault::kCrashAllBrokers:
    case Fault::kSplit:
    case Fault::kRestartStorm:
    case Fault::kClockJump:
    case Fault::kClockSkew:
    case Fault::kDiskFull:
    case Fault::kEmptyDisk:
    case Fault::kRolledBackDisk:
    case Fault::kRottenRaftEntry:
    case Fault::kRejoinClassic:
    case Fault::kDeleteGroup:
    case Fault::kMoveGroup:
      return 2;
    case Fault::kDrain:
    case Fault::kDeleteRecords:
    case Fault::kBitFlip:
    case Fault::kMisdirectedWrite:
    case Fault::kRottenRaftSnapshot:  // there has to be one
      return 5;
  }
  return 0;
}

// From a source of its own: runs without a classic group are what they were before there was one.
void DrawClassic(Rng rng, SwarmOptions& options) {
  options.classic = rng.Chance(1, 3) ? rng.Between(1, 4) : 0;
  options.classic_static = rng.Chance(1, 3) ? 1 : 0;
  options.cooperative = rng.Chance(1, 3) ? 1 : 0;
  options.classic_rebalance_ms = rng.Between(1500, 5000);
  options.initial_delay_ms = rng.Chance(1, 2) ? 0 : rng.Between(100, 1500);
  options.classic_one_goes = rng.Chance(1, 3) ? 1 : 0;
  Subset subset(rng);
  for (size_t i = static_cast<size_t>(Fault::kCrashClassic); i < kFaultCount; ++i) {
    options.faults[i] = subset.Maybe(1, MostWeight(static_cast<Fault>(i)));
  }
}

// From a source of its own, as well.
void DrawRetention(Rng rng, SwarmOptions& options) {
  if (!rng.Chance(1, 6)) return;
  options.retention_ms = rng.Between(1500, 5000);
  options.fault_ms = std::max(options.fault_ms, RetentionSilenceMs(options) + 5000);
}

}  // namespace

int64_t RetentionSilenceMs(const SwarmOptions& options) {
  // Sessions of static members of classic groups are up to three times as long.
  return 3 * options.group_session_ms + options.retention_ms + 1500;
}

SwarmOptions DrawSwarm(Rng& rng) {
  SwarmOptions options;
  DrawCluster(rng, options);
  DrawClients(rng, options);
  options.fault_ms = rng.Chance(1, 2) ? 15000 : rng.Between(4000, 15000);
  options.core_only = rng.Chance(1, 3) ? 1 : 0;
  options.interval_ms = rng.Chance(2, 3) ? 800 : rng.Between(200, 1600);
  Subset subset(rng);
  options.loss = subset.Maybe(1, 1000);
  options.duplication = subset.Maybe(1, 1000);
  options.delay = subset.Maybe(1, 300);
  options.stream_break = subset.Maybe(1, 40);
  options.slow_sync = subset.Maybe(1, 500);
  options.torn_tail = subset.Maybe(2000, 10000);
  const auto draw = [&](size_t from, size_t to) {
    for (size_t i = from; i < to; ++i) {
      options.faults[i] = subset.Maybe(1, MostWeight(static_cast<Fault>(i)));
    }
  };
  // What came later is drawn last: the rest of a seed stays as it was.
  const auto later = static_cast<size_t>(Fault::kDrain);
  draw(0, later);
  DrawStall(rng, options);
  DrawExpiration(rng, options);
  draw(later, static_cast<size_t>(Fault::kCrashClassic));
  options.static_members = rng.Chance(1, 2) ? 1 : 0;
  options.range = rng.Chance(1, 4) ? 1 : 0;
  options.codec = rng.Between(0, 4);
  options.topic_codec = rng.Chance(1, 3) ? 0 : rng.Between(1, 5);
  Rng later_still = rng;
  DrawClassic(later_still.Fork(), options);
  DrawRetention(later_still.Fork(), options);
  return options;
}

std::string ToText(const SwarmOptions& options) {
  std::string text;
  ForEachOption(options, [&](const char* name, int64_t value) {
    const bool is_fault =
        std::find_if(std::begin(kFaultNames), std::end(kFaultNames), [&](const char* fault) {
          return std::string(fault) == name;
        }) != std::end(kFaultNames);
    if (is_fault && value == 0) return;
    text += (text.empty() ? "" : " ") + std::string(name) + '=' + std::to_string(value);
  });
  return text;
}

bool Override(SwarmOptions& options, absl::string_view name, int64_t value) {
  bool found = false;
  ForEachOption(options, [&](const char* known, int64_t& option) {
    if (name != known) return;
    found = true;
    option = value;
  });
  return found && value >= 0;
}

}  // namespace quipu::sim
