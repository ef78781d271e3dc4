#include "tests/simulation/run.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "core/metadata/topic_config.h"
#include "core/record/compression.h"
#include "tests/simulation/checkers/client_history.h"
#include "tests/simulation/checkers/group_checker.h"
#include "tests/simulation/checkers/history_checker.h"
#include "tests/simulation/checkers/liveness_checker.h"
#include "tests/simulation/checkers/partition_checker.h"
#include "tests/simulation/checkers/raft_checker.h"
#include "tests/simulation/classic/sim_classic_group.h"
#include "tests/simulation/cluster.h"
#include "tests/simulation/drawn_options.h"
#include "tests/simulation/faults/lost_disks.h"
#include "tests/simulation/groups/expiry_checker.h"
#include "tests/simulation/nemesis.h"
#include "tests/simulation/sim_consumer.h"
#include "tests/simulation/sim_producer.h"
#include "tests/simulation/status_line.h"

namespace quipu::sim {
namespace {

constexpr char kTopic[] = "payments";
// After healing: sessions, elections, back-offs and catch-up fit in this many times over.
constexpr auto kLivenessTime = std::chrono::seconds(90);
constexpr int64_t kAmountMax = 1000;
// The faults go on for longer than drawn until so much has happened, unless somebody wants another
// run than the seed's.
constexpr uint64_t kFaultStepsMin = 5000;
constexpr auto kFaultTimeMore = std::chrono::seconds(120);

void ThrowViolation(absl::string_view id, absl::string_view condition, absl::string_view file,
                    int line, absl::string_view detail) {
  throw Violation{std::string(id), std::string(condition) + " at " + std::string(file) + ":" +
                                       std::to_string(line) + " " + std::string(detail)};
}

SwarmOptions Draw(uint64_t seed, Rng& rng, const Overrides& overrides) {
  SwarmOptions drawn = DrawSwarm(rng);
  for (const auto& [name, value] : overrides) {
    QUIPU_CHECK_MSG(Override(drawn, name, value), "no such option: " + name);
  }
  if (drawn.consumers == 0) {
    drawn.faults[static_cast<size_t>(Fault::kCrashConsumer)] = 0;
    drawn.faults[static_cast<size_t>(Fault::kPauseConsumer)] = 0;
    drawn.faults[static_cast<size_t>(Fault::kSlowConsumer)] = 0;
    drawn.static_members = 0;
  }
  if (drawn.classic == 0) {
    for (size_t i = static_cast<size_t>(Fault::kCrashClassic); i < kFaultCount; ++i) {
      drawn.faults[i] = 0;
    }
  }
  if (drawn.classic_static == 0) drawn.faults[static_cast<size_t>(Fault::kDuplicateClassic)] = 0;
  if (drawn.static_members == 0) drawn.faults[static_cast<size_t>(Fault::kDuplicateConsumer)] = 0;
  // Who loses the only voter has lost everything.
  if (drawn.controllers < 3) {
    for (const Fault fault :
         {Fault::kReplaceVoter, Fault::kRottenRaftEntry, Fault::kRottenRaftSnapshot}) {
      drawn.faults[static_cast<size_t>(fault)] = 0;
    }
  }
  drawn.replicas = std::min(drawn.replicas, drawn.brokers);
  if (drawn.salt != 0) rng = Rng(seed * 1000003 + static_cast<uint64_t>(drawn.salt));
  return drawn;
}

// All that belongs to one run.
class Run {
 public:
  Run(uint64_t seed, const RunSettings& settings)
      : world_(seed),
        drawn_(Draw(seed, world_.rng(), settings.overrides)),
        steps_min_(settings.overrides.empty() ? kFaultStepsMin : 0),
        cluster_(world_, OptionsOf(drawn_)),
        raft_(cluster_),
        partitions_(cluster_),
        group_(partitions_),
        clients_(world_),
        classic_(cluster_, partitions_, clients_),
        expiry_(OptionsOf(drawn_).offsets_retention),
        // With a broker away, one more sound copy may be away, too.
        damage_(cluster_, partitions_, drawn_.core_only != 0 ? 2 : 1),
        nemesis_(cluster_, producers_, consumers_, classic_, damage_,
                 {.topic = kTopic,
                  .interval = std::chrono::milliseconds(drawn_.interval_ms),
                  .weights = drawn_.faults}),
        disks_(cluster_, partitions_, damage_),
        liveness_({cluster_, partitions_, nemesis_, damage_, producers_, consumers_, classic_},
                  kTopic) {
    world_.trace_sink = settings.trace;
    if (settings.status) {
      status_ = std::make_unique<StatusLine>(cluster_, partitions_);
      clients_.on_event = [this](const history::Event& event) { status_->OnClient(event); };
      classic_.SetTrace([this](const std::string& line) { world_.Trace(line); });
    }
    if (drawn_.faults[static_cast<size_t>(Fault::kDeleteGroup)] > 0) {
      expiry_.MayBeDeleted(SimClassicGroup::group_id());
    }
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
    cluster_.on_control_answered = [this](SimController& sender, BrokerId broker,
                                          const message::ControllerToBroker& m) {
      partitions_.OnControlAnswered(sender, broker, m);
    };
    partitions_.deleted_end = [this](PartitionUid uid) { return nemesis_.archive().End(uid); };
    partitions_.on_offsets_committed = [this](const std::vector<StoredBatch>& batches) {
      group_.ownership().OnCommitted(batches);
      classic_.OnCommitted(batches);
      if (expiry_.OnCommitted(batches).contains(kReaders)) group_.OnRemoved();
    };
    cluster_.on_log_durable = [this](BrokerId broker, const std::vector<LogWrite>& writes) {
      partitions_.OnDurable(broker, writes);
    };
  }

