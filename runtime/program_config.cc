#include "runtime/program_config.h"

#include <unistd.h>

#include <cstdio>

#include "base/logging.h"

namespace quipu {

std::vector<std::string> ProcessEnvironment() {
  std::vector<std::string> out;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    out.emplace_back(*variable);
  }
  return out;
}

void PrintConfig(const std::vector<ConfigValue>& values) {
  std::fputs(EffectiveConfigText(values).c_str(), stdout);
  std::puts("The configuration is sound.");
}

void LogConfigWarnings(const std::vector<ConfigWarning>& warnings) {
  for (const ConfigWarning& warning : warnings) {
    LogWarn("config.warning", {{"key", warning.key}, {"problem", warning.problem}});
  }
}

}  // namespace quipu
