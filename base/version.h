// The version of all programs and packages: CMakeLists.txt reads it here.
#pragma once

namespace quipu {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace quipu
