// Reads CSV rows from a file, plain or .xz, one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quipu::payments {

// Splits one CSV record into fields: commas, double quotes, doubled quotes inside quoted fields
// (RFC 4180). The error says the column (from 1) and what was expected.
absl::StatusOr<std::vector<std::string>> SplitCsvRow(absl::string_view row);

// One data row.
struct CsvRow {
  uint64_t line = 0;  // of the file, from 1; the header is line 1
  std::string text;   // without the line end
  std::vector<std::string> fields;
};

// Streams a file; a row may span lines inside quotes. A name that ends in .xz is decompressed.
// One owner, not thread-safe.
class CsvReader {
 public:
  // Opens `path` and reads the header. Errors name the path.
  static absl::StatusOr<std::unique_ptr<CsvReader>> Open(const std::string& path);
  ~CsvReader();
  CsvReader(const CsvReader&) = delete;
  CsvReader& operator=(const CsvReader&) = delete;

  [[nodiscard]] const std::vector<std::string>& header() const { return header_; }
  // Position of a column in the header; the error lists the columns that there are.
  [[nodiscard]] absl::StatusOr<size_t> ColumnIndex(const std::string& name) const;

  // The next row; nullopt at the end. A malformed row is an error that names path, line, column and
  // what was expected; the reader stands behind that row, so reading may go on.
  absl::StatusOr<std::optional<CsvRow>> Next();

 private:
  class Source;
  CsvReader(std::string path, std::unique_ptr<Source> source);
  // The next record's text (quotes may hold line ends); nullopt at the end of the file.
  absl::StatusOr<std::optional<std::string>> NextRecordText();

  std::string path_;
  std::unique_ptr<Source> source_;
  std::vector<std::string> header_;
  uint64_t next_line_ = 1;    // of the next record's first line
  uint64_t record_line_ = 0;  // of the record last read
};

// A whole number, optionally negative. The error says what was found.
absl::StatusOr<int64_t> ParseAmount(absl::string_view text);

}  // namespace quipu::payments
