#include "core/record/record_batch.h"

#include <limits>
#include <utility>

#include "base/big_endian.h"
#include "base/check.h"
#include "core/record/batch_layout.h"

namespace quipu {
namespace {

namespace layout = batch_layout;

absl::Status Corrupt(absl::string_view what) { return ToStatus(ErrorCode::kCorruptMessage, what); }

template <typename T>
T Load(const Bytes& bytes, size_t position) {
  return LoadBigEndian<T>(bytes.data() + position);
}

}  // namespace

absl::StatusOr<RecordBatchView> RecordBatchView::Parse(const Bytes& bytes) {
  // All message formats have the magic at the same place, so an old one gets its own error.
  if (bytes.size() <= layout::kMagic) return Corrupt("shorter than a batch header");
  if (Load<int8_t>(bytes, layout::kMagic) != layout::kMagicValue) {
    return ToStatus(ErrorCode::kUnsupportedForMessageFormat, "magic is not 2");
  }
  if (bytes.size() < kRecordBatchHeaderBytes) return Corrupt("shorter than a batch header");
  const int32_t length = Load<int32_t>(bytes, layout::kBatchLength);
  if (length < static_cast<int32_t>(kRecordBatchHeaderBytes - kRecordBatchPrefixBytes)) {
    return Corrupt("batch_length is shorter than the header");
  }
  const size_t size = kRecordBatchPrefixBytes + static_cast<size_t>(length);
  if (size > bytes.size()) return Corrupt("batch_length is longer than the bytes");
  const int32_t last_delta = Load<int32_t>(bytes, layout::kLastOffsetDelta);
  const int64_t base = Load<int64_t>(bytes, layout::kBaseOffset);
  if (last_delta < 0) return Corrupt("last_offset_delta is negative");
  if (base < 0 || base > std::numeric_limits<int64_t>::max() - last_delta - 1) {
    return Corrupt("base_offset is out of range");
  }
  const int32_t count = Load<int32_t>(bytes, layout::kRecordCount);
  // Compared as last_delta >= count - 1, which cannot overflow: offsets are distinct.
  if (count < 0 || count - 1 > last_delta) return Corrupt("record_count is out of range");
  return RecordBatchView(bytes.Slice(0, size));
}

Offset RecordBatchView::base_offset() const {
  return Offset(Load<int64_t>(bytes_, layout::kBaseOffset));
}
Offset RecordBatchView::last_offset() const { return base_offset() + last_offset_delta(); }
LeaderEpoch RecordBatchView::leader_epoch() const {
  return LeaderEpoch(Load<int32_t>(bytes_, layout::kLeaderEpoch));
}
uint32_t RecordBatchView::crc() const { return Load<uint32_t>(bytes_, layout::kCrc); }
int16_t RecordBatchView::attributes() const { return Load<int16_t>(bytes_, layout::kAttributes); }
Compression RecordBatchView::compression() const {
  return static_cast<Compression>(static_cast<unsigned>(attributes()) & layout::kCodecMask);
}
TimestampType RecordBatchView::timestamp_type() const {
  return (static_cast<unsigned>(attributes()) & layout::kLogAppendTimeBit) != 0
             ? TimestampType::kLogAppendTime
             : TimestampType::kCreateTime;
}
bool RecordBatchView::is_transactional() const {
  return (static_cast<unsigned>(attributes()) & layout::kTransactionalBit) != 0;
}
bool RecordBatchView::is_control() const {
  return (static_cast<unsigned>(attributes()) & layout::kControlBit) != 0;
}
int32_t RecordBatchView::last_offset_delta() const {
  return Load<int32_t>(bytes_, layout::kLastOffsetDelta);
}
TimestampMs RecordBatchView::base_timestamp() const {
  return TimestampMs(Load<int64_t>(bytes_, layout::kBaseTimestamp));
}
TimestampMs RecordBatchView::max_timestamp() const {
  return TimestampMs(Load<int64_t>(bytes_, layout::kMaxTimestamp));
}
ProducerId RecordBatchView::producer_id() const {
  return ProducerId(Load<int64_t>(bytes_, layout::kProducerId));
}
ProducerEpoch RecordBatchView::producer_epoch() const {
  return ProducerEpoch(Load<int16_t>(bytes_, layout::kProducerEpoch));
}
Sequence RecordBatchView::base_sequence() const {
  return Sequence(Load<int32_t>(bytes_, layout::kBaseSequence));
}
int32_t RecordBatchView::record_count() const {
  return Load<int32_t>(bytes_, layout::kRecordCount);
}

Sequence RecordBatchView::last_sequence() const {
  if (producer_id() == kNoProducerId || base_sequence() < Sequence(0)) return kNoSequence;
  // Sequences live in [0, 2^31 - 1] and go on at 0 after the last one.
  constexpr int64_t kSequences = int64_t{1} << 31;
  const int64_t last = int64_t{base_sequence().value()} + record_count() - 1;
  return Sequence(static_cast<int32_t>(last % kSequences));
}

absl::string_view RecordBatchView::records() const {
  return bytes_.view().substr(kRecordBatchHeaderBytes);
}

bool RecordBatchView::CrcMatches() const { return crc() == layout::ComputeCrc(bytes_.view()); }

absl::StatusOr<std::vector<RecordBatchView>> SplitBatches(const Bytes& bytes) {
  std::vector<RecordBatchView> batches;
  for (size_t position = 0; position < bytes.size();) {
    auto batch = RecordBatchView::Parse(bytes.Slice(position, bytes.size() - position));
    if (!batch.ok()) return batch.status();
    position += batch->size();
    batches.push_back(std::move(batch).value());
  }
  return batches;
}

Bytes StampBatch(const RecordBatchView& batch, Offset base_offset, LeaderEpoch epoch,
                 std::optional<TimestampMs> log_append_time,
                 std::optional<TimestampMs> max_create_time) {
  QUIPU_CHECK(base_offset >= Offset(0));
  std::string text = batch.bytes().ToString();
  StoreBigEndian<int64_t>(base_offset.value(), text.data() + layout::kBaseOffset);
  StoreBigEndian<int32_t>(epoch.value(), text.data() + layout::kLeaderEpoch);
  const bool appended = log_append_time.has_value();
  const TimestampMs max_timestamp =
      appended ? *log_append_time : max_create_time.value_or(batch.max_timestamp());
  if (!appended && max_timestamp == batch.max_timestamp()) return Bytes(std::move(text));
  StoreBigEndian<int64_t>(max_timestamp.value(), text.data() + layout::kMaxTimestamp);
  if (appended) {
    const unsigned attributes =
        static_cast<uint16_t>(batch.attributes()) | layout::kLogAppendTimeBit;
    StoreBigEndian<uint16_t>(static_cast<uint16_t>(attributes), text.data() + layout::kAttributes);
  }
  layout::StoreCrc(text);
  return Bytes(std::move(text));
}

}  // namespace quipu
