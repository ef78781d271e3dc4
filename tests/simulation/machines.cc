#include "tests/simulation/machines.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/error_code.h"
#include "tests/simulation/cluster.h"

namespace quipu::sim {
namespace {

// Tells `tap` of every message.
template <typename Message>
class TappedSender final : public MessageSender<Message> {
 public:
  TappedSender(std::shared_ptr<MessageSender<Message>> sender,
               std::function<void(const Message&)> tap)
      : sender_(std::move(sender)), tap_(std::move(tap)) {}
  void Send(Message message) override {
    tap_(message);
    sender_->Send(std::move(message));
  }
  [[nodiscard]] size_t queued_bytes() const override { return sender_->queued_bytes(); }
  void Close(absl::Status reason) override { sender_->Close(std::move(reason)); }

 private:
  std::shared_ptr<MessageSender<Message>> sender_;
  std::function<void(const Message&)> tap_;
};

}  // namespace

// ---- controller ------------------------------------------------------------------------------

SimController::SimController(Cluster& cluster, ControllerConfig config)
    : cluster_(cluster), config_(std::move(config)) {}
SimController::~SimController() = default;

void SimController::Start() {
  QUIPU_CHECK(!running());
  ++incarnation_;
  World& world = cluster_.world();
  process_ = std::make_shared<Process>(world, "controller-" + config_.controller_id.ToString());
  process_->on_stopped = [this](const std::string&) {
    if (disk_stalled_until_ > cluster_.world().now()) ++cluster_.disk_counters().stall_exits;
    Crash();
    if (cluster_.on_controller_stopped) cluster_.on_controller_stopped(*this);
  };
  executor_ = std::make_unique<SimExecutor>(world, process_);
  disk_ = std::make_unique<SimRaftDisk>(world, process_, store_, cluster_.options().disk,
                                        cluster_.disk_counters());
  disk_->on_sync = [this](const RaftWrite& write, Duration time) {
    if (cluster_.on_sync) cluster_.on_sync(ControllerNodeId(id()), time);
    if (cluster_.on_raft_sync) cluster_.on_raft_sync(*this, write, time);
  };
  disk_->fatal = [this](const std::string& reason) { StopProcess(reason); };
  disk_->StallUntil(disk_stalled_until_);
  node_ = std::make_unique<ControllerNode>(config_, *this);
  const absl::Status status = node_->Start();
  refused_ = CodeOf(status) == ErrorCode::kCorruptMessage;
  if (refused_) {
    world.Note("refuse " + process_->name());
    return Crash();
  }
  QUIPU_CHECK_MSG(status.ok(), std::string(status.message()));
}

void SimController::Crash() {
  if (!running()) return;
  process_->Kill();
  disk_->Crash();
  cluster_.network().BreakNode(ControllerNodeId(id()));
  node_.reset();
}

void SimController::StallDisk(Instant until) {
  disk_stalled_until_ = until;
  if (running()) disk_->StallUntil(until);
}

void SimController::LoseDisk(DirectoryId directory_id) {
  Crash();
  store_ = RottingRaftStore();
  refused_ = false;
  disk_stalled_until_ = Instant{};
  config_.directory_id = directory_id;
  config_.observer = true;
}

void SimController::Persist(RaftWrite write, std::function<void()> done) {
  if (cluster_.on_raft_write) cluster_.on_raft_write(*this, write);
  disk_->Persist(std::move(write), std::move(done));
}

void SimController::SendRaft(message::RaftMessage message) {
  if (cluster_.on_raft_sent) cluster_.on_raft_sent(message);
  const ControllerId to(message.to());
  SimController* receiver = cluster_.FindController(to);
  if (receiver == nullptr || !receiver->running()) return;
  cluster_.network().Datagram(
      ControllerNodeId(id()), ControllerNodeId(to), receiver->process(),
      [receiver, process = receiver->process(), message = std::move(message)] {
        if (receiver->process() == process && receiver->running()) {
          receiver->node()->OnRaftMessage(message);
        }
      });
}

void SimController::ProbeBroker(const HostPort& peer, std::function<void(bool refused)> done) {
  const BrokerId broker(static_cast<int32_t>(peer.port));
  World& world = cluster_.world();
  world.After(
      cluster_.network().Delay(), process_, "probe", [this, broker, done = std::move(done)] {
        SimBroker* machine = cluster_.FindBroker(broker);
        const bool cut = cluster_.network().IsCut(ControllerNodeId(id()), BrokerNodeId(broker)) ||
                         cluster_.network().IsCut(BrokerNodeId(broker), ControllerNodeId(id()));
        done(!cut && (machine == nullptr || !machine->running()));
      });
}

uint64_t SimController::RandomSeed() { return cluster_.world().rng().Next(); }

void SimController::StopProcess(const std::string& reason) { throw ProcessStopped{reason}; }

// ---- broker ----------------------------------------------------------------------------------

SimBroker::SimBroker(Cluster& cluster, BrokerConfig config)
    : cluster_(cluster), config_(std::move(config)) {}
SimBroker::~SimBroker() = default;

void SimBroker::ReplaceDisk(BrokerDisk disk) {
  QUIPU_CHECK(!running());
  writer_.reset();  // refers to the store
  disk_ = std::move(disk);
}

void SimBroker::FormatDisk(DirectoryId directory_id) {
  config_.directory_id = directory_id;
  disk_stalled_until_ = Instant{};
  ReplaceDisk(BrokerDisk());
}

void SimBroker::Start() {
  QUIPU_CHECK(!running());
  ++incarnation_;
  World& world = cluster_.world();
  disk_.Open();
  process_ = std::make_shared<Process>(world, "broker-" + config_.broker_id.ToString());
  process_->on_stopped = [this](const std::string&) {
    if (disk_stalled_until_ > cluster_.world().now()) ++cluster_.disk_counters().stall_exits;
    Crash();
    if (cluster_.on_broker_stopped) cluster_.on_broker_stopped(*this);
  };
  shard_executors_.clear();
  for (size_t i = 0; i < config_.num_shards; ++i) {
    shard_executors_.push_back(std::make_unique<SimExecutor>(world, process_));
  }
  control_executor_ = std::make_unique<SimExecutor>(world, process_);
  writer_ = std::make_unique<SimLogWriter>(world, process_, disk_.store(), cluster_.options().disk,
                                           cluster_.disk_counters());
  writer_->on_durable = [this](const std::vector<LogWrite>& writes) {
    if (cluster_.on_log_durable) cluster_.on_log_durable(id(), writes);
  };
  writer_->on_sync = [this](Duration time) {
    if (cluster_.on_sync) cluster_.on_sync(BrokerNodeId(id()), time);
  };
  writer_->fatal = [this](const std::string& reason) { StopProcess(reason); };
  writer_->StallUntil(disk_stalled_until_);
  node_ = std::make_unique<BrokerNode>(config_, *this);
  const absl::Status status = node_->Start();
  QUIPU_CHECK_MSG(status.ok(), std::string(status.message()));
}

void SimBroker::Crash() {
  if (!running()) return;
  process_->Kill();
  writer_->Crash();
  cluster_.network().BreakNode(BrokerNodeId(id()));
  node_.reset();
}

void SimBroker::StopInOrder(Duration timeout) {
  if (!running() || stopping_ == incarnation_) return;
  stopping_ = incarnation_;
  node_->ControlledShutdown(timeout, [this, life = incarnation_] {
    // Not from within the node's own code.
    cluster_.world().After(std::chrono::microseconds(1), nullptr, "stopped", [this, life] {
      if (!running() || incarnation_ != life) return;
      cluster_.world().Note("stopped " + process_->name());
      Crash();
      if (cluster_.on_broker_stopped) cluster_.on_broker_stopped(*this);
    });
  });
}

void SimBroker::StallDisk(Instant until) {
  disk_stalled_until_ = until;
  if (running()) writer_->StallUntil(until);
}

void SimBroker::RunColdRead(std::function<void()> work) {
  World& world = cluster_.world();
  const Duration time =
      world.Between(std::chrono::microseconds(20), std::chrono::microseconds(1000));
  world.At(std::max(world.now(), disk_stalled_until_) + time, process_, "cold-read",
           std::move(work));
}

std::unique_ptr<MessageSender<message::BrokerToController>> SimBroker::OpenControlStream(
    const HostPort& controller, MessageHandler<message::ControllerToBroker> handler) {
  using Stream = SimStream<message::BrokerToController, message::ControllerToBroker>;
  const ControllerId target(static_cast<int32_t>(controller.port));
  auto stream = std::make_shared<Stream>(cluster_.network(), BrokerNodeId(id()), process_,
                                         std::move(handler), ControllerNodeId(target));
  cluster_.network().Register(stream);
  stream->Connect([this, target]() -> std::pair<ProcessPtr, Stream::AcceptFn> {
    SimController* machine = cluster_.FindController(target);
    if (machine == nullptr || !machine->running()) return {nullptr, nullptr};
    return {
        machine->process(),
        [this, machine](std::shared_ptr<MessageSender<message::ControllerToBroker>> sender) {
          return machine->node()->AcceptControlStream(
              std::make_shared<TappedSender<message::ControllerToBroker>>(
                  std::move(sender), [this, machine](const message::ControllerToBroker& message) {
                    if (cluster_.on_control_answered) {
                      cluster_.on_control_answered(*machine, id(), message);
                    }
                  }));
        }};
  });
  return std::make_unique<TappedSender<message::BrokerToController>>(
      std::make_unique<Stream::ToB>(stream), [this](const message::BrokerToController& message) {
        if (cluster_.on_control_sent) cluster_.on_control_sent(id(), message);
      });
}

void SimBroker::DamageSometimes(RepairAnswer& answer) {
  constexpr size_t kHeader = 21;  // what follows is covered by the batch's CRC
  Rng& rng = cluster_.world().rng();
  if (answer.records.size() <= kHeader || !rng.Chance(1, 8)) return;
  std::string bytes = answer.records.ToString();
  const size_t at = kHeader + rng.Below(bytes.size() - kHeader);
  bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng.Below(8)));
  answer.records = Bytes(std::move(bytes));
  ++cluster_.repairs_damaged_on_way();
}

