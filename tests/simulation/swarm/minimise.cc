// Shortens a failing seed by taking away, one thing at a time, what the failure does not need.
#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "tests/simulation/swarm/campaign.h"

namespace quipu::sim {
namespace {

// A run without one thing is another run: so many of them are tried before the thing counts as
// needed.
constexpr int64_t kSalts = 4;
// A fault that is rarer or a run that is shorter need not be found: the search ends in any case.
constexpr int kRunsMax = 2000;

class Search {
 public:
  Search(uint64_t seed, Overrides overrides, std::string id)
      : seed_(seed), best_(std::move(overrides)), id_(std::move(id)) {}

  // Keeps `name` at `value` when the same invariant is violated then. True when it is.
  bool Try(const std::string& name, int64_t value) {
    for (int64_t salt = 0; salt < kSalts && runs_ < kRunsMax; ++salt) {
      Overrides candidate = With(best_, name, value);
      if (salt > 0) candidate = With(candidate, "salt", salt);
      ++runs_;
      const RunResult result = RunSeed(
          seed_,
          {.trace = nullptr, .status = false, .overrides = candidate, .keep_history = false});
      if (!result.violation || result.violation->id != id_) continue;
      best_ = candidate;
      steps_ = result.steps;
      std::printf("  %s=%" PRId64 ": %" PRIu64 " steps\n", name.c_str(), value, result.steps);
      std::fflush(stdout);
      return true;
    }
    return false;
  }
  [[nodiscard]] const Overrides& best() const { return best_; }
  [[nodiscard]] uint64_t steps() const { return steps_; }
  [[nodiscard]] int runs() const { return runs_; }

 private:
  static Overrides With(Overrides overrides, const std::string& name, int64_t value) {
    std::erase_if(overrides, [&](const auto& entry) { return entry.first == name; });
    overrides.emplace_back(name, value);
    return overrides;
  }

  uint64_t seed_;
  Overrides best_;
  std::string id_;
  uint64_t steps_ = 0;
  int runs_ = 0;
};

int64_t ValueOf(const SwarmOptions& options, const std::string& name) {
  int64_t found = 0;
  ForEachOption(options, [&](const char* known, int64_t value) {
    if (name == known) found = value;
  });
  return found;
}

// One pass over everything; true when something went.
bool Pass(Search& search, const SwarmOptions& start) {
  const auto now = [&](const std::string& name) {
    for (const auto& [known, value] : search.best()) {
      if (known == name) return value;
    }
    return ValueOf(start, name);
  };
  const auto lower = [&](const std::string& name, int64_t value) {
    return now(name) > value && search.Try(name, value);
  };
  bool any = false;
  for (const char* name : {"consumers", "classic", "core_only", "loss", "duplication", "delay",
                           "stream_break", "slow_sync", "torn_tail"}) {
    any |= lower(name, 0);
  }
  for (const char* name : kFaultNames) any |= lower(name, 0);
  for (const char* name : {"producers", "partitions", "shards", "accounts"}) any |= lower(name, 1);
  any |= lower("brokers", 3);
  any |= lower("controllers", 3);
  while (now("fault_ms") > 500 && search.Try("fault_ms", now("fault_ms") / 2)) any = true;
  return any;
}

}  // namespace

int Minimise(uint64_t seed, const Overrides& overrides) {
  const RunResult first = RunSeed(
      seed, {.trace = nullptr, .status = false, .overrides = overrides, .keep_history = false});
  Print(first, overrides);
  if (!first.violation) return 1;
  Search search(seed, overrides, first.violation->id);
  while (Pass(search, first.options)) {
  }
  std::printf("%d runs; %" PRIu64 " steps at first, %" PRIu64 " now:\n%s\n", search.runs(),
              first.steps, search.steps() == 0 ? first.steps : search.steps(),
              CommandLine(seed, search.best()).c_str());
  return 0;
}

}  // namespace quipu::sim
