// Role, log, time and streams. What is done for each request is in active_controller_requests.cc.
#include "controller/active_controller.h"

#include <utility>
#include <vector>

#include "base/check.h"
#include "base/logging.h"
#include "base/planted_bug.h"

namespace quipu {
namespace {

// Between two questions whether a broker that lost its control stream refuses connections.
constexpr Duration kProbeInterval = std::chrono::milliseconds(100);

ControllerCore::Options CoreOptions(const ControllerConfig& config) {
  ControllerCore::Options options;
  options.cluster_id = config.cluster_id;
  options.session_timeout = config.broker_session_timeout;
  options.heartbeat_interval = config.broker_heartbeat_interval;
  options.num_partitions = config.num_partitions;
  options.replication_factor = config.default_replication_factor;
  options.min_insync_replicas = config.min_insync_replicas;
  options.partitions_max = config.partitions_max;
  options.auto_leader_rebalance = config.auto_leader_rebalance;
  options.leader_imbalance_check_interval = config.leader_imbalance_check_interval;
  return options;
}

// What an operator wants to read of a committed batch.
void LogCommitted(const record::MetadataBatch& batch) {
  for (const record::MetadataRecord& record : batch.records()) {
    if (record.has_broker_registered()) {
      LogInfo("broker.registered",
              {{"broker", std::to_string(record.broker_registered().broker_id())},
               {"unclean", record.broker_registered().unclean() ? "yes" : "no"}});
    } else if (record.has_broker_fencing()) {
      const record::BrokerFencing& fencing = record.broker_fencing();
      LogInfo(fencing.fenced() ? LogEvent("broker.fenced") : LogEvent("broker.unfenced"),
              {{"broker", std::to_string(fencing.broker_id())},
               {"epoch", std::to_string(fencing.broker_epoch())},
               {"shutting_down", fencing.in_controlled_shutdown() ? "true" : "false"},
               {"disk_stalled", fencing.disk_stalled() ? "true" : "false"},
               {"drain", record::Drain_Name(fencing.drain())}});
    } else if (record.has_dynamic_config()) {
      const record::DynamicConfigSet& set = record.dynamic_config();
      LogInfo("config.changed",
              {{"broker", set.broker_id() < 0 ? "all" : std::to_string(set.broker_id())},
               {"key", set.key()},
               {"value", set.removed() ? "removed" : set.value()}});
    } else if (record.has_topic_created()) {
      LogInfo("topic.created", {{"topic", record.topic_created().name()}});
    }
  }
}

}  // namespace

ActiveController::ActiveController(const ControllerConfig& config, Ports ports)
    : config_(config),
      ports_(ports),
      core_(CoreOptions(config), ports.outside.RandomSeed()),
      waiters_(kRequestsMax),
      publisher_(MetadataPublisher::Limits{}),
      replacement_(config, ports.outside, ports.raft) {}

void ActiveController::Activate(Term term) {
  QUIPU_CHECK(!active());
  term_ = term;
  leader_ = config_.controller_id;
  core_.Activate(ports_.committed.image(), ports_.outside.executor().GetNow().mono);
  replacement_.Activate();
  appended_ = core_.image().index();
  LogInfo("controller.active",
          {{"controller", config_.controller_id.ToString()}, {"term", term.ToString()}});
  const record::MetadataBatch first = core_.Bootstrap();
  ErrorCode error = ErrorCode::kNone;
  if (first.records_size() > 0) Append(first, error);
  // Their streams to the former leader are gone, and one that died with it will open none here:
  // asked now, it does not have to wait for the session.
  for (const auto& [id, broker] : ports_.committed.image().brokers()) {
    if (!broker.fenced) Probe(id, broker.epoch, term);
  }
}

void ActiveController::Deactivate() {
  if (!active()) return;
  LogInfo("controller.resigned",
          {{"controller", config_.controller_id.ToString()}, {"term", term_.ToString()}});
  core_.Deactivate();
  waiters_.Clear();
  publisher_.Clear();
  sessions_.CloseAll(ToStatus(ErrorCode::kNotController, "this controller is not active any more"));
}

std::optional<LogIndex> ActiveController::Append(const record::MetadataBatch& batch,
                                                 ErrorCode& error) {
  QUIPU_CHECK(active());
  absl::StatusOr<LogIndex> index = ports_.raft.Propose(batch.SerializeAsString());
  if (!index.ok()) {
    error = CodeOf(index.status());
    return std::nullopt;
  }
  QUIPU_CHECK_MSG(*index > appended_, "entries are replayed in the order of the log");
  core_.Replay(*index, batch, ports_.outside.executor().GetNow().mono);
  appended_ = *index;
  return *index;
}

void ActiveController::OnCommitted(LogIndex index, record::MetadataBatch batch) {
  if (active()) LogCommitted(batch);
  publisher_.OnCommitted(index, std::move(batch));
  // The news first: whoever is answered may ask for what the answer speaks of.
  if (active()) Publish();
  waiters_.OnCommitted(index);
}

void ActiveController::OnRestored(LogIndex last) {
  QUIPU_CHECK_MSG(!active(), "a leader never loads a snapshot");
  publisher_.OnRestore(last);
  waiters_.OnCommitted(last);
}

void ActiveController::Publish() {
  const std::vector<ControlStreamPtr> to_close =
      publisher_.Pump(ports_.committed.image(), config_.controller_id, term_,
                      ports_.outside.executor().GetNow().mono);
  for (const ControlStreamPtr& stream : to_close) {
    CloseStream(stream, ToStatus(ErrorCode::kLimitReached,
                                 "the metadata subscriber takes nothing, or is ahead of the log"));
  }
}

void ActiveController::OnTick() {
  if (!active()) return;
  const Instant now = ports_.outside.executor().GetNow().mono;
  replacement_.OnTick();
  // Bounded: each round fences a broker, balances once, or takes a leadership or an ISR membership
  // from one that is being drained.
  while (true) {
    const record::MetadataBatch batch = core_.OnTime(now);
    ErrorCode error = ErrorCode::kNone;
    if (batch.records_size() == 0) break;
    if (!Append(batch, error).has_value()) {
      LogWarn("controller.append_refused", {{"error", std::string(ErrorName(error))},
                                            {"records", std::to_string(batch.records_size())},
                                            {"bytes", std::to_string(batch.ByteSizeLong())}});
      break;  // decided anew at the next tick
    }
  }
  Publish();
}

void ActiveController::CloseStream(const ControlStreamPtr& stream, const absl::Status& reason) {
  if (!stream->open) return;
  OnStreamClosed(stream);
  stream->sender->Close(reason);
}

void ActiveController::OnStreamClosed(const ControlStreamPtr& stream) {
  publisher_.Unsubscribe(stream);
  const BrokerId broker = sessions_.Remove(stream);
  if (broker == kNoBroker || !active()) return;
  const BrokerImage* image = core_.image().FindBroker(broker);
  if (image == nullptr || image->fenced) return;
  Probe(broker, image->epoch, term_);
}

// A killed process refuses connections; a slow network does not. Only the former is proof, anything
// else waits for the session to end. A dying process closes its sockets one after another, so that
// its listener may outlive its control stream by a moment: the question is asked again until the
// broker is back, or fenced by its session.
void ActiveController::Probe(BrokerId broker, BrokerEpoch epoch, Term term) {
  const BrokerImage* image = core_.image().FindBroker(broker);
  if (!active() || term != term_ || sessions_.HasStream(broker)) return;
  if (image == nullptr || image->fenced || image->epoch != epoch) return;
  Executor& executor = ports_.outside.executor();
  std::weak_ptr<const bool> alive = alive_;
  ports_.outside.ProbeBroker(
      image->peer_endpoint, [this, alive, &executor, broker, epoch, term](bool refused) {
        if (refused) {
          executor.Post([this, alive, broker, epoch, term] {
            if (alive.lock() != nullptr) FenceRefused(broker, epoch, term);
          });
        } else {
          executor.PostAfter(kProbeInterval, [this, alive, broker, epoch, term] {
            if (alive.lock() != nullptr) Probe(broker, epoch, term);
          });
        }
      });
}

void ActiveController::FenceRefused(BrokerId broker, BrokerEpoch epoch, Term term) {
  if (!active() || term != term_ || sessions_.HasStream(broker)) return;
  if (IsPlanted(PlantedBug::kSameEpochAfterRestart)) return;
  const record::MetadataBatch batch = core_.FenceBroker(broker, epoch);
  if (batch.records_size() == 0) return;
  LogInfo("broker.connection_refused",
          {{"broker", broker.ToString()}, {"epoch", epoch.ToString()}});
  ErrorCode error = ErrorCode::kNone;
  Append(batch, error);  // a refusal is made good by the end of the session
}

}  // namespace quipu
