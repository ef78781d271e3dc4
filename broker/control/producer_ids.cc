#include "broker/control/producer_ids.h"

#include <limits>
#include <utility>

namespace quipu {
namespace {

message::InitProducerIdResponse Answer(ErrorCode error, ProducerId id, int32_t epoch) {
  message::InitProducerIdResponse response;
  response.set_error_code(static_cast<int32_t>(error));
  response.set_producer_id(id.value());
  response.set_producer_epoch(epoch);
  return response;
}

}  // namespace

void ProducerIds::Init(const message::InitProducerIdRequest& request, Instant now, Done done) {
  constexpr int32_t kEpochMax = std::numeric_limits<int16_t>::max();
  if (request.producer_id() >= 0) {
    if (request.producer_epoch() < 0 || request.producer_epoch() > kEpochMax) {
      done(Answer(ErrorCode::kInvalidProducerEpoch, kNoProducerId, -1));
      return;
    }
    // The last epoch is never given out: a producer there could not be fenced any more.
    if (request.producer_epoch() < kEpochMax - 1) {
      done(Answer(ErrorCode::kNone, ProducerId(request.producer_id()),
                  request.producer_epoch() + 1));
      return;
    }
  }
  if (next_ < end_) {
    Give(done);
    return;
  }
  if (waiting_.size() >= kWaitersMax) {
    done(Answer(ErrorCode::kLimitReached, kNoProducerId, -1));
    return;
  }
  waiting_.push_back(std::move(done));
  Ask(now);
}

void ProducerIds::Give(const Done& done) {
  done(Answer(ErrorCode::kNone, next_, 0));
  ++next_;
}

void ProducerIds::Ask(Instant now) {
  if (asking_) return;
  asking_ = true;
  requests_.AllocateProducerIds(now, [this, now](ErrorCode error, ProducerId first, int32_t count) {
    OnBlock(error, first, count, now);
  });
}

void ProducerIds::OnBlock(ErrorCode error, ProducerId first, int32_t count, Instant now) {
  asking_ = false;
  if (error != ErrorCode::kNone || count <= 0) {
    if (error == ErrorCode::kNone) error = ErrorCode::kUnknownServerError;
    for (const Done& done : std::exchange(waiting_, {})) {
      done(Answer(error, kNoProducerId, -1));
    }
    return;
  }
  next_ = first;
  end_ = first + count;
  while (!waiting_.empty() && next_ < end_) {
    Done done = std::move(waiting_.front());
    waiting_.pop_front();
    Give(done);
  }
  if (!waiting_.empty()) Ask(now);
}

}  // namespace quipu
