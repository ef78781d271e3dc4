// How `quipu consume` prints a record.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "core/client/consumer_types.h"

namespace quipu::cli {

// What is printed of a record; views into it.
struct PrintedRecord {
  absl::string_view topic;
  PartitionIndex partition{0};
  Offset offset{0};
  TimestampMs timestamp{0};
  std::optional<absl::string_view> key;    // nullopt: null
  std::optional<absl::string_view> value;  // nullopt: null
  std::vector<RecordHeader> headers;
};
// The views live as long as `record`.
PrintedRecord PrintedOf(const ConsumerRecord& record);

// A way to print records, parsed once. Immutable.
class RecordFormat {
 public:
  // `text` is one of
  //   text   the value and a line end
  //   json   one JSON object a line: topic, partition, offset, timestamp, key, value, headers.
  //   Bytes
  //          that are not UTF-8 come as key_hex, value_hex, never altered
  //   hex    a heading line, then the bytes of key and value, sixteen a line
  // or a template with
  //   %k key  %v value  %t topic  %p partition  %o offset  %T timestamp (ms)  %h headers (a=1,b=2)
  //   %K bytes of the key, -1: null  %V bytes of the value, -1: null  %% a percent sign
  //   \n \t \r \\ \0 \xHH
  // Nothing is added to a template: end it with \n.
  // kInvalidConfig names the place of what is not known, and a text that is none of these.
  static absl::StatusOr<RecordFormat> Parse(absl::string_view text);

  // Adds the printed form of `record` to `out`.
  void Append(const PrintedRecord& record, std::string& out) const;

 private:
  enum class Kind { kTemplate, kJson, kHex };
  struct Piece {
    char field = 0;  // a letter of the template; 0: literal
    std::string literal;
  };
  RecordFormat() = default;
  absl::Status ParseTemplate(absl::string_view text);

  Kind kind_ = Kind::kTemplate;
  std::vector<Piece> pieces_;
};

// Whether `bytes` is well-formed UTF-8.
bool IsUtf8(absl::string_view bytes);

}  // namespace quipu::cli
