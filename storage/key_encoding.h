// Every byte of every key and small value in the databases of brokers and controllers.
//
// Numbers in keys are big-endian, so that byte order is number order. Signed ones that may be
// negative have their sign bit flipped. Every small value begins with a version byte and ends with
// a CRC32C of what is before it; a value of another version or with a wrong checksum is refused,
// never guessed at.
//
//   family      key                                      value
//   log         log_id u64 . last_offset i64             checksum u32 . record batch, or with a
//                                                        journal: where the batch lies in it
//   time_index  log_id u64 . time i64 . last_offset i64  bytes of the log up to here, i64
//   meta        'P' partition_uid u64                    log id, partition state
//               'E' log_id u64 . epoch i32               start offset
//               'S' log_id u64 . as_of i64               producer snapshot
//               'D' log_id u64                           (empty) dropped, space not given back yet
//               'J' segment u64                          what a full segment of the journal holds
//   default     'G'                                      group number and chain (group_chain.h)
//               'I'                                      identity of the directory
//               'N'                                      next log id
//               'V' name                                 named value
//   raft_log    index u64                                entry
//   raft_meta   'H'                                      term and vote
//   snapshot    'S'                                      newest snapshot
//               'Q'                                      the voters as of it
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/container/btree_map.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "core/replication/partition_types.h"
#include "storage/raft_store.h"

