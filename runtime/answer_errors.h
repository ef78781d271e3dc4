// Where the errors of an answer are, so that no service counts its own.
#pragma once

#include <concepts>
#include <string>

#include "base/error_code.h"
#include "runtime/refusals.h"

namespace quipu {

// A message, or a part of one, with an error of its own: protobuf's or a struct's of the fast path.
template <typename T>
concept HasWireError = requires(const T& t) { t.error_code(); };
template <typename T>
concept HasPlainError = requires(const T& t) {
  { t.error } -> std::convertible_to<ErrorCode>;
};

// Calls `count` with each error of `parts`, which have one each or none at all.
template <typename Parts, typename Count>
void ForEachPartError(const Parts& parts, const Count& count) {
  using Part = typename Parts::value_type;
  if constexpr (HasWireError<Part>) {
    for (const Part& part : parts) {
      count(ErrorCodeFromWire(part.error_code()).value_or(ErrorCode::kUnknownServerError));
    }
  } else if constexpr (HasPlainError<Part>) {
    for (const Part& part : parts) count(part.error);
  }
}

// Calls `count` with the error of `answer` and with that of each partition, topic, result, member,
// push or repair in it; kNone where there is none.
template <typename Answer, typename Count>
void ForEachError(const Answer& answer, const Count& count) {
  if constexpr (HasWireError<Answer>) {
    count(ErrorCodeFromWire(answer.error_code()).value_or(ErrorCode::kUnknownServerError));
  }
  if constexpr (HasPlainError<Answer>) count(answer.error);
  if constexpr (requires { answer.partitions().begin(); }) {
    ForEachPartError(answer.partitions(), count);
  }
  if constexpr (requires { answer.topics().begin(); }) ForEachPartError(answer.topics(), count);
  if constexpr (requires { answer.results().begin(); }) ForEachPartError(answer.results(), count);
  if constexpr (requires { answer.members().begin(); }) ForEachPartError(answer.members(), count);
  if constexpr (requires { answer.partitions.begin(); }) {
    ForEachPartError(answer.partitions, count);
  }
  if constexpr (requires { answer.pushes.begin(); }) ForEachPartError(answer.pushes, count);
  if constexpr (requires { answer.repairs.begin(); }) ForEachPartError(answer.repairs, count);
}

// The refusals in the answers of a call. Specialised for a stream that carries answers to several
// kinds of requests, which then count as calls of their own.
template <typename Answer>
struct AnswerRefusals {
  static void Count(const std::string& call, const Answer& answer, Refusals& refusals) {
    ForEachError(answer, [&](ErrorCode error) { refusals.Add(call, error); });
  }
};

}  // namespace quipu