  void Execute() {
    world_.Note(ToText(drawn_));
    cluster_.StartAll();
    CreateTopic();
    for (int i = 0; i < drawn_.producers; ++i) {
      producers_.push_back(std::make_unique<SimProducer>(
          cluster_, i, kTopic, DrawProducer(world_.rng(), drawn_, i), clients_));
      producers_.back()->Start();
      sequences_.emplace_back();
      silences_.push_back(DrawSilence());
      SendNext(static_cast<size_t>(i));
    }
    for (int i = 0; i < drawn_.consumers; ++i) {
      consumers_.push_back(std::make_unique<SimConsumer>(
          cluster_, i, kTopic, DrawConsumer(world_.rng(), drawn_, i), group_, clients_));
      consumers_.back()->Start();
    }
    if (drawn_.classic > 0) classic_.Start(drawn_, kTopic);
    world_.RunUntil(world_.now() + std::chrono::seconds(1));
    nemesis_.on_disk_fault = [this](Fault fault) { disks_.Strike(fault); };
    const Instant healed = world_.now() + std::chrono::milliseconds(drawn_.fault_ms);
    nemesis_.Run(healed + kFaultTimeMore);
    if (drawn_.retention_ms > 0) {
      world_.After(world_.Between(std::chrono::seconds(1), std::chrono::seconds(3)), nullptr,
                   "silence", [this] { SilenceGroups(); });
    }
    world_.RunUntil(healed);
    // A quiet cluster has not done enough by then.
    const Instant end = healed + kFaultTimeMore;
    while (world_.steps() < steps_min_ && world_.now() < end) {
      world_.RunUntil(world_.now() + std::chrono::milliseconds(500));
    }
    AwaitLiveness();
    const std::set<Compression> codecs = StoredCodecs();
    counters_ = CheckHistory({.cluster = cluster_,
                              .image = *partitions_.image(),
                              .producers = producers_,
                              .group = group_,
                              .archive = nemesis_.archive(),
                              .codecs = codecs,
                              .auditor = clients_,
                              // Without a group somebody else has to read.
                              .reads_all = consumers_.empty()},
                             kTopic);
    clients_.Check(/*complete=*/true);
    const auto duplicates = nemesis_.counters()[static_cast<size_t>(Fault::kDuplicateConsumer)];
    Require(group_.counters().fenced == 0 || duplicates > 0, "G03",
            [] { return std::string("a static member is fenced, and nobody took its place"); });
    const auto twice = nemesis_.counters()[static_cast<size_t>(Fault::kDuplicateClassic)];
    Require(classic_.group_counters().fenced == 0 || twice > 0, "G03", [] {
      return std::string("a static classic member is fenced, with its place its own");
    });
  }

  void Fill(RunResult& result) const;
  [[nodiscard]] const ClientHistory& clients() const { return clients_; }

 private:
  void FillGroups(Coverage& c) const;
  void AfterStep(const Process* process) {
    for (auto& controller : cluster_.controllers()) {
      if (controller->process().get() != process) continue;
      raft_.AfterStep(*controller);
      partitions_.AfterControllerStep(*controller);
      if (status_ != nullptr) status_->AfterControllerStep(*controller);
    }
    for (auto& broker : cluster_.brokers()) {
      if (broker->process().get() != process) continue;
      partitions_.AfterBrokerStep(*broker);
      if (status_ != nullptr) status_->AfterBrokerStep(*broker);
    }
  }

