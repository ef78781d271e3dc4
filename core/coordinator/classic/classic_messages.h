// The requests of Kafka's classic group protocol and their answers, as plain values: JoinGroup,
// SyncGroup, Heartbeat and LeaveGroup in the terms of their newest versions. What an older version
// lacks, its codec fills in as said here.
//
// Bytes that members exchange (metadata, assignments) are opaque to the protocol.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/error_code.h"

namespace quipu {

// What a member can do in one assignor: its name and the member's metadata for it.
struct ClassicProtocol {
  std::string name;
  std::string metadata;
  friend bool operator==(const ClassicProtocol&, const ClassicProtocol&) = default;
};

struct ClassicJoinRequest {
  std::string group_id;
  std::string member_id;    // empty: not a member yet
  std::string instance_id;  // group.instance.id (version 5 and later); empty: a dynamic member
  std::string client_id;
  std::string client_host;
  std::string protocol_type;
  std::vector<ClassicProtocol> protocols;  // the member's favourite first
  int32_t session_timeout_ms = 0;
  int32_t rebalance_timeout_ms = 0;  // 0 or less (version 0 has none): the session time-out
  // Version 4 and later: a new dynamic member is told an id first (kMemberIdRequired) and joins
  // again with it, so that a lost answer leaves no member behind.
  bool require_known_member_id = false;
  bool supports_skip_assignment = false;  // version 9 and later (KIP-814)
};

struct ClassicJoinAnswer {
  struct Member {
    std::string member_id;
    std::string instance_id;
    std::string metadata;  // for the chosen protocol
  };
  ErrorCode error = ErrorCode::kNone;
  int32_t generation = -1;
  std::string protocol_type;
  std::string protocol;
  std::string leader;            // member id
  bool skip_assignment = false;  // the leader of a group that stays as it is: nothing to assign
  std::string member_id;
  std::vector<Member> members;  // to the leader only
};

struct ClassicSyncRequest {
  std::string group_id;
  std::string member_id;
  std::string instance_id;
  int32_t generation = -1;
  std::string protocol_type;  // version 5 and later; empty: not said
  std::string protocol;       // the same
  // From the leader: member id and assignment. Members that it leaves out get an empty one.
  std::vector<std::pair<std::string, std::string>> assignments;
};

struct ClassicSyncAnswer {
  ErrorCode error = ErrorCode::kNone;
  std::string protocol_type;
  std::string protocol;
  std::string assignment;
};

struct ClassicHeartbeatRequest {
  std::string group_id;
  std::string member_id;
  std::string instance_id;
  int32_t generation = -1;
};

struct ClassicHeartbeatAnswer {
  ErrorCode error = ErrorCode::kNone;
};

struct ClassicLeaveRequest {
  struct Member {
    std::string member_id;    // empty: whoever holds `instance_id`
    std::string instance_id;  // empty: a dynamic member
  };
  std::string group_id;
  std::vector<Member> members;  // before version 3: one
};

struct ClassicLeaveAnswer {
  struct Member {
    std::string member_id;
    std::string instance_id;
    ErrorCode error = ErrorCode::kNone;
  };
  // Of the whole request. Before version 3 the codec answers the only member's error when there is
  // none here.
  ErrorCode error = ErrorCode::kNone;
  std::vector<Member> members;  // as in the request
};

using ClassicAnswer =
    std::variant<ClassicJoinAnswer, ClassicSyncAnswer, ClassicHeartbeatAnswer, ClassicLeaveAnswer>;

// An answer and the request that waits for it.
struct ClassicReply {
  uint64_t token = 0;
  ClassicAnswer answer;
};

}  // namespace quipu
