// The noun `quipu bench`.
#include "client/cli/bench/bench.h"

namespace quipu::cli {

void AddBenchCommands(CLI::App& app, Common& common) {
  CLI::App* bench = app.add_subcommand("bench", "Measure throughput and latency");
  bench->require_subcommand(1);
  AddBenchProduce(*bench, common);
  AddBenchConsume(*bench, common);
  AddBenchEndToEnd(*bench, common);
}

}  // namespace quipu::cli
