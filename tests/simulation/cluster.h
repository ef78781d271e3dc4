// A whole simulated cluster: controllers, brokers, the network between them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/simulation/machines.h"

namespace quipu::sim {

struct ClusterOptions {
  int controllers = 3;
  int brokers = 3;
  size_t shards = 1;
  Duration broker_session = std::chrono::milliseconds(3000);
  Duration group_session = std::chrono::milliseconds(2500);
  Duration group_initial_delay{};  // of classic groups
  Duration producer_expiration = std::chrono::hours(24 * 7);
  Duration offsets_retention = std::chrono::hours(24 * 7);
  Duration replica_lag_max = std::chrono::milliseconds(1000);
  // Small, so that snapshots and chunked installs happen in short runs.
  int64_t snapshot_entries = 100;
  int64_t producer_snapshot_bytes = 5000;
  DiskStall::Options disk_stall;
  NetworkOptions network;
  DiskOptions disk;
};

class Cluster {
 public:
  Cluster(World& world, ClusterOptions options);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  void StartAll();

  [[nodiscard]] World& world() { return world_; }
  [[nodiscard]] Network& network() { return network_; }
  [[nodiscard]] const Network& network() const { return network_; }
  [[nodiscard]] DiskCounters& disk_counters() { return disk_counters_; }
  [[nodiscard]] const DiskCounters& disk_counters() const { return disk_counters_; }
  [[nodiscard]] const ClusterOptions& options() const { return options_; }
  // Answers to repair requests that arrived with a flipped bit.
  [[nodiscard]] uint64_t& repairs_damaged_on_way() { return repairs_damaged_on_way_; }
  [[nodiscard]] uint64_t repairs_damaged_on_way() const { return repairs_damaged_on_way_; }
  [[nodiscard]] ClusterId cluster_id() const { return cluster_id_; }
  [[nodiscard]] std::vector<std::unique_ptr<SimController>>& controllers() { return controllers_; }
  [[nodiscard]] const std::vector<std::unique_ptr<SimController>>& controllers() const {
    return controllers_;
  }
  [[nodiscard]] std::vector<std::unique_ptr<SimBroker>>& brokers() { return brokers_; }
  [[nodiscard]] const std::vector<std::unique_ptr<SimBroker>>& brokers() const { return brokers_; }
  // nullptr: no such machine.
  [[nodiscard]] SimController* FindController(ControllerId id);
  [[nodiscard]] SimBroker* FindBroker(BrokerId id);

  // A call of a client to a broker: `invoke` runs at the broker and gets a reply function whose
  // answer runs `on_reply` at the client. Lost requests and answers end with `on_failed` after
  // the connection is known to be broken, which a client may do too.
  template <typename Request, typename Response>
  std::shared_ptr<Network::Breakable> Call(NodeId client, const ProcessPtr& client_process,
                                           BrokerId broker, Request request,
                                           void (BrokerNode::*method)(Request, ReplyFn<Response>),
                                           std::function<void(Response)> on_reply,
                                           std::function<void()> on_failed);

  // Called with every group of log writes just before it is durable.
  std::function<void(BrokerId, const std::vector<LogWrite>&)> on_log_durable;
  // Called when a machine begins a sync that will take so long.
  std::function<void(NodeId, Duration)> on_sync;
  // Called when a controller hands its disk a write, and when the disk begins to sync it.
  std::function<void(SimController&, const RaftWrite&)> on_raft_write;
  std::function<void(SimController&, const RaftWrite&, Duration)> on_raft_sync;
  // Called when a process has ended itself.
  std::function<void(SimBroker&)> on_broker_stopped;
  std::function<void(SimController&)> on_controller_stopped;
  // Called with everything that a broker says to a controller.
  std::function<void(BrokerId, const message::BrokerToController&)> on_control_sent;
  // Called with everything that a controller says to a broker.
  std::function<void(SimController&, BrokerId, const message::ControllerToBroker&)>
      on_control_answered;
  // Called with every Raft message as it leaves its sender.
  std::function<void(const message::RaftMessage&)> on_raft_sent;

 private:
  World& world_;
  ClusterOptions options_;
  Network network_;
  DiskCounters disk_counters_;
  uint64_t repairs_damaged_on_way_ = 0;
  ClusterId cluster_id_;
  std::vector<std::unique_ptr<SimController>> controllers_;
  std::vector<std::unique_ptr<SimBroker>> brokers_;
};

// One call under way; breaks with its connection.
template <typename Response>
class SimCall final : public Network::Breakable {
 public:
  SimCall(Network& network, ProcessPtr client, std::function<void(Response)> on_reply,
          std::function<void()> on_failed)
      : network_(network),
        client_(std::move(client)),
        on_reply_(std::move(on_reply)),
        on_failed_(std::move(on_failed)) {}

  void Break() override {
    if (done_) return;
    done_ = true;
    network_.world().After(network_.Delay(), client_, "call-failed", std::move(on_failed_));
  }
  void Reply(Response response) {
    if (done_) return;
    if (network_.IsCut(b, a)) return;  // lost; the cut breaks the call soon
    done_ = true;
    network_.world().After(network_.Delay(), client_, "call-reply",
                           [on_reply = std::move(on_reply_),
                            shared = std::make_shared<Response>(std::move(response))] {
                             on_reply(std::move(*shared));
                           });
  }
  [[nodiscard]] bool done() const { return done_; }

 private:
  Network& network_;
  ProcessPtr client_;
  std::function<void(Response)> on_reply_;
  std::function<void()> on_failed_;
  bool done_ = false;
};

template <typename Request, typename Response>
std::shared_ptr<Network::Breakable> Cluster::Call(
    NodeId client, const ProcessPtr& client_process, BrokerId broker, Request request,
    void (BrokerNode::*method)(Request, ReplyFn<Response>), std::function<void(Response)> on_reply,
    std::function<void()> on_failed) {
  auto call = std::make_shared<SimCall<Response>>(network_, client_process, std::move(on_reply),
                                                  std::move(on_failed));
  call->a = client;
  call->b = BrokerNodeId(broker);
  network_.Register(call);
  world_.After(
      network_.Delay(client, BrokerNodeId(broker)), nullptr, "call",
      [this, call, broker, method, client, shared = std::make_shared<Request>(std::move(request))] {
        if (call->done()) return;
        SimBroker* machine = FindBroker(broker);
        if (machine == nullptr || !machine->running()) return call->Break();
        if (network_.IsCut(client, BrokerNodeId(broker)) || network_.BreaksNow()) {
          world_.After(std::chrono::milliseconds(200), nullptr, "call-lost",
                       [call] { call->Break(); });
          return;
        }
        world_.At(world_.now(), machine->process(), "request",
                  [this, call, machine, method, shared] {
                    if (!machine->running()) return call->Break();
                    // The answer may come long after; a broken connection swallows it.
                    (machine->node()->*method)(std::move(*shared), [this, call](Response response) {
                      if (network_.BreaksNow()) return call->Break();
                      call->Reply(std::move(response));
                    });
                  });
      });
  return call;
}

}  // namespace quipu::sim
