#include "base/config/config_spec.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/check.h"
#include "base/uuid.h"

namespace quipu {
namespace {

constexpr size_t kShownBytesMax = 200;
constexpr int64_t kIdMax = std::numeric_limits<int32_t>::max();

bool IsOneOf(absl::string_view value, absl::string_view words) {
  for (const absl::string_view word : absl::StrSplit(words, ", ")) {
    if (word == value) return true;
  }
  return false;
}

bool IsEndpointList(absl::string_view text) {
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    std::string host;
    uint16_t port = 0;
    if (!ParseEndpoint(absl::StripAsciiWhitespace(part), &host, &port) || port == 0) return false;
  }
  return true;
}

bool IsListOf(absl::string_view value, absl::string_view words) {
  std::vector<absl::string_view> seen;
  for (const absl::string_view part : absl::StrSplit(value, ',')) {
    const absl::string_view item = absl::StripAsciiWhitespace(part);
    if (!IsOneOf(item, words)) return false;
    if (std::find(seen.begin(), seen.end(), item) != seen.end()) return false;
    seen.push_back(item);
  }
  return true;
}

bool IsReplicaList(absl::string_view value) {
  if (value.empty() || value == "*") return true;
  for (const absl::string_view part : absl::StrSplit(value, ',')) {
    const std::vector<absl::string_view> ids =
        absl::StrSplit(absl::StripAsciiWhitespace(part), ':');
    int64_t id = 0;
    if (ids.size() != 2 || !ParseWholeNumber(ids[0], 0, kIdMax, &id) ||
        !ParseWholeNumber(ids[1], 0, kIdMax, &id)) {
      return false;
    }
  }
  return true;
}

// Nothing is a value too: it takes away what another place gives.
bool IsOptional(const ConfigSpec& spec) { return !spec.required && spec.fallback.empty(); }

}  // namespace

const ConfigSpec* FindConfig(ConfigTable table, absl::string_view name) {
  const auto found = std::find_if(table.begin(), table.end(),
                                  [&](const ConfigSpec& spec) { return spec.name == name; });
  return found == table.end() ? nullptr : &*found;
}

absl::string_view NearestConfig(ConfigTable table, absl::string_view name) {
  QUIPU_CHECK(!table.empty());
  absl::string_view best;
  size_t best_distance = std::numeric_limits<size_t>::max();
  // No key is half as long; what is longer is no slip of the pen, and its distance is dear.
  const absl::string_view begin = name.substr(0, kShownBytesMax);
  for (const ConfigSpec& spec : table) {
    const size_t distance = EditDistance(begin, spec.name);
    if (distance < best_distance) {
      best_distance = distance;
      best = spec.name;
    }
  }
  return best;
}

bool IsValidConfig(const ConfigSpec& spec, absl::string_view value) {
  switch (spec.type) {
    case ConfigType::kText:
      return true;
    case ConfigType::kBool:
      return value == "true" || value == "false";
    case ConfigType::kNumber: {
      int64_t number = 0;
      return ParseWholeNumber(value, spec.low, spec.high, &number);
    }
    case ConfigType::kDecimal: {
      double number = 0;
      return absl::SimpleAtod(value, &number) && number >= static_cast<double>(spec.low) &&
             number <= static_cast<double>(spec.high);
    }
    case ConfigType::kChoice:
      return IsOneOf(value, spec.words);
    case ConfigType::kList:
      return IsListOf(value, spec.words);
    case ConfigType::kReplicas:
      return IsReplicaList(value);
    case ConfigType::kEndpoint: {
      if (value.empty() && IsOptional(spec)) return true;
      std::string host;
      uint16_t port = 0;
      return ParseEndpoint(value, &host, &port);
    }
    case ConfigType::kEndpoints:
      return IsEndpointList(value);
    case ConfigType::kClusterId: {
      const std::optional<Uuid> id = Uuid::FromText(value);
      return id && !id->IsZero();
    }
  }
  QUIPU_CHECK_MSG(false, "a config type that is none");
}

