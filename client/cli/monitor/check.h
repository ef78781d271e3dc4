// Conditions that `quipu top --check` tests.
//
//   check  = metric [ "@" name ] op number
//   op     = "<" | "<=" | ">" | ">=" | "==" | "!="
//   metric = lag | lag_seconds | consumed_per_second    of the group @name, else of every group
//                                                       that has committed
//          | records_per_second                         of the topic @name, else of all together;
//          | produced_bytes_per_second                  bytes as stored
//          | consumed_bytes_per_second
//          | produce_p50_ms | produce_p99_ms            of the cluster: a batch's time at its
//          leader | under_replicated | offline | fenced
//
// Blanks around the parts are allowed: lag@billing < 1000
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/monitor/cluster_progress.h"

namespace quipu::cli {

// One condition. Immutable.
class Check {
 public:
  // kInvalidConfig says what was expected.
  static absl::StatusOr<Check> Parse(absl::string_view text);

  // What does not hold, each with the value found; empty: it holds. What is not known does not
  // hold: a group or topic that is not there, a rate after one sample, a latency when nothing was
  // acknowledged.
  [[nodiscard]] std::vector<std::string> Violations(const ClusterProgress& progress) const;
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  Check() = default;
  [[nodiscard]] bool Holds(double value) const;
  void Judge(absl::string_view what, const std::optional<double>& value,
             std::vector<std::string>& violations) const;
  void JudgeGroups(const ClusterProgress& progress, std::vector<std::string>& violations) const;
  [[nodiscard]] std::optional<double> ClusterValue(const ClusterProgress& progress) const;

  std::string text_;
  std::string metric_;
  std::string name_;  // empty: not given
  std::string op_;
  double number_ = 0;
};

}  // namespace quipu::cli
