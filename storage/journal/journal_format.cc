#include "storage/journal/journal_format.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/big_endian.h"
#include "base/crc32c.h"

namespace quipu {
namespace {

constexpr absl::string_view kSegmentMagic = "QuipuSeg";
constexpr uint32_t kGroupMagic = 0x51476A01;
constexpr uint32_t kMarkMagic = 0x514D6B01;
constexpr uint32_t kGroupVersion = 1;
constexpr size_t kMarkBytes = 4 + 8 + 8;                    // without the checksum
constexpr size_t kSegmentHeaderBytes = 8 + 4 + 16 + 8 + 8;  // without the checksum
constexpr absl::string_view kSuffix = ".seg";
constexpr size_t kNameDigits = 16;

uint32_t SeededCrc(const DirectoryId& directory_id, absl::string_view bytes) {
  std::string seed;
  AppendBigEndian(seed, directory_id.high());
  AppendBigEndian(seed, directory_id.low());
  return Crc32cExtend(Crc32c(seed), bytes);
}

}  // namespace

uint64_t RoundUpToBlock(uint64_t bytes) {
  return (bytes + kJournalBlockBytes - 1) / kJournalBlockBytes * kJournalBlockBytes;
}

uint64_t GroupHeader::bytes() const { return RoundUpToBlock(kGroupHeaderBytes + body_bytes()); }

std::string EncodeSegmentHeader(const SegmentHeader& header) {
  std::string out(kSegmentMagic);
  AppendBigEndian(out, header.version);
  AppendBigEndian(out, header.directory_id.high());
  AppendBigEndian(out, header.directory_id.low());
  AppendBigEndian(out, header.segment);
  AppendBigEndian(out, header.bytes);
  AppendBigEndian(out, Crc32c(out));
  out.resize(kJournalBlockBytes, '\0');
  return out;
}

std::optional<SegmentHeader> DecodeSegmentHeader(absl::string_view block) {
  if (block.size() < kSegmentHeaderBytes + 4 || !absl::StartsWith(block, kSegmentMagic)) {
    return std::nullopt;
  }
  const char* at = block.data() + kSegmentMagic.size();
  if (LoadBigEndian<uint32_t>(block.data() + kSegmentHeaderBytes) !=
      Crc32c(block.substr(0, kSegmentHeaderBytes))) {
    return std::nullopt;
  }
  return SegmentHeader{.version = LoadBigEndian<uint32_t>(at),
                       .directory_id = DirectoryId(LoadBigEndian<uint64_t>(at + 4),
                                                   LoadBigEndian<uint64_t>(at + 12)),
                       .segment = LoadBigEndian<uint64_t>(at + 20),
                       .bytes = LoadBigEndian<uint64_t>(at + 28)};
}

std::string EncodeMark(uint64_t group, const DirectoryId& directory_id, uint64_t segment) {
  std::string out;
  AppendBigEndian(out, kMarkMagic);
  AppendBigEndian(out, segment);
  AppendBigEndian(out, group);
  AppendBigEndian(out, SeededCrc(directory_id, out));
  out.resize(kJournalBlockBytes, '\0');
  return out;
}

std::optional<uint64_t> DecodeMark(absl::string_view block, const DirectoryId& directory_id,
                                   uint64_t segment) {
  if (block.size() < kMarkBytes + 4) return std::nullopt;
  const char* at = block.data();
  if (LoadBigEndian<uint32_t>(at) != kMarkMagic || LoadBigEndian<uint64_t>(at + 4) != segment ||
      LoadBigEndian<uint32_t>(at + kMarkBytes) !=
          SeededCrc(directory_id, block.substr(0, kMarkBytes))) {
    return std::nullopt;
  }
  return LoadBigEndian<uint64_t>(at + 12);
}

std::string EncodeGroupHeader(const GroupHeader& header, const DirectoryId& directory_id) {
  std::string out;
  AppendBigEndian(out, kGroupMagic);
  AppendBigEndian(out, kGroupVersion);
  AppendBigEndian(out, header.segment);
  AppendBigEndian(out, header.number);
  AppendBigEndian(out, header.previous_chain);
  AppendBigEndian(out, header.chain);
  AppendBigEndian(out, header.payload_bytes);
  AppendBigEndian(out, header.index_bytes);
  AppendBigEndian(out, header.body_crc);
  AppendBigEndian(out, SeededCrc(directory_id, out));
  return out;
}

std::optional<GroupHeader> DecodeGroupHeader(absl::string_view bytes,
                                             const DirectoryId& directory_id, uint64_t segment) {
  if (bytes.size() < kGroupHeaderBytes) return std::nullopt;
  const char* at = bytes.data();
  constexpr size_t kCovered = kGroupHeaderBytes - 4;
  if (LoadBigEndian<uint32_t>(at) != kGroupMagic ||
      LoadBigEndian<uint32_t>(at + kCovered) !=
          SeededCrc(directory_id, bytes.substr(0, kCovered)) ||
      LoadBigEndian<uint32_t>(at + 4) != kGroupVersion ||
      LoadBigEndian<uint64_t>(at + 8) != segment) {
    return std::nullopt;
  }
  return GroupHeader{.segment = segment,
                     .number = LoadBigEndian<uint64_t>(at + 16),
                     .previous_chain = LoadBigEndian<uint32_t>(at + 24),
                     .chain = LoadBigEndian<uint32_t>(at + 28),
                     .payload_bytes = LoadBigEndian<uint32_t>(at + 32),
                     .index_bytes = LoadBigEndian<uint32_t>(at + 36),
                     .body_crc = LoadBigEndian<uint32_t>(at + 40)};
}

std::string SegmentFileName(uint64_t segment) {
  return absl::StrFormat("%0*d%s", static_cast<int>(kNameDigits), segment, kSuffix);
}

std::optional<uint64_t> SegmentOfFileName(absl::string_view name) {
  uint64_t segment = 0;
  if (!absl::EndsWith(name, kSuffix) ||
      !absl::SimpleAtoi(name.substr(0, name.size() - kSuffix.size()), &segment) ||
      SegmentFileName(segment) != name) {
    return std::nullopt;
  }
  return segment;
}

}  // namespace quipu
