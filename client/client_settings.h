// Settings of a program's clients from a file, the environment and flags: what a service that
// embeds the SDK starts from.
//
//   auto settings = quipu::ClientSettings::Load("/etc/billing/quipu.properties", flags);
//   if (!settings.ok()) return settings.status();  // every mistake, with its place
//   auto producer = quipu::Producer::Create(settings->ForProducer());
//   auto consumer = quipu::Consumer::Create(settings->ForConsumer());
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "client/config_map.h"

namespace quipu {

// A setting has one name everywhere: that of docs/configuration.md in a file and in a flag, and
// with QUIPU_ in front, in upper case and with underscores, in the environment (linger.ms:
// QUIPU_LINGER_MS). The file is a Kafka client's properties file, as those of the servers:
// key=value a line; blank lines and lines that begin with # or ! are skipped; at most 1 MiB.
//
// One file may serve a producer, a consumer and an admin: each takes the keys that it knows. All
// functions refuse with kInvalidConfig, naming everything that is wrong and where it stands: a key
// that none of the three knows (with the nearest known one), a key twice in the file, a value that
// is out of range, a file that cannot be read. What is wrong only together, and a missing
// bootstrap.servers, the clients' Create refuses. A plain value; immutable.
class ClientSettings {
 public:
  // The file (empty: none), over it the environment of the process, and over that `flags`, each
  // "key=value"; messages name a flag as --set.
  static absl::StatusOr<ClientSettings> Load(const std::string& path,
                                             const std::vector<std::string>& flags = {});
  // One of the places alone. In the environment, variables that begin with QUIPU_ and are settings
  // of no client nor server are refused, since they are most likely mistyped.
  static absl::StatusOr<ClientSettings> FromFile(const std::string& path);
  static absl::StatusOr<ClientSettings> FromEnvironment();
  static absl::StatusOr<ClientSettings> FromMap(const ConfigMap& settings);

  // For the clients' Create: what that client knows of what was given.
  [[nodiscard]] ConfigMap ForProducer() const;
  [[nodiscard]] ConfigMap ForConsumer() const;
  [[nodiscard]] ConfigMap ForAdmin() const;
  // All that was given.
  [[nodiscard]] const ConfigMap& all() const { return all_; }

 private:
  explicit ClientSettings(ConfigMap all) : all_(std::move(all)) {}

  ConfigMap all_;
};

}  // namespace quipu
