// The `quipu` program: admin, produce, consume, local clusters.
#include <cstdio>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "base/version.h"
#include "client/cli/cli.h"
#include "runtime/grpc/grpc_setup.h"

// Before the arguments are parsed only a mistake in the commands themselves can throw.
int main(int argc, char** argv) {  // NOLINT(bugprone-exception-escape)
  quipu::StopDeadlockSearch();
  CLI::App app{
      "Quipu: a partitioned, replicated log for ordered payment streams.\n"
      "Exit codes: 0 ok, 1 refused or failed, 2 wrong arguments, 3 no broker reachable,\n"
      "4 the cluster is not healthy, 130 and 143 ended by Ctrl-C and SIGTERM.",
      "quipu"};
  app.require_subcommand(1);
  app.set_version_flag("--version", absl::StrCat("quipu ", quipu::kVersion));
  app.footer(
      "Examples:\n"
      "  quipu cluster up -n 3 --dir /tmp/q\n"
      "  quipu topic create payments --partitions 6\n"
      "  echo 'acc-1:42' | quipu produce payments --key-separator :\n"
      "  quipu consume payments --from-beginning\n"
      "  quipu group describe billing --output json");
  quipu::cli::Common common;
  quipu::cli::AddTopicCommands(app, common);
  quipu::cli::AddPartitionCommands(app, common);
  quipu::cli::AddBrokerCommands(app, common);
  quipu::cli::AddLeaderCommands(app, common);
  quipu::cli::AddConfigCommands(app, common);
  quipu::cli::AddMetadataCommands(app, common);
  quipu::cli::AddProduceCommand(app, common);
  quipu::cli::AddConsumeCommand(app, common);
  quipu::cli::AddGroupCommands(app, common);
  quipu::cli::AddClusterCommands(app, common);
  quipu::cli::AddControllerCommands(app, common);
  quipu::cli::AddStorageCommands(app, common);
  quipu::cli::AddBenchCommands(app, common);
  quipu::cli::AddProfileCommands(app, common);
  quipu::cli::AddTopCommand(app, common);
  quipu::cli::AddDoctorCommand(app, common);
  quipu::cli::AddBundleCommand(app, common);
  quipu::cli::AddCompletionCommand(app, common);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? quipu::cli::kExitOk : quipu::cli::kExitUsage;
  }
  std::cout.flush();
  const bool told = std::fflush(stdout) == 0 && std::ferror(stdout) == 0 && std::cout.good();
  if (!told && common.exit_code == quipu::cli::kExitOk) {
    std::fputs("quipu: what it prints could not be written\n", stderr);
    common.exit_code = quipu::cli::kExitFailed;
  }
  return common.exit_code;
}
