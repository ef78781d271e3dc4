#include "runtime/metrics/node_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/error_code.h"

namespace quipu {
namespace {

double WallSeconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Initialised while the program starts.
const double kStartSeconds = WallSeconds();

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

void AddProcess(MetricSet& out) {
  out.Set("quipu_start_time_seconds", kStartSeconds);
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    out.Set("quipu_cpu_seconds_total", Seconds(usage.ru_utime) + Seconds(usage.ru_stime));
  }
  std::ifstream statm("/proc/self/statm");
  int64_t pages = 0;
  int64_t resident = 0;
  if (statm >> pages >> resident) {
    out.Set("quipu_resident_memory_bytes", static_cast<double>(resident * sysconf(_SC_PAGESIZE)));
  }
  std::error_code error;
  const std::filesystem::directory_iterator files("/proc/self/fd", error);
  if (!error) {
    out.Set("quipu_open_files", static_cast<double>(std::distance(
                                    begin(files), std::filesystem::directory_iterator())));
  }
}

}  // namespace

void AddNodeMetrics(const NodeMetrics& node, MetricSet& out) {
  out.Family("quipu_node_info").Add({node.role, node.node_id, node.cluster_id}, 1);
  AddProcess(out);
  out.Family("quipu_unsafe_setting")
      .Add({"quipu.unsafe.plaintext.network"}, node.unsafe_plaintext_network ? 1 : 0);
  if (node.disk_free_bytes >= 0) {
    out.Set("quipu_disk_free_bytes", static_cast<double>(node.disk_free_bytes));
  }
  if (node.wal_files >= 0) {
    out.Set("quipu_wal_files", static_cast<double>(node.wal_files));
    out.Set("quipu_wal_file_bytes", static_cast<double>(node.wal_file_bytes));
  }
  for (const auto& [key, count] : node.refusals) {
    const absl::string_view reason = ErrorName(key.second);
    out.Family("quipu_refused_total")
        .Add({key.first, std::string(reason)}, static_cast<double>(count));
  }
  for (const auto& [name, items] : node.queues) {
    out.Family("quipu_queue_depth").Add({name}, static_cast<double>(items));
  }
  out.Set("quipu_scrape_incomplete", static_cast<double>(node.incomplete));
  out.Set("quipu_scrape_seconds", std::chrono::duration<double>(node.gathered_in).count());
  for (const auto& [kind, items] : node.left_out) {
    out.Family("quipu_metrics_left_out").Add({kind}, static_cast<double>(items));
  }
}

}  // namespace quipu
