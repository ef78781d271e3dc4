// A batch's way from one codec to another.
#include <limits>
#include <string>
#include <utility>

#include "base/check.h"
#include "core/record/batch_layout.h"
#include "core/record/compression.h"
#include "core/record/record_batch.h"

namespace quipu {

absl::StatusOr<Bytes> RecompressBatch(const RecordBatchView& batch, Compression codec,
                                      size_t decompressed_bytes_max) {
  QUIPU_CHECK(IsSupported(codec));
  const auto records = Decompress(batch.compression(), batch.records(), decompressed_bytes_max);
  if (!records.ok()) return records.status();
  std::string text(batch.bytes().view().substr(0, kRecordBatchHeaderBytes));
  text += Compress(codec, *records);
  QUIPU_CHECK(text.size() <= static_cast<size_t>(std::numeric_limits<int32_t>::max()));
  const unsigned others =
      static_cast<uint16_t>(batch.attributes()) & ~batch_layout::kCodecMask & 0xFFFFU;
  StoreBigEndian<int32_t>(static_cast<int32_t>(text.size() - kRecordBatchPrefixBytes),
                          text.data() + batch_layout::kBatchLength);
  StoreBigEndian<uint16_t>(static_cast<uint16_t>(others | static_cast<unsigned>(codec)),
                           text.data() + batch_layout::kAttributes);
  batch_layout::StoreCrc(text);
  return Bytes(std::move(text));
}

}  // namespace quipu
