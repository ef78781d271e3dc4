#include "client/cli/records/json_record.h"

#include <algorithm>
#include <cctype>
#include <limits>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/error_code.h"
#include "base/status_macros.h"

namespace quipu::cli {
namespace {

using InputJson = nlohmann::ordered_json;

absl::Status BadMember(absl::string_view what) { return ToStatus(ErrorCode::kInvalidRecord, what); }

// Whether a number of it may be printed otherwise than it was written: 0.10, 1e3, beyond 64 bits.
bool HasInexactNumber(const InputJson& json) {
  if (!json.is_structured()) return json.is_number_float();
  return std::any_of(json.begin(), json.end(), HasInexactNumber);
}

// Text and null as they are; anything else as its JSON text, without blanks.
absl::StatusOr<std::optional<std::string>> BytesOf(const std::string& name, const InputJson& json) {
  if (json.is_null()) return std::optional<std::string>();
  if (json.is_string()) return json.get<std::string>();
  if (HasInexactNumber(json)) {
    return BadMember(absl::StrCat(name,
                                  ": a number with a fraction, an exponent or more than 64 bits "
                                  "would be changed; write it as a text, in quotes"));
  }
  return json.dump(-1, ' ', false, InputJson::error_handler_t::replace);
}

absl::StatusOr<std::string> HexBytes(const std::string& name, const InputJson& json) {
  const std::string text = json.is_string() ? json.get<std::string>() : std::string("?");
  bool good = text.size() % 2 == 0;
  for (const char c : text) good = good && std::isxdigit(static_cast<unsigned char>(c)) != 0;
  if (good) return absl::HexStringToBytes(text);
  return BadMember(absl::StrCat(name, ": expected an even number of hexadecimal digits"));
}

absl::StatusOr<int64_t> Whole(const std::string& name, const InputJson& json, int64_t max) {
  if (json.is_number_integer() && json >= 0 && json <= max) return json.get<int64_t>();
  return BadMember(absl::StrCat(name, ": expected a whole number from 0 to ", max));
}

using Header = std::pair<std::string, std::optional<std::string>>;

// {"key": "a", "value": "1"}, as `quipu consume -o json` prints it.
absl::StatusOr<Header> ParseHeader(const InputJson& json) {
  Header header;
  bool named = false;
  if (!json.is_object()) return BadMember("headers: expected objects with key and value");
  for (const auto& [name, member] : json.items()) {
    if (name == "key" && member.is_string()) {
      header.first = member.get<std::string>();
      named = true;
    } else if (name == "key_hex") {
      QUIPU_ASSIGN_OR_RETURN(header.first, HexBytes("headers: key_hex", member));
      named = true;
    } else if (name == "value") {
      QUIPU_ASSIGN_OR_RETURN(header.second, BytesOf("headers: value", member));
    } else if (name == "value_hex") {
      QUIPU_ASSIGN_OR_RETURN(header.second, HexBytes("headers: value_hex", member));
    } else {
      return BadMember(absl::StrCat("headers: '", name, "' is no member of a header"));
    }
  }
  if (!named) return BadMember("headers: a header without a key");
  return header;
}

absl::Status ParseHeaders(const InputJson& json, InputRecord& record) {
  if (json.is_object()) {
    for (const auto& [name, member] : json.items()) {
      QUIPU_ASSIGN_OR_RETURN(std::optional<std::string> text, BytesOf("headers: " + name, member));
      record.headers.emplace_back(name, std::move(text));
    }
    return absl::OkStatus();
  }
  if (!json.is_array()) return BadMember("headers: expected an array or an object");
  for (const InputJson& one : json) {
    QUIPU_ASSIGN_OR_RETURN(Header header, ParseHeader(one));
    record.headers.push_back(std::move(header));
  }
  return absl::OkStatus();
}

absl::Status ParseMember(const std::string& name, const InputJson& json, InputRecord& record) {
  if (name == "topic" || name == "offset") return absl::OkStatus();
  if (name == "key") {
    QUIPU_ASSIGN_OR_RETURN(record.key, BytesOf(name, json));
  } else if (name == "value") {
    QUIPU_ASSIGN_OR_RETURN(record.value, BytesOf(name, json));
  } else if (name == "key_hex") {
    QUIPU_ASSIGN_OR_RETURN(record.key, HexBytes(name, json));
  } else if (name == "value_hex") {
    QUIPU_ASSIGN_OR_RETURN(record.value, HexBytes(name, json));
  } else if (name == "headers") {
    return ParseHeaders(json, record);
  } else if (name == "partition") {
    QUIPU_ASSIGN_OR_RETURN(const int64_t partition,
                           Whole(name, json, std::numeric_limits<int32_t>::max()));
    record.partition = static_cast<int32_t>(partition);
  } else if (name == "timestamp") {
    QUIPU_ASSIGN_OR_RETURN(record.timestamp,
                           Whole(name, json, std::numeric_limits<int64_t>::max()));
  } else {
    return BadMember(absl::StrCat("'", name,
                                  "' is no member of a record; there are key, value, key_hex, "
                                  "value_hex, headers, partition, timestamp"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<InputRecord> ParseJsonRecord(const std::string& text) {
  const InputJson json = InputJson::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return BadMember("no well-formed JSON");
  if (!json.is_object())
    return BadMember("expected a JSON object such as {\"key\": ..., \"value\": ...}");
  InputRecord record;
  for (const auto& [name, member] : json.items()) {
    QUIPU_RETURN_IF_ERROR(ParseMember(name, member, record));
  }
  return record;
}

}  // namespace quipu::cli
