// One coordinator behind the handlers of Kafka's protocol, and requests of the group "g".
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/kafka/api_handlers.h"
#include "core/kafka/group/describe_groups.h"
#include "core/kafka/group/find_coordinator.h"
#include "core/kafka/group/heartbeat.h"
#include "core/kafka/group/join_group.h"
#include "core/kafka/group/leave_group.h"
#include "core/kafka/group/offset_commit.h"
#include "core/kafka/group/offset_fetch.h"
#include "core/kafka/group/sync_group.h"
#include "tests/unit/broker/kafka/kafka_world.h"

namespace quipu::kafka {

class KafkaGroupTest : public ::testing::Test {
 protected:
  explicit KafkaGroupTest(int brokers = 1) : kafka_(brokers) {
    a_ = kafka_.world.CreateTopic("a", 2);
    AwaitCoordinator();
  }

  // Until the coordinator of "g" has its place.
  void AwaitCoordinator() {
    for (int i = 0; i < 200; ++i) {
      FindCoordinatorRequest find;
      find.key = "g";
      const auto found = kafka_.Ask<FindCoordinatorResponse>(HandleFindCoordinator, find, 3);
      if (found.error_code == ErrorCode::kNone) {
        at_ = found.node_id.value();
        if (Beat("nobody", 0) == ErrorCode::kUnknownMemberId) return;
      }
      kafka_.world.RunFor(std::chrono::milliseconds(50));
    }
    FAIL() << "no coordinator";
  }

  static JoinGroupRequest Joining(const std::string& member_id = "") {
    JoinGroupRequest request{.group_id = "g", .session_timeout_ms = 10000};
    request.rebalance_timeout_ms = 16000;
    request.member_id = member_id;
    request.protocol_type = "consumer";
    request.protocols = {{.name = "range", .metadata = Bytes("wishes")}};
    return request;
  }
  JoinGroupResponse Join(const JoinGroupRequest& request, int16_t version) {
    return kafka_.Ask<JoinGroupResponse>(HandleJoinGroup, request, version, at_);
  }
  static SyncGroupRequest Syncing(const std::string& member_id, int32_t generation) {
    SyncGroupRequest request{.group_id = "g", .generation_id = generation, .member_id = member_id};
    request.assignments = {{.member_id = member_id, .assignment = Bytes("everything")}};
    return request;
  }
  SyncGroupResponse Sync(const SyncGroupRequest& request, int16_t version = 5) {
    return kafka_.Ask<SyncGroupResponse>(HandleSyncGroup, request, version, at_);
  }
  ErrorCode Beat(const std::string& member_id, int32_t generation, int16_t version = 4,
                 const std::optional<std::string>& instance = std::nullopt,
                 const std::string& group = "g") {
    const HeartbeatRequest request{.group_id = group,
                                   .generation_id = generation,
                                   .member_id = member_id,
                                   .group_instance_id = instance};
    return kafka_.Ask<HeartbeatResponse>(HandleHeartbeat, request, version, at_).error_code;
  }
  // The one member of the stable group, in `version` of JoinGroup below 4.
  JoinGroupResponse Alone(int16_t version = 3, const JoinGroupRequest& request = Joining()) {
    const auto joined = Join(request, version);
    EXPECT_EQ(joined.error_code, ErrorCode::kNone);
    EXPECT_EQ(Sync(Syncing(joined.member_id, joined.generation_id), 0).error_code,
              ErrorCode::kNone);
    return joined;
  }
  LeaveGroupResponse Leave(std::vector<LeaveGroupRequest::Member> members) {
    LeaveGroupRequest request{.group_id = "g"};
    request.members = std::move(members);
    return kafka_.Ask<LeaveGroupResponse>(HandleLeaveGroup, request, 5, at_);
  }

  // An offset of partition 0 of one topic, committed from outside of the group.
  static OffsetCommitRequest Commits(const std::string& topic, int64_t offset,
                                     const std::string& group = "g") {
    OffsetCommitRequest request{.group_id = group};
    request.topics = {{.name = topic,
                       .partitions = {{.partition_index = PartitionIndex(0),
                                       .committed_offset = Offset(offset),
                                       .committed_leader_epoch = LeaderEpoch(3),
                                       .committed_metadata = "note"}}}};
    return request;
  }
  ErrorCode Commit(const OffsetCommitRequest& request, int16_t version = 9) {
    return kafka_.Ask<OffsetCommitResponse>(HandleOffsetCommit, request, version, at_)
        .topics.at(0)
        .partitions.at(0)
        .error_code;
  }
  static std::vector<OffsetFetchRequest::Topic> PartitionZero(const std::string& topic) {
    return {{.name = topic, .partition_indexes = {PartitionIndex(0)}}};
  }
  OffsetFetchResponse Fetch(const OffsetFetchRequest& request, int16_t version, int at = 0) {
    return kafka_.Ask<OffsetFetchResponse>(HandleOffsetFetch, request, version, at ? at : at_);
  }
  OffsetFetchResponse FetchOne(const std::string& topic, int16_t version, int at = 0) {
    OffsetFetchRequest request{.group_id = "g"};
    request.topics = PartitionZero(topic);
    return Fetch(request, version, at);
  }
  DescribeGroupsResponse::Group Described(int16_t version, const std::string& group = "g") {
    DescribeGroupsRequest request;
    request.groups = {group};
    return kafka_.Ask<DescribeGroupsResponse>(HandleDescribeGroups, request, version, at_)
        .groups.at(0);
  }

  KafkaWorld kafka_;
  TopicId a_;
  int at_ = 1;
};

class KafkaGroupOfThreeTest : public KafkaGroupTest {
 protected:
  KafkaGroupOfThreeTest() : KafkaGroupTest(3) {}
};

}  // namespace quipu::kafka
