// One controller from its settings to its end.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "controller/controller_node.h"
#include "controller/process/controller_metrics_endpoint.h"
#include "controller/process/controller_settings.h"
#include "controller/process/process_ports.h"
#include "proto/message/node.pb.h"
#include "runtime/grpc/server.h"
#include "runtime/process.h"
#include "runtime/refusals.h"
#include "runtime/service/supervision.h"
#include "storage/rocksdb/open_storage.h"

namespace quipu {

// Storage, node and listener, in the order in which they depend on each other. Start once, then
// Stop once.
class ControllerProcess {
 public:
  explicit ControllerProcess(ControllerSettings settings);
  ~ControllerProcess();
  ControllerProcess(const ControllerProcess&) = delete;
  ControllerProcess& operator=(const ControllerProcess&) = delete;

  // Opens the directory, binds the listener, loads the Raft state and serves. `exit_code` says what
  // kind of failure an error is.
  absl::Status Start(ExitCode& exit_code);
  // Ends everything. A leader resigns first and waits until another one leads, for two election
  // timeouts at most.
  void Stop();

  // What a watchdog looks at, from Start until Stop: the owner's thread and that of the disk.
  [[nodiscard]] WatchedParts watched();

  [[nodiscard]] uint16_t port() const { return server_->port(); }

 private:
  absl::Status OpenStorage();
  absl::Status BindListener();
  absl::Status StartMetrics();
  // What the controller tells of itself. Any thread.
  [[nodiscard]] message::DescribeNodeResponse Describe() const;

  ControllerSettings settings_;
  bool serving_ = false;
  const std::shared_ptr<Refusals> refusals_ = std::make_shared<Refusals>();
  std::unique_ptr<ControllerStorage> storage_;
  std::unique_ptr<ControllerProcessPorts> ports_;
  std::unique_ptr<GrpcServer> server_;
  std::unique_ptr<ControllerNode> node_;
  std::unique_ptr<ControllerMetricsEndpoint> metrics_;  // nullptr: no metrics.listener
  std::string metrics_endpoint_;  // host:port, does not change while it serves
};

}  // namespace quipu
