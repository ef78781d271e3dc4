// ApiVersions: what this broker serves. KIP-35, KIP-511.
#include "core/kafka/admin/api_versions.h"
#include "broker/kafka/api_handlers.h"

namespace quipu::kafka {

absl::Status HandleApiVersions(const KafkaContext& context, const KafkaCallPtr& call) {
  // A client that is newer than this broker is answered in the oldest version, which any client can
  // read, and asks again by the table. What it sent is not looked at: its shape is not known.
  if (!call->api().Serves(call->version())) {
    call->AnswerAs(context.served.Answer(ErrorCode::kUnsupportedVersion), 0);
    return absl::OkStatus();
  }
  const absl::StatusOr<ApiVersionsRequest> request = call->Decode<ApiVersionsRequest>();
  if (!request.ok()) return request.status();
  call->Answer(context.served.Answer(ErrorCode::kNone));
  return absl::OkStatus();
}

}  // namespace quipu::kafka
