#include "client/cli/datetime.h"

#include <ctime>
#include <optional>
#include <regex>

#include "absl/strings/str_cat.h"
#include "client/cli/cli.h"

namespace quipu::cli {
namespace {

int NumberAt(const std::smatch& match, size_t group) {
  return match[group].matched ? std::stoi(match[group].str()) : 0;
}

// nullopt: there is no such day or time of day.
std::optional<int64_t> SecondsOf(const std::smatch& match) {
  std::tm parts{};
  parts.tm_year = NumberAt(match, 1) - 1900;
  parts.tm_mon = NumberAt(match, 2) - 1;
  parts.tm_mday = NumberAt(match, 3);
  parts.tm_hour = NumberAt(match, 4);
  parts.tm_min = NumberAt(match, 5);
  parts.tm_sec = NumberAt(match, 6);
  const std::tm wanted = parts;
  const time_t seconds = timegm(&parts);
  // timegm takes the 31st of February for a day of March.
  const bool same = parts.tm_mon == wanted.tm_mon && parts.tm_mday == wanted.tm_mday &&
                    parts.tm_hour == wanted.tm_hour && parts.tm_min == wanted.tm_min &&
                    parts.tm_sec == wanted.tm_sec;
  return same ? std::optional<int64_t>(seconds) : std::nullopt;
}

}  // namespace

absl::StatusOr<TimestampMs> ParseDateTime(const std::string& text) {
  static const std::regex kForm(
      R"((\d{4})-(\d{2})-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?(Z|([+-])(\d{2}):?(\d{2}))?)?)");
  std::smatch match;
  std::optional<int64_t> seconds;
  if (std::regex_match(text, match, kForm)) seconds = SecondsOf(match);
  if (seconds && match[9].matched) {
    const int64_t zone = int64_t{NumberAt(match, 10)} * 3600 + NumberAt(match, 11) * 60;
    *seconds -= match[9].str() == "-" ? -zone : zone;
  }
  if (!seconds || *seconds < 0) {
    return WrongArguments(
        absl::StrCat("'", text,
                     "' is no time; expected 2026-11-26T10:00:00, with .250 and Z or +01:00 if "
                     "wanted, from 1970 on"));
  }
  const std::string fraction = match[7].str();
  const int64_t millis = fraction.empty() ? 0 : std::stoi((fraction + "00").substr(0, 3));
  return TimestampMs(*seconds * 1000 + millis);
}

}  // namespace quipu::cli
