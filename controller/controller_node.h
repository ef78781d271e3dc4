// A whole controller without sockets, disk and threads of its own: Raft driver, metadata state
// machine, broker sessions. controller/process puts it behind gRPC and RocksDB; the simulator puts
// the very same object on virtual time.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "controller/controller_metrics.h"
#include "controller/controller_ports.h"
#include "proto/message/control.pb.h"
#include "runtime/disk_stall.h"
#include "runtime/message_stream.h"

namespace quipu {

// An identity of the quorum: node id and directory id (PR7).
struct Voter {
  ControllerId id;
  DirectoryId directory_id;
  HostPort endpoint;
};

struct ControllerConfig {
  ClusterId cluster_id;
  ControllerId controller_id;
  DirectoryId directory_id;
  // Those of the format: one, three or five. Later ones stand in the Raft log.
  std::vector<Voter> voters;
  // Formatted to take a voter's place: `voters` say where the others are reached, no more.
  bool observer = false;
  Duration election_timeout =
      std::chrono::milliseconds(1000);  // controller.quorum.election.timeout.ms
  Duration raft_heartbeat_interval = std::chrono::milliseconds(100);
  Duration broker_session_timeout = std::chrono::milliseconds(3000);  // broker.session.timeout.ms
  Duration broker_heartbeat_interval =
      std::chrono::milliseconds(500);      // broker.heartbeat.interval.ms
  int32_t num_partitions = 6;              // num.partitions
  int32_t default_replication_factor = 3;  // default.replication.factor
  int32_t min_insync_replicas = 2;         // min.insync.replicas
  uint64_t snapshot_entries = 10000;       // metadata.log.max.record.entries.between.snapshots
  size_t snapshot_chunk_bytes = size_t{256} << 10;
  size_t proposal_bytes_max = size_t{16} << 20;  // quipu.controller.proposal.bytes.max
  int32_t partitions_max = 20000;                // quipu.partitions.max
  // A voter's replacement that has not caught up by then is given up, where the request does not
  // say. quipu.controller.replace.timeout.ms
  Duration replace_timeout = std::chrono::milliseconds(60000);
  bool auto_leader_rebalance = true;          // auto.leader.rebalance.enable
  Duration leader_imbalance_check_interval =  // leader.imbalance.check.interval.ms
      std::chrono::milliseconds(5000);
  DiskStall::Options disk_stall;
};

class ControllerNode {
 public:
  // `ports` must outlive the node.
  ControllerNode(ControllerConfig config, ControllerPorts& ports);
  ~ControllerNode();
  ControllerNode(const ControllerNode&) = delete;
  ControllerNode& operator=(const ControllerNode&) = delete;

  // Loads the Raft state and begins to take part. Any thread; once.
  absl::Status Start();

  // Before an orderly stop: a leader among several resigns, so that the others elect at once, and
  // `done` is called when it has heard of the new one, at latest after `timeout`; anybody else has
  // nothing to hand over. Any thread; `done` comes on the executor, once.
  void StepDown(Duration timeout, std::function<void()> done);

  // A message of another voter. Any thread.
  void OnRaftMessage(message::RaftMessage message);
  // A broker opened its control stream. The node keeps `sender` until the stream is closed.
  MessageHandler<message::BrokerToController> AcceptControlStream(
      std::shared_ptr<MessageSender<message::ControllerToBroker>> sender);

  // `done` gets what a scrape tells, on the executor; it is dropped, not called, when the node is
  // gone. Any thread.
  void CollectMetrics(std::function<void(ControllerMetrics)> done) const;

  // ---- for checkers and `status` (between steps, or on the executor) ----
  class Inspector;
  [[nodiscard]] const Inspector& inspector() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

class ControllerNode::Inspector {
 public:
  virtual ~Inspector() = default;
  // The pure Raft machine and the metadata state machine's committed image.
  [[nodiscard]] virtual const class RaftCore& raft() const = 0;
  [[nodiscard]] virtual MetadataImagePtr image() const = 0;
  // The deciding half with its speculative image; not active() on a follower.
  [[nodiscard]] virtual const class ControllerCore& core() const = 0;
};

}  // namespace quipu
