// A producer's id and epoch: getting them, and raising the epoch.
#pragma once

#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "base/rng.h"
#include "core/client/client_metadata.h"
#include "core/client/client_types.h"

namespace quipu {

// Asks for a new producer id, or takes up a former one with its epoch raised by one, which fences
// its former holder. Repeating the question is harmless: without an id it wastes an id, with one
// it gives the same epoch again. Pure; one owner.
class ProducerIdentity {
 public:
  // With `resume`, the id and epoch that a former life of this producer used.
  ProducerIdentity(std::optional<std::pair<ProducerId, ProducerEpoch>> resume, CallIds& ids,
                   Rng rng);

  // The id is held and its epoch may be used.
  [[nodiscard]] bool ready() const { return ready_; }
  [[nodiscard]] ProducerId id() const { return id_; }
  [[nodiscard]] ProducerEpoch epoch() const { return epoch_; }
  // kNone, or why this producer can never send again.
  [[nodiscard]] ErrorCode fatal() const { return fatal_; }

  // Raises the epoch. Everything sent under the old one must be settled.
  void RequestBump();

  void Pump(Instant now, ClientMetadata& metadata, std::vector<UnaryCall>& calls);
  // False when the call is not this part's. After true, `ready` or `fatal` may have changed.
  bool OnAnswered(Instant now, CallId id, const message::InitProducerIdResponse& response);
  bool OnFailed(Instant now, CallId id, const absl::Status& status, ClientMetadata& metadata);
  [[nodiscard]] std::optional<Instant> NextDeadline() const;

 private:
  ProducerId id_ = kNoProducerId;
  ProducerEpoch epoch_{-1};
  bool ready_ = false;
  ErrorCode fatal_ = ErrorCode::kNone;
  CallIds& ids_;
  Rng rng_;
  CallId in_flight_ = 0;
  ServerAddress asked_;
  Instant not_before_;
};

}  // namespace quipu
