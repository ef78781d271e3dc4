// The real world of a controller: threads, RocksDB, gRPC.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/measure/histogram.h"
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

  // Work that waits in each thread's mailbox or each pool's queue, by the thread's name.
  [[nodiscard]] std::vector<std::pair<std::string, size_t>> QueueDepths() const {
    return {{"controller", executor_.mailbox_size()},
            {"raft-disk", disk_.mailbox_size()},
            {"probe", probes_.queued()}};
  }
  // Writes and syncs of the metadata log so far.
  [[nodiscard]] Histogram sync_times() const {
    const std::lock_guard<std::mutex> lock(sync_times_mutex_);
    return sync_times_;
  }

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
  mutable std::mutex sync_times_mutex_;
  Histogram sync_times_{kLatencyBounds};  // under sync_times_mutex_
  std::unique_ptr<CallThread> calls_ = std::make_unique<CallThread>();
  RaftLinks links_;
};

}  // namespace quipu
