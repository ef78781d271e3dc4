// Error codes of the node's protobuf answers.
#pragma once

#include "base/error_code.h"

namespace quipu::kafka {

// Of an answer's error_code field. A number that this version does not know is an unknown error,
// never success.
inline ErrorCode ErrorOf(int32_t number) {
  return ErrorCodeFromWire(number).value_or(ErrorCode::kUnknownServerError);
}

// An error of a coordinator, for clients of groups: what is Quipu's own and passes is told as
// "ask for the coordinator again", which every client does.
inline ErrorCode GroupError(ErrorCode error) {
  const bool passes = error == ErrorCode::kBrokerShuttingDown || error == ErrorCode::kLimitReached;
  return passes ? ErrorCode::kCoordinatorNotAvailable : error;
}

// An error of a change of the cluster, for clients that administer it: a limit of the cluster is a
// policy to them, and what a broker that shuts down has not passed on is for another one.
inline ErrorCode AdminError(ErrorCode error) {
  if (error == ErrorCode::kLimitReached) return ErrorCode::kPolicyViolation;
  return error == ErrorCode::kBrokerShuttingDown ? ErrorCode::kNotController : error;
}

}  // namespace quipu::kafka
