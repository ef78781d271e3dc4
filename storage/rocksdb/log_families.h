// The column families of a broker's database.
#pragma once

#include <cstddef>

namespace quipu {

// In the order in which they are opened; see storage/key_encoding.h for what they hold.
enum LogFamily : size_t { kDefault = 0, kMeta, kLog, kTimeIndex, kFamilyCount };

}  // namespace quipu
