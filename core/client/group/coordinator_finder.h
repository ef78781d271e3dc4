// Finds the broker that coordinates a group, and finds it again when it has moved.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/rng.h"
#include "core/client/client_metadata.h"
#include "core/client/client_types.h"

namespace quipu {

// Any broker is asked, one question at a time. Pure; one owner.
class CoordinatorFinder {
 public:
  // `metadata` and `ids` must outlive this object.
  CoordinatorFinder(std::string group_id, ClientMetadata& metadata, CallIds& ids, Rng rng);

  // nullopt: not known; it is being looked for from the next Pump on.
  [[nodiscard]] const std::optional<ServerAddress>& address() const { return address_; }
  // The broker at `address` is not the coordinator (any more) or cannot be reached.
  void Forget(const ServerAddress& address);
  // Somebody needs the coordinator.
  void Want() { wanted_ = true; }
  // It is being looked for: its own deadlines bring on those who wait for it.
  [[nodiscard]] bool searching() const { return wanted_ && !address_; }

  void Pump(Instant now, std::vector<UnaryCall>& calls);
  // False when the call is not this part's.
  bool OnAnswered(Instant now, CallId id, const message::FindCoordinatorResponse& response);
  bool OnCallFailed(Instant now, CallId id, const absl::Status& status);
  [[nodiscard]] std::optional<Instant> NextDeadline() const;
  // The last refusal that no retry will heal (such as kInvalidGroupId); kNone otherwise.
  [[nodiscard]] ErrorCode fatal() const { return fatal_; }

 private:
  const std::string group_id_;
  ClientMetadata& metadata_;
  CallIds& ids_;
  Rng rng_;
  std::optional<ServerAddress> address_;
  bool wanted_ = false;
  CallId in_flight_ = 0;
  ServerAddress asked_;
  Instant not_before_;
  ErrorCode fatal_ = ErrorCode::kNone;
};

// The coordinator has moved, is loading or is not there: look for it again and repeat.
bool IsCoordinatorError(ErrorCode code);

}  // namespace quipu