namespace quipu {

// First byte of each key of the families `meta` and `default`.
enum class KeyPrefix : char {
  kPartition = 'P',
  kEpoch = 'E',
  kProducerSnapshot = 'S',
  kDroppedLog = 'D',
  kSegmentUse = 'J',
  kGroup = 'G',
  kIdentity = 'I',
  kNextLogId = 'N',
  kNamedValue = 'V',
  kHardState = 'H',
  kVoters = 'Q',
};

inline constexpr std::array kKeyPrefixes = {
    KeyPrefix::kPartition,  KeyPrefix::kEpoch,      KeyPrefix::kProducerSnapshot,
    KeyPrefix::kDroppedLog, KeyPrefix::kSegmentUse, KeyPrefix::kGroup,
    KeyPrefix::kIdentity,   KeyPrefix::kNextLogId,  KeyPrefix::kNamedValue,
    KeyPrefix::kHardState,  KeyPrefix::kVoters};

constexpr bool KeyPrefixesAreUnique() {
  for (size_t i = 0; i < kKeyPrefixes.size(); ++i) {
    for (size_t k = 0; k < i; ++k) {
      if (kKeyPrefixes[i] == kKeyPrefixes[k]) return false;
    }
  }
  return true;
}
static_assert(KeyPrefixesAreUnique(), "two kinds of key would share their bytes");

// A key of fixed length, on the stack.
template <size_t kBytes>
struct FixedKey {
  std::array<char, kBytes> bytes;
  [[nodiscard]] absl::string_view view() const { return {bytes.data(), kBytes}; }
};

// ---- family log -----------------------------------------------------------------------------

using LogKey = FixedKey<16>;
LogKey EncodeLogKey(LogId log_id, Offset last_offset);
struct DecodedLogKey {
  LogId log_id;
  Offset last_offset;
};
// nullopt: not 16 bytes, or an offset below zero.
std::optional<DecodedLogKey> DecodeLogKey(absl::string_view key);
// First key of a log's range in `log` and `time_index`; that of log_id + 1 is its exclusive end.
FixedKey<8> EncodeLogRange(LogId log_id);

// Stands before the batch and covers what the batch's own CRC does not: base offset, length, leader
// epoch and magic, and the CRC itself.
inline constexpr size_t kBatchChecksumBytes = 4;
FixedKey<4> EncodeBatchChecksum(absl::string_view batch);
// Whether `value` (checksum and batch) begins with the right checksum.
bool BatchChecksumMatches(absl::string_view value);

// A batch in the journal: value of its key there.
struct BatchPointer {
  uint64_t segment = 0;
  uint32_t position = 0;  // in the segment
  uint32_t bytes = 0;
  TimestampMs max_timestamp = kNoTimestamp;
  FixedKey<4> checksum{};  // as EncodeBatchChecksum
};
inline constexpr size_t kBatchPointerBytes = 33;
std::string EncodeBatchPointer(const BatchPointer& pointer);
std::optional<BatchPointer> DecodeBatchPointer(absl::string_view bytes);

// ---- family time_index ------------------------------------------------------------------------

using TimeIndexKey = FixedKey<24>;
struct TimeIndexEntry {
  LogId log_id;
  TimestampMs running_max;  // of every batch of the log up to last_offset
  Offset last_offset;
};
TimeIndexKey EncodeTimeIndexKey(const TimeIndexEntry& entry);
std::optional<TimeIndexEntry> DecodeTimeIndexKey(absl::string_view key);
FixedKey<8> EncodeLogBytes(int64_t bytes);
std::optional<int64_t> DecodeLogBytes(absl::string_view value);

// ---- family meta ------------------------------------------------------------------------------

struct PartitionValue {
  LogId log_id;
  PartitionState state;
};
FixedKey<9> EncodePartitionKey(PartitionUid uid);
std::optional<PartitionUid> DecodePartitionKey(absl::string_view key);
std::string EncodePartitionValue(const PartitionValue& value);
std::optional<PartitionValue> DecodePartitionValue(absl::string_view bytes);

FixedKey<13> EncodeEpochKey(LogId log_id, LeaderEpoch epoch);
struct DecodedEpochKey {
  LogId log_id;
  LeaderEpoch epoch;
};
std::optional<DecodedEpochKey> DecodeEpochKey(absl::string_view key);
std::string EncodeEpochValue(Offset start_offset);
std::optional<Offset> DecodeEpochValue(absl::string_view bytes);

FixedKey<17> EncodeProducerSnapshotKey(LogId log_id, Offset as_of);
struct DecodedProducerSnapshotKey {
  LogId log_id;
  Offset as_of;
};
std::optional<DecodedProducerSnapshotKey> DecodeProducerSnapshotKey(absl::string_view key);
std::string EncodeProducerSnapshot(const ProducerSnapshot& snapshot);
std::optional<ProducerSnapshot> DecodeProducerSnapshot(absl::string_view bytes);

FixedKey<9> EncodeDroppedLogKey(LogId log_id);
std::optional<LogId> DecodeDroppedLogKey(absl::string_view key);

// What one log has in a segment of the journal.
struct SegmentLogUse {
  Offset first_offset{0};  // lowest and highest last offset of its batches there
  Offset last_offset{0};
  uint64_t bytes = 0;
};
using SegmentUse = absl::btree_map<LogId, SegmentLogUse>;
FixedKey<9> EncodeSegmentUseKey(uint64_t segment);
std::optional<uint64_t> DecodeSegmentUseKey(absl::string_view key);
std::string EncodeSegmentUse(const SegmentUse& use);
std::optional<SegmentUse> DecodeSegmentUse(absl::string_view bytes);

// ---- family default ---------------------------------------------------------------------------

// A key that is its prefix alone.
FixedKey<1> EncodeSingleKey(KeyPrefix prefix);
std::string EncodeNamedValueKey(absl::string_view name);
std::string EncodeNextLogId(LogId next);
std::optional<LogId> DecodeNextLogId(absl::string_view bytes);
// Any text with version and checksum: named values, identity.
std::string EncodeText(absl::string_view text);
std::optional<std::string> DecodeText(absl::string_view bytes);

// ---- the controller's database ------------------------------------------------------------------

FixedKey<8> EncodeRaftKey(LogIndex index);
std::optional<LogIndex> DecodeRaftKey(absl::string_view key);
// Each entry carries its own index, so that one under a wrong key is found out.
std::string EncodeRaftEntry(const message::RaftEntry& entry);
std::optional<message::RaftEntry> DecodeRaftEntry(absl::string_view bytes);
std::string EncodeHardState(const RaftHardState& state);
std::optional<RaftHardState> DecodeHardState(absl::string_view bytes);
// Without the voters, which have a value of their own (EncodeText).
std::string EncodeRaftSnapshot(const RaftSnapshot& snapshot);
std::optional<RaftSnapshot> DecodeRaftSnapshot(absl::string_view bytes);

}  // namespace quipu
