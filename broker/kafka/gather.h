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

// Under way at a time for one answer: what a client asks for must not take all the room that a
// broker has for it.
inline constexpr size_t kAskedAtOnceMax = 100;
// The same where one reply may have many megabytes.
inline constexpr size_t kLargeAskedAtOnceMax = 4;

// Asks for the slots of an answer in order, of which `at_once_max` are under way at a time. Each is
// completed once, from any thread; `done` runs with all of them on the thread of the last.
template <typename Answer>
class Gather : public std::enable_shared_from_this<Gather<Answer>> {
 public:
  using Ptr = std::shared_ptr<Gather>;
  // Sees to it that Complete is called, now or later.
  using Ask = std::function<void(const Ptr& gather, size_t slot)>;
  using Done = std::function<void(Answer)>;

  // With no slot `done` is called at once, with the answer as it is.
  static void Run(Answer answer, size_t slots, size_t at_once_max, Ask ask, Done done) {
    if (slots == 0) return done(std::move(answer));
    std::make_shared<Gather>(std::move(answer), slots, at_once_max, std::move(ask), std::move(done))
        ->AskMore();
  }
  Gather(Answer answer, size_t slots, size_t at_once_max, Ask ask, Done done)
      : slots_(slots),
        at_once_max_(at_once_max),
        ask_(std::move(ask)),
        done_(std::move(done)),
        answer_(std::move(answer)) {}

  // Fills one slot: `fill(answer)`, one at a time.
  template <typename Fill>
  void Complete(Fill fill) {
    bool last = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      fill(answer_);
      last = ++completed_ == slots_;
      // Who is asking goes on with the next, so that replies at once do not nest.
      if (!last && std::exchange(asking_, true)) return;
    }
    if (last) {
      done_(std::move(answer_));
    } else {
      AskMore();
    }
  }

 private:
  // With asking_ set.
  void AskMore() {
    for (;;) {
      size_t slot = 0;
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (asked_ == slots_ || asked_ - completed_ == at_once_max_) {
          asking_ = false;
          return;
        }
        slot = asked_++;
      }
      ask_(this->shared_from_this(), slot);
    }
  }

  const size_t slots_;
  const size_t at_once_max_;
  const Ask ask_;
  const Done done_;
  std::mutex mutex_;
  Answer answer_;
  size_t asked_ = 0;
  size_t completed_ = 0;
  bool asking_ = true;
};

// The names in their order, each once: what is repeated would be answered anew each time, so that a
// small request could ask for any amount.
inline std::vector<std::string> Unique(std::vector<std::string> names) {
  absl::flat_hash_set<std::string> seen;
  std::erase_if(names, [&seen](const std::string& name) { return !seen.insert(name).second; });
  return names;
}

}  // namespace quipu::kafka
