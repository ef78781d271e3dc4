// Kafka's record batch, version 2: the one batch format of the whole system.
//
//   position  bytes  field
//   0         8      base_offset                 stamped by the leader, outside the CRC
//   8         4      batch_length                bytes after this field
//   12        4      partition_leader_epoch      stamped by the leader, outside the CRC
//   16        1      magic = 2
//   17        4      crc                         CRC32C of everything from `attributes` on
//   21        2      attributes                  bits 0-2 codec, 3 timestamp type, 4 transactional,
//                                                5 control, 6 delete horizon
//   23        4      last_offset_delta
//   27        8      base_timestamp
//   35        8      max_timestamp
//   43        8      producer_id
//   51        2      producer_epoch
//   53        4      base_sequence
//   57        4      record_count
//   61        ...    records, compressed as a whole when a codec is set
//
// Source: Kafka's documentation, "Message Format"; KIP-98.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "base/error_code.h"
#include "base/ids.h"

namespace quipu {

inline constexpr size_t kRecordBatchHeaderBytes = 61;
// Bytes before `partition_leader_epoch`: base_offset and batch_length.
inline constexpr size_t kRecordBatchPrefixBytes = 12;

enum class Compression : int8_t { kNone = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };
enum class TimestampType : int8_t { kCreateTime = 0, kLogAppendTime = 1 };

struct RecordHeader {
  absl::string_view key;
  std::optional<absl::string_view> value = std::nullopt;  // nullopt: null
};

// One record. The views point into the batch that it was read from.
struct RecordView {
  Offset offset;
  TimestampMs timestamp;
  std::optional<absl::string_view> key = std::nullopt;    // nullopt: null
  std::optional<absl::string_view> value = std::nullopt;  // nullopt: null
  std::vector<RecordHeader> headers = {};
};

// A well-formed header over bytes that it keeps alive. Made by Parse only, so its accessors never
// read out of bounds. Immutable; thread-safe.
class RecordBatchView {
 public:
  // Reads the header of the batch at the start of `bytes` (more may follow).
  //   kCorruptMessage               too short, negative or impossible lengths and counts
  //   kUnsupportedForMessageFormat  magic other than 2
  // Does not check the CRC (see ValidateBatch) and does not walk the records.
  static absl::StatusOr<RecordBatchView> Parse(const Bytes& bytes);

  [[nodiscard]] Offset base_offset() const;
  // Inclusive.
  [[nodiscard]] Offset last_offset() const;
  // Exclusive: the offset after the batch.
  [[nodiscard]] Offset end_offset() const { return last_offset() + 1; }
  [[nodiscard]] LeaderEpoch leader_epoch() const;
  [[nodiscard]] uint32_t crc() const;
  [[nodiscard]] int16_t attributes() const;
  [[nodiscard]] Compression compression() const;
  [[nodiscard]] TimestampType timestamp_type() const;
  [[nodiscard]] bool is_transactional() const;
  [[nodiscard]] bool is_control() const;
  [[nodiscard]] int32_t last_offset_delta() const;
  [[nodiscard]] TimestampMs base_timestamp() const;
  [[nodiscard]] TimestampMs max_timestamp() const;
  [[nodiscard]] ProducerId producer_id() const;
  [[nodiscard]] ProducerEpoch producer_epoch() const;
  [[nodiscard]] Sequence base_sequence() const;
  // base_sequence + record_count - 1, wrapped as Kafka does; kNoSequence without a producer id.
  [[nodiscard]] Sequence last_sequence() const;
  [[nodiscard]] int32_t record_count() const;
  // The whole batch, header included.
  [[nodiscard]] const Bytes& bytes() const { return bytes_; }
  [[nodiscard]] size_t size() const { return bytes_.size(); }
  // The bytes after the header, still compressed.
  [[nodiscard]] absl::string_view records() const;
  // True when the stored CRC matches the bytes.
  [[nodiscard]] bool CrcMatches() const;

 private:
  explicit RecordBatchView(Bytes bytes) : bytes_(std::move(bytes)) {}
  Bytes bytes_;
};

// Splits concatenated batches. Errors as RecordBatchView::Parse; a partial batch at the end is
// kCorruptMessage.
absl::StatusOr<std::vector<RecordBatchView>> SplitBatches(const Bytes& bytes);

// What a broker requires of a produced batch before it appends it.
struct BatchLimits {
  size_t batch_bytes_max = 1048588;  // max.message.bytes
  // Decompress and walk every compressed batch too (quipu.validate.compressed).
  bool validate_compressed = false;
  size_t decompressed_bytes_max = size_t{64} << 20;
};

struct BatchVerdict {
  ErrorCode error = ErrorCode::kNone;  // kNone: the batch may be appended
  // The newest record's, kNoTimestamp when none has one; nullopt when the records were not read.
  std::optional<TimestampMs> max_create_time = std::nullopt;
};

// Checks header, CRC, counts and codec. Reads the records of batches that are not compressed, of
// those whose header's times cannot be true (one unset, or the maximum below the base), and of all
// when the limits say so. The header's maximum need not be that of the records: StampBatch
// corrects it.
//   kMessageTooLarge, kCorruptMessage, kInvalidRecord, kUnsupportedCompressionType
//   kInvalidTimestamp  below -1 or past the year 9999, in the header or in a record
BatchVerdict ValidateBatch(const RecordBatchView& batch, const BatchLimits& limits);

// A copy of `batch` with base offset and leader epoch stamped; both lie outside the CRC. With
// `log_append_time` also sets max_timestamp and the timestamp type; without it, max_timestamp
// becomes `max_create_time`, which is ValidateBatch's. The CRC is recomputed when either changes
// something.
Bytes StampBatch(const RecordBatchView& batch, Offset base_offset, LeaderEpoch epoch,
                 std::optional<TimestampMs> log_append_time,
                 std::optional<TimestampMs> max_create_time = std::nullopt);

// `batch` with its records in another codec (kNone: uncompressed) and a new CRC; all that the
// header says of the records stays. `codec` must be supported. Same bytes for the same input.
//   kCorruptMessage, kMessageTooLarge   as DecodedBatch::Decode, for the codec that it comes in
absl::StatusOr<Bytes> RecompressBatch(const RecordBatchView& batch, Compression codec,
                                      size_t decompressed_bytes_max);

// A batch whose records can be walked: decompressed where needed.
class DecodedBatch {
 public:
  // kCorruptMessage when the records do not match the header or the codec's data is broken;
  // kMessageTooLarge when they would exceed `decompressed_bytes_max`.
  static absl::StatusOr<DecodedBatch> Decode(const RecordBatchView& batch,
                                             size_t decompressed_bytes_max = size_t{64} << 20);
  // Views live as long as this object (or a copy of it).
  [[nodiscard]] const std::vector<RecordView>& records() const { return records_; }

 private:
  Bytes storage_;  // the batch, or its decompressed records
  std::vector<RecordView> records_;
};

}  // namespace quipu
