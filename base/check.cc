#include "base/check.h"

#include <cstdlib>
#include <string>

#include "base/logging.h"

namespace quipu {
namespace {

CheckFailureHandler g_handler = nullptr;

}  // namespace

void SetCheckFailureHandler(CheckFailureHandler handler) { g_handler = handler; }

void CheckFailed(absl::string_view id, absl::string_view condition, absl::string_view file,
                 int line, absl::string_view detail) {
  if (g_handler != nullptr) g_handler(id, condition, file, line, detail);
  LogLastWords("process.check_failed", {{"invariant", std::string(id)},
                                        {"condition", std::string(condition)},
                                        {"at", std::string(file) + ":" + std::to_string(line)},
                                        {"detail", std::string(detail)}});
  std::abort();
}

}  // namespace quipu
