// The only outside world that a broker's pure half sees: real in broker/process, simulated in
// tests/simulation.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/rng.h"
#include "core/metadata/metadata_image.h"
#include "core/request/log_messages.h"
#include "proto/message/control.pb.h"
#include "runtime/executor.h"
#include "runtime/message_stream.h"
#include "storage/broker_identity.h"
#include "storage/log_store.h"
#include "storage/log_writer.h"

namespace quipu {

class BrokerPorts {
 public:
  virtual ~BrokerPorts() = default;

  // ---- where code runs ----
  virtual Executor& shard_executor(size_t shard) = 0;
  virtual Executor& control_executor() = 0;
  // Runs a blocking read of the store elsewhere. `work` posts its own result. Any thread.
  virtual void RunColdRead(std::function<void()> work) = 0;

  // ---- the disk ----
  virtual LogStore& log_store() = 0;
  virtual LogWriter& log_writer() = 0;
  virtual WatermarkFile& watermark_file() = 0;
  // Free bytes of the data directory's file system (D6).
  virtual int64_t disk_free_bytes() = 0;
  // How long the write of the log that is under way has lasted; zero: none is, or this world's disk
  // always answers (D6).
  virtual Duration disk_write_in_progress() { return Duration(0); }

  // ---- the network ----
  // Opens a stream; failures come as handler.on_closed. Any thread.
  virtual std::unique_ptr<MessageSender<message::BrokerToController>> OpenControlStream(
      const HostPort& controller, MessageHandler<message::ControllerToBroker> handler) = 0;
  // For `shard`, on whose executor the transport may call the handler.
  virtual std::unique_ptr<MessageSender<ReplicaToLeader>> OpenReplicaStream(
      size_t shard, const HostPort& leader, MessageHandler<LeaderToReplica> handler) = 0;

  // ---- the rest ----
  // A seed that differs at each process start.
  virtual uint64_t RandomSeed() = 0;
  // Asks the process to stop in order, as SIGTERM does: the broker was drained to be stopped.
  virtual void RequestStop() = 0;
  // Ends the process at once (D3, PR8): nothing may be acknowledged after this call.
  [[noreturn]] virtual void StopProcess(const std::string& reason) = 0;
};

}  // namespace quipu
