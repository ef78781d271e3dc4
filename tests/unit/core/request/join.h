// The bytes of a chain in one piece.
#pragma once

#include <string>

#include "core/request/log_codec.h"

namespace quipu {

inline std::string Join(const ByteChain& chain) {
  std::string text;
  for (const Bytes& bytes : chain) text += bytes.ToString();
  return text;
}

}  // namespace quipu
