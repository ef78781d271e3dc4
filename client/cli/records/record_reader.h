// Records from lines, CSV or JSON, for `quipu produce`.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/records/line_source.h"

namespace quipu::cli {

struct InputRecord {
  std::optional<std::string> key;    // nullopt: null
  std::optional<std::string> value;  // nullopt: null
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  std::optional<int32_t> partition;
  std::optional<int64_t> timestamp;  // milliseconds since 1970
};

enum class InputFormat { kLines, kCsv, kJson };

struct ReaderOptions {
  InputFormat format = InputFormat::kLines;
  std::string key_separator{};  // lines: splits each line into key and value; empty: no key
  std::string key_column{};     // CSV: the column that is the key; empty: no key
  std::string value_column{};   // CSV: the column that is the value; empty: the row as it stands
};

// Reads one record after the other. One thread.
class RecordReader {
 public:
  virtual ~RecordReader() = default;
  // False at the end of the input. kInvalidRecord says what is wrong with the record that begins at
  // `line()`; kStorageError: the input cannot be read. An error is final.
  virtual absl::StatusOr<bool> Next(InputRecord& record) = 0;
  // Where the record given last, or the error, begins; from 1.
  [[nodiscard]] virtual uint64_t line() const = 0;
};

// `source` must outlive the reader.
//   lines  a line is a record
//   CSV    RFC 4180 with a header line: fields by commas, quoted where they hold commas, quotes
//          (doubled) or line ends; every row has as many fields as the header
//   JSON   an object a line with the members key and value (text, or null; another value is
//          taken as its JSON text, and refused where a number in it would be changed), headers
//          ([{"key": ..., "value": ...}] or an object), partition, timestamp; key_hex and value_hex
//          hold bytes; topic and offset, which `quipu consume -o json` adds, are passed over. Any
//          other member is refused. Blank lines are skipped.
std::unique_ptr<RecordReader> MakeRecordReader(const ReaderOptions& options, LineSource& source);

}  // namespace quipu::cli
