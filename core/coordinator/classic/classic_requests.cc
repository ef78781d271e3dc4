#include "core/coordinator/classic/classic_requests.h"

#include "core/coordinator/group_requests.h"
#include "core/request/wire_format.h"

namespace quipu {
namespace {

bool IsShortText(const std::string& text, const GroupCoordinatorOptions& options) {
  return text.size() <= options.name_bytes_max && IsUtf8(text);
}

}  // namespace

ErrorCode ValidateClassicJoin(const ClassicJoinRequest& request,
                              const GroupCoordinatorOptions& options) {
  if (const ErrorCode error = ValidateGroupId(request.group_id, options);
      error != ErrorCode::kNone) {
    return error;
  }
  // Client id and host are shortened, not refused.
  const bool are_texts = IsShortText(request.protocol_type, options) &&
                         IsShortText(request.instance_id, options) && IsUtf8(request.client_id) &&
                         IsUtf8(request.client_host);
  if (!are_texts || request.protocols.size() > options.classic_protocols_per_member_max) {
    return ErrorCode::kInvalidRequest;
  }
  size_t bytes = 0;
  for (const ClassicProtocol& protocol : request.protocols) {
    if (!IsShortText(protocol.name, options)) return ErrorCode::kInvalidRequest;
    bytes += protocol.metadata.size();
  }
  if (bytes > options.classic_metadata_bytes_max) return ErrorCode::kInvalidRequest;
  const int32_t session = request.session_timeout_ms;
  const bool in_range = session >= options.classic_session_timeout_ms_min &&
                        session <= options.classic_session_timeout_ms_max;
  return in_range ? ErrorCode::kNone : ErrorCode::kInvalidSessionTimeout;
}

ErrorCode ValidateClassicLeave(const ClassicLeaveRequest& request,
                               const GroupCoordinatorOptions& options) {
  const ErrorCode error = ValidateGroupId(request.group_id, options);
  if (error != ErrorCode::kNone) return error;
  return request.members.size() <= options.classic_leaving_members_max ? ErrorCode::kNone
                                                                       : ErrorCode::kInvalidRequest;
}

}  // namespace quipu
