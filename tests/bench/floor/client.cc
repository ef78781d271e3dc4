#include "tests/bench/floor/client.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "tests/bench/floor/positions.h"
#include "tests/bench/floor/raw_journal.h"

namespace quipu::floor {
namespace {

// What a log puts in front of each record: lengths, a timestamp, a key's length.
constexpr size_t kRecordHeadBytes = 10;

std::chrono::nanoseconds Seconds(double seconds) {
  return std::chrono::nanoseconds(static_cast<int64_t>(seconds * 1e9));
}

}  // namespace

Client::Client(const ChainOptions& options, int connection)
    : options_(options),
      connection_(connection),
      batch_(options.batch_bytes, 'b'),
      record_(options.record_bytes, 'r') {}

Client::Clock::time_point Client::DueAt(uint64_t batch) const {
  return start_ + Seconds(static_cast<double>(batch) / options_.rate);
}

bool Client::MaySend(Clock::time_point now) const {
  if (left_ > 0) return !blocked_;
  if (now >= end_) return false;
  if (options_.rate > 0) return DueAt(begun_) <= now;
  return begun_ - acknowledged_ < options_.in_flight;
}

void Client::FillBatch() {
  const size_t stride = kRecordHeadBytes + options_.record_bytes;
  for (size_t at = 0; at + stride <= batch_.size(); at += stride) {
    std::memcpy(batch_.data() + at, &begun_, sizeof begun_);
    std::memcpy(batch_.data() + at + kRecordHeadBytes, record_.data(), record_.size());
  }
}

void Client::Send() {
  if (left_ == 0) {
    if (options_.record_bytes > 0) FillBatch();
    left_ = batch_.size();
    ++begun_;
  }
  const ssize_t sent = ::send(connection_, batch_.data() + batch_.size() - left_, left_,
                              MSG_DONTWAIT | MSG_NOSIGNAL);
  blocked_ = sent < 0 && errno == EAGAIN;
  if (blocked_) return;
  if (sent <= 0) Fail("the leader takes nothing");
  left_ -= static_cast<size_t>(sent);
}

void Client::Wait(Clock::time_point now) {
  Clock::time_point until = now + Seconds(1);
  if (now < end_) until = std::min(until, end_);
  if (options_.rate > 0 && left_ == 0 && now < end_) until = std::min(until, DueAt(begun_));
  const auto wait = std::max(std::chrono::nanoseconds(0),
                             std::chrono::duration_cast<std::chrono::nanoseconds>(until - now));
  const timespec timeout{.tv_sec = static_cast<time_t>(wait.count() / 1000000000),
                         .tv_nsec = static_cast<long>(wait.count() % 1000000000)};
  pollfd socket{.fd = connection_,
                .events = static_cast<int16_t>(POLLIN | (blocked_ ? POLLOUT : 0)),
                .revents = 0};
  if (ppoll(&socket, 1, &timeout, nullptr) < 0 && errno != EINTR) Fail("poll");
  if ((socket.revents & POLLOUT) != 0) blocked_ = false;
}

void Client::TakeAcknowledgements() {
  if (!ReceivePosition(connection_, position_)) Fail("the leader has ended");
  const Clock::time_point now = Clock::now();
  const uint64_t acknowledged = position_ / options_.batch_bytes;
  for (; acknowledged_ < acknowledged; ++acknowledged_) {
    if (now >= measured_from_ && now < end_) ++result_.batches;
    if (options_.rate <= 0) continue;
    const Clock::time_point due = DueAt(acknowledged_);
    if (due >= measured_from_) result_.latencies.Add(now - due);
  }
}

ChainResult Client::Run() {
  start_ = Clock::now();
  measured_from_ = start_ + Seconds(options_.warm_up_seconds);
  end_ = measured_from_ + Seconds(options_.seconds);
  const double cpu_before = CpuSeconds();
  Clock::time_point now = start_;
  while (now < end_ || acknowledged_ < begun_) {
    if (MaySend(now)) {
      Send();
    } else {
      Wait(now);
    }
    TakeAcknowledgements();
    now = Clock::now();
  }
  result_.seconds = options_.seconds;
  result_.all_seconds = std::chrono::duration<double>(now - start_).count();
  result_.all_bytes = acknowledged_ * options_.batch_bytes;
  result_.client_cpu_seconds = CpuSeconds() - cpu_before;
  return result_;
}

}  // namespace quipu::floor
