// `quipu top`: partitions and groups as they move.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "client/cli/cli.h"
#include "client/cli/connect.h"
#include "client/cli/monitor/check.h"
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

enum class Colour { kNone, kYellow, kRed };

// A cell of a table, coloured on a terminal only.
struct Cell {
  std::string text;
  Colour colour = Colour::kNone;
};
using Row = std::vector<Cell>;

template <typename T>
Json OrNull(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json PartitionJson(const PartitionProgress& partition) {
  const ClusterSample::Partition& now = partition.now;
  Json json{
      {"topic", now.name.topic},      {"partition", now.name.partition.value()},
      {"leader", now.leader.value()}, {"replicas", now.replicas},
      {"in_sync", now.in_sync},       {"log_start", nullptr},
      {"log_end", nullptr},           {"records_per_second", OrNull(partition.records_per_second)}};
  if (now.log_end_offset != kNoOffset) {
    json["log_start"] = now.log_start_offset.value();
    json["log_end"] = now.log_end_offset.value();
  }
  return json;
}

Json GroupJson(const GroupProgress& group) {
  Json partitions = Json::array();
  for (const LagProgress& lag : group.partitions) {
    partitions.push_back(Json{{"topic", lag.name.topic},
                              {"partition", lag.name.partition.value()},
                              {"committed", lag.committed.value()},
                              {"lag", OrNull(lag.lag)},
                              {"consumed_per_second", OrNull(lag.consumed_per_second)},
                              {"lag_seconds", OrNull(lag.lag_seconds)},
                              {"lag_seconds_or_more", lag.lag_seconds_or_more}});
  }
  return Json{{"group", group.id},
              {"state", group.state},
              {"members", group.members},
              {"lag", OrNull(group.lag)},
              {"consumed_per_second", OrNull(group.consumed_per_second)},
              {"lag_seconds", OrNull(group.lag_seconds)},
              {"lag_seconds_or_more", group.lag_seconds_or_more},
              {"partitions", partitions}};
}

Json ProgressJson(const ClusterProgress& progress, const std::vector<std::string>& violations) {
  Json partitions = Json::array();
  for (const PartitionProgress& one : progress.partitions) partitions.push_back(PartitionJson(one));
  Json groups = Json::array();
  for (const GroupProgress& one : progress.groups) groups.push_back(GroupJson(one));
  const int64_t now = std::chrono::duration_cast<std::chrono::milliseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  return Json{{"time", TimeText(now)},
              {"brokers", progress.brokers},
              {"fenced", progress.fenced_brokers},
              {"offline", progress.offline_partitions},
              {"under_replicated", progress.under_replicated_partitions},
              {"records_per_second", OrNull(progress.records_per_second)},
              {"partitions", partitions},
              {"groups", groups},
              {"missing", progress.missing},
              {"violations", violations}};
}

std::string RateText(const std::optional<double>& rate) {
  return rate ? absl::StrFormat("%.1f", *rate) : "-";
}

std::string SecondsText(const std::optional<double>& seconds, bool or_more) {
  if (!seconds) return "-";
  return absl::StrFormat("%s%.1f", or_more ? ">" : "", *seconds);
}

// Draws one refresh as text.
class Screen {
 public:
  Screen(const TopOptions& options, bool coloured) : options_(options), coloured_(coloured) {}

  [[nodiscard]] std::string Draw(const ClusterProgress& progress,
                                 const std::vector<std::string>& violations) const {
    std::string out = absl::StrFormat(
        "%d brokers, %d fenced   partitions: %d, %d offline, %d "
        "under-replicated   %s records/s\n",
        progress.brokers, progress.fenced_brokers, progress.partitions.size(),
        progress.offline_partitions, progress.under_replicated_partitions,
        RateText(progress.records_per_second));
    for (const std::string& text : violations) {
      absl::StrAppend(&out, Paint({.text = text, .colour = Colour::kRed}), "\n");
    }
    for (const std::string& text : progress.missing) {
      absl::StrAppend(&out, Paint({.text = "not known: " + text, .colour = Colour::kYellow}), "\n");
    }
    absl::StrAppend(&out, "\n", Partitions(progress), "\n", Groups(progress));
    return out;
  }

 private:
  [[nodiscard]] std::string Paint(const Cell& cell) const {
    if (!coloured_ || cell.colour == Colour::kNone) return cell.text;
    return absl::StrCat(cell.colour == Colour::kRed ? "\x1b[31m" : "\x1b[33m", cell.text,
                        "\x1b[0m");
  }

  [[nodiscard]] std::string Table(const Row& header, const std::vector<Row>& rows) const {
    std::vector<size_t> widths;
    for (const Cell& cell : header) widths.push_back(cell.text.size());
    for (const Row& row : rows) {
      for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].text.size());
    }
    std::string out;
    const auto add = [&](const Row& row) {
      for (size_t i = 0; i < row.size(); ++i) {
        absl::StrAppend(&out, Paint(row[i]));
        if (i + 1 < row.size()) out.append(widths[i] - row[i].text.size() + 2, ' ');
      }
      out += '\n';
    };
    add(header);
    const size_t shown = std::min(rows.size(), static_cast<size_t>(options_.rows));
    for (size_t i = 0; i < shown; ++i) add(rows[i]);
    if (shown < rows.size()) absl::StrAppend(&out, "... ", rows.size() - shown, " more (--rows)\n");
    return out;
  }

  // The busiest first; those in trouble before all others.
  [[nodiscard]] std::string Partitions(const ClusterProgress& progress) const {
    std::vector<const PartitionProgress*> order;
    for (const PartitionProgress& one : progress.partitions) order.push_back(&one);
    std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
      const auto rank = [](const PartitionProgress& one) {
        return one.now.in_sync < one.now.replicas ? 1e18 : one.records_per_second.value_or(-1);
      };
      return rank(*a) > rank(*b);
    });
    std::vector<Row> rows;
    for (const PartitionProgress* one : order) {
      const ClusterSample::Partition& now = one->now;
      const bool led = now.leader != kNoBroker;
      const bool full = now.in_sync == now.replicas;
      rows.push_back(
          {{now.name.topic},
           {absl::StrCat(now.name.partition.value())},
           {led ? absl::StrCat(now.leader.value()) : "none", led ? Colour::kNone : Colour::kRed},
           {absl::StrCat(now.in_sync, "/", now.replicas), full ? Colour::kNone : Colour::kYellow},
           {now.log_end_offset == kNoOffset ? "-" : now.log_end_offset.ToString()},
           {RateText(one->records_per_second)}});
    }
    return Table({{"TOPIC"}, {"PARTITION"}, {"LEADER"}, {"IN-SYNC"}, {"LOG-END"}, {"RECORDS/S"}},
                 rows);
  }

  // The largest lag first.
  [[nodiscard]] std::string Groups(const ClusterProgress& progress) const {
    std::vector<const GroupProgress*> order;
    for (const GroupProgress& one : progress.groups) order.push_back(&one);
    std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
      return a->lag.value_or(-1) > b->lag.value_or(-1);
    });
    std::vector<Row> rows;
    for (const GroupProgress* one : order) {
      const int64_t lag = one->lag.value_or(0);
      const Colour colour = lag >= options_.critical_lag ? Colour::kRed
                            : lag >= options_.warn_lag   ? Colour::kYellow
                                                         : Colour::kNone;
      rows.push_back({{one->id},
                      {one->state},
                      {absl::StrCat(one->members)},
                      {one->lag ? absl::StrCat(*one->lag) : "-", colour},
                      {SecondsText(one->lag_seconds, one->lag_seconds_or_more), colour},
                      {RateText(one->consumed_per_second)}});
    }
    return Table({{"GROUP"}, {"STATE"}, {"MEMBERS"}, {"LAG"}, {"LAG-SECONDS"}, {"RECORDS/S"}},
                 rows);
  }

  const TopOptions& options_;
  const bool coloured_;
};

