// From the command line's options to the SDK's objects.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/config/config_tables.h"
#include "base/status_macros.h"
#include "client/admin.h"
#include "client/cli/cli.h"
#include "client/client_config.h"

namespace quipu::cli {

// What a client starts from: its servers, and those settings of the profile that are among `keys`.
// The servers are the first of: --bootstrap-server, --profile, QUIPU_BOOTSTRAP_SERVERS (or, older,
// QUIPU_BOOTSTRAP_SERVER), the profile in use, 127.0.0.1:9092. Settings come from --profile, or
// from the profile in use when it gives the servers too. A wrong variable or profile is a wrong
// argument.
absl::StatusOr<ConfigMap> ClientConfig(const Common& common, ConfigTable keys);

// The servers alone.
absl::StatusOr<std::string> BootstrapServers(const Common& common);

// ClientConfig with --timeout as default.api.timeout.ms, for consumers and administration.
absl::StatusOr<ConfigMap> ConnectionConfig(const Common& common,
                                           ConfigTable keys = AdminConfigTable());

// An Admin that a broker has answered, so that a change which nobody could be asked for is not
// mistaken for one with an unknown outcome. kNotConnected names every server tried.
inline absl::StatusOr<std::unique_ptr<Admin>> ConnectAdmin(const Common& common) {
  QUIPU_ASSIGN_OR_RETURN(const ConfigMap config, ConnectionConfig(common));
  QUIPU_ASSIGN_OR_RETURN(std::unique_ptr<Admin> admin, Admin::Create(config));
  QUIPU_RETURN_IF_ERROR(admin->DescribeCluster().status());
  return admin;
}

// Runs `run` when the verb is called; its error goes to standard error and into the exit code.
inline void OnCall(CLI::App& verb, Common& common, std::function<absl::Status()> run) {
  verb.callback([&common, run = std::move(run)] {
    const absl::Status status = run();
    if (!status.ok()) common.exit_code = Fail(status);
  });
}

}  // namespace quipu::cli
