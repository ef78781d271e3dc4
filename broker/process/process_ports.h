// The real world of a broker: threads, RocksDB, sockets, gRPC.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker/broker_ports.h"
#include "broker/process/ballast.h"
#include "runtime/grpc/call_thread.h"
#include "runtime/shard_thread.h"
#include "runtime/socket/socket_loop.h"
#include "runtime/worker_pool.h"
#include "storage/rocksdb/open_storage.h"

namespace quipu {

// Owns the threads; `storage` and `ballast`, and what drives `calls`, must outlive it. Thread-safe.
class ProcessPorts final : public BrokerPorts {
 public:
  ProcessPorts(BrokerStorage& storage, Ballast& ballast, size_t shards, size_t cold_read_threads,
               std::unique_ptr<CallThread> calls);
  ~ProcessPorts() override;

  // Ends cold reads, executors with their sockets, and the control stream, in this order. Nothing
  // of the node runs afterwards; then the node may be destroyed.
  void Stop();

  // Work that waits in each thread's mailbox or each pool's queue, by the thread's name.
  [[nodiscard]] std::vector<std::pair<std::string, size_t>> QueueDepths() const;
  // Sockets that each shard's thread serves.
  [[nodiscard]] std::vector<std::shared_ptr<SocketLoop>> socket_loops() const;

  Executor& shard_executor(size_t shard) override { return *shards_[shard].thread; }
  Executor& control_executor() override { return control_; }
  void RunColdRead(std::function<void()> work) override { cold_reads_.Run(std::move(work)); }
  LogStore& log_store() override { return *storage_.store; }
  LogWriter& log_writer() override { return *storage_.writer; }
  WatermarkFile& watermark_file() override { return *storage_.watermark; }
  int64_t disk_free_bytes() override;
  Duration disk_write_in_progress() override { return storage_.writer->WriteInProgressFor(); }
  std::unique_ptr<MessageSender<message::BrokerToController>> OpenControlStream(
      const HostPort& controller, MessageHandler<message::ControllerToBroker> handler) override;
  std::unique_ptr<MessageSender<ReplicaToLeader>> OpenReplicaStream(
      size_t shard, const HostPort& leader, MessageHandler<LeaderToReplica> handler) override;
  uint64_t RandomSeed() override;
  void RequestStop() override;
  [[noreturn]] void StopProcess(const std::string& reason) override;

 private:
  BrokerStorage& storage_;
  Ballast& ballast_;  // control executor only
  struct Shard {
    std::shared_ptr<SocketLoop> sockets = std::make_shared<SocketLoop>();
    std::unique_ptr<ShardThread> thread;
  };
  std::vector<Shard> shards_;
  ShardThread control_{"control"};
  WorkerPool cold_reads_;
  std::unique_ptr<CallThread> calls_;
};

}  // namespace quipu
