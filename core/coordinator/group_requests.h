// What a request to the group coordinator must look like, whatever the groups' state. Pure.
#pragma once

#include <string>
#include <vector>

#include "base/error_code.h"
#include "core/coordinator/group_options.h"
#include "proto/message/client.pb.h"

namespace quipu {

// Member epochs with a meaning of their own in a heartbeat (KIP-848).
inline constexpr int32_t kJoinEpoch = 0;
inline constexpr int32_t kLeaveEpoch = -1;
// A static member goes and keeps its place until its session ends.
inline constexpr int32_t kLeaveStaticEpoch = -2;

// Whether it can name a group, a member, an instance or a topic.
bool IsName(const std::string& name, const GroupCoordinatorOptions& options);

// Whether they are names, and no more than a member may read.
bool AreTopicNames(const std::vector<std::string>& names, const GroupCoordinatorOptions& options);

// kNone or kInvalidGroupId.
ErrorCode ValidateGroupId(const std::string& group_id, const GroupCoordinatorOptions& options);

// kNone, kInvalidGroupId, kInvalidRequest, kUnsupportedAssignor, kInvalidSessionTimeout.
ErrorCode ValidateHeartbeat(const message::GroupHeartbeatRequest& request,
                            const GroupCoordinatorOptions& options);

// kNone, kInvalidGroupId, kInvalidRequest.
ErrorCode ValidateOffsetCommit(const message::OffsetCommitRequest& request,
                               const GroupCoordinatorOptions& options);
ErrorCode ValidateOffsetFetch(const message::OffsetFetchRequest& request,
                              const GroupCoordinatorOptions& options);
ErrorCode ValidateOffsetDelete(const message::OffsetDeleteRequest& request,
                               const GroupCoordinatorOptions& options);
ErrorCode ValidateRemoveMembers(const message::RemoveMembersRequest& request,
                                const GroupCoordinatorOptions& options);

}  // namespace quipu
