#include "client/cli/monitor/check.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/error_code.h"

namespace quipu::cli {
namespace {

constexpr std::array<absl::string_view, 3> kOfGroups = {"lag", "lag_seconds",
                                                        "consumed_per_second"};
constexpr std::array<absl::string_view, 3> kOfTopics = {
    "records_per_second", "produced_bytes_per_second", "consumed_bytes_per_second"};
constexpr std::array<absl::string_view, 5> kOfCluster = {"produce_p50_ms", "produce_p99_ms",
                                                         "under_replicated", "offline", "fenced"};

template <typename Names>
bool IsOneOf(const Names& names, absl::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

absl::Status BadCheck(absl::string_view text, absl::string_view what) {
  return ToStatus(ErrorCode::kInvalidConfig, absl::StrCat("check '", text, "': ", what));
}

std::optional<double> ValueOf(const GroupProgress& group, absl::string_view metric) {
  if (metric == "lag_seconds") return group.lag_seconds;
  if (metric == "consumed_per_second") return group.consumed_per_second;
  if (!group.lag) return std::nullopt;
  return static_cast<double>(*group.lag);
}

// One of kOfTopics, of a topic or of all.
template <typename Progress>
std::optional<double> RateOf(const Progress& progress, absl::string_view metric) {
  if (metric == "produced_bytes_per_second") return progress.produced_bytes_per_second;
  if (metric == "consumed_bytes_per_second") return progress.consumed_bytes_per_second;
  return progress.records_per_second;
}

}  // namespace

absl::StatusOr<Check> Check::Parse(absl::string_view text) {
  const size_t op_at = text.find_first_of("<>=!");
  if (op_at == absl::string_view::npos) {
    return BadCheck(text, "expected METRIC[@NAME] OP NUMBER, such as lag<1000");
  }
  Check check;
  check.text_ = std::string(text);
  const bool two = op_at + 1 < text.size() && text[op_at + 1] == '=';
  check.op_ = std::string(text.substr(op_at, two ? 2 : 1));
  if (check.op_ == "=" || check.op_ == "!") {
    return BadCheck(text, "the comparison is one of < <= > >= == !=");
  }
  absl::string_view metric = absl::StripAsciiWhitespace(text.substr(0, op_at));
  const size_t name_at = metric.find('@');
  if (name_at != absl::string_view::npos) {
    check.name_ = std::string(absl::StripAsciiWhitespace(metric.substr(name_at + 1)));
    metric = absl::StripAsciiWhitespace(metric.substr(0, name_at));
    if (check.name_.empty()) return BadCheck(text, "a name was expected behind @");
  }
  check.metric_ = std::string(metric);
  const bool named = IsOneOf(kOfGroups, metric) || IsOneOf(kOfTopics, metric);
  if (!named && !IsOneOf(kOfCluster, metric)) {
    return BadCheck(
        text, absl::StrCat("the metric is one of ", absl::StrJoin(kOfGroups, ", "), ", ",
                           absl::StrJoin(kOfTopics, ", "), ", ", absl::StrJoin(kOfCluster, ", ")));
  }
  if (!named && !check.name_.empty()) {
    return BadCheck(text, absl::StrCat(metric, " is of the whole cluster and takes no name"));
  }
  if (!absl::SimpleAtod(absl::StripAsciiWhitespace(text.substr(op_at + check.op_.size())),
                        &check.number_)) {
    return BadCheck(text, "a number was expected at the end");
  }
  return check;
}

bool Check::Holds(double value) const {
  if (op_ == "<") return value < number_;
  if (op_ == "<=") return value <= number_;
  if (op_ == ">") return value > number_;
  if (op_ == ">=") return value >= number_;
  return (value == number_) == (op_ == "==");
}

void Check::Judge(absl::string_view what, const std::optional<double>& value,
                  std::vector<std::string>& violations) const {
  if (value && Holds(*value)) return;
  violations.push_back(absl::StrCat(text_, ": ", what, " is ",
                                    value ? absl::StrCat(*value) : std::string("not known")));
}

void Check::JudgeGroups(const ClusterProgress& progress,
                        std::vector<std::string>& violations) const {
  bool found = name_.empty();
  for (const GroupProgress& group : progress.groups) {
    if (!name_.empty() ? group.id != name_ : group.partitions.empty()) continue;
    found = true;
    // Of a sum with parts that are not known nothing is known.
    const bool whole = std::all_of(group.partitions.begin(), group.partitions.end(),
                                   [](const LagProgress& lag) { return lag.lag.has_value(); });
    Judge(absl::StrCat(metric_, " of group ", group.id),
          whole ? ValueOf(group, metric_) : std::nullopt, violations);
  }
  for (const std::string& missing : progress.missing) {
    violations.push_back(
        absl::StrCat(text_, ": not known, since not everything answered: ", missing));
  }
  if (!found) violations.push_back(absl::StrCat(text_, ": there is no group ", name_));
}

std::optional<double> Check::ClusterValue(const ClusterProgress& progress) const {
  if (metric_ == "under_replicated") return progress.under_replicated_partitions;
  if (metric_ == "offline") return progress.offline_partitions;
  if (metric_ == "fenced") return progress.fenced_brokers;
  if (metric_ == "produce_p50_ms") return progress.produce_p50_ms;
  if (metric_ == "produce_p99_ms") return progress.produce_p99_ms;
  if (name_.empty()) return RateOf(progress, metric_);
  for (const TopicProgress& topic : progress.topics) {
    if (topic.name == name_) return RateOf(topic, metric_);
  }
  return std::nullopt;
}

std::vector<std::string> Check::Violations(const ClusterProgress& progress) const {
  std::vector<std::string> violations;
  if (IsOneOf(kOfGroups, metric_)) {
    JudgeGroups(progress, violations);
  } else {
    Judge(name_.empty() ? metric_ : absl::StrCat(metric_, " of topic ", name_),
          ClusterValue(progress), violations);
  }
  return violations;
}

}  // namespace quipu::cli
