// What a request of the classic group protocol must look like, whatever the groups' state. Pure.
#pragma once

#include "base/error_code.h"
#include "core/coordinator/classic/classic_messages.h"
#include "core/coordinator/group_options.h"

namespace quipu {

// kNone, kInvalidGroupId, kInvalidRequest, kInvalidSessionTimeout.
ErrorCode ValidateClassicJoin(const ClassicJoinRequest& request,
                              const GroupCoordinatorOptions& options);
// kNone, kInvalidGroupId, kInvalidRequest.
ErrorCode ValidateClassicLeave(const ClassicLeaveRequest& request,
                               const GroupCoordinatorOptions& options);

}  // namespace quipu
