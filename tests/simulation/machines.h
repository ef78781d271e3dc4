// Simulated machines: each has a disk that lasts and a process that does not, and runs the
// product's own BrokerNode or ControllerNode.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "broker/broker_node.h"
#include "controller/controller_node.h"
#include "storage/memory_log_store.h"
#include "tests/simulation/disk.h"
#include "tests/simulation/faults/rotting_raft_store.h"
#include "tests/simulation/network.h"
#include "tests/simulation/world.h"

namespace quipu::sim {

// Numbers of nodes in the network.
constexpr NodeId ControllerNodeId(ControllerId id) { return id.value(); }
constexpr NodeId BrokerNodeId(BrokerId id) { return 100 + id.value(); }
constexpr NodeId ClientNodeId(int client) { return 200 + client; }

class Cluster;

// What a simulated disk has room for, unless it is full.
inline constexpr int64_t kDiskFreeBytes = int64_t{100} << 30;

class SimController final : public ControllerPorts {
 public:
  SimController(Cluster& cluster, ControllerConfig config);
  ~SimController() override;

  // Does not run afterwards if its disk has rotted.
  void Start();
  void Crash();
  [[nodiscard]] bool running() const { return node_ != nullptr; }
  // The last start was refused, for a damaged disk.
  [[nodiscard]] bool refused() const { return refused_; }
  [[nodiscard]] ControllerNode* node() { return node_.get(); }
  [[nodiscard]] const ProcessPtr& process() const { return process_; }
  [[nodiscard]] ControllerId id() const { return config_.controller_id; }
  [[nodiscard]] DirectoryId directory_id() const { return config_.directory_id; }
  // The process dies and the disk with it; the next start is that of an observer on an empty one.
  void LoseDisk(DirectoryId directory_id);
  // Counts the starts of this machine's process.
  [[nodiscard]] uint64_t incarnation() const { return incarnation_; }
  // The next write fails; nothing when the process is not running.
  void Arm(DiskFault fault) {
    if (running()) disk_->Arm(fault);
  }
  // The disk completes no write before `until`, whatever becomes of the process.
  void StallDisk(Instant until);
  [[nodiscard]] Instant disk_stalled_until() const { return disk_stalled_until_; }

  // ---- ControllerPorts ----
  Executor& executor() override { return *executor_; }
  RottingRaftStore& raft_store() override { return store_; }
  void Persist(RaftWrite write, std::function<void()> done) override;
  void SendRaft(message::RaftMessage message) override;
  void OnVoters(const VoterSet& /*voters*/) override {}  // a machine is found by its node id
  void ProbeBroker(const HostPort& peer, std::function<void(bool refused)> done) override;
  uint64_t RandomSeed() override;
  [[noreturn]] void StopProcess(const std::string& reason) override;

 private:
  Cluster& cluster_;
  ControllerConfig config_;
  RottingRaftStore store_;
  bool refused_ = false;
  Instant disk_stalled_until_;
  ProcessPtr process_;
  uint64_t incarnation_ = 0;
  std::unique_ptr<SimExecutor> executor_;
  std::unique_ptr<SimRaftDisk> disk_;
  std::unique_ptr<ControllerNode> node_;
};

class SimBroker final : public BrokerPorts {
 public:
  SimBroker(Cluster& cluster, BrokerConfig config);
  ~SimBroker() override;

  void Start();
  void Crash();
  // As SIGTERM: the broker hands over what it leads, at most for `timeout`, and its process ends.
  void StopInOrder(Duration timeout);
  [[nodiscard]] bool running() const { return node_ != nullptr; }
  [[nodiscard]] BrokerNode* node() { return node_.get(); }
  [[nodiscard]] const ProcessPtr& process() const { return process_; }
  [[nodiscard]] BrokerId id() const { return config_.broker_id; }
  [[nodiscard]] BrokerDisk& disk() { return disk_; }
  // While it is not running: another disk, under the directory id of the former one, or (an empty
  // one) under a new id.
  void ReplaceDisk(BrokerDisk disk);
  void FormatDisk(DirectoryId directory_id);
  // Counts the starts of this machine's process.
  [[nodiscard]] uint64_t incarnation() const { return incarnation_; }
  // The next group of writes fails; nothing when the process is not running.
  void Arm(DiskFault fault) {
    if (running()) writer_->Arm(fault);
  }
  void set_disk_free_bytes(int64_t bytes) { disk_free_bytes_ = bytes; }
  // The disk completes no write and no cold read before `until`, whatever becomes of the process.
  void StallDisk(Instant until);

  // ---- BrokerPorts ----
  Executor& shard_executor(size_t shard) override { return *shard_executors_[shard]; }
  Executor& control_executor() override { return *control_executor_; }
  void RunColdRead(std::function<void()> work) override;
  LogStore& log_store() override { return disk_.store(); }
  LogWriter& log_writer() override { return *writer_; }
  WatermarkFile& watermark_file() override { return disk_; }
  int64_t disk_free_bytes() override { return disk_free_bytes_; }
  Duration disk_write_in_progress() override { return writer_->WriteInProgressFor(); }
  std::unique_ptr<MessageSender<message::BrokerToController>> OpenControlStream(
      const HostPort& controller, MessageHandler<message::ControllerToBroker> handler) override;
  std::unique_ptr<MessageSender<ReplicaToLeader>> OpenReplicaStream(
      size_t /*shard*/, const HostPort& leader, MessageHandler<LeaderToReplica> handler) override;
  uint64_t RandomSeed() override;
  void RequestStop() override { StopInOrder(std::chrono::seconds(10)); }
  [[noreturn]] void StopProcess(const std::string& reason) override;

 private:
  // A peer or the way from it may change a bit of what it was asked for.
  void DamageSometimes(RepairAnswer& answer);

  Cluster& cluster_;
  BrokerConfig config_;
  BrokerDisk disk_;
  int64_t disk_free_bytes_ = kDiskFreeBytes;
  Instant disk_stalled_until_;
  ProcessPtr process_;
  uint64_t incarnation_ = 0;
  uint64_t stopping_ = 0;  // the incarnation that stops in order; 0: none did
  std::vector<std::unique_ptr<SimExecutor>> shard_executors_;
  std::unique_ptr<SimExecutor> control_executor_;
  std::unique_ptr<SimLogWriter> writer_;
  std::unique_ptr<BrokerNode> node_;
};

}  // namespace quipu::sim
