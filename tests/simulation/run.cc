#include "tests/simulation/run.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "tests/simulation/checkers/group_checker.h"
#include "tests/simulation/checkers/history_checker.h"
#include "tests/simulation/checkers/partition_checker.h"
#include "tests/simulation/checkers/raft_checker.h"
#include "tests/simulation/cluster.h"
#include "tests/simulation/nemesis.h"
#include "tests/simulation/nemesis_disks.h"
#include "tests/simulation/sim_consumer.h"
#include "tests/simulation/sim_producer.h"

namespace quipu::sim {
namespace {

constexpr char kTopic[] = "payments";
// Lost disks are drawn apart from everything else.
constexpr uint64_t kDiskSeed = 0xD15C5EEDULL;
constexpr auto kFaultTime = std::chrono::seconds(15);
// After healing: sessions, elections, back-offs and catch-up fit in this many times over.
constexpr auto kLivenessTime = std::chrono::seconds(90);

void ThrowViolation(absl::string_view id, absl::string_view condition, absl::string_view file,
                    int line, absl::string_view detail) {
  throw Violation{std::string(id), std::string(condition) + " at " + std::string(file) + ":" +
                                       std::to_string(line) + " " + std::string(detail)};
}

struct Drawn {
  ClusterOptions cluster;
  NemesisOptions nemesis;
  DiskNemesisOptions disks;
  int producers = 1;
  int consumers = 0;
  int partitions = 3;
  int min_isr = 2;
  Duration send_interval{};
  [[nodiscard]] std::string Text() const;
};

std::string Drawn::Text() const {
  const auto n = [](auto value) { return std::to_string(value); };
  return "brokers=" + n(cluster.brokers) + " shards=" + n(cluster.shards) +
         " producers=" + n(producers) + " consumers=" + n(consumers) +
         " partitions=" + n(partitions) + " min_isr=" + n(min_isr) +
         " loss=" + n(cluster.network.datagram_loss) +
         " dup=" + n(cluster.network.datagram_duplicate) +
         " delay=" + n(cluster.network.long_delay) + " break=" + n(cluster.network.stream_break) +
         " slow_sync=" + n(cluster.disk.slow_sync) + " crash_broker=" + n(nemesis.crash_broker) +
         " crash_controller=" + n(nemesis.crash_controller) +
         " crash_producer=" + n(nemesis.crash_producer) + " pause=" + n(nemesis.pause) +
         " cut=" + n(nemesis.cut_pair) + " one_way=" + n(nemesis.cut_one_way) +
         " isolate=" + n(nemesis.isolate) + " crash_all=" + n(nemesis.crash_all_brokers) +
         " crash_in_sync=" + n(nemesis.crash_in_sync) +
         " contest_election=" + n(nemesis.contest_election) +
         " strand_leader=" + n(nemesis.strand_leader) +
         " bounce_joiner=" + n(nemesis.bounce_joiner) +
         " crash_consumer=" + n(nemesis.crash_consumer) +
         " pause_consumer=" + n(nemesis.pause_consumer) + disks.Text();
}

// Zero as often as not, so that each fault is also absent.
uint64_t Maybe(Rng& rng, int64_t low, int64_t high) {
  return rng.Chance(1, 2) ? 0 : static_cast<uint64_t>(rng.Between(low, high));
}

Drawn Draw(Rng& rng, Rng& disk_rng) {
  Drawn drawn;
  drawn.disks = DiskNemesisOptions::Draw(disk_rng);
  drawn.cluster.brokers = static_cast<int>(rng.Between(3, 5));
  drawn.cluster.shards = static_cast<size_t>(rng.Between(1, 4));
  drawn.cluster.network.datagram_loss = Maybe(rng, 1, 1000);
  drawn.cluster.network.datagram_duplicate = Maybe(rng, 1, 1000);
  drawn.cluster.network.long_delay = Maybe(rng, 1, 300);
  drawn.cluster.network.stream_break = Maybe(rng, 1, 40);
  drawn.cluster.disk.slow_sync = Maybe(rng, 1, 500);
  drawn.nemesis.crash_broker = static_cast<int>(rng.Between(0, 8));
  drawn.nemesis.crash_controller = static_cast<int>(Maybe(rng, 1, 4));
  drawn.nemesis.crash_producer = static_cast<int>(Maybe(rng, 1, 2));
  drawn.nemesis.pause = static_cast<int>(Maybe(rng, 1, 4));
  drawn.nemesis.cut_pair = static_cast<int>(Maybe(rng, 1, 4));
  drawn.nemesis.cut_one_way = static_cast<int>(Maybe(rng, 1, 4));
  drawn.nemesis.isolate = static_cast<int>(Maybe(rng, 1, 4));
  drawn.nemesis.crash_all_brokers = static_cast<int>(Maybe(rng, 1, 2));
  drawn.nemesis.crash_in_sync = static_cast<int>(Maybe(rng, 1, 6));
  drawn.nemesis.contest_election = static_cast<int>(Maybe(rng, 1, 4));
  drawn.nemesis.strand_leader = static_cast<int>(Maybe(rng, 1, 4));
  drawn.nemesis.bounce_joiner = static_cast<int>(Maybe(rng, 1, 3));
  drawn.producers = static_cast<int>(rng.Between(1, 3));
  drawn.consumers = static_cast<int>(Maybe(rng, 1, 3));
  if (drawn.consumers > 0) {
    drawn.nemesis.crash_consumer = static_cast<int>(Maybe(rng, 1, 2));
    drawn.nemesis.pause_consumer = static_cast<int>(Maybe(rng, 1, 3));
  }
  drawn.partitions = static_cast<int>(rng.Between(1, 4));
  drawn.min_isr = rng.Chance(4, 5) ? 2 : static_cast<int>(rng.Between(1, 3));
  drawn.send_interval = std::chrono::milliseconds(rng.Between(2, 60));
  return drawn;
}

ProducerOptions DrawProducer(Rng& rng, const Cluster& cluster) {
  ProducerOptions options;
  for (int i = 1; i <= cluster.options().brokers; ++i) {
    options.metadata.bootstrap_servers.push_back("broker:" + std::to_string(i));
  }
  options.accumulator.linger = std::chrono::milliseconds(rng.Between(0, 20));
  options.accumulator.batch_bytes = static_cast<size_t>(rng.Between(120, 600));
  options.accumulator.delivery_timeout = std::chrono::seconds(rng.Between(5, 60));
  options.request_timeout = std::chrono::milliseconds(rng.Between(500, 4000));
  return options;
}

ConsumerOptions DrawConsumer(Rng& rng, const Cluster& cluster) {
  ConsumerOptions options;
  for (int i = 1; i <= cluster.options().brokers; ++i) {
    options.metadata.bootstrap_servers.push_back("broker:" + std::to_string(i));
  }
  options.group_id = "readers";
  options.fetch_max_wait = std::chrono::milliseconds(rng.Between(50, 500));
  options.fetch_max_bytes = static_cast<int32_t>(rng.Between(2000, 50000));
  options.poll_records_max = static_cast<size_t>(rng.Between(10, 500));
  options.request_timeout = std::chrono::milliseconds(rng.Between(1000, 4000));
  return options;
}

// All that belongs to one run.
class Run {
 public:
  Run(uint64_t seed, std::function<void(absl::string_view)> trace)
      : world_(seed),
        disk_rng_(seed ^ kDiskSeed),
        drawn_(Draw(world_.rng(), disk_rng_)),
        cluster_(world_, drawn_.cluster),
        raft_(cluster_),
        partitions_(cluster_),
        group_(partitions_),
        nemesis_(cluster_, producers_, consumers_, drawn_.nemesis),
        disks_(cluster_, partitions_, drawn_.disks, disk_rng_.Next()) {
    world_.trace_sink = std::move(trace);
    world_.after_step = [this](Process* process) { AfterStep(process); };
    cluster_.on_raft_sent = [this](const message::RaftMessage& m) { raft_.OnSent(m); };
    cluster_.on_raft_write = [this](SimController& controller, const RaftWrite& write) {
      raft_.OnWrite(controller, write);
    };
    cluster_.on_control_sent = [this](BrokerId sender, const message::BrokerToController& m) {
      partitions_.OnControlSent(m);
      nemesis_.OnControlSent(sender, m);
      disks_.OnControlSent(sender, m);
    };
    partitions_.on_offsets_committed = [this](const std::vector<StoredBatch>& batches) {
      group_.ownership().OnCommitted(batches);
    };
    cluster_.on_log_durable = [this](BrokerId broker, const std::vector<LogWrite>& writes) {
      partitions_.OnDurable(broker, writes);
    };
  }

