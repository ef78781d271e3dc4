// Fuzz targets: what a directory holds. Behind a checksum little is reached by chance, so each
// value is tried as it is and with a checksum made right.
#include <string>

#include "absl/strings/str_cat.h"
#include "base/big_endian.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "core/metadata/metadata_image.h"
#include "proto/record/metadata.pb.h"
#include "storage/batch_run.h"
#include "storage/data_directory.h"
#include "storage/file_watermark.h"
#include "storage/key_encoding.h"
#include "storage/log_recovery.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/targets.h"
#include "tests/fuzz/temporary_file.h"

namespace quipu::fuzz {
namespace {

constexpr size_t kSlotSpacing = 4096;

// What is decoded must be encoded to the same bytes: there is one form of each value.
void Values(absl::string_view bytes) {
  if (const auto value = DecodePartitionValue(bytes)) {
    QUIPU_CHECK(EncodePartitionValue(*value) == bytes);
  }
  if (const auto offset = DecodeEpochValue(bytes)) QUIPU_CHECK(EncodeEpochValue(*offset) == bytes);
  if (const auto snapshot = DecodeProducerSnapshot(bytes)) {
    QUIPU_CHECK(EncodeProducerSnapshot(*snapshot) == bytes);
  }
  if (const auto next = DecodeNextLogId(bytes)) QUIPU_CHECK(EncodeNextLogId(*next) == bytes);
  if (const auto text = DecodeText(bytes)) QUIPU_CHECK(EncodeText(*text) == bytes);
  if (const auto entry = DecodeRaftEntry(bytes)) QUIPU_CHECK(EncodeRaftEntry(*entry) == bytes);
  if (const auto state = DecodeHardState(bytes)) QUIPU_CHECK(EncodeHardState(*state) == bytes);
  if (const auto snapshot = DecodeRaftSnapshot(bytes)) {
    QUIPU_CHECK(EncodeRaftSnapshot(*snapshot) == bytes);
    record::MetadataBatch metadata;
    if (metadata.ParseFromString(snapshot->data)) {
      record::MetadataBatch again;
      QUIPU_CHECK(again.ParseFromString(metadata.SerializeAsString()));
      QUIPU_CHECK(again.records_size() == metadata.records_size());
    }
  }
}

// Numbers have more than one form in it: what is decoded must be encoded to what decodes to it.
void Run(absl::string_view bytes) {
  const auto run = DecodeBatchRun(Offset::Max(), bytes);
  if (!run.has_value()) return;
  const std::string again = EncodeBatchRun(*run);
  QUIPU_CHECK(again.size() <= bytes.size());
  const auto back = DecodeBatchRun(Offset::Max(), again);
  QUIPU_CHECK(back.has_value() && back->size() == run->size());
  QUIPU_CHECK(back->front().last_offset == run->front().last_offset);
  QUIPU_CHECK(EncodeBatchRun(*back) == again);
}

void Stored(absl::string_view bytes) {
  if (BatchChecksumMatches(bytes)) {
    const absl::string_view batch = bytes.substr(kBatchChecksumBytes);
    QUIPU_CHECK(EncodeBatchChecksum(batch).view() == bytes.substr(0, kBatchChecksumBytes));
  }
  if (bytes.size() < 8) return;
  const Offset last(LoadBigEndian<int64_t>(bytes.data()));
  const auto stored = CheckedBatch(LogId(1), last, Bytes::CopyOf(bytes.substr(8)));
  if (!stored.ok()) return;
  QUIPU_CHECK(stored->last_offset == last && stored->base_offset <= last);
  ProducerRecovery recovery(std::nullopt);
  if (recovery.Add(LogId(1), *stored).ok()) QUIPU_CHECK(recovery.Finish().size() <= 1);
}

void OpenWatermark(const std::string& content) {
  const TemporaryFile file(content);
  const auto watermark = FileWatermark::Open(file.path());
  if (!watermark.ok()) return;
  const uint64_t group = (*watermark)->last_group();
  if (group == UINT64_MAX) return;
  QUIPU_CHECK((*watermark)->StoreLastGroup(group + 1).ok());
  QUIPU_CHECK((*watermark)->StoreBrokerEpoch(BrokerEpoch(5)).ok());
  QUIPU_CHECK((*watermark)->last_group() == group + 1);
  QUIPU_CHECK((*watermark)->broker_epoch() == BrokerEpoch(5));
}

void OpenDirectory(absl::string_view identity) {
  (void)WriteTemporary("meta.properties", identity);
  const auto opened = DataDirectory::Open(TemporaryFolder(), ExpectedIdentity{});
  if (!opened.ok()) return;
  for (const VoterIdentity& voter : (*opened)->identity().voters) {
    const auto again = ParseVoter(VoterText(voter));
    QUIPU_CHECK(again.has_value() && *again == voter);
  }
}

}  // namespace

void StorageKeys(absl::string_view bytes) {
  if (const auto key = DecodeLogKey(bytes)) {
    QUIPU_CHECK(EncodeLogKey(key->log_id, key->last_offset).view() == bytes);
  }
  if (const auto key = DecodeTimeIndexKey(bytes)) {
    QUIPU_CHECK(EncodeTimeIndexKey(*key).view() == bytes);
  }
  if (const auto size = DecodeLogBytes(bytes)) QUIPU_CHECK(EncodeLogBytes(*size).view() == bytes);
  if (const auto uid = DecodePartitionKey(bytes)) {
    QUIPU_CHECK(EncodePartitionKey(*uid).view() == bytes);
  }
  if (const auto key = DecodeEpochKey(bytes)) {
    QUIPU_CHECK(EncodeEpochKey(key->log_id, key->epoch).view() == bytes);
  }
  if (const auto key = DecodeProducerSnapshotKey(bytes)) {
    QUIPU_CHECK(EncodeProducerSnapshotKey(key->log_id, key->as_of).view() == bytes);
  }
  if (const auto id = DecodeDroppedLogKey(bytes)) {
    QUIPU_CHECK(EncodeDroppedLogKey(*id).view() == bytes);
  }
  if (const auto index = DecodeRaftKey(bytes)) QUIPU_CHECK(EncodeRaftKey(*index).view() == bytes);
}

void StorageValues(absl::string_view bytes) {
  Values(bytes);
  Values(EncodeText(bytes));  // version and checksum around the same bytes
  Run(bytes);
  std::string sealed = absl::StrCat(std::string(1, kRunVersion), bytes);
  AppendBigEndian(sealed, Crc32c(sealed));
  Run(sealed);
  Stored(bytes);
}

void WatermarkSlots(absl::string_view bytes) {
  OpenWatermark(std::string(bytes));
  Input input(bytes);
  std::string content(2 * kSlotSpacing, '\0');
  for (const size_t at : {size_t{0}, kSlotSpacing}) {
    const bool sound = input.Chance();
    std::string slot(input.Take(28));
    slot.resize(28);
    if (sound) slot.replace(0, 4, "QWM1");
    AppendBigEndian(slot, sound ? Crc32c(slot) : input.Number<uint32_t>());
    content.replace(at, slot.size(), slot);
  }
  OpenWatermark(content);
}

void DirectoryIdentityFile(absl::string_view bytes) {
  OpenDirectory(bytes);
  OpenDirectory(absl::StrCat(bytes, "checksum=", absl::Hex(Crc32c(bytes), absl::kZeroPad8), "\n"));
}

}  // namespace quipu::fuzz
