// Where the servers come from, and with which settings they are asked.
#include "client/cli/connect.h"

#include <cstdlib>

#include "client/cli/profiles/profile_store.h"

namespace quipu::cli {
namespace {

// A profile by its name, or the one in use; no settings when there is neither.
absl::StatusOr<ConfigMap> ProfileSettings(const Common& common) {
  const absl::StatusOr<ProfileStore> store = ProfileStore::OfUser();
  if (!common.profile.empty()) {
    QUIPU_RETURN_IF_ERROR(store.status());
    const absl::StatusOr<Profile> profile = store->Load(common.profile);
    if (!profile.ok()) return WrongArguments(profile.status().message());
    return profile->settings;
  }
  if (!store.ok()) return ConfigMap();  // nowhere to keep one, so none is in use
  const absl::StatusOr<std::optional<std::string>> current = store->Current();
  if (!current.ok()) return WrongArguments(current.status().message());
  if (!*current) return ConfigMap();
  const absl::StatusOr<Profile> profile = store->Load(**current);
  if (!profile.ok()) {
    return WrongArguments(absl::StrCat("the profile in use: ", profile.status().message()));
  }
  return profile->settings;
}

// The variable that names the servers; nullptr: neither is set. The one in the singular is the
// older name.
const char* ServersVariable() {
  for (const char* name : {"QUIPU_BOOTSTRAP_SERVERS", "QUIPU_BOOTSTRAP_SERVER"}) {
    if (std::getenv(name) != nullptr) return name;
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<ConfigMap> ClientConfig(const Common& common, ConfigTable keys) {
  const char* variable = ServersVariable();
  const bool from_variable =
      common.bootstrap_servers.empty() && common.profile.empty() && variable != nullptr;
  ConfigMap settings;
  // Servers that are given belong to no profile, and neither do the settings of one.
  if (!common.profile.empty() || (common.bootstrap_servers.empty() && !from_variable)) {
    QUIPU_ASSIGN_OR_RETURN(settings, ProfileSettings(common));
  }
  settings = SettingsFor(settings, keys);
  if (from_variable) {
    const auto servers = ParseServerList(std::getenv(variable));
    if (!servers.ok()) {
      return WrongArguments(absl::StrCat(variable, ": ", servers.status().message()));
    }
    settings["bootstrap.servers"] = std::getenv(variable);
  }
  if (!common.bootstrap_servers.empty()) settings["bootstrap.servers"] = common.bootstrap_servers;
  settings.emplace("bootstrap.servers", "127.0.0.1:9092");
  return settings;
}

absl::StatusOr<std::string> BootstrapServers(const Common& common) {
  QUIPU_ASSIGN_OR_RETURN(const ConfigMap settings, ClientConfig(common, AdminConfigTable()));
  return settings.at("bootstrap.servers");
}

absl::StatusOr<ConfigMap> ConnectionConfig(const Common& common, ConfigTable keys) {
  QUIPU_ASSIGN_OR_RETURN(ConfigMap config, ClientConfig(common, keys));
  config["default.api.timeout.ms"] = std::to_string(common.timeout_ms);
  return config;
}

}  // namespace quipu::cli
