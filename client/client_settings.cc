#include "client/client_settings.h"

#include <unistd.h>

#include "absl/strings/str_join.h"
#include "base/config/config_reader.h"
#include "base/config/config_tables.h"
#include "base/error_code.h"
#include "base/status_macros.h"
#include "client/client_config.h"

namespace quipu {
namespace {

std::vector<std::string> Environment() {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable)
    variables.emplace_back(*variable);
  return variables;
}

// What was given to `reader`, or everything that is wrong with it.
absl::StatusOr<ConfigMap> Given(const ConfigReader& reader) {
  if (!reader.problems().empty()) {
    return ToStatus(ErrorCode::kInvalidConfig, absl::StrJoin(reader.problems(), "; "));
  }
  ConfigMap given;
  for (const ConfigValue& value : reader.values()) {
    if (value.source != ConfigSource::kDefault) given[std::string(value.spec->name)] = value.value;
  }
  return given;
}

}  // namespace

absl::StatusOr<ClientSettings> ClientSettings::Load(const std::string& path,
                                                    const std::vector<std::string>& flags) {
  ConfigReader reader(ClientConfigTable());
  if (!path.empty()) reader.LoadFile(path);
  reader.LoadEnvironment(Environment());
  for (const std::string& flag : flags) reader.Set(flag);
  QUIPU_ASSIGN_OR_RETURN(ConfigMap given, Given(reader));
  return ClientSettings(std::move(given));
}

absl::StatusOr<ClientSettings> ClientSettings::FromFile(const std::string& path) {
  ConfigReader reader(ClientConfigTable());
  reader.LoadFile(path);
  QUIPU_ASSIGN_OR_RETURN(ConfigMap given, Given(reader));
  return ClientSettings(std::move(given));
}

absl::StatusOr<ClientSettings> ClientSettings::FromEnvironment() { return Load(""); }

absl::StatusOr<ClientSettings> ClientSettings::FromMap(const ConfigMap& settings) {
  ConfigReader reader(ClientConfigTable());
  reader.LoadMap(settings);
  QUIPU_ASSIGN_OR_RETURN(ConfigMap given, Given(reader));
  return ClientSettings(std::move(given));
}

ConfigMap ClientSettings::ForProducer() const { return SettingsFor(all_, ProducerConfigTable()); }
ConfigMap ClientSettings::ForConsumer() const { return SettingsFor(all_, ConsumerConfigTable()); }
ConfigMap ClientSettings::ForAdmin() const { return SettingsFor(all_, AdminConfigTable()); }

}  // namespace quipu
