// The real world of a controller: threads, RocksDB, gRPC.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "controller/controller_node.h"
#include "controller/controller_ports.h"
#include "controller/process/raft_links.h"
#include "runtime/grpc/call_thread.h"
#include "runtime/shard_thread.h"
#include "runtime/worker_pool.h"
#include "storage/rocksdb/open_storage.h"

namespace quipu {

// Owns the threads; `storage` must outlive it. Thread-safe.
class ControllerProcessPorts final : public ControllerPorts {
 public:
  ControllerProcessPorts(ControllerStorage& storage, ControllerId self,
                         const std::vector<Voter>& voters);
  ~ControllerProcessPorts() override;

  // Ends the executor, then the disk's and the network's threads. Nothing of the node runs
  // afterwards; then the node may be destroyed.
  void Stop();

  Executor& executor() override { return executor_; }
  // Where writes wait for the disk.
  Executor& disk_executor() { return disk_; }
  RaftStore& raft_store() override { return *storage_.store; }
  void Persist(RaftWrite write, std::function<void()> done) override;
  void SendRaft(message::RaftMessage message) override { links_.Send(std::move(message)); }
  void OnVoters(const VoterSet& voters) override { links_.OnVoters(voters); }
  // `done` runs on the executor.
  void ProbeBroker(const HostPort& peer, std::function<void(bool refused)> done) override;
  uint64_t RandomSeed() override;
  [[noreturn]] void StopProcess(const std::string& reason) override;

 private:
  ControllerStorage& storage_;
  ShardThread executor_{"controller"};
  ShardThread disk_{"raft-disk"};
  WorkerPool probes_{"probe", 1};
  std::atomic<int> probes_waiting_{0};
  std::unique_ptr<CallThread> calls_ = std::make_unique<CallThread>();
  RaftLinks links_;
};

}  // namespace quipu
