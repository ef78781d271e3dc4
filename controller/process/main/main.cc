// quipu-controller: one voter of the metadata quorum.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/config/config_doc.h"
#include "base/logging.h"
#include "controller/process/controller_process.h"
#include "controller/process/controller_settings.h"
#include "runtime/grpc/grpc_setup.h"
#include "runtime/process.h"
#include "runtime/program_config.h"
#include "runtime/service/supervision.h"

namespace quipu {
namespace {

int Finish(ExitCode code) { return static_cast<int>(code); }

int Run(int argc, char** argv) {
  CLI::App app("Quipu controller: keeps the cluster metadata. See docs/operations.md.",
               "quipu-controller");
  std::string config;
  std::vector<std::string> assignments;
  bool check_config = false;
  bool describe_config = false;
  app.add_option("--config", config, "Properties file, key=value a line");
  app.add_option("--set", assignments, "key=value, wins over environment and file; may be repeated")
      ->allow_extra_args(false);
  app.add_flag("--check-config", check_config,
               "Prints the configuration in force or what is wrong, ends");
  app.add_flag("--describe-config", describe_config, "Prints all configuration keys, ends");
  app.footer(
      "Exit codes: 0 stopped as asked, 1 failed at run time, 2 usage or configuration, "
      "3 data directory refused.");
  SetLogNode("controller");  // its id stands in the data directory
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? Finish(ExitCode::kOk) : Finish(ExitCode::kUsage);
  }
  if (describe_config) {
    std::fputs(DescribeConfigKeys(ControllerConfigTable()).c_str(), stdout);
    return Finish(ExitCode::kOk);
  }
  absl::StatusOr<ControllerSettings> settings =
      LoadControllerSettings(config, assignments, ProcessEnvironment());
  if (!settings.ok()) {
    LogError("config.refused", {{"error", std::string(settings.status().message())}});
    return Finish(ExitCode::kUsage);
  }
  SetLogOptions(settings->log);
  LogConfigWarnings(settings->warnings);
  if (check_config) {
    PrintConfig(settings->effective);
    return Finish(ExitCode::kOk);
  }
  BlockTerminationSignals();
  RouteLibraryLogs();
  StopDeadlockSearch();
  ControllerProcess process(*std::move(settings));
  ExitCode exit_code = ExitCode::kOk;
  const absl::Status started = process.Start(exit_code);
  if (!started.ok()) {
    LogError("controller.refused", {{"error", std::string(started.message())}});
    return Finish(exit_code);
  }
  TellReady();
  const std::string signal = AwaitTerminationFeedingWatchdog(process.watched());
  TellStopping();
  LogInfo("controller.signal", {{"signal", signal}});
  process.Stop();
  LogInfo("controller.stopped", {});
  LogSuppressedLines(true);
  return Finish(ExitCode::kOk);
}

}  // namespace
}  // namespace quipu

int main(int argc, char** argv) { return quipu::Run(argc, argv); }