  void Execute() {
    world_.Note(drawn_.Text());
    cluster_.StartAll();
    CreateTopic();
    for (int i = 0; i < drawn_.producers; ++i) {
      producers_.push_back(
          std::make_unique<SimProducer>(cluster_, i, kTopic, DrawProducer(world_.rng(), cluster_)));
      producers_.back()->Start();
      sequences_.emplace_back();
      SendNext(static_cast<size_t>(i));
    }
    for (int i = 0; i < drawn_.consumers; ++i) {
      consumers_.push_back(std::make_unique<SimConsumer>(
          cluster_, i, kTopic, DrawConsumer(world_.rng(), cluster_), group_));
      consumers_.back()->Start();
    }
    world_.RunUntil(world_.now() + std::chrono::seconds(1));
    nemesis_.Run(world_.now() + kFaultTime);
    disks_.Run(world_.now() + kFaultTime);
    world_.RunUntil(world_.now() + kFaultTime);
    sending_ = false;
    disks_.Stop();
    nemesis_.HealAll();
    AwaitLiveness();
    history_ = CheckHistory(cluster_, *partitions_.image(), kTopic, producers_, group_);
  }

  void Fill(RunResult& result);
  World& world() { return world_; }
  [[nodiscard]] const Drawn& drawn() const { return drawn_; }

