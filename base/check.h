// Assertions that stay on in production.
//
// QUIPU_CHECK(cond)            a programmer's error when false: prints place and text, then aborts.
// QUIPU_INVARIANT(id, cond)    the same for a numbered invariant (docs/invariants.md); `id` is its
//                              name, such as "I20".
// Both take an optional streamed-in-advance detail: QUIPU_CHECK_MSG(cond, text).
//
// The simulator's planted-bug build calls SetCheckFailureHandler to learn which invariant broke;
// the handler must not return (it throws in that build only).
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace quipu {

using CheckFailureHandler = void (*)(absl::string_view id, absl::string_view condition,
                                     absl::string_view file, int line, absl::string_view detail);

// Replaces what happens at a failed check. nullptr restores print-and-abort. Set once, before any
// thread starts.
void SetCheckFailureHandler(CheckFailureHandler handler);

[[noreturn]] void CheckFailed(absl::string_view id, absl::string_view condition,
                              absl::string_view file, int line, absl::string_view detail);

}  // namespace quipu

#define QUIPU_INVARIANT_MSG(id, cond, detail)                          \
  do {                                                                 \
    if (!(cond)) [[unlikely]] {                                        \
      ::quipu::CheckFailed((id), #cond, __FILE__, __LINE__, (detail)); \
    }                                                                  \
  } while (false)
#define QUIPU_INVARIANT(id, cond) QUIPU_INVARIANT_MSG(id, cond, "")
#define QUIPU_CHECK(cond) QUIPU_INVARIANT_MSG("check", cond, "")
#define QUIPU_CHECK_MSG(cond, detail) QUIPU_INVARIANT_MSG("check", cond, detail)
