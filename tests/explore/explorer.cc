#include "tests/explore/explorer.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <iterator>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "tests/explore/seen_set.h"

namespace quipu::explore {
namespace {

void ThrowViolation(absl::string_view id, absl::string_view condition, absl::string_view file,
                    int line, absl::string_view detail) {
  throw sim::Violation{std::string(id),
                       absl::StrCat(file, ":", line, ": ", condition, " ", detail)};
}

// The last action of a way, and the way before it.
struct Step {
  std::shared_ptr<const Step> before;
  Action action;
};
using Way = std::shared_ptr<const Step>;  // nullptr: the beginning

std::vector<Action> ActionsOf(Way way) {
  std::vector<Action> actions;
  for (; way != nullptr; way = way->before) actions.push_back(way->action);
  std::reverse(actions.begin(), actions.end());
  return actions;
}

// A state that was met and not gone on from.
struct Visit {
  SmallWorld world;
  Way way;
  size_t depth = 0;
};

// What one thread has done.
struct Tally {
  size_t transitions = 0;
  size_t ends = 0;
  size_t depth = 0;
};

class Walk {
 public:
  explicit Walk(const ExploreOptions& options) : options_(options) {
    Visit start{.world = SmallWorld(options_.bounds), .way = nullptr};
    IsNew(start.world);
    open_.push_back(std::move(start));
  }

  ExploreResult Run() {
    if (options_.order == Order::kDepth) {
      OnThreads([this](Tally& tally) { GoDeep(tally); });
    } else {
      while (!open_.empty() && !stop_) GoOneLevel();
    }
    result_.states = states_;
    result_.complete = !stop_;
    return std::move(result_);
  }

 private:
  template <typename Work>
  void OnThreads(Work work) {
    std::vector<Tally> tallies(static_cast<size_t>(options_.threads));
    std::vector<std::thread> threads;
    for (Tally& tally : tallies) threads.emplace_back([&] { work(tally); });
    for (std::thread& thread : threads) thread.join();
    for (const Tally& tally : tallies) {
      result_.transitions += tally.transitions;
      result_.ends += tally.ends;
      result_.depth = std::max(result_.depth, tally.depth);
    }
  }

  bool IsNew(const SmallWorld& world) {
    if (!seen_.Insert(world.Hash())) return false;
    if (++states_ >= options_.states_max) stop_ = true;
    return true;
  }

  void NoteViolation(const sim::Violation& violation, const Way& way) {
    const std::lock_guard lock(mutex_);
    if (!result_.violation) {
      result_.violation = violation;
      result_.path = ActionsOf(way);
    }
    stop_ = true;
  }

  // The new states that are one action away go to `out`.
  void GoOn(const Visit& visit, Tally& tally, std::vector<Visit>& out) {
    Way way = visit.way;
    try {
      if (visit.world.EnabledBySelf().empty()) {
        ++tally.ends;
        SmallWorld(visit.world).RequireSettles();
      }
      for (const Action action : visit.world.Enabled()) {
        way = std::make_shared<const Step>(Step{visit.way, action});
        SmallWorld next = visit.world;
        next.Take(action);
        ++tally.transitions;
        if (!IsNew(next)) continue;
        out.push_back({.world = std::move(next), .way = way, .depth = visit.depth + 1});
        tally.depth = std::max(tally.depth, visit.depth + 1);
      }
    } catch (const sim::Violation& violation) {
      NoteViolation(violation, way);
    }
  }

  // ---- breadth first: level by level ----

  void GoOneLevel() {
    const std::vector<Visit> level = std::exchange(open_, {});
    std::atomic<size_t> next = 0;
    OnThreads([&](Tally& tally) {
      std::vector<Visit> found;
      for (size_t i = next++; i < level.size() && !stop_; i = next++) GoOn(level[i], tally, found);
      const std::lock_guard lock(mutex_);
      std::move(found.begin(), found.end(), std::back_inserter(open_));
    });
  }

  // ---- depth first: each thread on a stack of its own, whose bottom it shares with who has none
  // ----

  void GoDeep(Tally& tally) {
    std::vector<Visit> stack;
    while (TakeShared(stack)) {
      while (!stack.empty() && !stop_) {
        const Visit visit = std::move(stack.back());
        stack.pop_back();
        GoOn(visit, tally, stack);
        if (hungry_ > 0 && stack.size() > 1) Share(stack);
      }
    }
  }

  // Waits for something to do. False: nothing will come.
  bool TakeShared(std::vector<Visit>& stack) {
    std::unique_lock lock(mutex_);
    ++hungry_;
    if (hungry_ == options_.threads) changed_.notify_all();
    changed_.wait(lock, [this] { return stop_ || !open_.empty() || hungry_ == options_.threads; });
    if (stop_ || open_.empty()) {
      changed_.notify_all();
      return false;
    }
    --hungry_;
    stack = std::exchange(open_, {});
    return true;
  }

  void Share(std::vector<Visit>& stack) {
    const auto middle = stack.begin() + static_cast<std::ptrdiff_t>(stack.size() / 2);
    const std::lock_guard lock(mutex_);
    std::move(stack.begin(), middle, std::back_inserter(open_));
    stack.erase(stack.begin(), middle);
    changed_.notify_one();
  }

  ExploreOptions options_;
  SeenSet seen_;
  std::atomic<size_t> states_ = 0;
  std::atomic<bool> stop_ = false;  // a violation, or states_max
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Visit> open_;      // to go on from; under mutex_ while threads run
  std::atomic<int> hungry_ = 0;  // threads that wait, changed under mutex_
  ExploreResult result_;
};

}  // namespace

ExploreResult Explore(const ExploreOptions& options) {
  SetCheckFailureHandler(&ThrowViolation);
  return Walk(options).Run();
}

}  // namespace quipu::explore
