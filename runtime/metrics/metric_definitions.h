// Where the table of metrics comes from.
#pragma once

#include <vector>

#include "runtime/metrics/metric_table.h"

namespace quipu {

// All metrics in the order of the document; those of one owner stand together. See MetricTable.
std::vector<MetricDefinition> DefineMetrics();

}  // namespace quipu
