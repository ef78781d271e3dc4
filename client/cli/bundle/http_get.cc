#include "client/cli/bundle/http_get.h"

#include <chrono>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/error_code.h"
#include "base/status_macros.h"
#include "client/cli/net/tcp_client.h"

namespace quipu::cli {
namespace {

// Without a code of ours, which HttpGet puts before the address.
absl::Status Failed(const std::string& what) { return absl::UnavailableError(what); }

absl::StatusOr<std::string> Receive(TcpClient& client, size_t bytes_max) {
  std::string answer;
  while (true) {
    QUIPU_ASSIGN_OR_RETURN(const bool more, client.Receive(answer));
    if (!more) return answer;
    if (answer.size() > bytes_max) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the answer is longer than ", bytes_max, " bytes"));
    }
  }
}

// What `headers` promise; nullopt: nothing. Only who closes the connection knows then whether the
// answer is whole.
std::optional<uint64_t> LengthOf(absl::string_view headers) {
  constexpr absl::string_view kName = "content-length:";
  for (const absl::string_view line : absl::StrSplit(headers, "\r\n")) {
    uint64_t length = 0;
    if (absl::StartsWithIgnoreCase(line, kName) &&
        absl::SimpleAtoi(line.substr(kName.size()), &length)) {
      return length;
    }
  }
  return std::nullopt;
}

absl::StatusOr<std::string> BodyOf(const std::string& answer) {
  const size_t end = answer.find("\r\n\r\n");
  const std::string status = answer.substr(0, answer.find("\r\n"));
  if (end == std::string::npos || !absl::StartsWith(status, "HTTP/1.")) {
    return Failed("the answer is no HTTP");
  }
  const size_t code = status.find(' ');
  if (code == std::string::npos || status.substr(code + 1, 3) != "200") {
    return Failed(absl::StrCat("the answer is ", status.substr(0, 100)));
  }
  std::string body = answer.substr(end + 4);
  const std::optional<uint64_t> length = LengthOf(answer.substr(0, end + 2));
  if (length && *length != body.size()) {
    return Failed(absl::StrCat("the answer has ", body.size(), " bytes instead of ", *length));
  }
  return body;
}

absl::StatusOr<std::string> Get(const std::string& host, uint16_t port, const std::string& request,
                                Duration timeout, size_t bytes_max) {
  const auto deadline =
      TcpClient::Clock::now() + std::chrono::duration_cast<TcpClient::Clock::duration>(timeout);
  QUIPU_ASSIGN_OR_RETURN(TcpClient client, TcpClient::Connect(host, port, deadline));
  QUIPU_RETURN_IF_ERROR(client.Send(request));
  QUIPU_ASSIGN_OR_RETURN(const std::string answer, Receive(client, bytes_max));
  return BodyOf(answer);
}

}  // namespace

absl::StatusOr<std::string> HttpGet(const std::string& host, uint16_t port, const std::string& path,
                                    Duration timeout, size_t bytes_max) {
  const std::string where = absl::StrCat(host, ":", port);
  absl::StatusOr<std::string> body =
      Get(host, port, absl::StrCat("GET ", path, " HTTP/1.0\r\nHost: ", where, "\r\n\r\n"), timeout,
          bytes_max);
  if (body.ok()) return body;
  return ToStatus(absl::IsResourceExhausted(body.status()) ? ErrorCode::kLimitReached
                                                           : ErrorCode::kNotConnected,
                  absl::StrCat(where, ": ", body.status().message()));
}

}  // namespace quipu::cli
