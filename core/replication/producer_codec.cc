#include "core/replication/producer_codec.h"

#include <algorithm>
#include <string>

#include "base/big_endian.h"
#include "core/replication/producer_table.h"

namespace quipu {
namespace {

//   entry: producer_id i64, epoch i16, last_timestamp i64, batches u8, then per batch
//          base_sequence i32, last_sequence i32, base_offset i64, last_offset i64, timestamp i64
constexpr size_t kEntryBytes = 19;
constexpr size_t kBatchBytes = 32;

// Of each producer, when all are to fit: the newest at least.
size_t BatchesToldMax(const std::vector<ProducerEntry>& producers) {
  size_t all = producers.size() * kEntryBytes;
  for (const ProducerEntry& entry : producers) all += entry.batches.size() * kBatchBytes;
  if (all <= kProducerStateBytesMax) return kProducerBatchesMax;
  const size_t bytes = kProducerStateBytesMax / producers.size();
  if (bytes < kEntryBytes + kBatchBytes) return 1;
  return std::min((bytes - kEntryBytes) / kBatchBytes, kProducerBatchesMax);
}

// Takes numbers off the front of `bytes`; the caller has checked the length.
template <typename Strong>
Strong Take(absl::string_view& bytes) {
  using Rep = typename Strong::ValueType;
  const Strong value{LoadBigEndian<Rep>(bytes.data())};
  bytes.remove_prefix(sizeof(Rep));
  return value;
}

}  // namespace

Bytes EncodeProducers(const std::vector<ProducerEntry>& producers) {
  const size_t told_max = BatchesToldMax(producers);
  std::string out;
  for (auto entry = producers.rbegin(); entry != producers.rend(); ++entry) {
    const size_t told = std::min(entry->batches.size(), told_max);
    if (out.size() + kEntryBytes + told * kBatchBytes > kProducerStateBytesMax) break;
    AppendBigEndian(out, entry->producer_id.value());
    AppendBigEndian(out, entry->producer_epoch.value());
    AppendBigEndian(out, entry->last_timestamp.value());
    AppendBigEndian(out, static_cast<uint8_t>(told));
    for (size_t i = entry->batches.size() - told; i < entry->batches.size(); ++i) {
      const ProducerBatch& batch = entry->batches[i];
      AppendBigEndian(out, batch.base_sequence.value());
      AppendBigEndian(out, batch.last_sequence.value());
      AppendBigEndian(out, batch.base_offset.value());
      AppendBigEndian(out, batch.last_offset.value());
      AppendBigEndian(out, batch.timestamp.value());
    }
  }
  return Bytes(std::move(out));
}

std::optional<std::vector<ProducerEntry>> DecodeProducers(absl::string_view bytes) {
  std::vector<ProducerEntry> producers;
  while (!bytes.empty()) {
    if (bytes.size() < kEntryBytes) return std::nullopt;
    ProducerEntry entry;
    entry.producer_id = Take<ProducerId>(bytes);
    entry.producer_epoch = Take<ProducerEpoch>(bytes);
    entry.last_timestamp = Take<TimestampMs>(bytes);
    const size_t count = static_cast<uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    if (count == 0 || count > kProducerBatchesMax) return std::nullopt;
    if (bytes.size() < count * kBatchBytes) return std::nullopt;
    for (size_t i = 0; i < count; ++i) {
      ProducerBatch batch;
      batch.base_sequence = Take<Sequence>(bytes);
      batch.last_sequence = Take<Sequence>(bytes);
      batch.base_offset = Take<Offset>(bytes);
      batch.last_offset = Take<Offset>(bytes);
      batch.timestamp = Take<TimestampMs>(bytes);
      entry.batches.push_back(batch);
    }
    producers.push_back(std::move(entry));
  }
  std::reverse(producers.begin(), producers.end());
  return producers;
}

}  // namespace quipu
