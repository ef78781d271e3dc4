// A record written as a JSON object.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "client/cli/records/record_reader.h"

namespace quipu::cli {

// The form is that of MakeRecordReader's JSON. kInvalidRecord says what is wrong.
absl::StatusOr<InputRecord> ParseJsonRecord(const std::string& text);

}  // namespace quipu::cli
