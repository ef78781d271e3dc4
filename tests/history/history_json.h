// Histories as lines of JSON, one event a line; docs/testing.md has the form.
#pragma once

#include <istream>
#include <string>
#include <vector>

#include "tests/history/history.h"

namespace quipu::history {

// A history has at most so many events; more are refused, not cut off.
inline constexpr size_t kEventsMax = 20'000'000;

struct ReadResult {
  std::vector<Event> events;
  std::string error;  // empty: everything was read; else "line N: what is wrong"
};

// Reads events up to the end of `input`. Empty lines are skipped; an unknown field, a missing one
// or a wrong type is an error, since a history that is half understood proves nothing.
ReadResult ReadJsonLines(std::istream& input);

// The line of one event, without its end.
std::string ToJsonLine(const Event& event);

}  // namespace quipu::history
