// What is known of a setting. The rows of the tables in config_tables.h: from them settings are
// read, checked, described and documented.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace quipu {

enum class ConfigType {
  kText,
  kBool,       // "true" or "false"
  kNumber,     // a whole number in [low, high]
  kDecimal,    // a number in [low, high]
  kChoice,     // one of `words`
  kList,       // some of `words`, each at most once and one at least, joined by commas
  kReplicas,   // PARTITION:BROKER joined by commas, "*" for all, or nothing
  kEndpoint,   // HOST:PORT or [IPV6]:PORT, the port from 0 to 65535
  kEndpoints,  // the same joined by commas, no port 0
  kClusterId,  // 32 hexadecimal digits, not all 0
};

// When a changed value counts.
enum class ConfigEffect {
  kRestart,       // when the process is started again
  kRestartOrSet,  // so, or at once by `quipu config set`, which wins
                  // (core/metadata/dynamic_config.h)
  kDynamic,       // at once, in the running cluster
  kNewClient,     // for clients that are made afterwards
  kNone,          // never: taken because clients of Kafka set it
};

inline constexpr int64_t kConfigHighMax = std::numeric_limits<int64_t>::max();

// One setting. Views are of literals.
struct ConfigSpec {
  absl::string_view name;
  ConfigType type = ConfigType::kText;
  // As text; empty: none.
  absl::string_view fallback = {};
  // Numbers alone: an inclusive range, and what is counted ("ms", "bytes", "threads").
  int64_t low = 0;
  int64_t high = 0;
  absl::string_view unit = {};
  // Choices and lists alone: all that are allowed, joined by ", ".
  absl::string_view words = {};
  // What it does, for a person.
  absl::string_view doc = {};
  // Where the default is not a constant, or "" means something: how it comes about, for a person.
  absl::string_view fallback_note = {};
  bool required = false;
  // Set to anything but the default it gives up something that is promised.
  bool unsafe = false;
  ConfigEffect effect = ConfigEffect::kRestart;
};

using ConfigTable = std::span<const ConfigSpec>;

// nullptr when the table has no such key.
const ConfigSpec* FindConfig(ConfigTable table, absl::string_view name);
// The key with the smallest edit distance to `name`; the first of the table among equals. The table
// must not be empty.
absl::string_view NearestConfig(ConfigTable table, absl::string_view name);

// Whether `value` has the type and range of `spec`.
bool IsValidConfig(const ConfigSpec& spec, absl::string_view value);
// What a value must be: "a whole number from 1 to 64".
std::string ExpectedConfig(const ConfigSpec& spec);
// "text", "boolean", "number", "decimal", "choice", "list", "address", "addresses", "id".
absl::string_view ConfigTypeName(ConfigType type);
// "restart", "at once", "new client".
absl::string_view ConfigEffectName(ConfigEffect effect);
// The default as a person reads it: `fallback`, `fallback_note`, "required" or "none".
std::string DefaultConfigText(const ConfigSpec& spec);

// "num.shards" -> "QUIPU_NUM_SHARDS".
std::string EnvironmentName(absl::string_view key);

// Decimal digits with an optional minus alone, in [low, high].
bool ParseWholeNumber(absl::string_view text, int64_t low, int64_t high, int64_t* value);
// Splits HOST:PORT or [IPV6]:PORT. False when it is neither or the port is above 65535.
bool ParseEndpoint(absl::string_view text, std::string* host, uint16_t* port);
// The number of single-letter insertions, deletions and replacements from `a` to `b`.
size_t EditDistance(absl::string_view a, absl::string_view b);
// Whether values are joined by commas, so that some can be appended or taken away.
bool IsListConfig(const ConfigSpec& spec);
// At most 200 bytes of what came from outside, so that no message grows with its input.
std::string ShownConfigValue(absl::string_view value);

}  // namespace quipu
