#include "tests/explore/explorer.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "absl/container/flat_hash_set.h"
#include "base/check.h"

namespace quipu::explore {
namespace {

using StateHash = std::pair<uint64_t, uint64_t>;
constexpr uint32_t kRoot = 0;

void ThrowViolation(absl::string_view id, absl::string_view condition, absl::string_view file,
                    int line, absl::string_view detail) {
  throw sim::Violation{std::string(id), std::string(file) + ":" + std::to_string(line) + ": " +
                                            std::string(condition) + " " + std::string(detail)};
}

struct Node {
  uint32_t parent;
  Action action;  // that led here from the parent
};

// What one thread found while it expanded its share of a level.
struct Found {
  struct Child {
    StateHash hash;
    Node node;
  };
  std::vector<Child> children;
  size_t transitions = 0;
  size_t ends = 0;
  std::optional<sim::Violation> violation;
  std::vector<Action> path;
};

class Walk {
 public:
  explicit Walk(const ExploreOptions& options) : options_(options) {}

  ExploreResult Run() {
    nodes_.push_back({kRoot, {}});
    seen_.insert(SmallWorld(options_.bounds).Hash());
    size_t begin = 0;
    while (begin < nodes_.size() && !result_.violation && nodes_.size() < options_.states_max) {
      const size_t end = nodes_.size();
      ExpandLevel(begin, end);
      begin = end;
      if (nodes_.size() > end) ++result_.depth;
    }
    result_.states = nodes_.size();
    result_.complete = !result_.violation && begin == nodes_.size();
    return std::move(result_);
  }

 private:
  [[nodiscard]] std::vector<Action> PathTo(uint32_t node) const {
    std::vector<Action> path;
    for (; node != kRoot; node = nodes_[node].parent) path.push_back(nodes_[node].action);
    std::reverse(path.begin(), path.end());
    return path;
  }

  // The threads share nothing but the nodes, which stand still meanwhile, and the next one to take.
  void ExpandLevel(size_t begin, size_t end) {
    std::vector<Found> found(static_cast<size_t>(options_.threads));
    std::atomic<size_t> next = begin;
    std::vector<std::thread> threads;
    for (Found& share : found) {
      threads.emplace_back([&] {
        for (size_t i = next++; i < end && !share.violation; i = next++) {
          ExpandNode(static_cast<uint32_t>(i), share);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (Found& share : found) {
      result_.transitions += share.transitions;
      result_.ends += share.ends;
      if (share.violation && !result_.violation) {
        result_.violation = std::move(share.violation);
        result_.path = std::move(share.path);
      }
      for (const Found::Child& child : share.children) {
        if (seen_.insert(child.hash).second) nodes_.push_back(child.node);
      }
    }
  }

  void ExpandNode(uint32_t node, Found& found) const {
    std::vector<Action> path = PathTo(node);
    SmallWorld here(options_.bounds);
    for (const Action action : path) here.Take(action);
    const std::vector<Action> enabled = here.Enabled();
    try {
      if (enabled.empty()) {
        ++found.ends;
        here.RequireSettles();
      }
      for (const Action action : enabled) {
        path.push_back(action);
        SmallWorld world(options_.bounds);
        for (const Action step : path) world.Take(step);
        ++found.transitions;
        const StateHash hash = world.Hash();
        // seen_ stands still during a level: what two threads find at once is sorted out after it.
        if (!seen_.contains(hash)) found.children.push_back({hash, {node, action}});
        path.pop_back();
      }
    } catch (const sim::Violation& violation) {
      found.violation = violation;
      found.path = path;
    }
  }

  ExploreOptions options_;
  std::vector<Node> nodes_;
  absl::flat_hash_set<StateHash> seen_;
  ExploreResult result_;
};

}  // namespace

ExploreResult Explore(const ExploreOptions& options) {
  SetCheckFailureHandler(&ThrowViolation);
  return Walk(options).Run();
}

}  // namespace quipu::explore