// Leaves only what was asked for; totals stay those of the cluster.
void Filter(const TopOptions& options, ClusterProgress& progress) {
  if (!options.topic.empty()) {
    std::erase_if(progress.partitions, [&options](const PartitionProgress& one) {
      return one.now.name.topic != options.topic;
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

void PauseUntilNext(int interval_ms) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(interval_ms);
  while (InterruptSignal() == 0 && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

absl::Status Top(Common& common, TopOptions& options) {
  QUIPU_ASSIGN_OR_RETURN(const std::vector<Check> checks, ParseChecks(options));
  QUIPU_ASSIGN_OR_RETURN(const ConfigMap config, ConnectionConfig(common));
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<ClusterMonitor> monitor,
                         ClusterMonitor::Create(config));
  if (options.once) options.batch = 1;
  const bool on_terminal = isatty(STDOUT_FILENO) != 0;
  const bool redraw = on_terminal && options.batch == 0 && !common.json();
  const Screen screen(options, on_terminal);
  // The first sample only gives the rates of the next one something to be measured against.
  QUIPU_RETURN_IF_ERROR(monitor->Poll().status());
  CatchInterrupts();
  bool violated = false;
  for (uint64_t count = 0; options.batch == 0 || count < options.batch; ++count) {
    PauseUntilNext(options.interval_ms);
    if (InterruptSignal() != 0) break;
    QUIPU_ASSIGN_OR_RETURN(ClusterProgress progress, monitor->Poll());
    std::vector<std::string> violations;
    for (const Check& check : checks) {
      for (std::string& text : check.Violations(progress)) violations.push_back(std::move(text));
    }
    violated = violated || !violations.empty();
    Filter(options, progress);
    if (common.json()) {
      const Json json = ProgressJson(progress, violations);
      std::printf("%s\n", json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
    } else {
      std::printf("%s%s%s", redraw ? "\x1b[H\x1b[2J" : "",
                  screen.Draw(progress, violations).c_str(), redraw ? "" : "\n");
    }
    if (std::fflush(stdout) != 0) {
      return ToStatus(ErrorCode::kStorageError, "standard output cannot be written any more");
    }
  }
  common.exit_code = violated ? kExitUnhealthy : InterruptExitCode();
  return absl::OkStatus();
}

}  // namespace

void AddTopCommand(CLI::App& app, Common& common) {
  auto options = std::make_shared<TopOptions>();
  CLI::App* top = app.add_subcommand("top", "Partitions and groups as they move");
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
      "groups: lag, lag_seconds, consumed_per_second; of topics: records_per_second; of "
      "the cluster: under_replicated, offline, fenced");
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
      "Rates are those of the last ten seconds. LAG-SECONDS is the age of the record that the "
      "group\n"
      "consumes next, by when the log end went past it; > means older than this command.\n"
      "Examples:\n"
      "  quipu top\n"
      "  quipu top --once --check 'lag@billing<1000' --check offline==0\n"
      "  quipu top --batch 10 --interval-ms 1000 -o json");
  OnCall(*top, common, [&common, options] { return Top(common, *options); });
}

}  // namespace quipu::cli
