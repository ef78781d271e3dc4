#include "client/cli/records/record_reader.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/error_code.h"
#include "base/status_macros.h"
#include "client/cli/records/json_record.h"

namespace quipu::cli {
namespace {

absl::Status BadInput(absl::string_view what) { return ToStatus(ErrorCode::kInvalidRecord, what); }

class LinesReader final : public RecordReader {
 public:
  LinesReader(const ReaderOptions& options, LineSource& source)
      : separator_(options.key_separator), source_(source) {}

  absl::StatusOr<bool> Next(InputRecord& record) override {
    record = {};
    std::string text;
    QUIPU_ASSIGN_OR_RETURN(const bool more, source_.Next(text));
    if (!more) return false;
    if (!separator_.empty()) {
      const size_t at = text.find(separator_);
      if (at == std::string::npos) {
        return BadInput(absl::StrCat("no key separator '", separator_, "'"));
      }
      record.key = text.substr(0, at);
      text.erase(0, at + separator_.size());
    }
    record.value = std::move(text);
    return true;
  }
  [[nodiscard]] uint64_t line() const override { return source_.line(); }

 private:
  const std::string separator_;
  LineSource& source_;
};

// One row of a CSV input: the text as it stands, and its fields.
struct CsvRow {
  std::string text;
  std::vector<std::string> fields;
};

class CsvReader final : public RecordReader {
 public:
  CsvReader(const ReaderOptions& options, LineSource& source)
      : key_column_(options.key_column), value_column_(options.value_column), source_(source) {}

  absl::StatusOr<bool> Next(InputRecord& record) override {
    record = {};
    if (columns_.empty()) {
      QUIPU_ASSIGN_OR_RETURN(const bool header, ReadHeader());
      if (!header) return false;
    }
    CsvRow row;
    QUIPU_ASSIGN_OR_RETURN(const bool more, ReadRow(row));
    if (!more) return false;
    if (row.fields.size() != columns_.size()) {
      return BadInput(absl::StrCat(row.fields.size(), " fields where the header has ",
                                   columns_.size(), " (", absl::StrJoin(columns_, ", "), ")"));
    }
    if (key_at_) record.key = row.fields[*key_at_];
    record.value = value_at_ ? std::move(row.fields[*value_at_]) : std::move(row.text);
    return true;
  }
  [[nodiscard]] uint64_t line() const override { return line_; }

 private:
  absl::StatusOr<bool> ReadHeader() {
    CsvRow row;
    QUIPU_ASSIGN_OR_RETURN(const bool more, ReadRow(row));
    if (!more && source_.stopped()) return false;
    if (!more) return BadInput("a header line was expected, but the input is empty");
    // Spreadsheets put a byte order mark before the first name.
    if (row.fields[0].rfind("\xEF\xBB\xBF", 0) == 0) row.fields[0].erase(0, 3);
    columns_ = std::move(row.fields);
    QUIPU_ASSIGN_OR_RETURN(key_at_, FindColumn(key_column_));
    QUIPU_ASSIGN_OR_RETURN(value_at_, FindColumn(value_column_));
    return true;
  }

  absl::StatusOr<std::optional<size_t>> FindColumn(const std::string& name) const {
    if (name.empty()) return std::optional<size_t>();
    const auto found = std::find(columns_.begin(), columns_.end(), name);
    if (found != columns_.end()) {
      return std::optional<size_t>(static_cast<size_t>(found - columns_.begin()));
    }
    return BadInput(absl::StrCat("there is no column '", name, "'; the header has ",
                                 absl::StrJoin(columns_, ", ")));
  }

  // Joins lines while a quote is open.
  absl::StatusOr<bool> ReadRow(CsvRow& row) {
    std::string piece;
    QUIPU_ASSIGN_OR_RETURN(const bool more, source_.Next(piece));
    line_ = source_.line();
    if (!more) return false;
    row = {.text = {}, .fields = {""}};
    quoted_ = closed_ = false;
    QUIPU_RETURN_IF_ERROR(Take(piece, row));
    while (quoted_) {
      QUIPU_ASSIGN_OR_RETURN(const bool has_next, source_.Next(piece));
      if (!has_next && source_.stopped()) return false;
      if (!has_next) return BadInput("a quoted field is not closed before the end of the input");
      QUIPU_RETURN_IF_ERROR(Take(absl::StrCat("\n", piece), row));
      if (row.text.size() > kInputLineBytesMax) {
        return BadInput(absl::StrCat("a quoted field makes it longer than ", kInputLineBytesMax,
                                     " bytes; is a quote missing?"));
      }
    }
    return true;
  }

  // Adds the next piece of a row's text to it.
  absl::Status Take(absl::string_view piece, CsvRow& row) {
    absl::StrAppend(&row.text, piece);
    for (size_t i = 0; i < piece.size(); ++i) {
      const char c = piece[i];
      std::string& field = row.fields.back();
      if (quoted_ && c == '"' && i + 1 < piece.size() && piece[i + 1] == '"') {
        field += c;
        ++i;
      } else if (quoted_ && c == '"') {
        quoted_ = false;
        closed_ = true;
      } else if (quoted_) {
        field += c;
      } else if (c == ',') {
        row.fields.emplace_back();
        closed_ = false;
      } else if (closed_ || (c == '"' && !field.empty())) {
        return BadInput(absl::StrCat("field ", row.fields.size(),
                                     ": a quote inside a field must be doubled, and the whole "
                                     "field quoted"));
      } else if (c == '"') {
        quoted_ = true;
      } else {
        field += c;
      }
    }
    return absl::OkStatus();
  }

  const std::string key_column_;
  const std::string value_column_;
  LineSource& source_;
  std::vector<std::string> columns_;
  std::optional<size_t> key_at_;
  std::optional<size_t> value_at_;
  bool quoted_ = false;  // inside a quoted field
  bool closed_ = false;  // behind its closing quote
  uint64_t line_ = 0;
};

class JsonReader final : public RecordReader {
 public:
  explicit JsonReader(LineSource& source) : source_(source) {}

  absl::StatusOr<bool> Next(InputRecord& record) override {
    std::string text;
    do {
      QUIPU_ASSIGN_OR_RETURN(const bool more, source_.Next(text));
      if (!more) return false;
    } while (text.find_first_not_of(" \t") == std::string::npos);
    QUIPU_ASSIGN_OR_RETURN(record, ParseJsonRecord(text));
    return true;
  }
  [[nodiscard]] uint64_t line() const override { return source_.line(); }

 private:
  LineSource& source_;
};

}  // namespace

std::unique_ptr<RecordReader> MakeRecordReader(const ReaderOptions& options, LineSource& source) {
  switch (options.format) {
    case InputFormat::kLines:
      return std::make_unique<LinesReader>(options, source);
    case InputFormat::kCsv:
      return std::make_unique<CsvReader>(options, source);
    case InputFormat::kJson:
      return std::make_unique<JsonReader>(source);
  }
  return nullptr;
}

}  // namespace quipu::cli
