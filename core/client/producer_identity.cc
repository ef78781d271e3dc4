#include "core/client/producer_identity.h"

#include <utility>

namespace quipu {
namespace {

constexpr Duration kProducerIdTimeout = std::chrono::seconds(3);

}  // namespace

ProducerIdentity::ProducerIdentity(std::optional<std::pair<ProducerId, ProducerEpoch>> resume,
                                   CallIds& ids, Rng rng)
    : ids_(ids), rng_(rng) {
  if (resume) {
    id_ = resume->first;
    epoch_ = resume->second;
  }
}

void ProducerIdentity::RequestBump() { ready_ = false; }

void ProducerIdentity::Pump(Instant now, ClientMetadata& metadata, std::vector<UnaryCall>& calls) {
  if (ready_ || fatal_ != ErrorCode::kNone || in_flight_ != 0 || now < not_before_) return;
  message::InitProducerIdRequest request;
  request.set_producer_id(id_.value());
  request.set_producer_epoch(epoch_.value());
  in_flight_ = ids_.Next();
  asked_ = metadata.AnyAddress();
  calls.push_back({.id = in_flight_,
                   .address = asked_,
                   .timeout = kProducerIdTimeout,
                   .request = std::move(request)});
}

bool ProducerIdentity::OnAnswered(Instant now, CallId id,
                                  const message::InitProducerIdResponse& response) {
  if (id == 0 || id != in_flight_) return false;
  in_flight_ = 0;
  const ErrorCode error = WireError(response.error_code());
  if (error == ErrorCode::kNone) {
    id_ = ProducerId(response.producer_id());
    epoch_ = ProducerEpoch(static_cast<int16_t>(response.producer_epoch()));
    ready_ = true;
    return true;
  }
  if (error == ErrorCode::kInvalidProducerEpoch) {
    fatal_ = ErrorCode::kProducerFenced;
  } else if (!IsRetriable(error) && error != ErrorCode::kUnknownServerError) {
    fatal_ = error;
  }
  not_before_ = now + std::chrono::milliseconds(rng_.Between(20, 100));
  return true;
}

bool ProducerIdentity::OnFailed(Instant now, CallId id, const absl::Status& status,
                                ClientMetadata& metadata) {
  if (id == 0 || id != in_flight_) return false;
  in_flight_ = 0;
  metadata.NoteUnreachable(asked_, std::string(status.message()));
  // Tried until it works or the producer is closed; bounded to one call per back-off.
  not_before_ = now + std::chrono::milliseconds(rng_.Between(20, 100));
  return true;
}

std::optional<Instant> ProducerIdentity::NextDeadline() const {
  if (ready_ || fatal_ != ErrorCode::kNone || in_flight_ != 0) return std::nullopt;
  return not_before_;
}

}  // namespace quipu
