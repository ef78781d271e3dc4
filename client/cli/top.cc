// `quipu top`: topics, partitions, producers and groups as they move.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>

#include "base/status_macros.h"
#include "client/cli/cli.h"
#include "client/cli/connect.h"
#include "client/cli/measure/terminal.h"
#include "client/cli/monitor/check.h"
#include "client/cli/monitor/screen.h"
#include "client/cli/records/interrupt.h"
#include "client/cli/records/time_text.h"
#include "client/monitor.h"

namespace quipu::cli {
namespace {

struct TopOptions {
  std::vector<std::string> checks;
  std::string topic;  // empty: all
  std::string group;  // empty: all
  int interval_ms = 2000;
  uint64_t batch = 0;  // 0: until interrupted, on a screen
  bool once = false;
  int64_t warn_lag = 1000;
  int64_t critical_lag = 10000;
  int rows = 20;
};

// Leaves only what was asked for; totals stay those of the cluster.
void Filter(const TopOptions& options, ClusterProgress& progress) {
  if (!options.topic.empty()) {
    std::erase_if(progress.partitions, [&options](const PartitionProgress& one) {
      return one.now.name.topic != options.topic;
    });
    std::erase_if(progress.topics,
                  [&options](const TopicProgress& one) { return one.name != options.topic; });
    std::erase_if(progress.producers, [&options](const ProducerProgress& one) {
      return std::none_of(
          one.partitions.begin(), one.partitions.end(),
          [&options](const NamedPartition& name) { return name.topic == options.topic; });
    });
  }
  if (!options.group.empty()) {
    std::erase_if(progress.groups,
                  [&options](const GroupProgress& one) { return one.id != options.group; });
  }
}

absl::StatusOr<std::vector<Check>> ParseChecks(const TopOptions& options) {
  std::vector<Check> checks;
  for (const std::string& text : options.checks) {
    const absl::StatusOr<Check> check = Check::Parse(text);
    if (!check.ok()) return WrongArguments(check.status().message());
    checks.push_back(*check);
  }
  return checks;
}

// Takes refreshes and shows them.
class Top {
 public:
  Top(Common& common, const TopOptions& options, std::vector<Check> checks, ClusterMonitor& monitor)
      : common_(common), options_(options), checks_(std::move(checks)), monitor_(monitor) {}

  absl::Status Run() {
    // The first sample only gives the rates of the next one something to be measured against.
    QUIPU_RETURN_IF_ERROR(monitor_.Poll().status());
    CatchInterrupts();
    const bool on_terminal = isatty(STDOUT_FILENO) != 0;
    coloured_ = on_terminal;
    if (on_terminal && options_.batch == 0 && !common_.json()) screen_.emplace();
    const absl::Status status = Refresh();
    screen_.reset();
    QUIPU_RETURN_IF_ERROR(status);
    common_.exit_code = violated_ ? kExitUnhealthy : InterruptExitCode();
    return absl::OkStatus();
  }

 private:
  absl::Status Refresh() {
    for (uint64_t count = 0; options_.batch == 0 || count < options_.batch; ++count) {
      QUIPU_ASSIGN_OR_RETURN(const bool go_on, Wait());
      if (!go_on) return absl::OkStatus();
      QUIPU_ASSIGN_OR_RETURN(progress_, monitor_.Poll());
      violations_.clear();
      for (const Check& check : checks_) {
        for (std::string& text : check.Violations(progress_)) {
          violations_.push_back(std::move(text));
        }
      }
      violated_ = violated_ || !violations_.empty();
      Filter(options_, progress_);
      known_ = true;
      QUIPU_RETURN_IF_ERROR(Show());
    }
    return absl::OkStatus();
  }

  // Until the next refresh; another size of the terminal shows the last one once more. False: it is
  // to end.
  absl::StatusOr<bool> Wait() {
    const std::chrono::milliseconds interval(options_.interval_ms);
    if (!screen_) return PauseUnlessInterrupted(interval);
    const auto end = std::chrono::steady_clock::now() + interval;
    while (true) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          end - std::chrono::steady_clock::now());
      switch (screen_->Wait(left)) {
        case FullScreen::Woken::kTime:
          return true;
        case FullScreen::Woken::kResized:
          if (known_) QUIPU_RETURN_IF_ERROR(Show());
          break;
        default:
          return false;
      }
    }
  }

