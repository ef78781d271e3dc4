#include "base/config/config_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/config/config_tables.h"
#include "base/error_code.h"
#include "base/logging.h"

namespace quipu {
namespace {

// A configuration file is written by hand; more is a mistake, such as a data file's name.
constexpr size_t kConfigBytesMax = size_t{1} << 20;
// More problems than that are counted alone.
constexpr size_t kConfigProblemsMax = 50;

constexpr absl::string_view kEnvironmentPrefix = "QUIPU_";
// A variable of the same prefix that is no setting: the program quipu's older name of
// QUIPU_BOOTSTRAP_SERVERS.
constexpr absl::string_view kOtherVariable = "QUIPU_BOOTSTRAP_SERVER";
constexpr absl::string_view kTestPrefix = "QUIPU_TEST_";

absl::StatusOr<std::string> ReadWhole(const std::string& path) {
  const auto invalid = [](const std::string& text) {
    return ToStatus(ErrorCode::kInvalidConfig, text);
  };
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return invalid(
        absl::StrCat("cannot open the configuration file ", path, ": ", std::strerror(errno)));
  }
  std::string text;
  char buffer[4096];
  ssize_t n = 0;
  while ((n = read(fd, buffer, sizeof(buffer))) > 0 && text.size() <= kConfigBytesMax) {
    text.append(buffer, static_cast<size_t>(n));
  }
  const int error = errno;
  close(fd);
  if (n < 0) {
    return invalid(
        absl::StrCat("cannot read the configuration file ", path, ": ", std::strerror(error)));
  }
  if (text.size() > kConfigBytesMax) {
    return invalid(absl::StrCat(path, " is larger than ", kConfigBytesMax,
                                " bytes: not a configuration file"));
  }
  return text;
}

const ConfigSpec* FindVariable(ConfigTable table, absl::string_view variable) {
  const auto found = std::find_if(table.begin(), table.end(), [&](const ConfigSpec& spec) {
    return EnvironmentName(spec.name) == variable;
  });
  return found == table.end() ? nullptr : &*found;
}

// Whether somebody else reads the variable: one environment may serve several programs.
bool IsOthersVariable(absl::string_view variable) {
  if (variable.substr(0, kTestPrefix.size()) == kTestPrefix) return true;
  if (variable == kOtherVariable) return true;
  return FindVariable(BrokerConfigTable(), variable) != nullptr ||
         FindVariable(ControllerConfigTable(), variable) != nullptr ||
         FindVariable(ClientConfigTable(), variable) != nullptr;
}

absl::string_view NearestVariable(ConfigTable table, absl::string_view variable,
                                  std::string* storage) {
  std::string key = absl::AsciiStrToLower(variable.substr(kEnvironmentPrefix.size()));
  std::replace(key.begin(), key.end(), '_', '.');
  *storage = EnvironmentName(NearestConfig(table, key));
  return *storage;
}

std::string At(const std::string& place) { return place.empty() ? "" : absl::StrCat(place, ": "); }

}  // namespace

ConfigReader::ConfigReader(ConfigTable table) : table_(table) {
  values_.reserve(table.size());
  for (const ConfigSpec& spec : table) {
    values_.push_back({.spec = &spec, .value = std::string(spec.fallback), .origin = "default"});
  }
}

void ConfigReader::LoadFile(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadWhole(path);
  if (!text.ok()) return Refuse(text.status());
  LoadText(*text, path);
}

void ConfigReader::LoadText(absl::string_view text, const std::string& origin) {
  std::set<std::string> seen;
  int line_number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++line_number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#' || line.front() == '!') continue;
    const std::string place = absl::StrCat(origin, ":", line_number);
    const size_t equals = line.find('=');
    if (equals == absl::string_view::npos) {
      Refuse(absl::StrCat(place, ": \"", ShownConfigValue(line), "\" is not key=value"));
      continue;
    }
    const absl::string_view name = absl::StripAsciiWhitespace(line.substr(0, equals));
    if (!seen.insert(std::string(name)).second) {
      Refuse(absl::StrCat(place, ": ", ShownConfigValue(name), " is given twice in this file"));
      continue;
    }
    Assign(ConfigSource::kFile, place, name, absl::StripAsciiWhitespace(line.substr(equals + 1)));
  }
}