 private:
  void AfterStep(const Process* process) {
    for (auto& controller : cluster_.controllers()) {
      if (controller->process().get() != process) continue;
      raft_.AfterStep(*controller);
      partitions_.AfterControllerStep(*controller);
    }
    for (auto& broker : cluster_.brokers()) {
      if (broker->process().get() == process) partitions_.AfterBrokerStep(*broker);
    }
  }

  // Asks brokers in turn until the topic is there.
  void CreateTopic() {
    auto process = std::make_shared<Process>(world_, "admin");
    auto created = std::make_shared<bool>(false);
    const Instant deadline = world_.now() + kLivenessTime;
    while (!*created) {
      Require(world_.now() < deadline, "liveness",
              [] { return std::string("the topic could not be created"); });
      message::AdminRequest request;
      auto* topic = request.mutable_create_topic();
      topic->set_name(kTopic);
      topic->set_partitions(drawn_.partitions);
      topic->set_replication_factor(3);
      auto* config = topic->add_configs();
      config->set_key("min.insync.replicas");
      config->set_value(std::to_string(drawn_.min_isr));
      const BrokerId broker(static_cast<int32_t>(world_.rng().Between(1, drawn_.cluster.brokers)));
      cluster_.Call<message::AdminRequest, message::AdminResponse>(
          ClientNodeId(90), process, broker, request, &BrokerNode::Admin,
          [created](const message::AdminResponse& response) {
            const auto code = static_cast<ErrorCode>(response.error_code());
            *created |= code == ErrorCode::kNone || code == ErrorCode::kTopicAlreadyExists;
          },
          [] {});
      world_.RunUntil(world_.now() + std::chrono::milliseconds(500));
    }
  }

  void SendNext(size_t producer) {
    world_.After(
        world_.Between(Duration(0), 2 * drawn_.send_interval), nullptr, "send", [this, producer] {
          if (!sending_) return;
          const std::string account =
              "p" + std::to_string(producer) + "-a" + std::to_string(world_.rng().Below(5));
          uint64_t& sequence = sequences_[producer][account];
          const SentPayment payment{.id = next_payment_, .account = account, .sequence = sequence};
          if (producers_[producer]->Send(payment)) {
            ++next_payment_;
            ++sequence;
          }
          SendNext(producer);
        });
  }

