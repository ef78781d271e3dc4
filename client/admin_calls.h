// How Admin reaches brokers: any of them, a certain one, or the coordinator of a group.
#pragma once

#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/admin.h"
#include "client/broker_connections.h"
#include "client/client_config.h"
#include "core/client/group/coordinator_finder.h"
#include "runtime/grpc/call_thread.h"
#include "runtime/grpc/unary_client.h"

namespace quipu {

// When an operation has to end.
class AdminDeadline {
 public:
  explicit AdminDeadline(Duration timeout);
  [[nodiscard]] Duration left() const;
  [[nodiscard]] bool passed() const { return left() <= Duration(0); }
  // A pause between two attempts, cut at the deadline.
  void Pause() const;

 private:
  std::chrono::steady_clock::time_point end_;
};

// Thread-safe.
class Admin::Calls {
 public:
  explicit Calls(AdminSettings settings) : settings_(std::move(settings)) {}

  [[nodiscard]] AdminDeadline NewDeadline() const {
    return AdminDeadline(settings_.default_api_timeout);
  }

  // One attempt at one broker, without waiting for it. A status without our payload speaks of the
  // connection.
  template <typename Request, typename Response>
  std::future<absl::StatusOr<Response>> Begin(const ServerAddress& address, const char* method,
                                              const Request& request,
                                              const AdminDeadline& deadline) {
    auto answer = std::make_shared<std::promise<absl::StatusOr<Response>>>();
    std::future<absl::StatusOr<Response>> future = answer->get_future();
    const Duration timeout = std::min(settings_.request_timeout, deadline.left());
    ClientOf(address)->template Call<Request, Response>(
        method, request, std::max(timeout, Duration(std::chrono::milliseconds(1))),
        [answer](absl::StatusOr<Response> response) { answer->set_value(std::move(response)); });
    return future;
  }
  template <typename Request, typename Response>
  absl::StatusOr<Response> At(const ServerAddress& address, const char* method,
                              const Request& request, const AdminDeadline& deadline) {
    return Begin<Request, Response>(address, method, request, deadline).get();
  }

  // Asks one broker after the other until one answers. `again(response)` true: the answer is not
  // final, ask on. kNotConnected names the servers tried.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Anywhere(const char* method, const Request& request,
                                    const AdminDeadline& deadline,
                                    const std::function<bool(const Response&)>& again = {}) {
    absl::Status last;
    while (true) {
      std::map<ServerAddress, std::string> failures;
      for (const ServerAddress& address : Servers()) {
        absl::StatusOr<Response> response =
            At<Request, Response>(address, method, request, deadline);
        if (response.ok()) {
          Prefer(address);
          if (!again || !again(*response) || deadline.passed()) return response;
          failures.clear();
          break;
        }
        failures[address] = std::string(response.status().message());
        if (deadline.passed()) break;
      }
      if (!failures.empty()) last = NotConnected(failures);
      if (deadline.passed()) {
        if (!last.ok()) return last;
        return quipu::ToStatus(ErrorCode::kRequestTimedOut, "default.api.timeout.ms has passed");
      }
      if (!failures.empty() && Hopeless(failures)) return last;
      deadline.Pause();
    }
  }

  // Calls the coordinator of `group_id`, following it when it moves.
  template <typename Request, typename Response>
  absl::StatusOr<Response> AtCoordinator(const std::string& group_id, const char* method,
                                         const Request& request) {
    const AdminDeadline deadline = NewDeadline();
    absl::Status last =
        quipu::ToStatus(ErrorCode::kCoordinatorNotAvailable, "the group has no coordinator now");
    while (!deadline.passed()) {
      absl::StatusOr<ServerAddress> address = Coordinator(group_id, deadline);
      if (!address.ok()) return address.status();
      if (!address->empty()) {
        absl::StatusOr<Response> response =
            At<Request, Response>(*address, method, request, deadline);
        if (response.ok() && !IsCoordinatorError(WireError(response->error_code()))) {
          return response;
        }
        if (!response.ok()) {
          last = quipu::ToStatus(ErrorCode::kNotConnected, response.status().message());
        }
      }
      deadline.Pause();
    }
    return last;
  }

  absl::StatusOr<message::MetadataResponse> Metadata(const message::MetadataRequest& request,
                                                     const AdminDeadline& deadline);
  // Servers to ask, the one that answered last first.
  std::vector<ServerAddress> Servers();

  static absl::Status NotConnected(const std::map<ServerAddress, std::string>& failures);
  // The connection was never there (refused, no route, no such name, no answer to connecting):
  // nobody can have seen the request.
  static bool NothingSent(const absl::Status& status);

 private:
  // Empty: not known now, try again.
  absl::StatusOr<ServerAddress> Coordinator(const std::string& group_id,
                                            const AdminDeadline& deadline);
  std::shared_ptr<UnaryClient> ClientOf(const ServerAddress& address);
  void Prefer(const ServerAddress& address);
  void Learn(const message::MetadataResponse& response);
  // Nobody listens at any of the addresses: no use to wait.
  static bool Hopeless(const std::map<ServerAddress, std::string>& failures);

  const AdminSettings settings_;
  std::mutex mutex_;
  std::map<ServerAddress, std::shared_ptr<UnaryClient>> clients_;  // guarded
  std::vector<ServerAddress> known_;                               // guarded
  ServerAddress preferred_;                                        // guarded
  CallThread call_thread_{"quipu-admin"};
};

}  // namespace quipu
