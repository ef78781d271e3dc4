// Reads typed values out of a ConfigMap and remembers the first thing that is wrong.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/client_config.h"

namespace quipu {

// Use: make one, read every key, then look at `status()`. One owner.
class ConfigReader {
 public:
  // `known` must outlive the reader. Unknown keys of `config` are refused here.
  ConfigReader(const ConfigMap& config, const std::vector<ConfigKey>& known);

  std::string Text(absl::string_view key);
  // A whole number in [low, high].
  int64_t Number(absl::string_view key, int64_t low, int64_t high);
  Duration Millis(absl::string_view key, int64_t low, int64_t high);
  bool Flag(absl::string_view key);
  // The place of the value among `choices`.
  size_t Choice(absl::string_view key, const std::vector<std::string>& choices);
  std::vector<ServerAddress> Servers(absl::string_view key);

  [[nodiscard]] const absl::Status& status() const { return status_; }

 private:
  void Refuse(absl::string_view key, const std::string& why);

  const ConfigMap& config_;
  const std::vector<ConfigKey>& known_;
  absl::Status status_;
};

}  // namespace quipu
