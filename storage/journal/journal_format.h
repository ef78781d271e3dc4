// Every byte of a journal's segments.
//
// A segment is a file `<id>.seg`, pre-written with zeros:
//
//   block of 4 KiB   magic, version, directory id, segment id, length, checksum; zeros
//   two such blocks  marks: the last group whose sync returned, each in the place of the older one
//   group            header of 48 bytes . payload . index . zeros up to a multiple of 4 KiB
//   group            ...
//
// The payload is the bytes of the group's batches, one after another; the index says what becomes
// of them (for RocksdbLogStore: a sealed WriteBatch). The id is never used again: a file that is
// recycled gets a new one, and the groups of its former life, which carry the old id, are nothing.
// Checksums begin with the directory's id, so that nothing that came from elsewhere, such as the
// bytes of a batch, passes for a header.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "base/ids.h"

namespace quipu {

// Groups begin at multiples of this: a group costs no read of a block before its write.
inline constexpr uint64_t kJournalBlockBytes = 4096;
inline constexpr size_t kGroupHeaderBytes = 48;
inline constexpr size_t kSegmentMarks = 2;
// Header and marks.
inline constexpr uint64_t kSegmentHeadBytes = (1 + kSegmentMarks) * kJournalBlockBytes;

// 1 had no marks, and was in no release. With 3 an index may hold several batches under one key
// (batch_run.h): nothing is written to a segment of an older version any more.
inline constexpr uint32_t kSegmentVersion = 3;
inline constexpr uint32_t kOldestSegmentVersion = 2;

struct SegmentHeader {
  uint32_t version = kSegmentVersion;
  DirectoryId directory_id;
  uint64_t segment = 0;
  uint64_t bytes = 0;  // of the file
};
// A whole block.
std::string EncodeSegmentHeader(const SegmentHeader& header);
// Of any version: what comes later may lie elsewhere then.
std::optional<SegmentHeader> DecodeSegmentHeader(absl::string_view block);

struct GroupHeader {
  uint64_t segment = 0;
  uint64_t number = 0;          // runs on over all segments
  uint32_t previous_chain = 0;  // see storage/rocksdb/group_chain.h
  uint32_t chain = 0;
  uint32_t payload_bytes = 0;
  uint32_t index_bytes = 0;
  uint32_t body_crc = 0;  // of payload and index

  [[nodiscard]] uint64_t body_bytes() const { return uint64_t{payload_bytes} + index_bytes; }
  // With header and padding.
  [[nodiscard]] uint64_t bytes() const;
};
// Up to the next multiple of a block.
uint64_t RoundUpToBlock(uint64_t bytes);
std::string EncodeGroupHeader(const GroupHeader& header, const DirectoryId& directory_id);
// nullopt: not a group's header, of another directory or of another segment.
std::optional<GroupHeader> DecodeGroupHeader(absl::string_view bytes,
                                             const DirectoryId& directory_id, uint64_t segment);

// Where the mark `slot` of a segment is.
constexpr uint64_t MarkPosition(size_t slot) { return (1 + slot) * kJournalBlockBytes; }
// A whole block: in this segment, the sync of `group` has returned.
std::string EncodeMark(uint64_t group, const DirectoryId& directory_id, uint64_t segment);
// The group; nullopt: not a mark of this directory and segment.
std::optional<uint64_t> DecodeMark(absl::string_view block, const DirectoryId& directory_id,
                                   uint64_t segment);

// Name of a segment's file, and back.
std::string SegmentFileName(uint64_t segment);
std::optional<uint64_t> SegmentOfFileName(absl::string_view name);

}  // namespace quipu
