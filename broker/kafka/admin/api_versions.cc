// ApiVersions: what this broker serves. KIP-35, KIP-511.
#include "core/kafka/admin/api_versions.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"
#include "broker/kafka/api_handlers.h"

namespace quipu::kafka {
namespace {

constexpr int16_t kSoftwareNamedSince = 3;

bool IsLetterOrDigit(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)); }

// KIP-511: [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?
bool IsSoftwareText(absl::string_view text) {
  return !text.empty() && IsLetterOrDigit(text.front()) && IsLetterOrDigit(text.back()) &&
         std::ranges::all_of(text,
                             [](char c) { return IsLetterOrDigit(c) || c == '-' || c == '.'; });
}

}  // namespace

absl::Status HandleApiVersions(const KafkaContext& context, const KafkaCallPtr& call) {
  // A client that is newer than this broker is answered in the oldest version, which any client can
  // read, and asks again by the table. What it sent is not looked at: its shape is not known.
  if (!call->api().Serves(call->version())) {
    call->AnswerAs(context.served.Answer(ErrorCode::kUnsupportedVersion), 0);
    return absl::OkStatus();
  }
  const absl::StatusOr<ApiVersionsRequest> request = call->Decode<ApiVersionsRequest>();
  if (!request.ok()) return request.status();
  const bool named =
      call->version() < kSoftwareNamedSince || (IsSoftwareText(request->client_software_name) &&
                                                IsSoftwareText(request->client_software_version));
  call->Answer(context.served.Answer(named ? ErrorCode::kNone : ErrorCode::kInvalidRequest));
  return absl::OkStatus();
}

}  // namespace quipu::kafka
