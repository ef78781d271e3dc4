// Reads settings by a table: from a file, the environment, the command line or a map, typed.
#pragma once

#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/config/config_spec.h"
#include "base/time.h"

namespace quipu {

// Where a value stands, in ascending order: a later one wins, whatever was loaded first.
enum class ConfigSource { kDefault, kFile, kEnvironment, kFlag };

// A setting as it is in force.
struct ConfigValue {
  const ConfigSpec* spec = nullptr;
  std::string value;  // empty: none
  // "default", "FILE:LINE", "environment NAME" or "--set".
  std::string origin;
  ConfigSource source = ConfigSource::kDefault;
};

// A setting that is allowed and most likely a mistake.
struct ConfigWarning {
  std::string key;
  std::string problem;  // one sentence, with values and what would be right
};

// Use: make one, load from all sources, read every key of the table into its variable, then look at
// Finish(). All that is wrong is collected, so that a person hears of it at once: unknown keys
// (each with the nearest known one), values out of range (with what is expected), keys twice in one
// file, missing keys. Each names its place. A value that is wrong is not taken.
//
// One owner; not thread-safe. The table and the variables must outlive the reader.
class ConfigReader {
 public:
  explicit ConfigReader(ConfigTable table);

  // Lines "key=value"; blank lines and lines that begin with # or ! are skipped; spaces around key
  // and value are cut. At most 1 MiB.
  void LoadFile(const std::string& path);
  // The same from memory; `origin` stands for the file's name.
  void LoadText(absl::string_view text, const std::string& origin);
  // "NAME=value" as in environ. NAME is QUIPU_ and the key in upper case with dots as underscores.
  // What does not begin with QUIPU_, keys of the servers and clients that this table is not of,
  // and variables of the program `quipu` and of tests (QUIPU_TEST_...) are passed over.
  void LoadEnvironment(const std::vector<std::string>& variables);
  // One "key=value" of the command line.
  void Set(absl::string_view assignment);
  // Keys and values given by a program: as Set, without a place in messages.
  void LoadMap(const std::map<std::string, std::string>& values);

  // ---- each key into its variable; one that is not given and has no default stays as it is ----
  // A default must be the one that the variable holds already.
  template <std::integral T>
  void Number(absl::string_view name, T* target) {
    const std::optional<int64_t> value = NumberOf(name, static_cast<int64_t>(*target));
    if (value) *target = static_cast<T>(*value);
  }
  template <std::integral T>
  void Number(absl::string_view name, std::optional<T>* target) {
    const std::optional<int64_t> value = NumberOf(name, std::nullopt);
    if (value) *target = static_cast<T>(*value);
  }
  void Millis(absl::string_view name, Duration* target);
  void Bool(absl::string_view name, bool* target);
  void Text(absl::string_view name, std::string* target);
  // The place of the value among the table's words, from 0.
  [[nodiscard]] size_t Choice(absl::string_view name);
  void Endpoint(absl::string_view name, std::string* host, uint16_t* port);
  [[nodiscard]] std::vector<std::pair<std::string, uint16_t>> Endpoints(absl::string_view name);

  // Whether any source gave the key a valid value.
  [[nodiscard]] bool WasGiven(absl::string_view name) const;

  // Adds a problem that only its reader can see, such as one between two keys.
  void Refuse(const std::string& problem);
  void Refuse(const absl::Status& status);
  void Warn(absl::string_view key, const std::string& problem);

  // kInvalidConfig with everything that is wrong, joined by "; ", when anything is. Also when a
  // required key is missing. Every key of the table must have been read by then.
  [[nodiscard]] absl::Status Finish();
  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }
  [[nodiscard]] const std::vector<ConfigWarning>& warnings() const { return warnings_; }
  // Every key of the table, in its order.
  [[nodiscard]] const std::vector<ConfigValue>& values() const { return values_; }

 private:
  void Assign(ConfigSource source, const std::string& place, absl::string_view name,
              absl::string_view value);
  // The value of a key that the table has, for reading.
  ConfigValue& Reading(absl::string_view name, ConfigType type);
  std::optional<int64_t> NumberOf(absl::string_view name, std::optional<int64_t> present);

  const ConfigTable table_;
  std::vector<ConfigValue> values_;
  std::set<const ConfigSpec*> read_;
  std::set<const ConfigSpec*> refused_;  // a value was given, and is wrong
  std::vector<std::string> problems_;
  size_t problems_left_out_ = 0;
  std::vector<ConfigWarning> warnings_;
};

// The configuration in force, one key a line: key, value, where it stands, and what is unsafe.
std::string EffectiveConfigText(const std::vector<ConfigValue>& values);
// The keys that are unsafe and not at their default.
std::vector<std::string> UnsafeConfigKeys(const std::vector<ConfigValue>& values);

}  // namespace quipu
