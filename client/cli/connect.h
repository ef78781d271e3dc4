// From the command line's options to the SDK's objects.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "client/admin.h"
#include "client/cli/cli.h"

namespace quipu::cli {

// The settings that every client of the command line starts from.
inline ConfigMap ConnectionConfig(const Common& common) {
  return {{"bootstrap.servers", common.bootstrap_servers},
          {"default.api.timeout.ms", std::to_string(common.timeout_ms)}};
}
inline absl::StatusOr<std::unique_ptr<Admin>> ConnectAdmin(const Common& common) {
  return Admin::Create(ConnectionConfig(common));
}

// Runs `run` when the verb is called; its error goes to standard error and into the exit code.
inline void OnCall(CLI::App& verb, Common& common, std::function<absl::Status()> run) {
  verb.callback([&common, run = std::move(run)] {
    const absl::Status status = run();
    if (!status.ok()) common.exit_code = Fail(status);
  });
}

}  // namespace quipu::cli