std::string ExpectedConfig(const ConfigSpec& spec) {
  switch (spec.type) {
    case ConfigType::kText:
      return "a text";
    case ConfigType::kBool:
      return "true or false";
    case ConfigType::kNumber:
      if (spec.high == kConfigHighMax) {
        return absl::StrCat("a whole number, at least ", spec.low);
      }
      return absl::StrCat("a whole number from ", spec.low, " to ", spec.high);
    case ConfigType::kDecimal:
      return absl::StrCat("a number from ", spec.low, " to ", spec.high);
    case ConfigType::kChoice:
      return absl::StrCat("one of: ", spec.words);
    case ConfigType::kList:
      return absl::StrCat("a list of: ", spec.words);
    case ConfigType::kReplicas:
      return "PARTITION:BROKER[,PARTITION:BROKER...], * or nothing";
    case ConfigType::kEndpoint:
      return absl::StrCat("HOST:PORT, the port from 0 to 65535",
                          IsOptional(spec) ? ", or nothing" : "");
    case ConfigType::kEndpoints:
      return "HOST:PORT[,HOST:PORT...]";
    case ConfigType::kClusterId:
      return "32 hexadecimal digits";
  }
  QUIPU_CHECK_MSG(false, "a config type that is none");
}

absl::string_view ConfigTypeName(ConfigType type) {
  switch (type) {
    case ConfigType::kText:
      return "text";
    case ConfigType::kBool:
      return "boolean";
    case ConfigType::kNumber:
      return "number";
    case ConfigType::kDecimal:
      return "decimal";
    case ConfigType::kChoice:
      return "choice";
    case ConfigType::kList:
    case ConfigType::kReplicas:
      return "list";
    case ConfigType::kEndpoint:
      return "address";
    case ConfigType::kEndpoints:
      return "addresses";
    case ConfigType::kClusterId:
      return "id";
  }
  QUIPU_CHECK_MSG(false, "a config type that is none");
}

absl::string_view ConfigEffectName(ConfigEffect effect) {
  switch (effect) {
    case ConfigEffect::kRestart:
      return "restart";
    case ConfigEffect::kRestartOrSet:
      return "restart, or `quipu config set`";
    case ConfigEffect::kDynamic:
      return "at once";
    case ConfigEffect::kNewClient:
      return "new client";
    case ConfigEffect::kNone:
      return "none";
  }
  QUIPU_CHECK_MSG(false, "a config effect that is none");
}

std::string DefaultConfigText(const ConfigSpec& spec) {
  if (spec.required) return "required";
  if (spec.fallback.empty()) {
    return spec.fallback_note.empty() ? "none" : std::string(spec.fallback_note);
  }
  if (spec.fallback_note.empty()) return std::string(spec.fallback);
  return absl::StrCat(spec.fallback, " (", spec.fallback_note, ")");
}

std::string EnvironmentName(absl::string_view key) {
  std::string out = "QUIPU_";
  for (const char c : key)
    out.push_back(c == '.' ? '_' : absl::ascii_toupper(static_cast<unsigned char>(c)));
  return out;
}

bool ParseWholeNumber(absl::string_view text, int64_t low, int64_t high, int64_t* value) {
  if (text.empty() || text.find_first_not_of("-0123456789") != absl::string_view::npos) {
    return false;
  }
  int64_t number = 0;
  if (!absl::SimpleAtoi(text, &number) || number < low || number > high) return false;
  *value = number;
  return true;
}

bool ParseEndpoint(absl::string_view text, std::string* host, uint16_t* port) {
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos || colon == 0) return false;
  absl::string_view name = text.substr(0, colon);
  if (name.front() == '[') {
    if (name.size() < 3 || name.back() != ']') return false;
    name = name.substr(1, name.size() - 2);
  } else if (name.find(':') != absl::string_view::npos) {
    return false;  // IPv6 without brackets cannot be told from its port
  }
  if (name.find_first_of(" \t,/@") != absl::string_view::npos) return false;
  uint32_t number = 0;
  if (!absl::SimpleAtoi(text.substr(colon + 1), &number) || number > 65535) return false;
  *host = std::string(name);
  *port = static_cast<uint16_t>(number);
  return true;
}

size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

bool IsListConfig(const ConfigSpec& spec) {
  return spec.type == ConfigType::kList || spec.type == ConfigType::kReplicas;
}

std::string ShownConfigValue(absl::string_view value) {
  if (value.size() <= kShownBytesMax) return std::string(value);
  return absl::StrCat(value.substr(0, kShownBytesMax), "...");
}

}  // namespace quipu
