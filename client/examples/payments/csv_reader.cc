#include "client/examples/payments/csv_reader.h"

#include <lzma.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"

namespace quipu::payments {
namespace {

constexpr size_t kChunkBytes = size_t{64} << 10;
constexpr uint64_t kLzmaMemoryBytesMax = uint64_t{256} << 20;
// A record longer than this is refused: an unclosed quote would otherwise swallow the file.
constexpr size_t kRecordBytesMax = size_t{1} << 20;

}  // namespace

// Bytes of a file, decompressed where its name says so.
class CsvReader::Source {
 public:
  explicit Source(std::FILE* file) : file_(file) {}
  ~Source() {
    lzma_end(&lzma_);
    std::fclose(file_);
  }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  absl::Status StartXz() {
    xz_ = true;
    if (lzma_stream_decoder(&lzma_, kLzmaMemoryBytesMax, LZMA_CONCATENATED) != LZMA_OK) {
      return absl::InternalError("liblzma could not start");
    }
    return absl::OkStatus();
  }

  // The next byte, or -1 at the end.
  absl::StatusOr<int> Next() {
    if (position_ == size_) {
      QUIPU_RETURN_IF_ERROR(Fill());
      if (size_ == 0) return -1;
    }
    return static_cast<uint8_t>(output_[position_++]);
  }

 private:
  absl::Status Fill() {
    position_ = 0;
    size_ = 0;
    if (!xz_) {
      size_ = std::fread(output_.data(), 1, output_.size(), file_);
      if (size_ == 0 && std::ferror(file_) != 0) return absl::DataLossError("reading failed");
      return absl::OkStatus();
    }
    lzma_.next_out = reinterpret_cast<uint8_t*>(output_.data());
    lzma_.avail_out = output_.size();
    while (lzma_.avail_out == output_.size() && !xz_ended_) {
      if (lzma_.avail_in == 0 && !input_ended_) {
        const size_t got = std::fread(input_.data(), 1, input_.size(), file_);
        input_ended_ = got == 0;
        lzma_.next_in = input_.data();
        lzma_.avail_in = got;
      }
      const lzma_ret result = lzma_code(&lzma_, input_ended_ ? LZMA_FINISH : LZMA_RUN);
      if (result == LZMA_STREAM_END) {
        xz_ended_ = true;
      } else if (result == LZMA_MEMLIMIT_ERROR) {
        return absl::DataLossError(
            absl::StrCat("the .xz data needs more than ", kLzmaMemoryBytesMax >> 20U,
                         " MiB to be decompressed; compress it with a smaller dictionary"));
      } else if (result == LZMA_MEM_ERROR) {
        return absl::DataLossError("not enough memory to decompress the .xz data");
      } else if (result != LZMA_OK) {
        return absl::DataLossError("the .xz data is damaged or cut short");
      }
    }
    size_ = output_.size() - lzma_.avail_out;
    return absl::OkStatus();
  }

  std::FILE* file_;
  bool xz_ = false;
  bool input_ended_ = false;
  bool xz_ended_ = false;
  lzma_stream lzma_ = LZMA_STREAM_INIT;
  std::array<uint8_t, kChunkBytes> input_{};
  std::array<char, kChunkBytes> output_{};
  size_t position_ = 0;
  size_t size_ = 0;
};

CsvReader::CsvReader(std::string path, std::unique_ptr<Source> source)
    : path_(std::move(path)), source_(std::move(source)) {}
CsvReader::~CsvReader() = default;

absl::StatusOr<std::vector<std::string>> SplitCsvRow(absl::string_view row) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  bool closed = false;
  for (size_t i = 0; i < row.size(); ++i) {
    const char c = row[i];
    if (quoted) {
      if (c != '"') {
        fields.back().push_back(c);
      } else if (i + 1 < row.size() && row[i + 1] == '"') {
        fields.back().push_back('"');
        ++i;
      } else {
        quoted = false;
        closed = true;
      }
    } else if (c == ',') {
      fields.emplace_back();
      closed = false;
    } else if (closed) {
      return absl::InvalidArgumentError(absl::StrCat(
          "column ", fields.size(), ": expected ',' or the end of the line after a closing quote"));
    } else if (c == '"') {
      if (!fields.back().empty()) {
        return absl::InvalidArgumentError(
            absl::StrCat("column ", fields.size(), ": expected a quote only at a field's start"));
      }
      quoted = true;
    } else {
      fields.back().push_back(c);
    }
  }
  if (quoted) {
    return absl::InvalidArgumentError(
        absl::StrCat("column ", fields.size(), ": expected a closing quote"));
  }
  return fields;
}

