// The SDK's administration calls.
//
//   auto admin = quipu::Admin::Create({{"bootstrap.servers", "127.0.0.1:9092"}});
//   auto topic = (*admin)->CreateTopic({.name = "payments", .partitions = 12});
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/time.h"
#include "client/config_map.h"
#include "client/named_partition.h"
#include "proto/message/admin.pb.h"
#include "proto/message/client.pb.h"
#include "proto/message/node.pb.h"

namespace quipu {

// Timestamps that ListOffsets takes besides milliseconds.
inline constexpr int64_t kLatestTimestamp = -1;
inline constexpr int64_t kEarliestTimestamp = -2;
inline constexpr int64_t kLargestTimestamp = -3;

struct TopicSpec {
  std::string name;
  int32_t partitions = -1;          // -1: the cluster's num.partitions
  int32_t replication_factor = -1;  // -1: the cluster's default.replication.factor
  std::map<std::string, std::string> configs{};
  bool if_not_exists = false;
  // The replicas of each partition, the preferred leader first; none: the controllers place them.
  // `partitions` and `replication_factor` are then -1 or the same.
  std::vector<std::vector<BrokerId>> replicas{};
};

// Whether a change is made, or only checked.
enum class AdminMode { kMake, kValidate };

// The offsets of one partition as one broker holds it.
struct ReplicaReport {
  BrokerId broker = kNoBroker;
  message::DescribePartitionsResponse::Partition state;
};

// How far a group is behind in one partition.
struct PartitionLag {
  NamedPartition partition;
  std::string member_id{};         // who reads it; empty: nobody
  Offset committed = kNoOffset;    // kNoOffset: none
  Offset log_start = kNoOffset;    // kNoOffset, these two: no leader tells
  Offset log_end = kNoOffset;      // the high watermark
  std::optional<int64_t> records;  // not consumed; nullopt: unknown, or nothing was committed
  // Since the oldest record that is not consumed was appended, by its timestamp and this machine's
  // clock: 0 without lag, nullopt where it is unknown. The timestamp is the one that the producer
  // gave it, or the leader's under message.timestamp.type=LogAppendTime.
  std::optional<Duration> time;
};

// What one broker tells of its replicas and its load.
struct BrokerReport {
  BrokerId broker = kNoBroker;
  message::DescribePartitionsResponse state;
};

// One that did not answer.
struct SilentBroker {
  BrokerId broker = kNoBroker;
  bool fenced = false;
  std::string address;
  std::string reason;
};

// The groups of all coordinators that answered.
struct GroupListing {
  std::vector<message::ListGroupsResponse::Group> groups;
  // Whose groups are not among them, and why; empty: the list is complete.
  std::vector<std::string> missing;
};

// Blocking calls, each with retries until default.api.timeout.ms: other brokers are asked when one
// cannot be reached, leaders and coordinators are looked up and followed. Thread-safe.
//
// Errors carry Quipu's code (CodeOf) and say what and where. kNotConnected names the servers
// tried. kRequestTimedOut of a change means that its outcome is unknown.
class Admin {
 public:
  // kInvalidConfig names key and value. Does not connect yet.
  static absl::StatusOr<std::unique_ptr<Admin>> Create(const ConfigMap& config);
  ~Admin();
  Admin(const Admin&) = delete;
  Admin& operator=(const Admin&) = delete;

  // ---- cluster ----
  // Brokers, cluster id and controller; no topics.
  absl::StatusOr<message::MetadataResponse> DescribeCluster();
  absl::StatusOr<message::DescribeQuorumResult> DescribeQuorum();
  // What the broker or controller at `address` (host:port) tells of itself: version, clock, disk,
  // settings. That one is asked, once. kNotConnected with the reason; kUnsupportedVersion: it
  // answers, and is older than this call.
  absl::StatusOr<message::DescribeNodeResponse> DescribeNode(const std::string& address);
  // Begins the replacement of a voter of the controllers, or goes on with it; DescribeQuorum tells
  // how far it is. kVoterNotFound, kReassignmentInProgress, kNotEnoughReplicas,
  // kInconsistentVoterSet, kInvalidRequest
  absl::Status ReplaceVoter(const message::ReplaceVoter& replacement);

