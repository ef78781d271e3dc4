#include "core/client/group/coordinator_finder.h"

#include <utility>

namespace quipu {
namespace {

constexpr Duration kFindCoordinatorTimeout = std::chrono::milliseconds(1500);

}  // namespace

bool IsCoordinatorError(ErrorCode code) {
  return code == ErrorCode::kNotCoordinator || code == ErrorCode::kCoordinatorNotAvailable ||
         code == ErrorCode::kCoordinatorLoadInProgress || code == ErrorCode::kBrokerShuttingDown ||
         code == ErrorCode::kNotConnected || code == ErrorCode::kNotLeaderOrFollower ||
         code == ErrorCode::kLeaderNotAvailable;
}

CoordinatorFinder::CoordinatorFinder(std::string group_id, ClientMetadata& metadata, CallIds& ids,
                                     Rng rng)
    : group_id_(std::move(group_id)), metadata_(metadata), ids_(ids), rng_(rng) {}

void CoordinatorFinder::Forget(const ServerAddress& address) {
  // Somebody else's failure may be about the coordinator before the present one.
  if (address_ == address) address_.reset();
}

void CoordinatorFinder::Pump(Instant now, std::vector<UnaryCall>& calls) {
  if (!wanted_ || address_ || in_flight_ != 0 || now < not_before_) return;
  message::FindCoordinatorRequest request;
  request.set_group_id(group_id_);
  in_flight_ = ids_.Next();
  asked_ = metadata_.AnyAddress();
  calls.push_back({.id = in_flight_,
                   .address = asked_,
                   .timeout = kFindCoordinatorTimeout,
                   .request = std::move(request)});
}

bool CoordinatorFinder::OnAnswered(Instant now, CallId id,
                                   const message::FindCoordinatorResponse& response) {
  if (id == 0 || id != in_flight_) return false;
  in_flight_ = 0;
  not_before_ = now + std::chrono::milliseconds(rng_.Between(20, 100));
  const ErrorCode error = WireError(response.error_code());
  if (error == ErrorCode::kNone) {
    address_ = AddressOf(response.endpoint());
    wanted_ = false;
    fatal_ = ErrorCode::kNone;
  } else if (!IsRetriable(error) && error != ErrorCode::kUnknownServerError) {
    fatal_ = error;
    wanted_ = false;
  }
  return true;
}

bool CoordinatorFinder::OnCallFailed(Instant now, CallId id, const absl::Status& status) {
  if (id == 0 || id != in_flight_) return false;
  in_flight_ = 0;
  const absl::string_view text = status.message();
  metadata_.NoteUnreachable(asked_, std::string(text.data(), text.size()));
  not_before_ = now + std::chrono::milliseconds(rng_.Between(10, 50));
  return true;
}

std::optional<Instant> CoordinatorFinder::NextDeadline() const {
  if (!wanted_ || address_ || in_flight_ != 0) return std::nullopt;
  return not_before_;
}

}  // namespace quipu
