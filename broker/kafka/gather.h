// One answer made of several of the node's replies.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>

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

}  // namespace quipu::kafka
