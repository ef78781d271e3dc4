// `quipu doctor`: what a client is told, whether it works from here, and what is not as it should
// be.
#include <algorithm>
#include <cstdio>
#include <memory>

#include "base/status_macros.h"
#include "base/version.h"
#include "client/cli/cli.h"
#include "client/cli/connect.h"
#include "client/cli/doctor/report.h"

namespace quipu::cli {
namespace {

struct DoctorOptions {
  int64_t clock_difference_max_ms = ToMillis(DoctorLimits().clock_difference_max);
  int disk_free_percent_min = DoctorLimits().disk_free_percent_min;
};

absl::Status Doctor(Common& common, const DoctorOptions& options) {
  QUIPU_ASSIGN_OR_RETURN(const ConfigMap config, ConnectionConfig(common));
  DoctorLimits limits;
  limits.clock_difference_max = std::chrono::milliseconds(options.clock_difference_max_ms);
  limits.disk_free_percent_min = options.disk_free_percent_min;
  QUIPU_ASSIGN_OR_RETURN(const DoctorFacts facts, CollectDoctorFacts(config));
  const std::vector<Finding> findings = Judge(facts, limits, kVersion);
  const bool anybody =
      std::any_of(facts.bootstrap.begin(), facts.bootstrap.end(),
                  [](const auto& bootstrap) { return bootstrap.answer.reached(); });
  if (!anybody) {
    common.exit_code = kExitNotConnected;
  } else if (!FailedChecks(findings).empty()) {
    common.exit_code = kExitFailed;
  }
  if (common.json()) {
    PrintJson(DoctorJson(facts, findings, kVersion));
  } else {
    std::fputs(DoctorText(findings).c_str(), stdout);
  }
  return absl::OkStatus();
}

}  // namespace

void AddDoctorCommand(CLI::App& app, Common& common) {
  auto options = std::make_shared<DoctorOptions>();
  CLI::App* doctor = app.add_subcommand(
      "doctor", "What clients are told, whether it works from here, and what to mend");
  doctor
      ->add_option("--clock-difference-max", options->clock_difference_max_ms,
                   "Milliseconds by which a node's clock may differ from this machine's")
      ->check(CLI::Range(int64_t{0}, int64_t{3600000}))
      ->capture_default_str();
  doctor
      ->add_option("--disk-free-min", options->disk_free_percent_min,
                   "Percent of a node's disk below which it is warned of")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  AddConnectionOptions(*doctor, common);
  doctor->footer(
      "Run it where clients run: it tells what they are told, and tries it.\n"
      "Exit codes: 0 nothing fails, 1 something does (the last line says what), 3 no bootstrap\n"
      "address answers.\n"
      "Examples:\n"
      "  quipu doctor -b broker1:9092,broker2:9092\n"
      "  quipu doctor -o json");
  OnCall(*doctor, common, [&common, options] { return Doctor(common, *options); });
}

}  // namespace quipu::cli
