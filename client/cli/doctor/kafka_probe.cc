#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/big_endian.h"
#include "base/status_macros.h"
#include "client/cli/doctor/facts.h"
#include "client/cli/net/tcp_client.h"
#include "core/kafka/admin/api_versions.h"
#include "core/kafka/message.h"

namespace quipu::cli {
namespace {

constexpr int32_t kCorrelationId = 1;
constexpr size_t kSizeBytes = 4;
// Of an answer; it has six bytes for each API.
constexpr size_t kAnswerBytesMax = 64 << 10;

absl::Status NotKafka(absl::string_view why) {
  return absl::UnavailableError(
      absl::StrCat("what listens there does not speak the Kafka protocol: ", why));
}

// The frame that comes first, without its size.
absl::StatusOr<std::string> ReceiveFrame(TcpClient& client) {
  std::string bytes;
  while (true) {
    if (bytes.size() >= kSizeBytes) {
      const auto size = LoadBigEndian<uint32_t>(bytes.data());
      if (size < kSizeBytes || size > kAnswerBytesMax) {
        return NotKafka(absl::StrCat("its answer is said to have ", size, " bytes"));
      }
      if (bytes.size() >= kSizeBytes + size) return bytes.substr(kSizeBytes, size);
    }
    QUIPU_ASSIGN_OR_RETURN(const bool more, client.Receive(bytes));
    if (!more) return NotKafka("it ends the connection without an answer");
  }
}

absl::Status JudgeFrame(const std::string& frame) {
  if (LoadBigEndian<int32_t>(frame.data()) != kCorrelationId) {
    return NotKafka("its answer is to another request");
  }
  const auto answer = kafka::Decode<kafka::ApiVersionsResponse>(Bytes(frame), kSizeBytes, 0);
  if (!answer.ok()) return NotKafka(answer.status().message());
  if (answer->error_code != ErrorCode::kNone) return ToStatus(answer->error_code, "ApiVersions");
  const bool serves =
      std::any_of(answer->api_keys.begin(), answer->api_keys.end(), [](const auto& api) {
        return api.api_key == static_cast<int16_t>(kafka::ApiKey::kMetadata);
      });
  return serves ? absl::OkStatus() : NotKafka("it does not serve Metadata");
}

absl::Status Ask(const std::string& host, uint16_t port, Duration timeout) {
  const auto deadline =
      TcpClient::Clock::now() + std::chrono::duration_cast<TcpClient::Clock::duration>(timeout);
  QUIPU_ASSIGN_OR_RETURN(TcpClient client, TcpClient::Connect(host, port, deadline));
  for (const Bytes& slice :
       kafka::EncodeRequest(kafka::ApiVersionsRequest(), 0, kCorrelationId, "quipu-doctor")) {
    QUIPU_RETURN_IF_ERROR(client.Send(slice.view()));
  }
  QUIPU_ASSIGN_OR_RETURN(const std::string frame, ReceiveFrame(client));
  return JudgeFrame(frame);
}

}  // namespace

absl::Status AskKafka(const std::string& host, uint16_t port, Duration timeout) {
  const absl::Status status = Ask(host, port, timeout);
  return status.ok() ? status : ToStatus(ErrorCode::kNotConnected, status.message());
}

}  // namespace quipu::cli
