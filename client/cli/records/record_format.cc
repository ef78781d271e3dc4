#include "client/cli/records/record_format.h"

#include <cctype>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/error_code.h"
#include "base/status_macros.h"
#include "client/cli/records/time_text.h"

namespace quipu::cli {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr absl::string_view kFields = "kvtpoThKV";

// Adds `bytes` as `name`, or as `name`_hex when it is no UTF-8 and JSON could not hold it.
void AddBytes(const std::string& name, const std::optional<absl::string_view>& bytes,
              OrderedJson& json) {
  if (!bytes.has_value()) {
    json[name] = nullptr;
  } else if (IsUtf8(*bytes)) {
    json[name] = std::string(*bytes);
  } else {
    json[name + "_hex"] = absl::BytesToHexString(*bytes);
  }
}

std::string JsonLine(const PrintedRecord& record) {
  OrderedJson json{{"topic", std::string(record.topic)},
                   {"partition", record.partition.value()},
                   {"offset", record.offset.value()},
                   {"timestamp", record.timestamp.value()}};
  AddBytes("key", record.key, json);
  AddBytes("value", record.value, json);
  OrderedJson headers = OrderedJson::array();
  for (const RecordHeader& header : record.headers) {
    OrderedJson one = OrderedJson::object();
    AddBytes("key", header.key, one);
    AddBytes("value", header.value, one);
    headers.push_back(std::move(one));
  }
  json["headers"] = std::move(headers);
  return json.dump() + "\n";
}

std::string HeadersText(const std::vector<RecordHeader>& headers) {
  std::string text;
  for (const RecordHeader& header : headers) {
    absl::StrAppend(&text, text.empty() ? "" : ",", header.key, "=", header.value.value_or("NULL"));
  }
  return text;
}

void AppendDump(absl::string_view name, const std::optional<absl::string_view>& bytes,
                std::string& out) {
  constexpr size_t kBytesOfLine = 16;
  if (!bytes.has_value()) {
    absl::StrAppend(&out, "  ", name, " null\n");
    return;
  }
  absl::StrAppend(&out, "  ", name, " ", bytes->size(), " bytes\n");
  for (size_t at = 0; at < bytes->size(); at += kBytesOfLine) {
    const absl::string_view line = bytes->substr(at, kBytesOfLine);
    std::string hex;
    std::string plain;
    for (const char c : line) {
      absl::StrAppend(&hex, absl::BytesToHexString(absl::string_view(&c, 1)), " ");
      plain += std::isprint(static_cast<unsigned char>(c)) != 0 ? c : '.';
    }
    hex.resize(kBytesOfLine * 3, ' ');
    absl::StrAppend(&out, "    ", absl::Hex(at, absl::kZeroPad8), "  ", hex, " ", plain, "\n");
  }
}

void AppendHex(const PrintedRecord& record, std::string& out) {
  absl::StrAppend(&out, record.topic, " partition ", record.partition.value(), " offset ",
                  record.offset.value(), " ", TimeText(record.timestamp.value()), "\n");
  AppendDump("key", record.key, out);
  AppendDump("value", record.value, out);
  for (const RecordHeader& header : record.headers) {
    AppendDump(absl::StrCat("header ", header.key), header.value, out);
  }
}

int64_t LengthOf(const std::optional<absl::string_view>& bytes) {
  return bytes.has_value() ? static_cast<int64_t>(bytes->size()) : -1;
}

void AppendField(char field, const PrintedRecord& record, std::string& out) {
  switch (field) {
    case 'k':
      absl::StrAppend(&out, record.key.value_or(""));
      return;
    case 'v':
      absl::StrAppend(&out, record.value.value_or(""));
      return;
    case 't':
      absl::StrAppend(&out, record.topic);
      return;
    case 'p':
      absl::StrAppend(&out, record.partition.value());
      return;
    case 'o':
      absl::StrAppend(&out, record.offset.value());
      return;
    case 'T':
      absl::StrAppend(&out, record.timestamp.value());
      return;
    case 'h':
      absl::StrAppend(&out, HeadersText(record.headers));
      return;
    case 'K':
      absl::StrAppend(&out, LengthOf(record.key));
      return;
    default:  // 'V'
      absl::StrAppend(&out, LengthOf(record.value));
      return;
  }
}

// The character of the escape that begins behind the backslash at `at`, which is moved to its end.
// False: there is no such escape.
bool TakeEscape(absl::string_view text, size_t& at, char& c) {
  if (at + 1 >= text.size()) return false;
  const char letter = text[++at];
  constexpr absl::string_view kLetters = "ntr\\0";
  constexpr absl::string_view kMeaning("\n\t\r\\\0", 5);
  const size_t known = kLetters.find(letter);
  if (known != absl::string_view::npos) {
    c = kMeaning[known];
    return true;
  }
  uint32_t number = 0;
  if (letter != 'x' || at + 2 >= text.size() ||
      std::isxdigit(static_cast<unsigned char>(text[at + 1])) == 0 ||
      !absl::SimpleHexAtoi(text.substr(at + 1, 2), &number)) {
    return false;
  }
  at += 2;
  c = static_cast<char>(number);
  return true;
}

absl::Status BadFormat(absl::string_view text, absl::string_view what) {
  return ToStatus(ErrorCode::kInvalidConfig, absl::StrCat("format '", text, "': ", what));
}

}  // namespace

