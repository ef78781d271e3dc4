// Asks several owner threads for what each has counted, without ever waiting for one for long.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/time.h"

namespace quipu {

// Of each of `count` threads it keeps the newest answer. One that has not answered yet is not asked
// again, so at most one question waits in any mailbox, however often somebody scrapes.
//
// Gather: one caller at a time. Answers may come on any thread, also late and after the end of the
// gatherer.
template <typename Answer>
class Gatherer {
 public:
  using Done = std::function<void(Answer)>;
  struct Result {
    std::vector<std::shared_ptr<const Answer>> newest;  // nullptr: never answered
    size_t incomplete = 0;                              // did not answer this time
  };

  explicit Gatherer(size_t count) : state_(std::make_shared<State>(count)) {}

  // Calls `ask(i, done)` for each thread that owes no answer, and waits for all answers, at most
  // for `timeout`. `ask` must not block; `done` is called once, or never by a thread
  // that ends: that one is missing from then on, and each call waits for the whole `timeout`.
  Result Gather(Duration timeout, const std::function<void(size_t, Done)>& ask) {
    for (size_t i = 0; i < state_->newest.size(); ++i) {
      {
        const std::lock_guard<std::mutex> lock(state_->mutex);
        if (state_->asked[i]) continue;
        state_->asked[i] = true;
        ++state_->open;
      }
      ask(i, [state = state_, i](Answer answer) {
        auto shared = std::make_shared<const Answer>(std::move(answer));
        const std::lock_guard<std::mutex> lock(state->mutex);
        state->newest[i].swap(shared);
        state->asked[i] = false;
        if (--state->open == 0) state->all_answered.notify_all();
      });
    }
    std::unique_lock<std::mutex> lock(state_->mutex);
    state_->all_answered.wait_for(lock, timeout, [this] { return state_->open == 0; });
    return {.newest = state_->newest, .incomplete = state_->open};
  }

 private:
  struct State {
    explicit State(size_t count) : newest(count), asked(count, false) {}
    std::mutex mutex;
    std::condition_variable all_answered;
    std::vector<std::shared_ptr<const Answer>> newest;
    std::vector<bool> asked;
    size_t open = 0;
  };
  const std::shared_ptr<State> state_;
};

}  // namespace quipu
