#include "core/kafka/connection_core.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace quipu::kafka {
bool ConnectionCore::wants_read() const {
  return !closing_ && !ended_ && !reader_.has_frame() &&
         slots_.size() < limits_.in_flight_requests_max &&
         in_flight_bytes_ < limits_.in_flight_bytes_max && output_bytes_ < limits_.output_bytes_max;
}

absl::Status ConnectionCore::Fail(absl::Status status) {
  closing_ = true;
  return status;
}

absl::Status ConnectionCore::OnRead(size_t size) {
  QUIPU_CHECK(size > 0);
  if (closing_) return absl::OkStatus();
  absl::Status status = reader_.Commit(size);
  return status.ok() ? status : Fail(std::move(status));
}

absl::StatusOr<bool> ConnectionCore::NextRequest(IncomingRequest& request) {
  Bytes frame;
  while (!closing_ && slots_.size() < limits_.in_flight_requests_max && reader_.Next(frame)) {
    auto parsed = ParseRequest(frame);
    if (!parsed.ok()) return Fail(parsed.status());
    const ApiInfo& api = *parsed->api;
    const bool is_served = served_->Has(api.key) && api.Serves(parsed->version);
    if (!is_served && api.key != ApiKey::kApiVersions) {
      return Fail(ToStatus(ErrorCode::kUnsupportedVersion,
                           absl::StrCat(api.name, " v", parsed->version, " is not served")));
    }
    const uint64_t sequence = first_sequence_ + slots_.size();
    slots_.push_back({.frame_bytes = frame.size(), .answered = false, .response = {}});
    in_flight_bytes_ += frame.size();
    if (is_served) {
      request = {.sequence = sequence, .frame = std::move(parsed).value()};
      return true;
    }
    Answer(sequence, EncodeResponse(served_->Answer(ErrorCode::kUnsupportedVersion), 0,
                                    parsed->correlation_id));
  }
  return false;
}

void ConnectionCore::Answer(uint64_t sequence, ByteChain response) {
  QUIPU_CHECK(sequence >= first_sequence_ && sequence - first_sequence_ < slots_.size());
  Slot& slot = slots_[sequence - first_sequence_];
  QUIPU_CHECK(!slot.answered);
  slot.answered = true;
  in_flight_bytes_ -= slot.frame_bytes;
  output_bytes_ += SizeOf(response);
  slot.response = std::move(response);
  MoveAnswered();
}

void ConnectionCore::MoveAnswered() {
  for (; !slots_.empty() && slots_.front().answered; slots_.pop_front(), ++first_sequence_) {
    for (Bytes& slice : slots_.front().response) output_.push_back(std::move(slice));
  }
}

ByteChain ConnectionCore::TakeOutput() { return std::exchange(output_, {}); }

void ConnectionCore::OnWritten(size_t size) {
  QUIPU_CHECK(size <= output_bytes_);
  output_bytes_ -= size;
}

bool ConnectionCore::done() const {
  return (closing_ || (ended_ && !reader_.has_frame())) && slots_.empty() && output_bytes_ == 0;
}

bool ConnectionCore::idle() const {
  return slots_.empty() && output_bytes_ == 0 && !reader_.has_frame() && !reader_.in_frame();
}

void ConnectionCore::CheckInvariants() const {
  size_t in_flight_bytes = 0;
  size_t answered_bytes = SizeOf(output_);
  for (const Slot& slot : slots_) {
    answered_bytes += SizeOf(slot.response);
    if (!slot.answered) in_flight_bytes += slot.frame_bytes;
  }
  QUIPU_CHECK(slots_.empty() || !slots_.front().answered);
  QUIPU_CHECK(slots_.size() <= limits_.in_flight_requests_max);
  QUIPU_CHECK(in_flight_bytes == in_flight_bytes_);
  QUIPU_CHECK(answered_bytes <= output_bytes_);
}

}  // namespace quipu::kafka
