#include "core/record/record_batch_builder.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/big_endian.h"
#include "base/check.h"
#include "core/record/batch_layout.h"
#include "core/record/compression.h"
#include "core/record/varint.h"

namespace quipu {
namespace {

namespace layout = batch_layout;

size_t NullableSize(const std::optional<absl::string_view>& text) {
  if (!text.has_value()) return VarintSize(-1);
  return VarintSize(static_cast<int64_t>(text->size())) + text->size();
}

void AppendNullable(std::string& out, const std::optional<absl::string_view>& text) {
  if (!text.has_value()) {
    AppendVarint(out, -1);
    return;
  }
  AppendVarint(out, static_cast<int64_t>(text->size()));
  out.append(text->data(), text->size());
}

// Bytes of key, value and headers with their lengths.
size_t PayloadSize(const RecordInput& record) {
  size_t size = NullableSize(record.key) + NullableSize(record.value) +
                VarintSize(static_cast<int64_t>(record.headers.size()));
  for (const RecordHeader& header : record.headers) {
    size += NullableSize(header.key) + NullableSize(header.value);
  }
  return size;
}

void StoreProducer(std::string& batch, ProducerId id, ProducerEpoch epoch, Sequence base_sequence) {
  StoreBigEndian<int64_t>(id.value(), batch.data() + layout::kProducerId);
  StoreBigEndian<int16_t>(epoch.value(), batch.data() + layout::kProducerEpoch);
  StoreBigEndian<int32_t>(base_sequence.value(), batch.data() + layout::kBaseSequence);
}

}  // namespace

RecordBatchBuilder::RecordBatchBuilder(RecordBatchOptions options) : options_(options) {
  QUIPU_CHECK(IsSupported(options.compression));
  QUIPU_CHECK(options.base_offset >= Offset(0));
}

void RecordBatchBuilder::Add(const RecordInput& record) {
  QUIPU_CHECK(record_count_ < std::numeric_limits<int32_t>::max());
  if (record_count_ == 0) base_timestamp_ = record.timestamp;
  max_timestamp_ = std::max(max_timestamp_, record.timestamp);
  const int64_t timestamp_delta = record.timestamp - base_timestamp_;
  const size_t body_size =
      1 + VarintSize(timestamp_delta) + VarintSize(record_count_) + PayloadSize(record);
  AppendVarint(records_, static_cast<int64_t>(body_size));
  const size_t body_start = records_.size();
  records_.push_back('\0');  // attributes of a record: no bit has a meaning yet
  AppendVarint(records_, timestamp_delta);
  AppendVarint(records_, record_count_);
  AppendNullable(records_, record.key);
  AppendNullable(records_, record.value);
  AppendVarint(records_, static_cast<int64_t>(record.headers.size()));
  for (const RecordHeader& header : record.headers) {
    AppendNullable(records_, header.key);
    AppendNullable(records_, header.value);
  }
  QUIPU_CHECK(records_.size() == body_start + body_size);
  ++record_count_;
}

size_t RecordBatchBuilder::SizeUpperBound(const RecordInput& record) {
  return kVarintBytesMax32 + 1 + kVarintBytesMax64 + kVarintBytesMax32 + PayloadSize(record);
}

void RecordBatchBuilder::SetProducer(ProducerId id, ProducerEpoch epoch, Sequence base_sequence) {
  options_.producer_id = id;
  options_.producer_epoch = epoch;
  options_.base_sequence = base_sequence;
}

Bytes RecordBatchBuilder::Build() {
  QUIPU_CHECK(record_count_ > 0);
  std::string batch(kRecordBatchHeaderBytes, '\0');
  if (options_.compression == Compression::kNone) {
    batch += records_;
  } else {
    batch += Compress(options_.compression, records_);
  }
  QUIPU_CHECK(batch.size() <= static_cast<size_t>(std::numeric_limits<int32_t>::max()));
  unsigned attributes = static_cast<unsigned>(options_.compression);
  if (options_.timestamp_type == TimestampType::kLogAppendTime) {
    attributes |= layout::kLogAppendTimeBit;
  }
  if (options_.control) attributes |= layout::kControlBit;
  char* const out = batch.data();
  StoreBigEndian<int64_t>(options_.base_offset.value(), out + layout::kBaseOffset);
  StoreBigEndian<int32_t>(static_cast<int32_t>(batch.size() - kRecordBatchPrefixBytes),
                          out + layout::kBatchLength);
  StoreBigEndian<int32_t>(options_.leader_epoch.value(), out + layout::kLeaderEpoch);
  StoreBigEndian<int8_t>(layout::kMagicValue, out + layout::kMagic);
  StoreBigEndian<uint16_t>(static_cast<uint16_t>(attributes), out + layout::kAttributes);
  StoreBigEndian<int32_t>(record_count_ - 1, out + layout::kLastOffsetDelta);
  StoreBigEndian<int64_t>(base_timestamp_.value(), out + layout::kBaseTimestamp);
  StoreBigEndian<int64_t>(max_timestamp_.value(), out + layout::kMaxTimestamp);
  StoreProducer(batch, options_.producer_id, options_.producer_epoch, options_.base_sequence);
  StoreBigEndian<int32_t>(record_count_, out + layout::kRecordCount);
  layout::StoreCrc(batch);
  return Bytes(std::move(batch));
}

Bytes WithProducer(const RecordBatchView& batch, ProducerId id, ProducerEpoch epoch,
                   Sequence base_sequence) {
  std::string text = batch.bytes().ToString();
  StoreProducer(text, id, epoch, base_sequence);
  layout::StoreCrc(text);
  return Bytes(std::move(text));
}

}  // namespace quipu