  absl::Status Show() {
    if (common_.json()) {
      const Json json = ProgressJson(progress_, violations_, WallMs());
      std::printf("%s\n", json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
    } else {
      ScreenOptions drawing{.warn_lag = options_.warn_lag,
                            .critical_lag = options_.critical_lag,
                            .rows = static_cast<size_t>(options_.rows),
                            .coloured = coloured_};
      if (screen_) {
        drawing.columns = screen_->size().columns;
        drawing.lines = screen_->size().rows;
      }
      std::string text = DrawScreen(progress_, violations_, WallMs(), drawing);
      if (screen_) text.pop_back();  // the last line end would move the first line out
      std::printf("%s%s%s", screen_ ? "\x1b[H\x1b[2J" : "", text.c_str(), screen_ ? "" : "\n");
    }
    if (std::fflush(stdout) == 0) return absl::OkStatus();
    return ToStatus(ErrorCode::kStorageError, "standard output cannot be written any more");
  }

  Common& common_;
  const TopOptions& options_;
  const std::vector<Check> checks_;
  ClusterMonitor& monitor_;
  std::optional<FullScreen> screen_;
  bool coloured_ = false;
  ClusterProgress progress_;
  std::vector<std::string> violations_;
  bool known_ = false;     // there is something to be shown
  bool violated_ = false;  // in any refresh
};

absl::Status RunTop(Common& common, TopOptions& options) {
  QUIPU_ASSIGN_OR_RETURN(std::vector<Check> checks, ParseChecks(options));
  QUIPU_ASSIGN_OR_RETURN(const ConfigMap config, ConnectionConfig(common));
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<ClusterMonitor> monitor,
                         ClusterMonitor::Create(config));
  if (options.once) options.batch = 1;
  return Top(common, options, std::move(checks), *monitor).Run();
}

}  // namespace

void AddTopCommand(CLI::App& app, Common& common) {
  auto options = std::make_shared<TopOptions>();
  CLI::App* top =
      app.add_subcommand("top", "Topics, partitions, producers and groups as they move");
  CLI::Option* once = top->add_flag("--once", options->once, "One refresh, and end");
  top->add_option("--batch", options->batch, "So many refreshes one below the other, and end")
      ->check(CLI::PositiveNumber)
      ->excludes(once);
  top->add_option("--interval-ms", options->interval_ms, "Between two refreshes")
      ->check(CLI::Range(100, 3600000))
      ->capture_default_str();
  top->add_option(
      "--check", options->checks,
      "METRIC[@NAME] OP NUMBER, repeatable; exit code 4 when it does not hold. Of "
      "groups: lag, lag_seconds, consumed_per_second; of topics: records_per_second, "
      "produced_bytes_per_second, consumed_bytes_per_second; of the cluster: produce_p50_ms, "
      "produce_p99_ms, under_replicated, offline, fenced");
  top->add_option("--topic", options->topic, "Show this topic only");
  top->add_option("--group", options->group, "Show this group only");
  top->add_option("--warn-lag", options->warn_lag, "Yellow from this lag on")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  top->add_option("--critical-lag", options->critical_lag, "Red from this lag on")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  top->add_option("--rows", options->rows, "Rows of each table")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  AddConnectionOptions(*top, common);
  top->footer(
      "Rates and latencies are those of the last ten seconds. Bytes are those of batches as "
      "stored,\n"
      "without replication; the latency is a batch's from its arrival to its acknowledgement, as "
      "the\n"
      "brokers measure it. LAST-SECONDS is the age of a producer's newest batch by its own clock.\n"
      "LAG-SECONDS is the age of the record that the group consumes next, by when the log end "
      "went\n"
      "past it; > means older than this command. On a terminal q or Ctrl-C ends it.\n"
      "Examples:\n"
      "  quipu top\n"
      "  quipu top --once --check 'lag@billing<1000' --check offline==0\n"
      "  quipu top --batch 10 --interval-ms 1000 -o json");
  OnCall(*top, common, [&common, options] { return RunTop(common, *options); });
}

}  // namespace quipu::cli