  [[nodiscard]] bool Settled() const {
    for (const auto& producer : producers_) {
      if (!producer->Idle()) return false;
    }
    if (!GroupHasReadAll()) return false;
    const MetadataImagePtr& image = partitions_.image();
    for (const auto& [uid, partition] : image->partitions()) {
      if (partition.leader == kNoBroker || partition.isr.size() != partition.replicas.size()) {
        return false;
      }
      if (!LeadsWell(uid, partition)) return false;
    }
    return true;
  }

  // Some member stands at the end of each partition.
  [[nodiscard]] bool GroupHasReadAll() const {
    if (consumers_.empty()) return true;
    const TopicImage* topic = partitions_.image()->FindTopicByName(kTopic);
    for (const PartitionUid uid : topic->partitions) {
      const TopicPartition partition{topic->id, partitions_.image()->FindPartition(uid)->index};
      bool read = false;
      for (const auto& consumer : consumers_) {
        if (!consumer->running()) continue;
        const auto position = consumer->core().fetch().Position(partition);
        read |= position && position->offset == partitions_.TrueHighWatermark(uid);
      }
      if (!read) return false;
    }
    return true;
  }

  // The leader knows it, and all that it holds is committed.
  [[nodiscard]] bool LeadsWell(PartitionUid uid, const PartitionImage& partition) const {
    for (const auto& broker : cluster_.brokers()) {
      if (broker->id() != partition.leader || !broker->running()) continue;
      const PartitionCore* core = broker->node()->inspector().FindPartition(uid);
      return core != nullptr && core->role() == PartitionRole::kLeader &&
             core->leader_epoch() == partition.leader_epoch &&
             core->high_watermark() == core->log_end_offset();
    }
    return false;
  }

  // Liveness after healing: everything settles in bounded time.
  void AwaitLiveness() {
    const Instant deadline = world_.now() + kLivenessTime;
    const auto settle = [this, deadline] {
      while (!Settled()) {
        Require(world_.now() < deadline, "liveness", [this] { return Unsettled(); });
        world_.RunUntil(world_.now() + std::chrono::milliseconds(200));
      }
    };
    settle();
    // A while longer, so that what would go wrong late does.
    world_.RunUntil(world_.now() + std::chrono::seconds(2));
    settle();
  }

  [[nodiscard]] std::string GroupPositions() const {
    std::string text;
    for (const auto& consumer : consumers_) {
      text += " member of epoch " + std::to_string(consumer->core().group().member_epoch());
      for (const TopicPartition& partition : consumer->core().group().owned()) {
        const auto position = consumer->core().fetch().Position(partition);
        text += " index " + partition.partition.ToString() + " at " +
                (position ? position->offset.ToString() : "nowhere");
      }
      text += ';';
    }
    const TopicImage* topic = partitions_.image()->FindTopicByName(kTopic);
    for (const PartitionUid uid : topic->partitions) {
      text += " index " + partitions_.image()->FindPartition(uid)->index.ToString() + " ends at " +
              partitions_.TrueHighWatermark(uid).ToString() + ';';
    }
    return text;
  }

  [[nodiscard]] std::string Unsettled() const {
    std::string text = "not settled long after healing:";
    for (const auto& producer : producers_) {
      if (!producer->Idle()) text += " a producer still has batches;";
    }
    if (!GroupHasReadAll()) text += " the group has not read everything:" + GroupPositions();
    for (const auto& [uid, partition] : partitions_.image()->partitions()) {
      if (!LeadsWell(uid, partition)) {
        text += " leader " + partition.leader.ToString() + " of partition " + uid.ToString() +
                " has not committed all that it has;";
      }
      if (partition.leader == kNoBroker) text += " partition " + uid.ToString() + " has no leader;";
      if (partition.isr.size() != partition.replicas.size()) {
        text += " partition " + uid.ToString() + " led by " + partition.leader.ToString() +
                " has an ISR of " + std::to_string(partition.isr.size()) + " without";
        for (const BrokerId replica : partition.replicas) {
          const bool in =
              std::find(partition.isr.begin(), partition.isr.end(), replica) != partition.isr.end();
          if (!in) text += ' ' + replica.ToString();
        }
        text += ';';
      }
    }
    return text;
  }

