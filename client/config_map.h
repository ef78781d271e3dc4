// Settings as an application gives them.
#pragma once

#include <map>
#include <string>

namespace quipu {

// Keys and values as in a Kafka client's properties file. docs/client.md lists them; Create refuses
// an unknown key (naming the nearest known one) and a bad value (naming what was expected).
using ConfigMap = std::map<std::string, std::string>;

}  // namespace quipu