absl::StatusOr<std::unique_ptr<CsvReader>> CsvReader::Open(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) {
    return absl::NotFoundError(
        absl::StrCat(path, ": cannot be opened: ", std::strerror(errno), "; check --input"));
  }
  auto source = std::make_unique<Source>(file);
  if (absl::EndsWith(path, ".xz")) QUIPU_RETURN_IF_ERROR(source->StartXz());
  std::unique_ptr<CsvReader> reader(new CsvReader(path, std::move(source)));
  QUIPU_ASSIGN_OR_RETURN(const std::optional<std::string> header, reader->NextRecordText());
  if (!header.has_value() || header->empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ":1: expected a header line with the names of the columns"));
  }
  QUIPU_ASSIGN_OR_RETURN(reader->header_, SplitCsvRow(*header));
  return reader;
}

absl::StatusOr<size_t> CsvReader::ColumnIndex(const std::string& name) const {
  for (size_t i = 0; i < header_.size(); ++i) {
    if (header_[i] == name) return i;
  }
  return absl::InvalidArgumentError(absl::StrCat(path_, ":1: no column named '", name,
                                                 "'; there are: ", absl::StrJoin(header_, ", ")));
}

absl::StatusOr<std::optional<std::string>> CsvReader::NextRecordText() {
  std::string text;
  bool inside_quotes = false;
  record_line_ = next_line_;
  while (true) {
    absl::StatusOr<int> byte = source_->Next();
    if (!byte.ok()) {
      return absl::DataLossError(
          absl::StrCat(path_, ":", next_line_, ": ", byte.status().message()));
    }
    if (*byte < 0) {
      if (text.empty()) return std::optional<std::string>();
      break;
    }
    const char c = static_cast<char>(*byte);
    if (c == '\n') ++next_line_;
    if (c == '\n' && !inside_quotes) break;
    if (c == '"') inside_quotes = !inside_quotes;
    if (text.size() == kRecordBytesMax) {
      return absl::InvalidArgumentError(absl::StrCat(path_, ":", record_line_, ": the row exceeds ",
                                                     kRecordBytesMax,
                                                     " bytes; expected a closing quote"));
    }
    text.push_back(c);
  }
  if (!text.empty() && text.back() == '\r') text.pop_back();
  return std::optional<std::string>(std::move(text));
}

absl::StatusOr<std::optional<CsvRow>> CsvReader::Next() {
  QUIPU_ASSIGN_OR_RETURN(std::optional<std::string> text, NextRecordText());
  if (!text.has_value()) return std::optional<CsvRow>();
  CsvRow row{.line = record_line_, .text = std::move(*text), .fields = {}};
  absl::StatusOr<std::vector<std::string>> fields = SplitCsvRow(row.text);
  if (!fields.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path_, ":", row.line, ": ", fields.status().message()));
  }
  row.fields = *std::move(fields);
  if (row.fields.size() != header_.size()) {
    return absl::InvalidArgumentError(absl::StrCat(path_, ":", row.line, ": column ",
                                                   row.fields.size(), ": expected ", header_.size(),
                                                   " columns as in the header"));
  }
  return std::optional<CsvRow>(std::move(row));
}

absl::StatusOr<int64_t> ParseAmount(absl::string_view text) {
  int64_t amount = 0;
  if (!absl::SimpleAtoi(text, &amount)) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected a whole number, found '", text.substr(0, 40), "'"));
  }
  return amount;
}

}  // namespace quipu::payments