  // Until the offsets of their groups expire.
  void SilenceGroups() {
    world_.Note("all members fall silent");
    const Instant until = world_.now() + std::chrono::milliseconds(RetentionSilenceMs(drawn_));
    for (auto& consumer : consumers_) {
      if (consumer->running()) consumer->process()->PauseUntil(until);
    }
    classic_.Silence(until);
  }

  // Those that the topic's compression.type has named, or the producers'.
  [[nodiscard]] std::set<Compression> StoredCodecs() const {
    std::set<std::string> types = nemesis_.compression_types();
    types.insert(CompressionTypeOf(drawn_));
    std::set<Compression> codecs;
    for (const std::string& type : types) {
      if (type == "producer") {
        for (const auto& producer : producers_) codecs.insert(producer->codec());
      } else {
        codecs.insert(CodecOf(type).value_or(Compression::kNone));
      }
    }
    return codecs;
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
      topic->set_partitions(static_cast<int32_t>(drawn_.partitions));
      topic->set_replication_factor(static_cast<int32_t>(drawn_.replicas));
      auto* config = topic->add_configs();
      config->set_key("min.insync.replicas");
      config->set_value(std::to_string(drawn_.min_isr));
      config = topic->add_configs();
      config->set_key(std::string(kCompressionTypeKey));
      config->set_value(CompressionTypeOf(drawn_));
      const BrokerId broker(static_cast<int32_t>(world_.rng().Between(1, drawn_.brokers)));
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

  [[nodiscard]] std::string AccountOf(size_t producer) {
    const int64_t number = world_.rng().Between(0, drawn_.accounts - 1);
    return "p" + std::to_string(producer) + "-a" + std::to_string(number);
  }

  // A time in which a producer sends nothing, long enough to be forgotten; empty where nobody is.
  [[nodiscard]] std::pair<Instant, Instant> DrawSilence() {
    if (drawn_.expire_ms == 0) return {};
    const Instant from = world_.now() + world_.Between(Duration(0), std::chrono::seconds(8));
    return {from, from + std::chrono::milliseconds(drawn_.expire_ms * 5 / 4)};
  }

  void SendNext(size_t producer) {
    const Duration wait = std::chrono::milliseconds(2 * drawn_.send_ms);
    world_.After(world_.Between(Duration(0), wait), nullptr, "send", [this, producer] {
      if (!sending_) return;
      const auto& [silent_from, silent_until] = silences_[producer];
      if (world_.now() >= silent_from && world_.now() < silent_until) return SendNext(producer);
      const std::string account = AccountOf(producer);
      uint64_t& sequence = sequences_[producer][account];
      const SentPayment payment{.id = next_payment_,
                                .account = account,
                                .sequence = sequence,
                                .to = AccountOf(world_.rng().Below(producers_.size())),
                                .amount = world_.rng().Between(1, kAmountMax)};
      if (producers_[producer]->Send(payment)) {
        ++next_payment_;
        ++sequence;
      }
      SendNext(producer);
    });
  }

  // Liveness after healing: everything settles in bounded time; at first, in some runs, with a
  // minority still away.
  void AwaitLiveness() {
    const bool core_only = drawn_.core_only != 0;
    disks_.Stop();
    nemesis_.HealAll(core_only);
    if (core_only) {
      world_.RunUntil(world_.now() + std::chrono::seconds(2));
      sending_ = false;
      AwaitSettled();
      nemesis_.ReturnRest();
    }
    sending_ = false;
    AwaitSettled();
    // A while longer, so that what would go wrong late does.
    world_.RunUntil(world_.now() + std::chrono::seconds(2));
    AwaitSettled();
  }

  void AwaitSettled() {
    const Instant deadline = world_.now() + kLivenessTime;
    while (true) {
      const std::string open = liveness_.Unsettled();
      if (open.empty()) return;
      Require(world_.now() < deadline, "liveness",
              [&] { return "not settled long after healing:" + open; });
      world_.RunUntil(world_.now() + std::chrono::milliseconds(200));
    }
  }

  World world_;
  SwarmOptions drawn_;
  uint64_t steps_min_;
  Cluster cluster_;
  RaftChecker raft_;
  PartitionChecker partitions_;
  GroupChecker group_;
  ClientHistory clients_;
  SimClassicGroup classic_;
  ExpiryChecker expiry_;
  std::vector<std::unique_ptr<SimProducer>> producers_;
  std::vector<std::unique_ptr<SimConsumer>> consumers_;
  DiskDamage damage_;
  Nemesis nemesis_;
  DiskNemesis disks_;
  LivenessChecker liveness_;
  std::unique_ptr<StatusLine> status_;  // nullptr: nobody reads it
  std::vector<std::map<std::string, uint64_t>> sequences_;
  std::vector<std::pair<Instant, Instant>> silences_;  // by producer
  uint64_t next_payment_ = 1;
  bool sending_ = true;
  HistoryCounters counters_;
};

void Run::FillGroups(Coverage& c) const {
  c["group.records_read"] = group_.counters().read;
  c["group.assignments"] = group_.counters().assigned;
  c["group.handovers"] = group_.ownership().handovers();
  c["group.commits"] = group_.counters().commits;
  c["group.commits_refused"] = group_.counters().refused;
  c["group.resets_behind_deleted"] = group_.counters().resets;
  c["group.expired"] = expiry_.expired();
  classic_.AddTo(c);
  c["group.static_fenced"] = group_.counters().fenced;
}

void Run::Fill(RunResult& result) const {
  result.steps = world_.steps();
  result.trace_hash = world_.trace_hash();
  result.options = drawn_;
  Coverage& c = result.coverage;
  for (size_t i = 0; i < kFaultCount; ++i) {
    c[std::string("fault.") + kFaultNames[i]] = nemesis_.counters()[i];
  }
  const NetworkCounters& network = cluster_.network().counters();
  const DiskCounters& disk = cluster_.disk_counters();
  c["fault.delay"] = network.delays;
  c["fault.loss"] = network.losses;
  c["fault.duplication"] = network.duplicates;
  c["fault.reordering"] = network.reorders;
  c["fault.stream_break"] = network.stream_breaks;
  c["fault.slow_link"] = network.slowed;
  c["fault.unsynced_lost"] = disk.unsynced_lost;
  c["fault.synced_unconfirmed"] = disk.synced_unconfirmed;
  c["fault.torn_tail"] = disk.torn_tails;
  c["fault.slow_sync"] = disk.slow_syncs;
  c["fault.repair_damaged_on_way"] = cluster_.repairs_damaged_on_way();
  c["repair.batches"] = partitions_.shadows().repairs();
  // As they have struck, not as they were armed.
  c["fault.stall_shed"] = partitions_.counters().leaders_shed;
  c["fault.stall_resigned"] = raft_.counters().resigned_stalled;
  c["fault.stall_exit"] = disk.stall_exits;
  c["fault.write_error"] = disk.write_errors;
  c["fault.sync_error"] = disk.sync_errors;
  c["fault.empty_disk"] = disks_.counters().empty_disks;
  c["fault.rolled_back_disk"] = disks_.counters().rolled_back;
  c["fault.lost_tail"] = disks_.counters().lost_tails;
  c["fault.lost_watermark"] = disks_.counters().lost_watermarks;
  c["fault.lost_new_directory"] = disks_.counters().lost_directories;
  c["fault.lost_new_voter_directory"] = nemesis_.lost_voter().directories_lost();
  c["fault.lost_directory_entry"] = c["fault.lost_watermark"] + c["fault.lost_new_directory"] +
                                    c["fault.lost_new_voter_directory"];
  c["fault.crash_registering_unclean"] = disks_.counters().crashes_unclean;
  c["raft.leader_changes"] = raft_.counters().leader_changes;
  c["raft.rot_refused"] = nemesis_.lost_voter().rot_refused();
  c["raft.voters_replaced"] = nemesis_.lost_voter().replaced();
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
    c["producer.forgotten"] += producer->forgotten();
  }
  FillGroups(c);
  c["drain.leaders_moved"] = partitions_.drains().leaders_moved();
  c["drain.told_to_stop"] = partitions_.drains().told_to_stop();
  c["liveness.core_first"] = static_cast<uint64_t>(drawn_.core_only);
  c["payments.acknowledged"] = counters_.acknowledged;
  c["payments.unknown"] = counters_.unknown;
  c["payments.unknown_present"] = counters_.unknown_present;
  c["payments.refused"] = counters_.refused;
  c["payments.recompressed"] = counters_.recompressed;
}

}  // namespace

RunResult RunSeed(uint64_t seed, const RunSettings& settings) {
  SetCheckFailureHandler(&ThrowViolation);
  RunResult result;
  result.seed = seed;
  Run run(seed, settings);
  try {
    run.Execute();
  } catch (const Violation& violation) {
    result.violation = violation;
  }
  run.Fill(result);
  if (settings.keep_history) result.history = run.clients().events();
  return result;
}

}  // namespace quipu::sim
