#include "core/record/snappy_blocks.h"

#include <snappy.h>

#include <algorithm>
#include <cstdint>

#include "base/big_endian.h"
#include "base/check.h"
#include "core/record/capped_output.h"

namespace quipu {
namespace {

constexpr absl::string_view kSnappyMagic("\x82SNAPPY\0", 8);
constexpr size_t kSnappyHeaderBytes = 16;
constexpr uint32_t kSnappyVersion = 1;
constexpr size_t kSnappyBlockBytes = size_t{32} << 10;
// A copy of three bytes makes at most 64: no block holds more than 22 times its size.
constexpr size_t kSnappyGrowthMax = 22;

bool IsFramed(absl::string_view data) {
  return data.substr(0, kSnappyMagic.size()) == kSnappyMagic;
}

// Appends what the block holds.
absl::Status AppendBlock(absl::string_view block, size_t output_bytes_max, std::string& out) {
  size_t size = 0;
  if (!snappy::GetUncompressedLength(block.data(), block.size(), &size)) {
    return BrokenData("broken snappy block: no length");
  }
  if (size / kSnappyGrowthMax > block.size()) {
    return BrokenData("broken snappy block: it claims more than it can hold");
  }
  if (size > output_bytes_max - out.size()) return OutputTooLarge();
  const size_t begin = out.size();
  out.resize(begin + size);
  if (!snappy::RawUncompress(block.data(), block.size(), out.data() + begin)) {
    return BrokenData("broken snappy block");
  }
  return absl::OkStatus();
}

}  // namespace

std::string CompressSnappy(absl::string_view data) {
  std::string out(kSnappyMagic);
  AppendBigEndian(out, kSnappyVersion);
  AppendBigEndian(out, kSnappyVersion);
  while (!data.empty()) {
    const absl::string_view piece = data.substr(0, kSnappyBlockBytes);
    data.remove_prefix(piece.size());
    const size_t length_at = out.size();
    const size_t block_at = length_at + sizeof(uint32_t);
    out.resize(block_at + snappy::MaxCompressedLength(piece.size()));
    size_t size = 0;
    snappy::RawCompress(piece.data(), piece.size(), out.data() + block_at, &size);
    out.resize(block_at + size);
    StoreBigEndian<uint32_t>(static_cast<uint32_t>(size), out.data() + length_at);
  }
  return out;
}

absl::StatusOr<std::string> DecompressSnappy(absl::string_view data, size_t output_bytes_max) {
  std::string out;
  if (!IsFramed(data)) {
    if (const absl::Status read = AppendBlock(data, output_bytes_max, out); !read.ok()) return read;
    return out;
  }
  while (!data.empty()) {
    if (IsFramed(data)) {
      if (data.size() < kSnappyHeaderBytes) return BrokenData("snappy header is cut off");
      const auto least = LoadBigEndian<uint32_t>(data.data() + 12);
      if (least > kSnappyVersion) return BrokenData("snappy frame of an unknown version");
      data.remove_prefix(kSnappyHeaderBytes);
      continue;
    }
    if (data.size() < sizeof(uint32_t)) return BrokenData("snappy block length is cut off");
    const auto size = LoadBigEndian<uint32_t>(data.data());
    data.remove_prefix(sizeof(uint32_t));
    if (size > data.size()) return BrokenData("snappy block is cut off");
    if (const absl::Status read = AppendBlock(data.substr(0, size), output_bytes_max, out);
        !read.ok()) {
      return read;
    }
    data.remove_prefix(size);
  }
  return out;
}

}  // namespace quipu
