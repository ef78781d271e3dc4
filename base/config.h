// A process's configuration: Kafka-style properties, typed, with ranges and documentation.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/time.h"

namespace quipu {

// The keys that a program knows, each bound to a variable that holds its default. Loading writes
// the variables. All errors are kInvalidConfig and name where (file and line, or --set), the key,
// the value and what was expected; an unknown key is refused with the nearest known one.
//
//   int64_t shards = 1;
//   ConfigKeys keys;
//   keys.Add("num.shards", &shards, 1, 64, "threads that own partitions");
//   QUIPU_RETURN_IF_ERROR(keys.LoadFile(path));
//   QUIPU_RETURN_IF_ERROR(keys.Set("num.shards=4"));
//
// One owner; not thread-safe. The variables must outlive the loading.
class ConfigKeys {
 public:
  // Whole numbers in [min, max].
  template <typename T>
  void Add(std::string name, T* target, T min, T max, std::string doc) {
    AddNumber(std::move(name), static_cast<int64_t>(*target), static_cast<int64_t>(min),
              static_cast<int64_t>(max), std::move(doc),
              [target](int64_t value) { *target = static_cast<T>(value); });
  }
  // "true" or "false".
  void AddBool(std::string name, bool* target, std::string doc);
  // Any text.
  void AddText(std::string name, std::string* target, std::string doc);
  // Whole milliseconds in [min, max]; by Kafka's custom the name ends in ".ms".
  void AddMillis(std::string name, Duration* target, int64_t min, int64_t max, std::string doc);
  // HOST:PORT or [IPV6]:PORT.
  void AddEndpoint(std::string name, std::string* host, uint16_t* port, std::string doc);
  // Anything else: `parse` returns false for a value that is not as `expected` says.
  void AddParsed(std::string name, std::string default_text, std::string expected, std::string doc,
                 std::function<bool(absl::string_view)> parse);

  // The key must be given.
  void Require(const std::string& name);

  // Lines "key=value"; blank lines and lines that begin with # or ! are skipped; spaces around key
  // and value are cut. A key twice in one file is an error.
  absl::Status LoadFile(const std::string& path);
  // The same from memory; `origin` stands for the file's name in errors.
  absl::Status LoadText(absl::string_view text, const std::string& origin);
  // One "key=value" from the command line; it wins over the file when called later.
  absl::Status Set(absl::string_view assignment);
  // Whether every required key was given.
  [[nodiscard]] absl::Status CheckComplete() const;
  [[nodiscard]] bool WasGiven(const std::string& name) const;

  // One paragraph per key: name, default, what is expected, documentation.
  [[nodiscard]] std::string Describe() const;

 private:
  struct Key {
    std::string default_text;
    std::string expected;
    std::string doc;
    std::function<bool(absl::string_view)> parse;
    bool required = false;
    bool given = false;
  };
  void AddNumber(std::string name, int64_t present, int64_t min, int64_t max, std::string doc,
                 std::function<void(int64_t)> store);
  absl::Status Assign(const std::string& where, absl::string_view name, absl::string_view value);
  [[nodiscard]] std::string Nearest(absl::string_view name) const;

  absl::btree_map<std::string, Key> keys_;
};

// Splits HOST:PORT or [IPV6]:PORT. False when it is neither or the port is above 65535.
bool ParseEndpoint(absl::string_view text, std::string* host, uint16_t* port);

// The number of single-letter insertions, deletions and replacements from `a` to `b`.
size_t EditDistance(absl::string_view a, absl::string_view b);

}  // namespace quipu
