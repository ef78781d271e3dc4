#include "client/cli/records/time_text.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/error_code.h"

namespace quipu::cli {
namespace {

// A reader of a text from the front. Every step says whether it found what it looked for.
class TextCursor {
 public:
  explicit TextCursor(absl::string_view rest) : rest_(rest) {}
  [[nodiscard]] bool AtEnd() const { return rest_.empty(); }
  bool Take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // Exactly `digits` digits.
  bool Number(size_t digits, int& value) {
    if (rest_.size() < digits) return false;
    value = 0;
    for (size_t i = 0; i < digits; ++i) {
      if (std::isdigit(static_cast<unsigned char>(rest_[i])) == 0) return false;
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(digits);
    return true;
  }
  // One digit or more, at most `digits_max`; how many there were.
  size_t Digits(size_t digits_max, int64_t& value) {
    size_t count = 0;
    value = 0;
    while (count < digits_max && count < rest_.size() &&
           std::isdigit(static_cast<unsigned char>(rest_[count])) != 0) {
      value = value * 10 + (rest_[count] - '0');
      ++count;
    }
    rest_.remove_prefix(count);
    return count;
  }

 private:
  absl::string_view rest_;
};

// The zone's distance from UTC in minutes.
bool TakeZone(TextCursor& text, int& minutes) {
  minutes = 0;
  if (text.AtEnd() || text.Take('Z') || text.Take('z')) return true;
  int sign = 0;
  if (text.Take('+')) sign = 1;
  if (sign == 0 && text.Take('-')) sign = -1;
  int hours = 0;
  int rest = 0;
  if (sign == 0 || !text.Number(2, hours)) return false;
  text.Take(':');
  if (!text.AtEnd() && !text.Number(2, rest)) return false;
  if (hours > 14 || rest > 59) return false;
  minutes = sign * (hours * 60 + rest);
  return true;
}

// The part behind T: hh:mm[:ss[.fff]], as milliseconds of the day.
bool TakeClock(TextCursor& text, int64_t& ms) {
  int hours = 0;
  int minutes = 0;
  int seconds = 0;
  int64_t fraction = 0;
  if (!text.Number(2, hours) || !text.Take(':') || !text.Number(2, minutes)) return false;
  if (text.Take(':')) {
    if (!text.Number(2, seconds)) return false;
    if (text.Take('.')) {
      const size_t digits = text.Digits(9, fraction);
      if (digits == 0) return false;
      for (size_t i = digits; i < 3; ++i) fraction *= 10;
      for (size_t i = 3; i < digits; ++i) fraction /= 10;
    }
  }
  if (hours > 23 || minutes > 59 || seconds > 59) return false;
  ms = ((int64_t{hours} * 60 + minutes) * 60 + seconds) * 1000 + fraction;
  return true;
}

std::optional<int64_t> ParseIso(absl::string_view text) {
  TextCursor cursor(text);
  int year = 0;
  int month = 0;
  int day = 0;
  if (!cursor.Number(4, year) || !cursor.Take('-') || !cursor.Number(2, month) ||
      !cursor.Take('-') || !cursor.Number(2, day)) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  int64_t clock = 0;
  int zone = 0;
  if (!cursor.AtEnd()) {
    if (!cursor.Take('T') && !cursor.Take('t') && !cursor.Take(' ')) return std::nullopt;
    if (!TakeClock(cursor, clock) || !TakeZone(cursor, zone) || !cursor.AtEnd()) {
      return std::nullopt;
    }
  }
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return days * 86400000 + clock - int64_t{zone} * 60000;
}

// "1h30m" as milliseconds.
std::optional<int64_t> ParseSpan(absl::string_view text) {
  TextCursor cursor(text);
  int64_t total = 0;
  while (!cursor.AtEnd()) {
    int64_t number = 0;
    if (cursor.Digits(9, number) == 0) return std::nullopt;
    int64_t unit = 0;
    if (cursor.Take('d')) {
      unit = 86400000;
    } else if (cursor.Take('h')) {
      unit = 3600000;
    } else if (cursor.Take('m')) {
      unit = cursor.Take('s') ? 1 : 60000;
    } else if (cursor.Take('s')) {
      unit = 1000;
    }
    if (unit == 0) return std::nullopt;
    total += number * unit;
  }
  return text.empty() ? std::nullopt : std::optional<int64_t>(total);
}

bool IsNumber(absl::string_view text) {
  constexpr size_t kDigitsMin = 5;  // so that a year alone is not taken for a moment of 1970
  return text.size() >= kDigitsMin && std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isdigit(c) != 0;
         });
}

}  // namespace

int64_t WallMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

absl::StatusOr<int64_t> ParseTime(absl::string_view text, int64_t now_ms) {
  if (text == "now") return now_ms;
  int64_t number = 0;
  if (IsNumber(text) && absl::SimpleAtoi(text, &number)) return number;
  std::optional<int64_t> ms;
  if (!text.empty() && text.front() == '-') {
    const std::optional<int64_t> span = ParseSpan(text.substr(1));
    if (span) ms = now_ms - *span;
  } else {
    ms = ParseIso(text);
  }
  if (ms.has_value()) return *ms;
  return ToStatus(ErrorCode::kInvalidConfig,
                  absl::StrCat("'", text,
                               "': expected a time such as 2026-03-01T12:30:00Z, 2026-03-01, -1h, "
                               "-2d12h, now, or milliseconds since 1970"));
}

std::string TimeText(int64_t ms) {
  constexpr int64_t kDayMs = 86400000;
  int64_t days = ms / kDayMs;
  if (days * kDayMs > ms) --days;
  const int64_t rest = ms - days * kDayMs;
  constexpr int64_t kFirstDay = -719528;  // 0000-01-01
  constexpr int64_t kLastDay = 2932896;   // 9999-12-31
  if (days < kFirstDay || days > kLastDay) return absl::StrCat(ms);
  const std::chrono::year_month_day date{
      std::chrono::sys_days(std::chrono::days(static_cast<int>(days)))};
  char text[64];
  std::snprintf(text, sizeof(text), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", int{date.year()},
                unsigned{date.month()}, unsigned{date.day()}, static_cast<int>(rest / 3600000),
                static_cast<int>(rest / 60000 % 60), static_cast<int>(rest / 1000 % 60),
                static_cast<int>(rest % 1000));
  return text;
}

}  // namespace quipu::cli
