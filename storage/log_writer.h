// How a shard gets its mutations onto the disk without waiting.
#pragma once

#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "storage/log_store.h"

namespace quipu {

// Takes submissions from any thread, writes them in the order of Submit per caller (group commit
// over all callers), and calls each `done` after its group is durable, in order, on a thread of
// the writer's: `done` must only post to the owner's executor.
// A failed write never calls `done`: the process stops (D3, PR8).
class LogWriter {
 public:
  virtual ~LogWriter() = default;
  virtual void Submit(std::vector<LogWrite> writes, std::function<void()> done) = 0;
  // Runs `work` on the writer's thread between two groups: creating and dropping logs.
  virtual void RunOnWriter(std::function<void(LogStore&)> work) = 0;
};

}  // namespace quipu
