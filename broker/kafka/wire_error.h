// Error codes of the node's protobuf answers.
#pragma once

#include "base/error_code.h"

namespace quipu::kafka {

// Of an answer's error_code field. A number that this version does not know is an unknown error,
// never success.
inline ErrorCode ErrorOf(int32_t number) {
  return ErrorCodeFromWire(number).value_or(ErrorCode::kUnknownServerError);
}

}  // namespace quipu::kafka
