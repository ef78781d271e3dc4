// One answer made of several of the node's replies.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"

namespace quipu::kafka {

// Slots filled from any threads, each once; `done` runs with all of them on the thread of the last.
template <typename Answer>
class Gather {
 public:
  // With no slot `done` is called at once, with the answer as it is.
  static std::shared_ptr<Gather> Make(Answer answer, size_t slots,
                                      std::function<void(Answer)> done) {
    auto gather = std::make_shared<Gather>(std::move(answer), slots, std::move(done));
    if (slots == 0) gather->done_(std::move(gather->answer_));
    return gather;
  }
  Gather(Answer answer, size_t slots, std::function<void(Answer)> done)
      : answer_(std::move(answer)), left_(slots), done_(std::move(done)) {}

  // Fills one slot: `fill(answer)`.
  template <typename Fill>
  void Complete(Fill fill) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      fill(answer_);
      if (--left_ > 0) return;
    }
    done_(std::move(answer_));
  }

 private:
  std::mutex mutex_;
  Answer answer_;
  size_t left_;
  const std::function<void(Answer)> done_;
};

// The names in their order, each once: what is repeated would be answered anew each time, so that a
// small request could ask for any amount.
inline std::vector<std::string> Unique(std::vector<std::string> names) {
  absl::flat_hash_set<std::string> seen;
  std::erase_if(names, [&seen](const std::string& name) { return !seen.insert(name).second; });
  return names;
}

}  // namespace quipu::kafka
