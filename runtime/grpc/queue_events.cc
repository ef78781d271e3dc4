#include "runtime/grpc/queue_events.h"

#include <grpc/support/time.h>

#include <chrono>

namespace quipu {
namespace {

constexpr int kEventsPerPoll = 64;

gpr_timespec DeadlineAt(Instant due) {
  const Duration since = due.time_since_epoch();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since);
  const auto rest = std::chrono::duration_cast<std::chrono::nanoseconds>(since - seconds);
  return {.tv_sec = seconds.count(),
          .tv_nsec = static_cast<int32_t>(rest.count()),
          .clock_type = GPR_CLOCK_MONOTONIC};
}

// False: nothing came until the deadline.
bool TakeOne(grpc::CompletionQueue& queue, gpr_timespec deadline) {
  void* tag = nullptr;
  bool ok = false;
  if (queue.AsyncNext(&tag, &ok, deadline) != grpc::CompletionQueue::GOT_EVENT) return false;
  static_cast<CompletionTag*>(tag)->OnEvent(ok);
  return true;
}

}  // namespace

void QueueEvents::Poll() {
  for (int i = 0; i < kEventsPerPoll; ++i) {
    if (!TakeOne(*calls_->queue(), gpr_inf_past(GPR_CLOCK_MONOTONIC))) return;
  }
}

void QueueEvents::Wait(std::optional<Instant> due) {
  TakeOne(*calls_->queue(), due ? DeadlineAt(*due) : gpr_inf_future(GPR_CLOCK_MONOTONIC));
}

void QueueEvents::Stop() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopped_ = true;
  }
  calls_->End();
}

void QueueEvents::Wake() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (stopped_ || wake_sent_) return;
  wake_sent_ = true;
  alarm_.Set(calls_->queue(), gpr_inf_past(GPR_CLOCK_MONOTONIC), &wake_tag_);
}

void QueueEvents::OnWake(bool /*ok*/) {
  const std::lock_guard<std::mutex> lock(mutex_);
  wake_sent_ = false;
}

}  // namespace quipu
