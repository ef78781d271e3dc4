// A cluster of real processes on this machine: made, started, stopped and looked at.
//
// Everything lives below one directory:
//   cluster.json           ids, ports and process ids
//   controller-N/, broker-N/   data directory `data`, `node.properties`, `node.log`, `listeners`
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/uuid.h"

namespace quipu::cli {

struct LocalNode {
  bool controller = false;
  int id = 0;
  pid_t pid = 0;  // 0: never started
  std::string directory;
  Uuid directory_id;
  uint16_t port = 0;        // controller listener, or the broker's client listener
  uint16_t peer_port = 0;   // brokers only
  uint16_t kafka_port = 0;  // likewise; known while it is created, later its configuration has it
  [[nodiscard]] std::string name() const {
    return (controller ? "controller-" : "broker-") + std::to_string(id);
  }
  [[nodiscard]] std::string config_path() const { return directory + "/node.properties"; }
  [[nodiscard]] std::string log_path() const { return directory + "/node.log"; }
  // Written by the node once it serves; removed before it is started.
  [[nodiscard]] std::string listeners_path() const { return directory + "/listeners"; }
  // HOST:PORT of its listener "metrics" or "kafka", as it told; empty: it has none, or does not
  // serve yet.
  [[nodiscard]] std::string AddressOf(const std::string& listener) const;
  // Whether the process that was started is still there (the pid may have been given to another).
  [[nodiscard]] bool IsRunning() const;
};

class LocalCluster {
 public:
  struct Options {
    int nodes = 3;                                 // brokers; controllers too, up to three
    std::vector<std::string> broker_settings;      // key=value
    std::vector<std::string> controller_settings;  // key=value
  };
  // Lays out and formats a new cluster below `directory`, which must be empty or new. Nothing is
  // started.
  static absl::StatusOr<LocalCluster> Create(const std::string& directory, const Options& options);
  // One that was created before. kResourceNotFound when there is none.
  static absl::StatusOr<LocalCluster> Load(const std::string& directory);

  // Starts every node that does not run. Returns when all serve, or with the end of the log of the
  // first that ends or does not serve within `timeout_ms`. Every process that was started is in
  // cluster.json, whatever fails and wherever this program is killed.
  // A signal (CatchInterrupts) ends it with Interrupted; what was started runs on.
  absl::Status StartMissing(int timeout_ms);
  // Asks every running node to end (brokers first), waits, and kills what is left after
  // `timeout_ms`. Returns the names of those killed. A signal (CatchInterrupts) ends the wait with
  // Interrupted, which names what still runs.
  absl::StatusOr<std::vector<std::string>> Stop(int timeout_ms);

  [[nodiscard]] const std::vector<LocalNode>& nodes() const { return nodes_; }
  [[nodiscard]] std::string bootstrap_servers() const;
  // For clients of the Kafka protocol; empty: no broker serves it.
  [[nodiscard]] std::string kafka_bootstrap_servers() const;
  // The command that ends its processes.
  [[nodiscard]] std::string HowToEnd() const;
  [[nodiscard]] const Uuid& cluster_id() const { return cluster_id_; }

 private:
  absl::Status Save() const;
  absl::Status WriteConfigs(const Options& options) const;
  absl::Status Start(LocalNode& node) const;
  [[nodiscard]] absl::Status StillRunning() const;  // Interrupted
  absl::Status AwaitServing(const LocalNode& node,
                            std::chrono::steady_clock::time_point deadline) const;

  std::string directory_;
  Uuid cluster_id_;
  std::vector<LocalNode> nodes_;
};

}  // namespace quipu::cli
