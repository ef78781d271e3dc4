// The simulated world: one thread, virtual time, one seed.
//
// Everything that happens is an event with a time; events run one at a time in (time, number)
// order, so the same seed gives the same run. The running hash of all events is the trace hash.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/rng.h"
#include "base/time.h"
#include "runtime/executor.h"

namespace quipu::sim {

// Thrown by the simulated StopProcess to leave the node's code at once; caught by World::Step.
struct ProcessStopped {
  std::string reason;
};

class World;

// One incarnation of a simulated process. Events of a dead incarnation never run; those of a paused
// one wait.
class Process {
 public:
  Process(World& world, std::string name) : world_(world), name_(std::move(name)) {}

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool alive() const { return alive_; }
  void Kill() { alive_ = false; }
  // No event of the process runs before `until`.
  void PauseUntil(Instant until) { paused_until_ = std::max(paused_until_, until); }
  [[nodiscard]] Instant paused_until() const { return paused_until_; }
  // Added to wall time as this process sees it.
  void set_wall_skew_ms(int64_t skew) { wall_skew_ms_ = skew; }
  [[nodiscard]] int64_t wall_skew_ms() const { return wall_skew_ms_; }
  // Thousandths of a second that the monotonic clock of this process goes in a second.
  void SetClockRate(int64_t per_mille);
  [[nodiscard]] Instant MonotonicNow() const;
  // How long a timer of this process takes for `delay` on its own clock.
  [[nodiscard]] Duration TimerDelay(Duration delay) const { return delay * 1000 / clock_rate_; }
  // Everything takes up to `extra` longer until `until`: a busy machine.
  void SlowUntil(Instant until, Duration extra) {
    slow_until_ = until;
    slow_extra_ = extra;
  }
  // What the next piece of work takes longer; draws nothing when the process is not slow.
  [[nodiscard]] Duration Slowness();
  // Called when the process stops itself (StopProcess).
  std::function<void(const std::string& reason)> on_stopped;
  [[nodiscard]] World& world() const { return world_; }

 private:
  World& world_;
  std::string name_;
  bool alive_ = true;
  Instant paused_until_{};
  int64_t wall_skew_ms_ = 0;
  int64_t clock_rate_ = 1000;
  // Where the process's clock stood when its rate changed last.
  Instant rate_since_{};
  Instant mono_at_change_{};
  Instant slow_until_{};
  Duration slow_extra_{};
};
using ProcessPtr = std::shared_ptr<Process>;

class World {
 public:
  explicit World(uint64_t seed);

  [[nodiscard]] Instant now() const { return now_; }
  [[nodiscard]] Rng& rng() { return rng_; }
  [[nodiscard]] uint64_t steps() const { return steps_; }
  [[nodiscard]] uint64_t trace_hash() const { return trace_hash_; }

  // Runs `work` at `when` or later; never if `process` is dead by then. `process` may be null: an
  // event of the world itself (network, nemesis, workload).
  void At(Instant when, ProcessPtr process, const char* kind, std::function<void()> work);
  void After(Duration delay, ProcessPtr process, const char* kind, std::function<void()> work) {
    At(now_ + delay, std::move(process), kind, std::move(work));
  }

  // Runs the next event. False when there is none. After an event that belongs to a process,
  // `after_step` is called with that process.
  bool Step();
  // Runs events until `until`; time stands at `until` afterwards.
  void RunUntil(Instant until);
  std::function<void(Process*)> after_step;

  // A uniform duration in [low, high].
  Duration Between(Duration low, Duration high);

  // One line of the readable trace (only when a sink is set); always part of the trace hash.
  void Note(absl::string_view text);
  // The same, and no part of the trace hash: what is said of the run, not what happens in it.
  void Trace(absl::string_view text);
  std::function<void(absl::string_view line)> trace_sink;

 private:
  struct Event {
    Instant when;
    uint64_t number;
    ProcessPtr process;
    bool has_process;
    const char* kind;
    std::function<void()> work;
  };
  struct Later {
    bool operator()(const Event& a, const Event& b) const {
      return a.when != b.when ? a.when > b.when : a.number > b.number;
    }
  };
  void Hash(uint64_t value);
  void RunEvent(Event& event);

  Rng rng_;
  Instant now_{};
  uint64_t steps_ = 0;
  uint64_t next_number_ = 0;
  uint64_t trace_hash_ = 0xCBF29CE484222325ULL;
  std::vector<Event> heap_;
};

// An executor of a simulated process: keeps the order of Post, with small random delays.
class SimExecutor final : public Executor {
 public:
  SimExecutor(World& world, ProcessPtr process) : world_(world), process_(std::move(process)) {}

  void Post(std::function<void()> work) override;
  void PostAfter(Duration delay, std::function<void()> work) override;
  [[nodiscard]] Now GetNow() const override;

 private:
  World& world_;
  ProcessPtr process_;
  Instant last_post_{};
};

// Wall time at virtual time zero.
inline constexpr int64_t kWallStartMs = 1767225600000;  // 2026-01-01T00:00:00Z

}  // namespace quipu::sim