  // Begins or ends (DRAIN_NONE) a drain: the broker's leaderships go to other in-sync replicas, and
  // it leaves each ISR that keeps its minimum without it. With DRAIN_STOP its process stops once it
  // is in no ISR; DRAIN_MAINTENANCE lasts until it is ended. Returns when it has begun; ListTopics
  // shows how far it is. kBrokerIdNotRegistered, kInvalidRequest (it is stopping),
  // kIneligibleReplica (DRAIN_STOP of a fenced broker).
  absl::Status DrainBroker(BrokerId broker, record::Drain drain);
  // The settings that can be changed at run time: the cluster's (kNoBroker), or those of one broker
  // as it has them in force. kBrokerIdNotRegistered.
  absl::StatusOr<std::vector<message::DynamicConfig>> DescribeConfigs(BrokerId broker = kNoBroker);
  // Sets and removes such settings for one broker, or (kNoBroker) for all. kInvalidConfig names the
  // key and what was expected. kBrokerIdNotRegistered.
  absl::Status AlterConfigs(BrokerId broker, const std::map<std::string, std::string>& set,
                            const std::vector<std::string>& remove);

  // ---- topics ----
  // kTopicAlreadyExists, kInvalidTopic, kInvalidPartitions, kInvalidReplicationFactor,
  // kInvalidReplicaAssignment, kInvalidConfig. Only validated it has no id.
  absl::StatusOr<message::CreateTopicResult> CreateTopic(const TopicSpec& spec,
                                                         AdminMode mode = AdminMode::kMake);
  absl::Status DeleteTopic(const std::string& name);  // kUnknownTopicOrPartition
  absl::StatusOr<std::vector<message::TopicInfo>> ListTopics(bool with_internal = false);
  absl::StatusOr<message::TopicInfo> DescribeTopic(const std::string& name);
  absl::Status AlterTopicConfig(const std::string& topic,
                                const std::map<std::string, std::string>& set,
                                const std::vector<std::string>& remove,
                                AdminMode mode = AdminMode::kMake);
  // Raises the topic's number of partitions to `count`. Accounts move to other partitions by that,
  // and the order of an account's records across the change is not kept: without `allow_key_remap`
  // it is refused (kPolicyViolation). kInvalidPartitions, kInvalidTopic, kLimitReached,
  // kInvalidReplicationFactor.
  absl::Status CreatePartitions(const std::string& topic, int32_t count, bool allow_key_remap,
                                AdminMode mode = AdminMode::kMake);
  // Gives the partitions of `topic` (empty: of all topics) back to their preferred leaders. Returns
  // how many were moved.
  // `partitions`: of that topic; none: all.
  absl::StatusOr<int32_t> ElectLeaders(const std::string& topic,
                                       const std::vector<int32_t>& partitions = {});

  // Makes a replica the leader of a partition that no complete replica is left of, as the epochs in
  // `request` found it: acknowledged records that it lacks are lost. kElectionNotNeeded,
  // kIneligibleReplica, kInvalidUpdateVersion.
  absl::StatusOr<message::RecoverPartitionResult> RecoverPartition(
      const message::RecoverPartition& request);