std::unique_ptr<MessageSender<ReplicaToLeader>> SimBroker::OpenReplicaStream(
    size_t /*shard*/, const HostPort& leader, MessageHandler<LeaderToReplica> handler) {
  using Stream = SimStream<ReplicaToLeader, LeaderToReplica>;
  handler.on_message = [this, take = std::move(handler.on_message)](LeaderToReplica message) {
    for (RepairAnswer& answer : message.repairs) DamageSometimes(answer);
    take(std::move(message));
  };
  const BrokerId target(static_cast<int32_t>(leader.port));
  auto stream = std::make_shared<Stream>(cluster_.network(), BrokerNodeId(id()), process_,
                                         std::move(handler), BrokerNodeId(target));
  cluster_.network().Register(stream);
  stream->Connect([this, target]() -> std::pair<ProcessPtr, Stream::AcceptFn> {
    SimBroker* machine = cluster_.FindBroker(target);
    if (machine == nullptr || !machine->running()) return {nullptr, nullptr};
    return {machine->process(), [machine](std::shared_ptr<MessageSender<LeaderToReplica>> sender) {
              return machine->node()->AcceptReplicaStream(std::move(sender));
            }};
  });
  return std::make_unique<Stream::ToB>(stream);
}

uint64_t SimBroker::RandomSeed() { return cluster_.world().rng().Next(); }

void SimBroker::StopProcess(const std::string& reason) { throw ProcessStopped{reason}; }

}  // namespace quipu::sim
