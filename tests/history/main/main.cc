// quipu-history-check: reads a history of sends and polls as lines of JSON and names its anomalies.
//
//   quipu-history-check FILE          exit 0: clean, 1: anomalies, 2: the file cannot be read
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <set>
#include <string>
#include <vector>

#include "tests/history/anomalies.h"
#include "tests/history/history_json.h"

int main(int argc, char** argv) {
  using namespace quipu::history;  // NOLINT: this file only
  CLI::App app{"Finds anomalies in a history of sends and polls", "quipu-history-check"};
  std::string path;
  bool incomplete = false;
  std::vector<std::string> allow;
  app.add_option("file", path, "Lines of JSON; - is the standard input")->required();
  app.add_flag("--incomplete", incomplete, "Readers may not have reached the end: no 'unseen'");
  app.add_option("--allow", allow, "An anomaly that is printed and does not count");
  CLI11_PARSE(app, argc, argv);

  std::ifstream file;
  if (path != "-") {
    file.open(path);
    if (!file) {
      std::fprintf(stderr, "quipu-history-check: cannot open %s\n", path.c_str());
      return 2;
    }
  }
  ReadResult read = ReadJsonLines(path == "-" ? std::cin : file);
  if (!read.error.empty()) {
    std::fprintf(stderr, "quipu-history-check: %s: %s\n", path.c_str(), read.error.c_str());
    return 2;
  }
  const Report report = FindAnomalies(std::move(read.events), {.complete = !incomplete});
  std::printf("sends=%zu acknowledged=%zu failed=%zu unknown=%zu polls=%zu records_read=%zu\n",
              report.sends, report.acknowledged, report.failed, report.unknown, report.polls,
              report.records_read);
  const std::set<std::string> allowed(allow.begin(), allow.end());
  bool clean = true;
  for (const Anomaly& anomaly : report.anomalies) {
    const bool counts = !allowed.contains(anomaly.name);
    clean = clean && !counts;
    std::printf("%s%s (%zu): %s\n", anomaly.name.c_str(), counts ? "" : " [allowed]", anomaly.count,
                anomaly.what.c_str());
  }
  std::printf("%s\n", clean ? "clean" : "ANOMALIES");
  return clean ? 0 : 1;
}