void ConfigReader::LoadEnvironment(const std::vector<std::string>& variables) {
  for (const std::string& variable : variables) {
    const absl::string_view text = variable;
    const size_t equals = text.find('=');
    if (text.substr(0, kEnvironmentPrefix.size()) != kEnvironmentPrefix ||
        equals == absl::string_view::npos) {
      continue;
    }
    const absl::string_view name = text.substr(0, equals);
    const std::string place = absl::StrCat("environment ", ShownConfigValue(name));
    if (const ConfigSpec* spec = FindVariable(table_, name)) {
      Assign(ConfigSource::kEnvironment, place, spec->name,
             absl::StripAsciiWhitespace(text.substr(equals + 1)));
    } else if (!IsOthersVariable(name)) {
      std::string nearest;
      Refuse(absl::StrCat(place, ": unknown key; did you mean ",
                          NearestVariable(table_, name, &nearest), "?"));
    }
  }
}

void ConfigReader::Set(absl::string_view assignment) {
  const size_t equals = assignment.find('=');
  if (equals == absl::string_view::npos) {
    return Refuse(absl::StrCat("--set ", ShownConfigValue(assignment), ": expected key=value"));
  }
  Assign(ConfigSource::kFlag, "--set", absl::StripAsciiWhitespace(assignment.substr(0, equals)),
         absl::StripAsciiWhitespace(assignment.substr(equals + 1)));
}

void ConfigReader::LoadMap(const std::map<std::string, std::string>& values) {
  for (const auto& [name, value] : values) Assign(ConfigSource::kFlag, "", name, value);
}

void ConfigReader::Assign(ConfigSource source, const std::string& place, absl::string_view name,
                          absl::string_view value) {
  const ConfigSpec* spec = FindConfig(table_, name);
  if (spec == nullptr) {
    return Refuse(absl::StrCat(At(place), "unknown key ", ShownConfigValue(name), "; did you mean ",
                               NearestConfig(table_, name), "?"));
  }
  if (!IsValidConfig(*spec, value)) {
    refused_.insert(spec);
    return Refuse(absl::StrCat(At(place), name, "=", ShownConfigValue(value),
                               " is not valid; expected ", ExpectedConfig(*spec)));
  }
  ConfigValue& known = values_[static_cast<size_t>(spec - table_.data())];
  if (source < known.source) return;
  known.value = std::string(value);
  known.origin = place;
  known.source = source;
}

ConfigValue& ConfigReader::Reading(absl::string_view name, ConfigType type) {
  const ConfigSpec* spec = FindConfig(table_, name);
  QUIPU_CHECK_MSG(spec != nullptr, std::string(name) + " is not in the table of settings");
  QUIPU_CHECK_MSG(spec->type == type, std::string(name) + " has another type in the table");
  read_.insert(spec);
  return values_[static_cast<size_t>(spec - table_.data())];
}

std::optional<int64_t> ConfigReader::NumberOf(absl::string_view name,
                                              std::optional<int64_t> present) {
  ConfigValue& known = Reading(name, ConfigType::kNumber);
  if (known.value.empty()) {
    if (present) known.value = std::to_string(*present);  // a default that the program computed
    return std::nullopt;
  }
  int64_t value = 0;
  QUIPU_CHECK(ParseWholeNumber(known.value, known.spec->low, known.spec->high, &value));
  QUIPU_CHECK_MSG(known.source != ConfigSource::kDefault || !present || *present == value,
                  std::string(name) + " has another default in the table");
  return value;
}

void ConfigReader::Millis(absl::string_view name, Duration* target) {
  const std::optional<int64_t> value = NumberOf(name, ToMillis(*target));
  if (value) *target = std::chrono::milliseconds(*value);
}

void ConfigReader::Bool(absl::string_view name, bool* target) {
  const ConfigValue& known = Reading(name, ConfigType::kBool);
  const bool value = known.value == "true";
  QUIPU_CHECK_MSG(known.source != ConfigSource::kDefault || *target == value,
                  std::string(name) + " has another default in the table");
  *target = value;
}

void ConfigReader::Text(absl::string_view name, std::string* target) {
  const ConfigSpec* spec = FindConfig(table_, name);
  QUIPU_CHECK_MSG(spec != nullptr, std::string(name) + " is not in the table of settings");
  *target = Reading(name, spec->type).value;
}

