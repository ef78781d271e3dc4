#include "tests/simulation/world.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace quipu::sim {

void Process::SetClockRate(int64_t per_mille) {
  QUIPU_CHECK(per_mille > 0);
  mono_at_change_ = MonotonicNow();
  rate_since_ = world_.now();
  clock_rate_ = per_mille;
}

Instant Process::MonotonicNow() const {
  return mono_at_change_ + (world_.now() - rate_since_) * clock_rate_ / 1000;
}

Duration Process::Slowness() {
  if (world_.now() >= slow_until_) return Duration(0);
  return world_.Between(Duration(0), slow_extra_);
}

World::World(uint64_t seed) : rng_(seed) {}

void World::Hash(uint64_t value) {
  // FNV-1a over the bytes of `value`.
  for (int i = 0; i < 8; ++i) {
    trace_hash_ ^= (value >> (8 * i)) & 0xFFU;
    trace_hash_ *= 0x100000001B3ULL;
  }
}

void World::At(Instant when, ProcessPtr process, const char* kind, std::function<void()> work) {
  const bool has_process = process != nullptr;
  heap_.push_back(Event{.when = std::max(when, now_),
                        .number = next_number_++,
                        .process = std::move(process),
                        .has_process = has_process,
                        .kind = kind,
                        .work = std::move(work)});
  std::push_heap(heap_.begin(), heap_.end(), Later());
}

bool World::Step() {
  while (!heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end(), Later());
    Event event = std::move(heap_.back());
    heap_.pop_back();
    QUIPU_CHECK(event.when >= now_);
    if (event.has_process && !event.process->alive()) continue;
    if (event.has_process && event.process->paused_until() > event.when) {
      // Keeps the order among the events of a paused process: the number is kept.
      event.when = event.process->paused_until();
      heap_.push_back(std::move(event));
      std::push_heap(heap_.begin(), heap_.end(), Later());
      continue;
    }
    now_ = event.when;
    RunEvent(event);
    return true;
  }
  return false;
}

void World::RunEvent(Event& event) {
  ++steps_;
  Hash(static_cast<uint64_t>(now_.time_since_epoch().count()));
  for (const char* c = event.kind; *c != '\0'; ++c) Hash(static_cast<uint64_t>(*c));
  const ProcessPtr process = event.process;
  try {
    event.work();
  } catch (const ProcessStopped& stopped) {
    QUIPU_CHECK(process != nullptr);
    process->Kill();
    Note("stop " + process->name() + " " + stopped.reason);
    if (process->on_stopped) process->on_stopped(stopped.reason);
  }
  if (process != nullptr && after_step) after_step(process.get());
}

void World::RunUntil(Instant until) {
  while (!heap_.empty() && heap_.front().when <= until) {
    if (!Step()) break;
  }
  now_ = std::max(now_, until);
}

Duration World::Between(Duration low, Duration high) {
  return Duration(rng_.Between(low.count(), high.count()));
}

void World::Note(absl::string_view text) {
  for (const char c : text) Hash(static_cast<uint8_t>(c));
  Trace(text);
}

void World::Trace(absl::string_view text) {
  if (!trace_sink) return;
  char stamp[32];
  std::snprintf(stamp, sizeof(stamp), "%10.3f ",
                static_cast<double>(now_.time_since_epoch().count()) / 1e6);
  trace_sink(std::string(stamp) + std::string(text));
}

void SimExecutor::Post(std::function<void()> work) {
  // A mailbox: FIFO, a little late.
  const Duration late = world_.Between(Duration(1000), Duration(50000)) + process_->Slowness();
  last_post_ = std::max(last_post_, world_.now() + late);
  world_.At(last_post_, process_, "post", std::move(work));
}

void SimExecutor::PostAfter(Duration delay, std::function<void()> work) {
  const Duration late = world_.Between(Duration(1000), Duration(200000)) + process_->Slowness();
  world_.At(world_.now() + process_->TimerDelay(delay) + late, process_, "timer", std::move(work));
}

Now SimExecutor::GetNow() const {
  const int64_t ms = ToMillis(world_.now().time_since_epoch());
  return Now{.mono = process_->MonotonicNow(),
             .wall = TimestampMs(kWallStartMs + ms + process_->wall_skew_ms())};
}

}  // namespace quipu::sim
