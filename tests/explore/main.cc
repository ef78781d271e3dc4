// quipu-explore: every state of a small world, within the bounds given.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <map>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "base/planted_bug.h"
#include "tests/explore/explorer.h"

namespace quipu::explore {
namespace {

// "crash+1": a crash that leaves one silent write.
std::string NameOf(Action action) {
  std::string name = ActionName(action.kind);
  if (action.kept > 0) absl::StrAppend(&name, "+", action.kept);
  return name;
}

void PrintPath(const ExploreOptions& options, const ExploreResult& result) {
  SmallWorld world(options.bounds);
  std::printf("     %-14s %s\n", "", world.Describe().c_str());
  for (size_t i = 0; i < result.path.size(); ++i) {
    const Action action = result.path[i];
    const std::string name = NameOf(action);
    try {
      world.Take(action);
    } catch (const sim::Violation&) {
      std::printf("%3zu  %-12s %d  violates\n", i + 1, name.c_str(), action.broker);
      return;
    }
    std::printf("%3zu  %-12s %d  %s\n", i + 1, name.c_str(), action.broker,
                world.Describe().c_str());
  }
  std::printf("     nothing may happen any more\n");
}

double PeakMemoryMib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

void Plant([[maybe_unused]] const std::string& name) {
#ifdef QUIPU_PLANTED_BUGS
  for (int i = 0; i < kPlantedBugCount; ++i) {
    if (name == PlantedBugName(static_cast<PlantedBug>(i))) {
      return SetPlantedBug(static_cast<PlantedBug>(i));
    }
  }
  throw CLI::ValidationError("--planted", "no such bug: " + name);
#else
  throw CLI::ValidationError("--planted",
                             "this program has no bugs to plant; quipu-explore-planted has");
#endif
}

void AddBounds(CLI::App& app, Bounds& bounds) {
  app.add_option("--records", bounds.records, "records that the producer sends")
      ->capture_default_str();
  app.add_option("--settled", bounds.settled, "of these, committed everywhere before it begins")
      ->capture_default_str();
  app.add_option("--retries", bounds.retries, "records sent again")->capture_default_str();
  app.add_option("--crashes", bounds.crashes, "crashes of brokers")->capture_default_str();
  app.add_option("--fences", bounds.live_fences, "sessions that end though the broker runs")
      ->capture_default_str();
  app.add_option("--late-pushes", bounds.late_pushes,
                 "messages of former leaders that arrive all the same")
      ->capture_default_str();
  app.add_option("--deafenings", bounds.deafenings,
                 "times that a broker hears nothing of the controller")
      ->capture_default_str();
  app.add_option("--breaks", bounds.broken_streams, "replica streams that break")
      ->capture_default_str();
  app.add_option("--lags", bounds.lags, "times that replica.lag.time.max.ms passes")
      ->capture_default_str();
  app.add_option("--min-isr", bounds.min_insync_replicas, "min.insync.replicas")
      ->check(CLI::Range(1, 3))
      ->capture_default_str();
}

int Main(int argc, char** argv) {
  CLI::App app{"Walks through every state of three brokers, one partition and the controller."};
  ExploreOptions options;
  std::string planted;
  std::string invariant;
  Bounds& bounds = options.bounds;
  AddBounds(app, bounds);
  app.add_option("--order", options.order, "breadth: the shortest way to a violation; depth: any")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, Order>{{"breadth", Order::kBreadth}, {"depth", Order::kDepth}}))
      ->default_str("depth");
  app.add_flag("!--no-reductions", bounds.reductions, "tell all states apart (small_world.h)");
  app.add_option("--states-max", options.states_max, "stop after so many states, with exit code 2")
      ->capture_default_str();
  app.add_option("--threads", options.threads, "threads")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--planted", planted, "a bug that must be found (quipu-explore-planted)");
  app.add_option("--invariant", invariant, "the invariant that the planted bug must violate");
  try {
    app.parse(argc, argv);
    if (!planted.empty()) Plant(planted);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  const auto start = std::chrono::steady_clock::now();
  const ExploreResult result = Explore(options);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double cpu_seconds = static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
  std::printf(
      "%zu states, %zu transitions, %zu ends, depth %zu, %.1f s (%.1f s of CPU), %.0f "
      "transitions/s, %.1f MiB: %s\n",
      result.states, result.transitions, result.ends, result.depth, seconds, cpu_seconds,
      static_cast<double>(result.transitions) / seconds, PeakMemoryMib(),
      result.violation  ? "VIOLATION"
      : result.complete ? "complete, 0 violations"
                        : "not complete, 0 violations");
  if (result.violation) {
    std::printf("%s: %s\n", result.violation->id.c_str(), result.violation->what.c_str());
    if (options.order == Order::kDepth) {
      std::printf("a way to it, hardly the shortest (--order breadth finds that):\n");
    }
    PrintPath(options, result);
  }
  if (!planted.empty()) {
    const bool found = result.violation && (invariant.empty() || result.violation->id == invariant);
    return found ? 0 : 1;
  }
  if (result.violation) return 1;
  return result.complete ? 0 : 2;
}

}  // namespace
}  // namespace quipu::explore

int main(int argc, char** argv) { return quipu::explore::Main(argc, argv); }
