// From the command line's options to the SDK's objects.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "client/admin.h"
#include "client/cli/cli.h"
#include "client/client_config.h"

namespace quipu::cli {

// The servers to ask first. The parser has checked an argument, but not the environment.
inline absl::StatusOr<std::string> BootstrapServers(const Common& common) {
  const auto servers = ParseServerList(common.bootstrap_servers);
  if (servers.ok()) return common.bootstrap_servers;
  return WrongArguments(absl::StrCat("QUIPU_BOOTSTRAP_SERVER: ", servers.status().message()));
}

// The settings that consumers and administration start from.
inline absl::StatusOr<ConfigMap> ConnectionConfig(const Common& common) {
  QUIPU_ASSIGN_OR_RETURN(const std::string servers, BootstrapServers(common));
  return ConfigMap{{"bootstrap.servers", servers},
                   {"default.api.timeout.ms", std::to_string(common.timeout_ms)}};
}

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
