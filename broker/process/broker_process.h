// One broker from its settings to its end.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "broker/broker_node.h"
#include "broker/kafka/kafka_listener.h"
#include "broker/process/broker_metrics.h"
#include "broker/process/broker_settings.h"
#include "broker/process/process_ports.h"
#include "proto/message/node.pb.h"
#include "runtime/grpc/server.h"
#include "runtime/process.h"
#include "runtime/refusals.h"
#include "runtime/service/supervision.h"
#include "runtime/socket/socket_stream.h"
#include "storage/rocksdb/open_storage.h"

namespace quipu {

// Storage, node and listeners, in the order in which they depend on each other. Start once, then
// Stop once.
class BrokerProcess {
 public:
  explicit BrokerProcess(BrokerSettings settings);
  // As Stop without a controlled shutdown.
  ~BrokerProcess();
  BrokerProcess(const BrokerProcess&) = delete;
  BrokerProcess& operator=(const BrokerProcess&) = delete;

  // Opens the directory, binds both listeners, recovers and serves. `exit_code` says what kind of
  // failure an error is.
  absl::Status Start(ExitCode& exit_code);
  // Moves leaderships away (for at most controlled.shutdown.timeout.ms), then ends everything.
  void Stop();

  // What a watchdog looks at, from Start until Stop: shards, control, and writes of the log.
  [[nodiscard]] WatchedParts watched();

  [[nodiscard]] uint16_t client_port() const { return client_server_->port(); }
  [[nodiscard]] uint16_t peer_port() const { return peer_listener_->port(); }

 private:
  absl::Status OpenStorage();
  absl::Status BindListeners();
  absl::Status StartMetrics();
  // What was bound, by name, for listeners.file.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> Endpoints() const;
  // What the broker tells of itself. Control executor, while the node is there.
  [[nodiscard]] message::DescribeNodeResponse Describe() const;
  void End();

  BrokerSettings settings_;
  const std::shared_ptr<Refusals> refusals_ = std::make_shared<Refusals>();  // of all listeners
  std::unique_ptr<BrokerStorage> storage_;
  std::unique_ptr<Ballast> ballast_;
  std::unique_ptr<ProcessPorts> ports_;
  std::unique_ptr<GrpcServer> client_server_;
  std::unique_ptr<StreamListener> peer_listener_;
  std::unique_ptr<kafka::KafkaListener> kafka_;  // nullptr: no listener.kafka
  std::unique_ptr<BrokerNode> node_;
  std::unique_ptr<BrokerMetrics> metrics_;  // nullptr: no metrics.listener
  std::string metrics_endpoint_;            // host:port, does not change while it serves
  bool serving_ = false;
};

}  // namespace quipu
