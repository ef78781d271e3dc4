// One refresh of `quipu top` as text or as JSON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "client/monitor/cluster_progress.h"

namespace quipu::cli {

struct ScreenOptions {
  int64_t warn_lag = 1000;       // yellow from there on
  int64_t critical_lag = 10000;  // red from there on
  size_t rows = 20;              // of each table
  bool coloured = false;
  // Of the terminal; 0: no limit. No line is wider and there are no more lines than that, whatever
  // the rest says.
  size_t columns = 0;
  size_t lines = 0;
};

// Topics, partitions, producers and groups as tables below a summary, the busiest or those in
// trouble first; each line ends with a line end. `violations`: of checks, as text. `now_ms`: this
// machine's clock, in milliseconds since 1970, for the age of what producers sent last.
std::string DrawScreen(const ClusterProgress& progress, const std::vector<std::string>& violations,
                       int64_t now_ms, const ScreenOptions& options);

// The same for programs: everything, no matter how much; null for what is not known.
nlohmann::ordered_json ProgressJson(const ClusterProgress& progress,
                                    const std::vector<std::string>& violations, int64_t now_ms);

}  // namespace quipu::cli
