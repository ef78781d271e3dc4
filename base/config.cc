#include "base/config.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/check.h"
#include "base/error_code.h"
#include "base/status_macros.h"

namespace quipu {
namespace {

// A configuration file is written by hand; more is a mistake, such as a data file's name.
constexpr size_t kConfigBytesMax = size_t{1} << 20;

absl::Status Invalid(const std::string& text) { return ToStatus(ErrorCode::kInvalidConfig, text); }

absl::StatusOr<std::string> ReadWhole(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return Invalid(
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
    return Invalid(
        absl::StrCat("cannot read the configuration file ", path, ": ", std::strerror(error)));
  }
  if (text.size() > kConfigBytesMax) {
    return Invalid(absl::StrCat(path, " is larger than ", kConfigBytesMax,
                                " bytes: not a configuration file"));
  }
  return text;
}

}  // namespace

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

void ConfigKeys::AddParsed(std::string name, std::string default_text, std::string expected,
                           std::string doc, std::function<bool(absl::string_view)> parse) {
  Key key;
  key.default_text = std::move(default_text);
  key.expected = std::move(expected);
  key.doc = std::move(doc);
  key.parse = std::move(parse);
  const bool added = keys_.emplace(std::move(name), std::move(key)).second;
  QUIPU_CHECK_MSG(added, "a config key is defined twice");
}

void ConfigKeys::AddNumber(std::string name, int64_t present, int64_t min, int64_t max,
                           std::string doc, std::function<void(int64_t)> store) {
  QUIPU_CHECK(min <= present && present <= max);
  AddParsed(std::move(name), std::to_string(present),
            absl::StrCat("a whole number from ", min, " to ", max), std::move(doc),
            [min, max, store = std::move(store)](absl::string_view text) {
              int64_t value = 0;
              if (!absl::SimpleAtoi(text, &value) || value < min || value > max) return false;
              store(value);
              return true;
            });
}

void ConfigKeys::AddBool(std::string name, bool* target, std::string doc) {
  AddParsed(std::move(name), *target ? "true" : "false", "true or false", std::move(doc),
            [target](absl::string_view text) {
              if (text != "true" && text != "false") return false;
              *target = text == "true";
              return true;
            });
}

void ConfigKeys::AddText(std::string name, std::string* target, std::string doc) {
  AddParsed(std::move(name), *target, "a text", std::move(doc), [target](absl::string_view text) {
    *target = std::string(text);
    return true;
  });
}

void ConfigKeys::AddMillis(std::string name, Duration* target, int64_t min, int64_t max,
                           std::string doc) {
  AddNumber(std::move(name), ToMillis(*target), min, max, std::move(doc),
            [target](int64_t value) { *target = std::chrono::milliseconds(value); });
}

void ConfigKeys::AddEndpoint(std::string name, std::string* host, uint16_t* port, std::string doc) {
  const std::string present = host->empty() ? "" : absl::StrCat(*host, ":", *port);
  AddParsed(std::move(name), present, "HOST:PORT, the port from 0 to 65535", std::move(doc),
            [host, port](absl::string_view text) { return ParseEndpoint(text, host, port); });
}

void ConfigKeys::Require(const std::string& name) {
  const auto found = keys_.find(name);
  QUIPU_CHECK(found != keys_.end());
  found->second.required = true;
}

absl::Status ConfigKeys::LoadFile(const std::string& path) {
  QUIPU_ASSIGN_OR_RETURN(const std::string text, ReadWhole(path));
  return LoadText(text, path);
}

absl::Status ConfigKeys::LoadText(absl::string_view text, const std::string& origin) {
  std::set<std::string> seen;
  int line_number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++line_number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#' || line.front() == '!') continue;
    const std::string where = absl::StrCat(origin, ":", line_number);
    const size_t equals = line.find('=');
    if (equals == absl::string_view::npos) {
      return Invalid(absl::StrCat(where, ": \"", line, "\" is not key=value"));
    }
    const absl::string_view name = absl::StripAsciiWhitespace(line.substr(0, equals));
    if (!seen.insert(std::string(name)).second) {
      return Invalid(absl::StrCat(where, ": ", name, " is given twice in this file"));
    }
    QUIPU_RETURN_IF_ERROR(Assign(where, name, absl::StripAsciiWhitespace(line.substr(equals + 1))));
  }
  return absl::OkStatus();
}

absl::Status ConfigKeys::Set(absl::string_view assignment) {
  const size_t equals = assignment.find('=');
  if (equals == absl::string_view::npos) {
    return Invalid(absl::StrCat("--set ", assignment, ": expected key=value"));
  }
  return Assign("--set", absl::StripAsciiWhitespace(assignment.substr(0, equals)),
                absl::StripAsciiWhitespace(assignment.substr(equals + 1)));
}

absl::Status ConfigKeys::Assign(const std::string& where, absl::string_view name,
                                absl::string_view value) {
  const auto found = keys_.find(std::string(name));
  if (found == keys_.end()) {
    return Invalid(
        absl::StrCat(where, ": unknown key ", name, "; did you mean ", Nearest(name), "?"));
  }
  Key& key = found->second;
  if (!key.parse(value)) {
    return Invalid(
        absl::StrCat(where, ": ", name, "=", value, " is not valid; expected ", key.expected));
  }
  key.given = true;
  return absl::OkStatus();
}

std::string ConfigKeys::Nearest(absl::string_view name) const {
  std::string best;
  size_t best_distance = std::numeric_limits<size_t>::max();
  for (const auto& [known, key] : keys_) {
    const size_t distance = EditDistance(name, known);
    if (distance < best_distance) {
      best_distance = distance;
      best = known;
    }
  }
  return best;
}

absl::Status ConfigKeys::CheckComplete() const {
  for (const auto& [name, key] : keys_) {
    if (key.required && !key.given) {
      return Invalid(
          absl::StrCat(name, " is missing; expected ", key.expected, " (", key.doc, ")"));
    }
  }
  return absl::OkStatus();
}

bool ConfigKeys::WasGiven(const std::string& name) const {
  const auto found = keys_.find(name);
  QUIPU_CHECK(found != keys_.end());
  return found->second.given;
}

std::string ConfigKeys::Describe() const {
  std::string out;
  for (const auto& [name, key] : keys_) {
    absl::StrAppend(
        &out, name, "\n  ", key.doc, "\n  Expected: ", key.expected, ". ",
        key.required
            ? "Required"
            : absl::StrCat("Default: ", key.default_text.empty() ? "none" : key.default_text),
        ".\n");
  }
  return out;
}

}  // namespace quipu