  World world_;
  Rng disk_rng_;
  Drawn drawn_;
  Cluster cluster_;
  RaftChecker raft_;
  PartitionChecker partitions_;
  GroupChecker group_;
  std::vector<std::unique_ptr<SimProducer>> producers_;
  std::vector<std::unique_ptr<SimConsumer>> consumers_;
  Nemesis nemesis_;
  DiskNemesis disks_;
  std::vector<std::map<std::string, uint64_t>> sequences_;
  uint64_t next_payment_ = 1;
  bool sending_ = true;
  HistoryCounters history_;
};

void Run::Fill(RunResult& result) {
  result.steps = world_.steps();
  result.trace_hash = world_.trace_hash();
  result.options = drawn_.Text();
  Coverage& c = result.coverage;
  const NetworkCounters& network = cluster_.network().counters();
  const NemesisCounters& faults = nemesis_.counters();
  const DiskCounters& disk = cluster_.disk_counters();
  c["fault.delay"] = network.delays;
  c["fault.loss"] = network.losses;
  c["fault.duplication"] = network.duplicates;
  c["fault.reordering"] = network.reorders;
  c["fault.stream_break"] = network.stream_breaks;
  c["fault.broker_crash"] = faults.broker_crashes;
  c["fault.controller_crash"] = faults.controller_crashes;
  c["fault.producer_crash"] = faults.producer_crashes;
  c["fault.whole_cluster_crash"] = faults.whole_cluster_crashes;
  c["fault.consumer_crash"] = faults.consumer_crashes;
  c["fault.crash_in_sync"] = faults.crashes_in_sync;
  c["fault.pause"] = faults.pauses;
  c["fault.partition"] = faults.cuts;
  c["fault.one_way_partition"] = faults.one_way_cuts;
  c["fault.isolation"] = faults.isolations;
  c["fault.contested_election"] = faults.contested_elections;
  c["fault.stranded_leader"] = faults.stranded_leaders;
  c["fault.bounced_joiner"] = faults.bounced_joiners;
  c["fault.slow_link"] = network.slowed;
  c["fault.empty_disk"] = disks_.counters().empty_disks;
  c["fault.rolled_back_disk"] = disks_.counters().rolled_back;
  c["fault.lost_tail"] = disks_.counters().lost_tails;
  c["fault.crash_registering_unclean"] = disks_.counters().crashes_unclean;
  c["fault.unsynced_lost"] = disk.unsynced_lost;
  c["fault.synced_unconfirmed"] = disk.synced_unconfirmed;
  c["fault.slow_sync"] = disk.slow_syncs;
  c["raft.leader_changes"] = raft_.counters().leader_changes;
  c["raft.truncations"] = raft_.counters().truncations;
  c["raft.snapshots_installed"] = raft_.counters().snapshots_installed;
  c["partition.leader_changes"] = partitions_.counters().leader_changes;
  c["partition.truncations"] = partitions_.counters().truncations;
  c["partition.isr_shrinks"] = partitions_.counters().isr_shrinks;
  c["partition.isr_expands"] = partitions_.counters().isr_expands;
  c["partition.elr"] = partitions_.counters().elr_uses;
  for (const auto& producer : producers_) {
    c["producer.retries"] += producer->retries();
    c["producer.duplicates_answered"] += producer->duplicates();
  }
  c["group.records_read"] = group_.counters().read;
  c["group.assignments"] = group_.counters().assigned;
  c["group.handovers"] = group_.ownership().handovers();
  c["group.commits"] = group_.counters().commits;
  c["group.commits_refused"] = group_.counters().refused;
  c["payments.acknowledged"] = history_.acknowledged;
  c["payments.unknown"] = history_.unknown;
  c["payments.unknown_present"] = history_.unknown_present;
  c["payments.refused"] = history_.refused;
}

}  // namespace

RunResult RunSeed(uint64_t seed, std::function<void(absl::string_view)> trace) {
  SetCheckFailureHandler(&ThrowViolation);
  RunResult result;
  result.seed = seed;
  Run run(seed, std::move(trace));
  try {
    run.Execute();
  } catch (const Violation& violation) {
    result.violation = violation;
  }
  run.Fill(result);
  return result;
}

}  // namespace quipu::sim