  // ---- partitions ----
  // The first offset at or after `timestamp` (milliseconds), or kEarliestTimestamp,
  // kLatestTimestamp, or kLargestTimestamp: the first record that has it; kNoOffset when there is
  // none.
  absl::StatusOr<NamedOffsets> ListOffsets(const std::vector<NamedPartition>& partitions,
                                           int64_t timestamp);
  // The first record at or after each time, which is not negative: its offset, timestamp and leader
  // epoch; kNoOffset where there is none yet. Each partition's leader is asked.
  //   kInvalidTimestamp, kUnknownTopicOrPartition
  // As Kafka's offsetsForTimes: by the records' timestamps, which are their producers' unless the
  // topic has message.timestamp.type=LogAppendTime.
  absl::StatusOr<NamedTimes> OffsetsForTimes(
      const std::map<NamedPartition, TimestampMs>& timestamps);
  // The first record at or after each offset: its offset, timestamp and leader epoch; kNoOffset
  // where there is none yet. An offset below the log start counts as the log start.
  absl::StatusOr<NamedTimes> RecordsAt(const std::map<NamedPartition, Offset>& offsets);
  // Deletes the records below each offset (kNoOffset: below the high watermark). Returns the new
  // log starts. kOffsetOutOfRange: above the high watermark.
  absl::StatusOr<NamedOffsets> DeleteRecords(const NamedOffsets& before);
  // Every replica of the topics (none: of all) as its broker sees it. Those of brokers that do not
  // answer are left out; `silent` names them.
  absl::StatusOr<std::vector<ReplicaReport>> DescribePartitions(
      const std::vector<std::string>& topics, std::vector<SilentBroker>* silent = nullptr);
  // The same with what each broker has counted since it began, and the producers that its
  // partitions remember: `producers_max` of each of its threads at most, newest first; 0: none.
  // `missing` gets the brokers that do not answer although they are in service, and why.
  absl::StatusOr<std::vector<BrokerReport>> DescribeLoad(int32_t producers_max,
                                                         std::vector<std::string>& missing);

  // ---- groups ----
  // A coordinator that does not answer is asked again until the time limit, and named then.
  absl::StatusOr<GroupListing> ListGroups();
  absl::StatusOr<message::DescribeGroupResponse> DescribeGroup(const std::string& group_id);
  absl::StatusOr<NamedOffsets> ListGroupOffsets(const std::string& group_id);
  // How far the group is behind, for each partition that it has an offset for or a member reads, in
  // order. kGroupIdNotFound.
  absl::StatusOr<std::vector<PartitionLag>> DescribeGroupLag(const std::string& group_id);
  // For a group without members only: kNonEmptyGroup. A static member that has left counts until
  // its session ends. The group goes on from these offsets, whether they are lower or higher.
  absl::Status AlterGroupOffsets(const std::string& group_id, const NamedOffsets& offsets);
  // Forgets committed offsets (KIP-496). kGroupSubscribedToTopic while a member reads the topic,
  // kGroupIdNotFound. Offsets that are not there are no error.
  absl::Status DeleteGroupOffsets(const std::string& group_id,
                                  const std::vector<NamedPartition>& partitions);
  absl::Status DeleteGroup(const std::string& group_id);  // kNonEmptyGroup, kGroupIdNotFound
  // Takes static members (group.instance.id) out of the group at once, instead of when their
  // sessions end: for processes that were stopped and do not come back. One that still runs hears
  // of it with its next heartbeat, loses its partitions and joins anew. kGroupIdNotFound;
  // kUnknownMemberId names those that are no members; all others are out all the same.
  absl::Status RemoveMembers(const std::string& group_id,
                             const std::vector<std::string>& instance_ids);

 private:
  class Calls;
  explicit Admin(std::unique_ptr<Calls> calls);
  absl::StatusOr<message::AdminResponse> Change(const message::AdminRequest& request,
                                                const std::string& what, ErrorCode done_already);
  // The answers of all brokers that give one; the others are added to `silent`.
  absl::StatusOr<std::vector<BrokerReport>> AskBrokers(
      const message::DescribePartitionsRequest& request, std::vector<SilentBroker>& silent);
  absl::StatusOr<std::map<std::string, message::TopicInfo>> TopicsOf(
      const std::vector<std::string>& names);

  std::unique_ptr<Calls> calls_;
};

}  // namespace quipu
