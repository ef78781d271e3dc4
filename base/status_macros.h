// Early return for absl::Status.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define QUIPU_RETURN_IF_ERROR(expression)                                                     \
  do {                                                                                        \
    if (absl::Status quipu_status_ = (expression); !quipu_status_.ok()) return quipu_status_; \
  } while (false)

#define QUIPU_CONCAT_INNER(a, b) a##b
#define QUIPU_CONCAT(a, b) QUIPU_CONCAT_INNER(a, b)

// QUIPU_ASSIGN_OR_RETURN(auto value, FunctionThatReturnsStatusOr());
#define QUIPU_ASSIGN_OR_RETURN(target, expression) \
  QUIPU_ASSIGN_OR_RETURN_INNER(QUIPU_CONCAT(quipu_result_, __LINE__), target, expression)
// NOLINTBEGIN(bugprone-macro-parentheses): names and declarations take none.
#define QUIPU_ASSIGN_OR_RETURN_INNER(result, target, expression) \
  auto result = (expression);                                    \
  if (!result.ok()) return result.status();                      \
  target = std::move(result).value()
// NOLINTEND(bugprone-macro-parentheses)
