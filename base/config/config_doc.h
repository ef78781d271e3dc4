// The tables of settings as text.
#pragma once

#include <string>

#include "base/config/config_tables.h"

namespace quipu {

// One paragraph per key of the table: name, what it does, what is expected, default, environment.
std::string DescribeConfigKeys(ConfigTable table);

// docs/configuration.md, whole. A test compares it with the file.
std::string ConfigurationPage();

}  // namespace quipu
