// A whole broker without sockets, disk and threads of its own: shards, request router, metadata
// follower, life cycle, group coordinators. broker/process puts it behind gRPC and RocksDB; the
// simulator puts the very same object on virtual time.
//
// Every request method may be called from any thread. `reply` is called exactly once, from one of
// the broker's executors, also when the broker shuts down (with kBrokerShuttingDown) - unless the
// process dies first.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "broker/broker_config.h"
#include "broker/broker_ports.h"
#include "broker/metrics/broker_metrics_state.h"
#include "core/coordinator/classic/classic_messages.h"
#include "core/request/log_messages.h"
#include "proto/message/client.pb.h"

namespace quipu {

template <typename Response>
using ReplyFn = std::function<void(Response)>;

// The broker that coordinates a group, or why it is not known.
struct FoundCoordinator {
  ErrorCode error = ErrorCode::kNone;
  BrokerId broker = kNoBroker;
};

class BrokerNode {
 public:
  // `ports` must outlive the node.
  BrokerNode(BrokerConfig config, BrokerPorts& ports);
  ~BrokerNode();
  BrokerNode(const BrokerNode&) = delete;
  BrokerNode& operator=(const BrokerNode&) = delete;

  // Recovers every log and starts to register with the controllers. Errors name log and offset.
  absl::Status Start();
  // Moves leadership away, then calls `done`. After `timeout` it is called in any case.
  void ControlledShutdown(Duration timeout, std::function<void()> done);

  // ---- client listener, streams: requests of one stream are passed in arrival order ----
  void Produce(ProduceRequest request, ReplyFn<ProduceResponse> reply);
  void Fetch(FetchRequest request, ReplyFn<FetchResponse> reply);

  // ---- client listener, unary ----
  void Metadata(message::MetadataRequest request, ReplyFn<message::MetadataResponse> reply);
  void ListOffsets(message::ListOffsetsRequest request,
                   ReplyFn<message::ListOffsetsResponse> reply);
  void EpochEndOffsets(message::EpochEndOffsetsRequest request,
                       ReplyFn<message::EpochEndOffsetsResponse> reply);
  void DeleteRecords(message::DeleteRecordsRequest request,
                     ReplyFn<message::DeleteRecordsResponse> reply);
  void DescribePartitions(message::DescribePartitionsRequest request,
                          ReplyFn<message::DescribePartitionsResponse> reply);
  void InitProducerId(message::InitProducerIdRequest request,
                      ReplyFn<message::InitProducerIdResponse> reply);
  void Admin(message::AdminRequest request, ReplyFn<message::AdminResponse> reply);
  void FindCoordinator(message::FindCoordinatorRequest request,
                       ReplyFn<message::FindCoordinatorResponse> reply);
  void GroupHeartbeat(message::GroupHeartbeatRequest request,
                      ReplyFn<message::GroupHeartbeatResponse> reply);
  void OffsetCommit(message::OffsetCommitRequest request,
                    ReplyFn<message::OffsetCommitResponse> reply);
  void OffsetFetch(message::OffsetFetchRequest request,
                   ReplyFn<message::OffsetFetchResponse> reply);
  void ListGroups(message::ListGroupsRequest request, ReplyFn<message::ListGroupsResponse> reply);
  void DescribeGroup(message::DescribeGroupRequest request,
                     ReplyFn<message::DescribeGroupResponse> reply);
  void DeleteGroup(message::DeleteGroupRequest request,
                   ReplyFn<message::DeleteGroupResponse> reply);
  void OffsetDelete(message::OffsetDeleteRequest request,
                    ReplyFn<message::OffsetDeleteResponse> reply);
  void RemoveMembers(message::RemoveMembersRequest request,
                     ReplyFn<message::RemoveMembersResponse> reply);

  // ---- the classic group protocol: members assign the partitions ----
  // JoinGroup and SyncGroup wait for other members, as long as the group's time-outs allow.
  // Offsets are committed and read with OffsetCommit and OffsetFetch, with the generation as the
  // member epoch. Errors: GroupCoordinatorCore, CoordinatorHost::Serve; kCoordinatorNotAvailable
  // and kBrokerShuttingDown.
  void JoinGroup(ClassicJoinRequest request, ReplyFn<ClassicJoinAnswer> reply);
  void SyncGroup(ClassicSyncRequest request, ReplyFn<ClassicSyncAnswer> reply);
  void ClassicHeartbeat(ClassicHeartbeatRequest request, ReplyFn<ClassicHeartbeatAnswer> reply);
  void LeaveGroup(ClassicLeaveRequest request, ReplyFn<ClassicLeaveAnswer> reply);

  // ---- peer listener ----
  // A follower opened a replica stream to this broker. The node keeps `sender` until the stream is
  // closed; the returned handler takes the follower's messages.
  MessageHandler<ReplicaToLeader> AcceptReplicaStream(
      std::shared_ptr<MessageSender<LeaderToReplica>> sender);

  // ---- any thread ----
  // The newest metadata, once they know this broker's registration: what came before may be a part
  // of the log only. Until then nullptr.
  [[nodiscard]] MetadataImagePtr image() const;

  // As FindCoordinator, of each of the groups: kCoordinatorNotAvailable, kInvalidGroupId.
  std::vector<FoundCoordinator> FindCoordinators(const std::vector<std::string>& group_ids);

  // ---- metrics; any thread ----
  // `done` gets what shard `shard` tells, on that shard's executor; it is dropped, not called, when
  // the shard is gone. See BrokerShard::Metrics.
  void CollectMetrics(size_t shard, size_t partitions_max,
                      std::function<void(ShardMetrics)> done) const;
  // What threads share; waits for no thread's work.
  [[nodiscard]] BrokerMetricsState MetricsState() const;

  // ---- for the simulator's checkers (call between steps only) ----
  class Inspector;
  [[nodiscard]] const Inspector& inspector() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

// Read access for checkers and metrics; in production only from the owning executor.
class BrokerNode::Inspector {
 public:
  virtual ~Inspector() = default;
  [[nodiscard]] virtual BrokerEpoch broker_epoch() const = 0;
  [[nodiscard]] virtual MetadataImagePtr image() const = 0;
  [[nodiscard]] virtual std::vector<PartitionUid> partitions() const = 0;
  // nullptr: not hosted here.
  [[nodiscard]] virtual const class PartitionCore* FindPartition(PartitionUid uid) const = 0;
};

}  // namespace quipu