bool IsUtf8(absl::string_view bytes) {
  size_t at = 0;
  while (at < bytes.size()) {
    const auto lead = static_cast<unsigned char>(bytes[at]);
    const size_t length = lead < 0x80   ? 1
                          : lead < 0xC2 ? 0
                          : lead < 0xE0 ? 2
                          : lead < 0xF0 ? 3
                          : lead < 0xF5 ? 4
                                        : 0;
    if (length == 0 || at + length > bytes.size()) return false;
    for (size_t i = 1; i < length; ++i) {
      const auto next = static_cast<unsigned char>(bytes[at + i]);
      if ((next & 0xC0U) != 0x80U) return false;
      // Overlong forms, surrogates, and what is beyond U+10FFFF: all seen in the second byte.
      if (i == 1 && ((lead == 0xE0 && next < 0xA0) || (lead == 0xED && next > 0x9F) ||
                     (lead == 0xF0 && next < 0x90) || (lead == 0xF4 && next > 0x8F))) {
        return false;
      }
    }
    at += length;
  }
  return true;
}

PrintedRecord PrintedOf(const ConsumerRecord& record) {
  return {.topic = record.topic(),
          .partition = record.partition(),
          .offset = record.offset(),
          .timestamp = record.timestamp(),
          .key = record.key(),
          .value = record.value(),
          .headers = record.headers()};
}

absl::StatusOr<RecordFormat> RecordFormat::Parse(absl::string_view text) {
  RecordFormat format;
  if (text == "json") {
    format.kind_ = Kind::kJson;
  } else if (text == "hex") {
    format.kind_ = Kind::kHex;
  } else if (text == "text") {
    QUIPU_RETURN_IF_ERROR(format.ParseTemplate("%v\\n"));
  } else if (text.find('%') == absl::string_view::npos) {
    return BadFormat(text, "expected text, json, hex, or a template such as '%k %v\\n'");
  } else {
    QUIPU_RETURN_IF_ERROR(format.ParseTemplate(text));
  }
  return format;
}

absl::Status RecordFormat::ParseTemplate(absl::string_view text) {
  std::string literal;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\\') {
      char c = 0;
      const size_t began = at;
      if (!TakeEscape(text, at, c)) {
        return BadFormat(text, absl::StrCat("unknown escape at character ", began + 1,
                                            "; there are \\n \\t \\r \\\\ \\0 \\xHH"));
      }
      literal += c;
    } else if (text[at] != '%') {
      literal += text[at];
    } else if (at + 1 < text.size() && text[at + 1] == '%') {
      literal += '%';
      ++at;
    } else if (at + 1 >= text.size() || kFields.find(text[at + 1]) == absl::string_view::npos) {
      return BadFormat(text, absl::StrCat("unknown field at character ", at + 1,
                                          "; there are %k %v %t %p %o %T %h %K %V %%"));
    } else {
      if (!literal.empty()) pieces_.push_back({.field = 0, .literal = literal});
      literal.clear();
      pieces_.push_back({.field = text[++at], .literal = {}});
    }
  }
  if (!literal.empty()) pieces_.push_back({.field = 0, .literal = literal});
  return absl::OkStatus();
}

void RecordFormat::Append(const PrintedRecord& record, std::string& out) const {
  if (kind_ == Kind::kJson) {
    out += JsonLine(record);
    return;
  }
  if (kind_ == Kind::kHex) {
    AppendHex(record, out);
    return;
  }
  for (const Piece& piece : pieces_) {
    if (piece.field == 0) {
      out += piece.literal;
    } else {
      AppendField(piece.field, record, out);
    }
  }
}

}  // namespace quipu::cli
