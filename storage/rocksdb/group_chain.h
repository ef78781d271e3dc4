// The running number and chain checksum that every synced group carries (D4).
//
// Each WriteBatch ends with the same small record in every column family, under the key 'G':
//
//   version u8 . number u64 . previous chain u32 . chain u32
//
// chain = CRC32C(number . previous chain . the batch's other bytes). Replay can thus show that no
// group between two others is missing, and that none was changed. It stands in every family since
// families are flushed at different times: the lowest flushed number says which groups must still
// be in the WAL.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "rocksdb/db.h"
#include "rocksdb/write_batch.h"

namespace quipu {

struct GroupRecord {
  uint64_t number = 0;  // 0: before the first group
  uint32_t previous_chain = 0;
  uint32_t chain = 0;
};

std::string EncodeGroupRecord(const GroupRecord& record);
std::optional<GroupRecord> DecodeGroupRecord(absl::string_view bytes);

// Adds the group record that follows `previous` to each of `families` (the default one last) and
// returns it. Nothing may be added to `batch` afterwards.
GroupRecord SealGroup(rocksdb::WriteBatch& batch, const GroupRecord& previous,
                      const std::vector<rocksdb::ColumnFamilyHandle*>& families);

// The group record of a sealed batch's bytes. nullopt: not sealed for `family_count` families, or
// its chain does not match its bytes.
std::optional<GroupRecord> ReadSealedGroup(absl::string_view batch_bytes, size_t family_count);

}  // namespace quipu
