// Times and limits of the group coordinator. Every limit answers with the error code beside it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/ids.h"

namespace quipu {

// group.consumer.migration.policy: whether a group with members may go over to the other protocol.
enum class GroupMigrationPolicy {
  kDisabled,
  kUpgrade,        // from assignment by a member to assignment by the server
  kDowngrade,      // the other way
  kBidirectional,  // both
};

struct GroupCoordinatorOptions {
  // Named in ListGroups and DescribeGroup.
  BrokerId broker_id = kNoBroker;

  // For members that ask for 0; others must lie in [min, max], else INVALID_SESSION_TIMEOUT.
  int32_t session_timeout_ms_default = 45000;
  int32_t session_timeout_ms_min = 500;
  int32_t session_timeout_ms_max = 3600000;
  // For members that ask for 0 or less; capped at the maximum.
  int32_t rebalance_timeout_ms_default = 60000;
  int32_t rebalance_timeout_ms_max = 3600000;
  // What a settled member is told to do, and a member whose partitions are still moving. Never more
  // than a third of the member's session time-out.
  int32_t heartbeat_interval_ms = 5000;
  int32_t heartbeat_interval_ms_rebalancing = 100;

  // ---- classic groups, whose members assign the partitions ----
  int32_t classic_session_timeout_ms_min = 6000;     // INVALID_SESSION_TIMEOUT
  int32_t classic_session_timeout_ms_max = 1800000;  // INVALID_SESSION_TIMEOUT
  // How long the first rebalance of an empty group waits for more members.
  int32_t classic_initial_rebalance_delay_ms = 3000;
  // After this a new member that waits for its first rebalance is taken for dead: it cannot send
  // heartbeats yet.
  int32_t classic_new_member_timeout_ms = 300000;
  // A classic group without members and offsets is forgotten after this.
  int32_t classic_empty_group_ms = 600000;
  // Told apart in the member ids that the coordinator makes; differs between coordinators of one
  // partition of __consumer_offsets, such as the leader epoch.
  int32_t incarnation = 0;

  size_t classic_members_per_group_max = 1000;          // GROUP_MAX_SIZE_REACHED
  size_t classic_pending_members_per_group_max = 1000;  // GROUP_MAX_SIZE_REACHED
  size_t classic_protocols_per_member_max = 100;        // INVALID_REQUEST
  size_t classic_metadata_bytes_max = size_t{1} << 20;  // INVALID_REQUEST; of a member together
  size_t classic_group_bytes_max = size_t{6} << 20;     // GROUP_MAX_SIZE_REACHED, INVALID_REQUEST
  size_t classic_leaving_members_max = 1000;            // INVALID_REQUEST; of one LeaveGroup

  // ---- offsets that nobody needs any more (group_expiry.cc) ----
  // Since the group's last member went, or the offset was committed, whichever was later.
  int64_t offsets_retention_ms = int64_t{7} * 24 * 3600 * 1000;
  int64_t offsets_retention_check_ms = 600000;

  // ---- all groups ----
  GroupMigrationPolicy migration_policy = GroupMigrationPolicy::kBidirectional;
  size_t groups_max = 10000;  // LIMIT_REACHED; to Kafka's GROUP_MAX_SIZE_REACHED
  // Of memory, about (group_bytes.h). Nobody joins and nothing new is committed beyond. Who is a
  // member and what is committed goes on, growing as well, up to twice that: those who came do not
  // fail for those who come. LIMIT_REACHED; to members of classic groups GROUP_MAX_SIZE_REACHED, to
  // their leaders' assignments COORDINATOR_NOT_AVAILABLE.
  size_t bytes_max = size_t{64} << 20;
  size_t members_per_group_max = 1000;        // GROUP_MAX_SIZE_REACHED
  size_t offsets_per_group_max = 100000;      // LIMIT_REACHED
  size_t partitions_per_group_max = 20000;    // LIMIT_REACHED; of all subscribed topics together
  size_t subscribed_topics_max = 1000;        // INVALID_REQUEST
  size_t partitions_per_request_max = 20000;  // INVALID_REQUEST
  size_t name_bytes_max = 249;                // INVALID_GROUP_ID, INVALID_REQUEST; ids and names
  size_t offset_metadata_bytes_max = 4096;    // OFFSET_METADATA_TOO_LARGE
  // INVALID_REQUEST: it would never get smaller, and whoever asks may ask for fewer partitions.
  size_t offset_fetch_bytes_max = size_t{16} << 20;
  // Records that one OnTime or OnTopicsChanged returns, give or take one group's.
  size_t records_per_turn_max = 1000;
};

}  // namespace quipu
