#include "broker/control/control_channel.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/logging.h"

namespace quipu {
namespace {

constexpr Duration kRetryMin = std::chrono::milliseconds(20);
constexpr size_t kRetryDoublingsMax = 5;  // 640 ms, plus as much jitter

}  // namespace

void ControlChannel::Start(Listener listener) {
  listener_ = std::move(listener);
  next_controller_ = rng_.Below(config_->controllers.size());
  Open();
}

void ControlChannel::Open() {
  if (stopped_) return;
  QUIPU_CHECK(generation_ == 0);
  const HostPort controller = config_->controllers[next_controller_];
  next_controller_ = (next_controller_ + 1) % config_->controllers.size();
  generation_ = next_generation_++;
  const std::weak_ptr<ControlChannel> weak = weak_from_this();
  Executor& runner = ports_.control_executor();
  MessageHandler<message::ControllerToBroker> handler;
  handler.on_message = [weak, &runner,
                        generation = generation_](message::ControllerToBroker message) {
    auto shared = std::make_shared<message::ControllerToBroker>(std::move(message));
    runner.Post([weak, generation, shared] {
      const auto self = weak.lock();
      if (self == nullptr || self->generation_ != generation) return;
      self->listener_.message(std::move(*shared));
    });
  };
  handler.on_closed = [weak, &runner, generation = generation_](const absl::Status& status) {
    runner.Post([weak, generation, reason = std::string(status.message())] {
      if (const auto self = weak.lock()) self->OnClosed(generation, reason);
    });
  };
  sender_ = ports_.OpenControlStream(controller, std::move(handler));
  listener_.opened();
}

void ControlChannel::Send(message::BrokerToController message) {
  if (sender_ != nullptr) sender_->Send(std::move(message));
}

void ControlChannel::Fail(const std::string& reason) {
  if (generation_ == 0) return;
  if (sender_ != nullptr) sender_->Close(absl::CancelledError(reason));
  OnClosed(generation_, reason);
}

void ControlChannel::Stop() {
  stopped_ = true;
  Fail("broker stops");
}

void ControlChannel::OnClosed(uint64_t generation, const std::string& reason) {
  if (generation_ != generation) return;
  generation_ = 0;
  sender_.reset();
  listener_.lost();
  if (stopped_) return;
  LogDebug("control.stream_closed", {{"reason", reason}});
  // Each controller is tried once at once; after a full round without success the pauses double.
  const size_t rounds = failures_ / config_->controllers.size();
  ++failures_;
  Duration delay = Duration::zero();
  if (rounds > 0) {
    const Duration base = kRetryMin * (1 << std::min(rounds - 1, kRetryDoublingsMax));
    delay = base + Duration(rng_.Between(0, base.count()));
  }
  ports_.control_executor().PostAfter(delay, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self != nullptr && self->generation_ == 0) self->Open();
  });
}

}  // namespace quipu
