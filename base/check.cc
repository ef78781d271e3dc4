#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace quipu {
namespace {

CheckFailureHandler g_handler = nullptr;

}  // namespace

void SetCheckFailureHandler(CheckFailureHandler handler) { g_handler = handler; }

void CheckFailed(absl::string_view id, absl::string_view condition, absl::string_view file,
                 int line, absl::string_view detail) {
  if (g_handler != nullptr) g_handler(id, condition, file, line, detail);
  std::fprintf(stderr, "quipu: %.*s violated: %.*s at %.*s:%d %.*s\n", static_cast<int>(id.size()),
               id.data(), static_cast<int>(condition.size()), condition.data(),
               static_cast<int>(file.size()), file.data(), line, static_cast<int>(detail.size()),
               detail.data());
  std::fflush(stderr);
  std::abort();
}

}  // namespace quipu
