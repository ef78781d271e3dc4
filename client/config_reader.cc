#include "client/config_reader.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace quipu {
namespace {

// Edits that turn `a` into `b`.
size_t Distance(absl::string_view a, absl::string_view b) {
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

absl::string_view Nearest(absl::string_view key, const std::vector<ConfigKey>& known) {
  absl::string_view best;
  size_t best_distance = key.size() + 100;
  for (const ConfigKey& candidate : known) {
    const size_t distance = Distance(key, candidate.name);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate.name;
    }
  }
  return best;
}

}  // namespace

ConfigReader::ConfigReader(const ConfigMap& config, const std::vector<ConfigKey>& known)
    : config_(config), known_(known) {
  for (const auto& [key, value] : config_) {
    const bool found = std::any_of(known_.begin(), known_.end(),
                                   [&](const ConfigKey& k) { return key == k.name; });
    if (!found) {
      Refuse(key, absl::StrCat("there is no such setting; the nearest is ", Nearest(key, known_)));
    }
  }
}

void ConfigReader::Refuse(absl::string_view key, const std::string& why) {
  if (status_.ok()) status_ = ToStatus(ErrorCode::kInvalidConfig, absl::StrCat(key, ": ", why));
}

std::string ConfigReader::Text(absl::string_view key) {
  const auto found = config_.find(std::string(key));
  if (found != config_.end()) return found->second;
  for (const ConfigKey& candidate : known_) {
    if (key != candidate.name) continue;
    if (candidate.default_value != nullptr) return candidate.default_value;
    Refuse(key, absl::StrCat("is required (", candidate.meaning, ")"));
  }
  return {};
}

int64_t ConfigReader::Number(absl::string_view key, int64_t low, int64_t high) {
  const std::string text = Text(key);
  int64_t value = 0;
  if (!absl::SimpleAtoi(text, &value) || value < low || value > high) {
    Refuse(key, absl::StrCat("'", text, "' is not a whole number from ", low, " to ", high));
    return low;
  }
  return value;
}

Duration ConfigReader::Millis(absl::string_view key, int64_t low, int64_t high) {
  return std::chrono::milliseconds(Number(key, low, high));
}

bool ConfigReader::Flag(absl::string_view key) { return Choice(key, {"false", "true"}) == 1; }

size_t ConfigReader::Choice(absl::string_view key, const std::vector<std::string>& choices) {
  const std::string text = Text(key);
  const auto found = std::find(choices.begin(), choices.end(), text);
  if (found != choices.end()) return static_cast<size_t>(found - choices.begin());
  Refuse(key, absl::StrCat("'", text, "' is not one of ", absl::StrJoin(choices, ", ")));
  return 0;
}

std::vector<ServerAddress> ConfigReader::Servers(absl::string_view key) {
  const std::string text = Text(key);
  if (!status_.ok()) return {};
  absl::StatusOr<std::vector<ServerAddress>> servers = ParseServerList(text);
  if (!servers.ok()) {
    status_ = servers.status();
    return {};
  }
  return *std::move(servers);
}

absl::StatusOr<std::vector<ServerAddress>> ParseServerList(absl::string_view text) {
  std::vector<ServerAddress> servers;
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    part = absl::StripAsciiWhitespace(part);
    const size_t colon = part.rfind(':');
    uint32_t port = 0;
    const bool good = colon != absl::string_view::npos && colon > 0 &&
                      absl::SimpleAtoi(part.substr(colon + 1), &port) && port > 0 && port <= 65535;
    if (!good) {
      return ToStatus(ErrorCode::kInvalidConfig,
                      absl::StrCat("bootstrap.servers: '", part, "' is not host:port"));
    }
    servers.emplace_back(part);
  }
  return servers;
}

}  // namespace quipu
