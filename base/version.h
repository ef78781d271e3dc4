// The version of all programs, as CMakeLists.txt has it.
#pragma once

namespace quipu {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace quipu
