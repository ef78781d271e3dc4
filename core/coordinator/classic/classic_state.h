// What is durable of a classic group: the outcome of its last completed rebalance.
#pragma once

#include <cstdint>
#include <string>

#include "absl/container/btree_map.h"
#include "base/ids.h"
#include "proto/record/group.pb.h"

namespace quipu {

struct ClassicMember {
  std::string instance_id;  // empty: a dynamic member
  std::string client_id;
  std::string client_host;
  int32_t session_timeout_ms = 0;
  int32_t rebalance_timeout_ms = 0;
  std::string subscription;  // its metadata for the group's protocol
  std::string assignment;
  friend bool operator==(const ClassicMember&, const ClassicMember&) = default;
};

struct ClassicMembership {
  int32_t generation = 0;
  std::string protocol_type;  // empty: never a classic group, or not any more
  std::string protocol;
  std::string leader;  // empty exactly when there are no members
  // The server assigned until now, and the leader was never told that it leads: all are to join.
  bool rebalance_due = false;
  TimestampMs empty_since{0};  // when the last member went; 0: it has members, or is not known
  absl::btree_map<std::string, ClassicMember> members;  // by member id
  friend bool operator==(const ClassicMembership&, const ClassicMembership&) = default;
};

record::GroupRecord ClassicGroupRecord(const std::string& group_id,
                                       const ClassicMembership& membership);
ClassicMembership ClassicFromRecord(const record::ClassicGroup& record);

}  // namespace quipu
