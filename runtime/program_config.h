// What the servers' programs do with a configuration beside obeying it.
#pragma once

#include <string>
#include <vector>

#include "base/config/config_reader.h"

namespace quipu {

// This process's environment, "NAME=value" each.
std::vector<std::string> ProcessEnvironment();

// For --check-config: prints every key with its value and where that stands to standard output.
void PrintConfig(const std::vector<ConfigValue>& values);

// Logs each as `config.warning`.
void LogConfigWarnings(const std::vector<ConfigWarning>& warnings);

}  // namespace quipu
