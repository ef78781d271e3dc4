// A completion queue that an executor's thread empties.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <mutex>
#include <optional>

#include "runtime/event_source.h"
#include "runtime/grpc/call_thread_impl.h"

namespace quipu {

// What happens to the calls of a CallThread::ForExecutor; for runtime/grpc only.
class QueueEvents final : public EventSource {
 public:
  explicit QueueEvents(std::shared_ptr<CallThread::Impl> calls) : calls_(std::move(calls)) {}

  void Poll() override;
  // To the millisecond: gRPC's deadlines are no finer.
  void Wait(std::optional<Instant> due) override;
  void Stop() override;
  void Wake() override;

 private:
  void OnWake(bool ok);

  const std::shared_ptr<CallThread::Impl> calls_;
  std::mutex mutex_;
  grpc::Alarm alarm_;       // under mutex_
  bool wake_sent_ = false;  // the same: the alarm's event is under way
  bool stopped_ = false;    // the same
  MemberTag<QueueEvents> wake_tag_{this, &QueueEvents::OnWake};
};

}  // namespace quipu
