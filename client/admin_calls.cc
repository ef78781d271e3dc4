#include "client/admin_calls.h"

#include <algorithm>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace quipu {
namespace {

constexpr Duration kPause = std::chrono::milliseconds(100);

}  // namespace

AdminDeadline::AdminDeadline(Duration timeout)
    : end_(std::chrono::steady_clock::now() +
           std::chrono::duration_cast<std::chrono::steady_clock::duration>(timeout)) {}

Duration AdminDeadline::left() const {
  return std::chrono::duration_cast<Duration>(end_ - std::chrono::steady_clock::now());
}

void AdminDeadline::Pause() const {
  const Duration pause = std::min(kPause, left());
  if (pause > Duration(0)) std::this_thread::sleep_for(pause);
}

std::vector<ServerAddress> Admin::Calls::Servers() {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<ServerAddress> servers;
  const auto add = [&](const ServerAddress& address) {
    if (address.empty()) return;
    if (std::find(servers.begin(), servers.end(), address) == servers.end()) {
      servers.push_back(address);
    }
  };
  add(preferred_);
  for (const ServerAddress& address : settings_.bootstrap_servers) add(address);
  for (const ServerAddress& address : known_) add(address);
  return servers;
}

std::shared_ptr<UnaryClient> Admin::Calls::ClientOf(const ServerAddress& address) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::shared_ptr<UnaryClient>& client = clients_[address];
  if (client == nullptr) {
    const auto [host, port] = SplitAddress(address);
    client = std::make_shared<UnaryClient>(call_thread_, host, port);
  }
  return client;
}

void Admin::Calls::Prefer(const ServerAddress& address) {
  const std::lock_guard<std::mutex> lock(mutex_);
  preferred_ = address;
}

void Admin::Calls::Learn(const message::MetadataResponse& response) {
  const std::lock_guard<std::mutex> lock(mutex_);
  known_.clear();
  for (const message::BrokerInfo& broker : response.brokers()) {
    known_.push_back(AddressOf(broker.endpoint()));
  }
}

bool Admin::Calls::Hopeless(const std::map<ServerAddress, std::string>& failures) {
  return std::all_of(failures.begin(), failures.end(), [](const auto& failure) {
    return failure.second.find("refused") != std::string::npos;
  });
}

bool Admin::Calls::NothingSent(const absl::Status& status) {
  if (!absl::IsUnavailable(status)) return false;
  // gRPC has one code for this and for a connection that broke; only its words tell them apart.
  for (const char* words : {"failed to connect to all addresses", "DNS resolution failed"}) {
    if (absl::StrContains(status.message(), words)) return true;
  }
  return false;
}

absl::Status Admin::Calls::NotConnected(const std::map<ServerAddress, std::string>& failures) {
  std::string text = "no broker could be reached; tried";
  const char* separator = " ";
  for (const auto& [address, why] : failures) {
    absl::StrAppend(&text, separator, address, " (", why, ")");
    separator = ", ";
  }
  absl::StrAppend(&text, "; check bootstrap.servers and that the brokers run");
  return quipu::ToStatus(ErrorCode::kNotConnected, text);
}

absl::StatusOr<message::MetadataResponse> Admin::Calls::Metadata(
    const message::MetadataRequest& request, const AdminDeadline& deadline) {
  absl::StatusOr<message::MetadataResponse> response =
      Anywhere<message::MetadataRequest, message::MetadataResponse>(
          "/quipu.rpc.Broker/Metadata", request, deadline, [](const message::MetadataResponse& r) {
            return IsRetriable(WireError(r.error_code()));
          });
  if (!response.ok()) return response;
  const ErrorCode error = WireError(response->error_code());
  if (error != ErrorCode::kNone) return quipu::ToStatus(error, ErrorDescription(error));
  Learn(*response);
  return response;
}

absl::StatusOr<ServerAddress> Admin::Calls::Coordinator(const std::string& group_id,
                                                        const AdminDeadline& deadline) {
  message::FindCoordinatorRequest request;
  request.set_group_id(group_id);
  absl::StatusOr<message::FindCoordinatorResponse> response =
      Anywhere<message::FindCoordinatorRequest, message::FindCoordinatorResponse>(
          "/quipu.rpc.Groups/FindCoordinator", request, deadline);
  if (!response.ok()) return response.status();
  const ErrorCode error = WireError(response->error_code());
  if (error == ErrorCode::kNone) {
    return AddressOf(response->endpoint());
  }
  if (IsRetriable(error)) return ServerAddress();
  return quipu::ToStatus(error, absl::StrCat("group ", group_id, ": ", ErrorDescription(error)));
}

}  // namespace quipu
