#include "storage/rocksdb/group_chain.h"

#include "base/big_endian.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "storage/key_encoding.h"

namespace quipu {
namespace {

constexpr char kVersion = 1;
constexpr size_t kRecordBytes = 17;

// RocksDB's batch format (db/write_batch.cc): sequence u64 and count u32, then for each Put a tag,
// the family's id unless it is the default one, and key and value with a varint length each.
constexpr size_t kBatchHeaderBytes = 12;
constexpr char kPutTag = 0x01;
constexpr size_t kDefaultPutBytes = 1 + 1 + 1 + 1 + kRecordBytes;
constexpr size_t kFamilyPutBytes = kDefaultPutBytes + 1;  // ids of few families: one byte

uint32_t ChainOf(uint64_t number, uint32_t previous, absl::string_view content) {
  char head[12];
  StoreBigEndian(number, head);
  StoreBigEndian(previous, head + 8);
  return Crc32cExtend(Crc32c(absl::string_view(head, sizeof(head))), content);
}

size_t SuffixBytes(size_t family_count) {
  return kDefaultPutBytes + (family_count - 1) * kFamilyPutBytes;
}

}  // namespace

std::string EncodeGroupRecord(const GroupRecord& record) {
  std::string out(1, kVersion);
  AppendBigEndian(out, record.number);
  AppendBigEndian(out, record.previous_chain);
  AppendBigEndian(out, record.chain);
  return out;
}

std::optional<GroupRecord> DecodeGroupRecord(absl::string_view bytes) {
  if (bytes.size() != kRecordBytes || bytes[0] != kVersion) return std::nullopt;
  return GroupRecord{.number = LoadBigEndian<uint64_t>(bytes.data() + 1),
                     .previous_chain = LoadBigEndian<uint32_t>(bytes.data() + 9),
                     .chain = LoadBigEndian<uint32_t>(bytes.data() + 13)};
}

GroupRecord SealGroup(rocksdb::WriteBatch& batch, const GroupRecord& previous,
                      const std::vector<rocksdb::ColumnFamilyHandle*>& families) {
  const absl::string_view content = absl::string_view(batch.Data()).substr(kBatchHeaderBytes);
  const uint64_t number = previous.number + 1;
  const GroupRecord record{.number = number,
                           .previous_chain = previous.chain,
                           .chain = ChainOf(number, previous.chain, content)};
  const size_t before = batch.GetDataSize();
  const std::string value = EncodeGroupRecord(record);
  const auto key = EncodeSingleKey(KeyPrefix::kGroup);
  for (size_t i = families.size(); i-- > 0;) {  // the default family is the first: put last
    QUIPU_CHECK(families[i]->GetID() < 128);
    const rocksdb::Status status =
        batch.Put(families[i], rocksdb::Slice(key.bytes.data(), key.bytes.size()), value);
    QUIPU_CHECK_MSG(status.ok(), status.ToString());
  }
  QUIPU_CHECK(batch.GetDataSize() == before + SuffixBytes(families.size()));
  return record;
}

std::optional<GroupRecord> ReadSealedGroup(absl::string_view batch_bytes, size_t family_count) {
  const size_t suffix = SuffixBytes(family_count);
  if (batch_bytes.size() < kBatchHeaderBytes + suffix) return std::nullopt;
  const absl::string_view last = batch_bytes.substr(batch_bytes.size() - kDefaultPutBytes);
  if (last[0] != kPutTag || last[1] != 1 || last[2] != static_cast<char>(KeyPrefix::kGroup) ||
      static_cast<size_t>(last[3]) != kRecordBytes) {
    return std::nullopt;
  }
  const std::optional<GroupRecord> record = DecodeGroupRecord(last.substr(4));
  if (!record.has_value()) return std::nullopt;
  const absl::string_view content =
      batch_bytes.substr(kBatchHeaderBytes, batch_bytes.size() - kBatchHeaderBytes - suffix);
  if (record->chain != ChainOf(record->number, record->previous_chain, content)) {
    return std::nullopt;
  }
  return record;
}

}  // namespace quipu