size_t ConfigReader::Choice(absl::string_view name) {
  const ConfigValue& known = Reading(name, ConfigType::kChoice);
  const std::vector<std::string> words = absl::StrSplit(known.spec->words, ", ");
  const auto found = std::find(words.begin(), words.end(), known.value);
  QUIPU_CHECK(found != words.end());
  return static_cast<size_t>(found - words.begin());
}

void ConfigReader::Endpoint(absl::string_view name, std::string* host, uint16_t* port) {
  const ConfigValue& known = Reading(name, ConfigType::kEndpoint);
  if (!known.value.empty()) QUIPU_CHECK(ParseEndpoint(known.value, host, port));
}

std::vector<std::pair<std::string, uint16_t>> ConfigReader::Endpoints(absl::string_view name) {
  const ConfigValue& known = Reading(name, ConfigType::kEndpoints);
  std::vector<std::pair<std::string, uint16_t>> out;
  if (known.value.empty()) return out;
  for (const absl::string_view part : absl::StrSplit(known.value, ',')) {
    auto& [host, port] = out.emplace_back();
    QUIPU_CHECK(ParseEndpoint(absl::StripAsciiWhitespace(part), &host, &port));
  }
  return out;
}

bool ConfigReader::WasGiven(absl::string_view name) const {
  const ConfigSpec* spec = FindConfig(table_, name);
  QUIPU_CHECK(spec != nullptr);
  return values_[static_cast<size_t>(spec - table_.data())].source != ConfigSource::kDefault;
}

void ConfigReader::Refuse(const std::string& problem) {
  if (problems_.size() < kConfigProblemsMax) {
    problems_.push_back(problem);
  } else {
    ++problems_left_out_;
  }
}

void ConfigReader::Refuse(const absl::Status& status) {
  if (!status.ok()) Refuse(std::string(status.message()));
}

void ConfigReader::Warn(absl::string_view key, const std::string& problem) {
  warnings_.push_back({.key = std::string(key), .problem = problem});
}

absl::Status ConfigReader::Finish() {
  for (const ConfigValue& known : values_) {
    const ConfigSpec& spec = *known.spec;
    QUIPU_CHECK_MSG(read_.contains(&spec),
                    std::string(spec.name) + " is in the table of settings and nobody reads it");
    const bool missing = known.source == ConfigSource::kDefault && !refused_.contains(&spec);
    if (spec.required && missing) {
      Refuse(absl::StrCat(spec.name, " is missing; expected ", ExpectedConfig(spec), " (", spec.doc,
                          ")"));
    }
  }
  if (problems_.empty()) return absl::OkStatus();
  std::string text = absl::StrJoin(problems_, "; ");
  if (problems_left_out_ > 0) absl::StrAppend(&text, "; and ", problems_left_out_, " more");
  return ToStatus(ErrorCode::kInvalidConfig, text);
}

std::string EffectiveConfigText(const std::vector<ConfigValue>& values) {
  size_t name_width = 0;
  size_t value_width = 0;
  for (const ConfigValue& value : values) {
    name_width = std::max(name_width, value.spec->name.size());
    if (value.value.size() <= 40) value_width = std::max(value_width, value.value.size());
  }
  std::string out;
  for (const ConfigValue& value : values) {
    std::string shown = value.value.empty() ? "-" : LogfmtValue(value.value);
    if (value.value.empty() && !value.spec->fallback_note.empty()) {
      shown = absl::StrCat("(", value.spec->fallback_note, ")");
    }
    std::string name(value.spec->name);
    name.resize(name_width, ' ');
    if (shown.size() < value_width) shown.resize(value_width, ' ');
    const bool unsafe =
        value.spec->unsafe && absl::string_view(value.value) != value.spec->fallback;
    absl::StrAppend(&out, name, "  ", shown, "  ", value.origin, unsafe ? "  UNSAFE" : "", "\n");
  }
  return out;
}

std::vector<std::string> UnsafeConfigKeys(const std::vector<ConfigValue>& values) {
  std::vector<std::string> out;
  for (const ConfigValue& value : values) {
    if (value.spec->unsafe && absl::string_view(value.value) != value.spec->fallback) {
      out.emplace_back(value.spec->name);
    }
  }
  return out;
}

}  // namespace quipu
