// The floors that Quipu's figures are compared with: what a disk and the loopback give to a program
// that does nothing else.
//
//   quipu-bench-floor journal FILE --batch-size 16384 --queued 16     one directory
//   quipu-bench-floor chain [--dir DIR] --batch-size 16384            client, leader, two followers
//
// Prints JSON.
#include <chrono>
#include <cstring>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "CLI/CLI.hpp"
#include "tests/bench/floor/chain.h"
#include "tests/bench/floor/positions.h"
#include "tests/bench/floor/raw_journal.h"

namespace quipu::floor {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

struct JournalOptions {
  std::string file;
  size_t batch_bytes = 16384;
  size_t queued = 16;
  double seconds = 2;
  size_t file_bytes = size_t{256} << 20;
};

double Since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// `queued` batches are always waiting: what is acknowledged is at once followed by as much.
void RunJournal(const JournalOptions& options) {
  RawJournal journal(options.file, options.file_bytes);
  const std::string batches(options.batch_bytes * options.queued, 'b');
  const size_t group_bytes = BlocksOf(batches.size());
  char* const group = AlignedMemory(group_bytes);
  const double cpu_before = CpuSeconds();
  const Clock::time_point start = Clock::now();
  uint64_t groups = 0;
  for (; Since(start) < options.seconds; ++groups) {
    for (size_t i = 0; i < options.queued; ++i) {
      const size_t at = i * options.batch_bytes;
      std::memcpy(group + at, batches.data() + at, options.batch_bytes);
    }
    journal.Append(group, group_bytes);
  }
  const double seconds = Since(start);
  const double bytes = static_cast<double>(groups * batches.size());
  std::cout << Json{{"mb_per_second", bytes / seconds / 1e6},
                    {"group_bytes", group_bytes},
                    {"syncs_per_second", static_cast<double>(journal.syncs()) / seconds},
                    {"cpu_seconds_per_gib",
                     (CpuSeconds() - cpu_before) / (bytes / static_cast<double>(1 << 30))}}
                   .dump(2)
            << "\n";
}

double Millis(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

void Report(const ChainOptions& options, const ChainResult& result) {
  const double gib = static_cast<double>(result.all_bytes) / static_cast<double>(1 << 30);
  const double batches_per_second = static_cast<double>(result.batches) / result.seconds;
  Json json{{"batches_per_second", batches_per_second},
            {"mb_per_second", batches_per_second * static_cast<double>(options.batch_bytes) / 1e6},
            {"client_cpu_seconds_per_gib", result.client_cpu_seconds / gib}};
  double cpu = result.client_cpu_seconds;
  Json nodes = Json::array();
  for (const NodeUse& node : result.nodes) {
    cpu += node.cpu_seconds;
    nodes.push_back({{"cpu_seconds_per_gib", node.cpu_seconds / gib},
                     {"rss_kib", node.rss_kib},
                     {"syncs_per_second", static_cast<double>(node.syncs) / result.all_seconds},
                     {"bytes_written", node.bytes_written}});
  }
  json["cpu_seconds_per_gib"] = cpu / gib;
  if (options.rate > 0) {
    json["latencies"] = result.latencies.count();
    for (const auto& [name, quantile] :
         {std::pair{"p50_ms", 0.5}, {"p99_ms", 0.99}, {"p99_9_ms", 0.999}, {"p99_99_ms", 0.9999}}) {
      json[name] = Millis(result.latencies.Quantile(quantile));
    }
  }
  json["nodes"] = nodes;
  std::cout << json.dump(2) << "\n";
}

int Main(int argc, char** argv) {
  CLI::App app("The floors of Quipu's figures");
  app.require_subcommand(1);
  JournalOptions journal;
  CLI::App* const one = app.add_subcommand("journal", "Durable appends to one file");
  one->add_option("file", journal.file)->required();
  one->add_option("--batch-size", journal.batch_bytes)->check(CLI::PositiveNumber);
  one->add_option("--queued", journal.queued)->check(CLI::PositiveNumber);
  one->add_option("--seconds", journal.seconds)->check(CLI::PositiveNumber);
  one->add_option("--file-bytes", journal.file_bytes)->check(CLI::PositiveNumber);
  ChainOptions options;
  options.batch_bytes = 16384;
  options.in_flight = 120;
  CLI::App* const chain = app.add_subcommand("chain", "Three copies over the loopback");
  chain->add_option("--dir", options.folder, "Of the journals; without it nothing is stored");
  chain->add_option("--batch-size", options.batch_bytes)->check(CLI::Range(1, 1 << 20));
  chain->add_option("--record-size", options.record_bytes, "Copied together by the client");
  chain->add_option("--in-flight", options.in_flight, "Batches")->check(CLI::PositiveNumber);
  chain->add_option("--rate", options.rate, "Batches per second; 0: as many as go");
  chain->add_option("--warm-up", options.warm_up_seconds)->check(CLI::NonNegativeNumber);
  chain->add_option("--seconds", options.seconds)->check(CLI::PositiveNumber);
  chain->add_option("--file-bytes", options.journal_bytes)->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  if (one->parsed()) RunJournal(journal);
  if (chain->parsed()) Report(options, RunChain(options));
  return 0;
}

}  // namespace
}  // namespace quipu::floor

int main(int argc, char** argv) { return quipu::floor::Main(argc, argv); }
