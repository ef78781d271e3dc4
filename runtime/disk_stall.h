// What a process makes of a disk that does not answer (D6).
#pragma once

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/error_code.h"
#include "base/time.h"

namespace quipu {

// When a write is under way for too long. Pure; one owner.
class DiskStall {
 public:
  struct Options {
    Duration shed = std::chrono::milliseconds(2000);   // quipu.disk.stall.shed.ms
    Duration exit = std::chrono::milliseconds(20000);  // quipu.disk.stall.exit.ms
  };
  enum class Verdict {
    kHealthy,
    kStalled,  // leadership goes to others
    kExit,     // the process ends: an operator, or its supervisor, must see to the disk
  };
  explicit DiskStall(Options options) : options_(options) {}

  // `in_progress` is how long the oldest write has been under way at `now`; zero: none is. A disk
  // that stalled counts as healthy again after five times `shed` without another stall, so that one
  // that comes and goes does not move leaders at each turn.
  Verdict Look(Instant now, Duration in_progress) {
    if (in_progress >= options_.exit) return Verdict::kExit;
    if (in_progress >= options_.shed) {
      stalled_ = true;
      last_stall_ = now;
    } else if (stalled_ && now - last_stall_ >= 5 * options_.shed) {
      stalled_ = false;
    }
    return stalled_ ? Verdict::kStalled : Verdict::kHealthy;
  }

  // How often to look: often enough to shed within a tenth more than `shed`.
  [[nodiscard]] Duration interval() const {
    return std::clamp<Duration>(options_.shed / 10, std::chrono::milliseconds(10),
                                std::chrono::milliseconds(500));
  }

 private:
  const Options options_;
  bool stalled_ = false;
  Instant last_stall_;
};

// kInvalidConfig unless leaders are moved away well before the process ends.
inline absl::Status CheckDiskStall(const DiskStall::Options& options) {
  if (options.exit >= 2 * options.shed) return absl::OkStatus();
  return ToStatus(ErrorCode::kInvalidConfig,
                  absl::StrCat("quipu.disk.stall.exit.ms=", ToMillis(options.exit),
                               " is too short; expected at least twice quipu.disk.stall.shed.ms=",
                               ToMillis(options.shed)));
}

}  // namespace quipu
