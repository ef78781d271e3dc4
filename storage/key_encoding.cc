#include "storage/key_encoding.h"

#include <algorithm>
#include <cstring>

#include "base/big_endian.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "core/record/record_batch.h"

namespace quipu {
namespace {

constexpr uint8_t kValueVersion = 1;
// Bytes of a batch before `attributes`, where its own CRC begins to cover.
constexpr size_t kBatchUncoveredBytes = 21;

// Order of signed numbers as order of bytes.
uint64_t Ordered(int64_t value) { return static_cast<uint64_t>(value) ^ (uint64_t{1} << 63U); }
int64_t Unordered(uint64_t bits) { return static_cast<int64_t>(bits ^ (uint64_t{1} << 63U)); }

// A small value: version, fields, checksum.
class ValueWriter {
 public:
  ValueWriter() { Add(kValueVersion); }
  template <typename T>
  ValueWriter& Add(T number) {
    AppendBigEndian(out_, number);
    return *this;
  }
  ValueWriter& AddBytes(absl::string_view bytes) {
    out_.append(bytes.data(), bytes.size());
    return *this;
  }
  std::string Finish() {
    AppendBigEndian(out_, Crc32c(out_));
    return std::move(out_);
  }

 private:
  std::string out_;
};

// Reads what a ValueWriter wrote. Once something is missing or wrong, ok() stays false and every
// number reads as zero.
class ValueReader {
 public:
  explicit ValueReader(absl::string_view bytes) {
    if (bytes.size() < 1 + sizeof(uint32_t)) return;
    rest_ = bytes.substr(0, bytes.size() - sizeof(uint32_t));
    const auto crc = LoadBigEndian<uint32_t>(bytes.data() + rest_.size());
    ok_ = crc == Crc32c(rest_);
    ok_ = ok_ && Take<uint8_t>() == kValueVersion;
  }
  template <typename T>
  T Take() {
    if (!ok_ || rest_.size() < sizeof(T)) {
      ok_ = false;
      return T{0};
    }
    const T value = LoadBigEndian<T>(rest_.data());
    rest_.remove_prefix(sizeof(T));
    return value;
  }
  absl::string_view TakeRest() {
    const absl::string_view rest = rest_;
    rest_ = {};
    return ok_ ? rest : absl::string_view();
  }
  [[nodiscard]] size_t remaining() const { return rest_.size(); }
  [[nodiscard]] bool ok() const { return ok_; }
  // Everything was there and nothing is left.
  [[nodiscard]] bool Finished() const { return ok_ && rest_.empty(); }

 private:
  absl::string_view rest_;
  bool ok_ = false;
};

template <size_t kBytes, typename Id>
FixedKey<kBytes> PrefixedKey(KeyPrefix prefix, Id id) {
  FixedKey<kBytes> key;
  key.bytes[0] = static_cast<char>(prefix);
  StoreBigEndian(id.value(), key.bytes.data() + 1);
  return key;
}

bool HasForm(absl::string_view key, KeyPrefix prefix, size_t bytes) {
  return key.size() == bytes && key[0] == static_cast<char>(prefix);
}

}  // namespace

// ---- family log -----------------------------------------------------------------------------

LogKey EncodeLogKey(LogId log_id, Offset last_offset) {
  QUIPU_CHECK(last_offset >= Offset{0});
  LogKey key;
  StoreBigEndian(log_id.value(), key.bytes.data());
  StoreBigEndian(last_offset.value(), key.bytes.data() + 8);
  return key;
}

std::optional<DecodedLogKey> DecodeLogKey(absl::string_view key) {
  if (key.size() != 16) return std::nullopt;
  const Offset last_offset(LoadBigEndian<int64_t>(key.data() + 8));
  if (last_offset < Offset{0}) return std::nullopt;  // never written
  return DecodedLogKey{.log_id = LogId(LoadBigEndian<uint64_t>(key.data())),
                       .last_offset = last_offset};
}

FixedKey<8> EncodeLogRange(LogId log_id) {
  FixedKey<8> key;
  StoreBigEndian(log_id.value(), key.bytes.data());
  return key;
}

FixedKey<4> EncodeBatchChecksum(absl::string_view batch) {
  FixedKey<4> out;
  StoreBigEndian(Crc32c(batch.substr(0, std::min(batch.size(), kBatchUncoveredBytes))),
                 out.bytes.data());
  return out;
}

bool BatchChecksumMatches(absl::string_view value) {
  if (value.size() < kBatchChecksumBytes + kRecordBatchHeaderBytes) return false;
  const absl::string_view covered = value.substr(kBatchChecksumBytes, kBatchUncoveredBytes);
  return LoadBigEndian<uint32_t>(value.data()) == Crc32c(covered);
}

std::string EncodeBatchPointer(const BatchPointer& pointer) {
  ValueWriter out;
  out.Add(pointer.segment).Add(pointer.position).Add(pointer.bytes);
  out.Add(pointer.max_timestamp.value()).AddBytes(pointer.checksum.view());
  return out.Finish();
}

std::optional<BatchPointer> DecodeBatchPointer(absl::string_view bytes) {
  if (bytes.size() != kBatchPointerBytes) return std::nullopt;
  ValueReader in(bytes);
  BatchPointer pointer;
  pointer.segment = in.Take<uint64_t>();
  pointer.position = in.Take<uint32_t>();
  pointer.bytes = in.Take<uint32_t>();
  pointer.max_timestamp = TimestampMs(in.Take<int64_t>());
  StoreBigEndian(in.Take<uint32_t>(), pointer.checksum.bytes.data());
  if (!in.Finished()) return std::nullopt;
  return pointer;
}

// ---- family time_index ------------------------------------------------------------------------

TimeIndexKey EncodeTimeIndexKey(const TimeIndexEntry& entry) {
  TimeIndexKey key;
  StoreBigEndian(entry.log_id.value(), key.bytes.data());
  StoreBigEndian(Ordered(entry.running_max.value()), key.bytes.data() + 8);
  StoreBigEndian(entry.last_offset.value(), key.bytes.data() + 16);
  return key;
}

std::optional<TimeIndexEntry> DecodeTimeIndexKey(absl::string_view key) {
  if (key.size() != 24) return std::nullopt;
  return TimeIndexEntry{
      .log_id = LogId(LoadBigEndian<uint64_t>(key.data())),
      .running_max = TimestampMs(Unordered(LoadBigEndian<uint64_t>(key.data() + 8))),
      .last_offset = Offset(LoadBigEndian<int64_t>(key.data() + 16))};
}

FixedKey<8> EncodeLogBytes(int64_t bytes) {
  FixedKey<8> out;
  StoreBigEndian(bytes, out.bytes.data());
  return out;
}

std::optional<int64_t> DecodeLogBytes(absl::string_view value) {
  if (value.size() != 8) return std::nullopt;
  return LoadBigEndian<int64_t>(value.data());
}

// ---- family meta ------------------------------------------------------------------------------

FixedKey<9> EncodePartitionKey(PartitionUid uid) {
  return PrefixedKey<9>(KeyPrefix::kPartition, uid);
}

std::optional<PartitionUid> DecodePartitionKey(absl::string_view key) {
  if (!HasForm(key, KeyPrefix::kPartition, 9)) return std::nullopt;
  return PartitionUid(LoadBigEndian<uint64_t>(key.data() + 1));
}

std::string EncodePartitionValue(const PartitionValue& value) {
  return ValueWriter()
      .Add(value.log_id.value())
      .Add(value.state.leader_epoch.value())
      .Add(value.state.partition_epoch.value())
      .Add(value.state.log_start_offset.value())
      .Add(value.state.high_watermark.value())
      .Finish();
}

std::optional<PartitionValue> DecodePartitionValue(absl::string_view bytes) {
  ValueReader reader(bytes);
  PartitionValue value;
  value.log_id = LogId(reader.Take<uint64_t>());
  value.state.leader_epoch = LeaderEpoch(reader.Take<int32_t>());
  value.state.partition_epoch = PartitionEpoch(reader.Take<int32_t>());
  value.state.log_start_offset = Offset(reader.Take<int64_t>());
  value.state.high_watermark = Offset(reader.Take<int64_t>());
  if (!reader.Finished()) return std::nullopt;
  return value;
}

FixedKey<13> EncodeEpochKey(LogId log_id, LeaderEpoch epoch) {
  auto key = PrefixedKey<13>(KeyPrefix::kEpoch, log_id);
  const uint32_t ordered = static_cast<uint32_t>(epoch.value()) ^ (uint32_t{1} << 31U);
  StoreBigEndian(ordered, key.bytes.data() + 9);
  return key;
}

std::optional<DecodedEpochKey> DecodeEpochKey(absl::string_view key) {
  if (!HasForm(key, KeyPrefix::kEpoch, 13)) return std::nullopt;
  const uint32_t bits = LoadBigEndian<uint32_t>(key.data() + 9) ^ (uint32_t{1} << 31U);
  return DecodedEpochKey{.log_id = LogId(LoadBigEndian<uint64_t>(key.data() + 1)),
                         .epoch = LeaderEpoch(static_cast<int32_t>(bits))};
}

std::string EncodeEpochValue(Offset start_offset) {
  return ValueWriter().Add(start_offset.value()).Finish();
}

std::optional<Offset> DecodeEpochValue(absl::string_view bytes) {
  ValueReader reader(bytes);
  const Offset start(reader.Take<int64_t>());
  if (!reader.Finished()) return std::nullopt;
  return start;
}

FixedKey<17> EncodeProducerSnapshotKey(LogId log_id, Offset as_of) {
  QUIPU_CHECK(as_of >= Offset{0});
  auto key = PrefixedKey<17>(KeyPrefix::kProducerSnapshot, log_id);
  StoreBigEndian(as_of.value(), key.bytes.data() + 9);
  return key;
}

std::optional<DecodedProducerSnapshotKey> DecodeProducerSnapshotKey(absl::string_view key) {
  if (!HasForm(key, KeyPrefix::kProducerSnapshot, 17)) return std::nullopt;
  const Offset as_of(LoadBigEndian<int64_t>(key.data() + 9));
  if (as_of < Offset{0}) return std::nullopt;  // never written
  return DecodedProducerSnapshotKey{.log_id = LogId(LoadBigEndian<uint64_t>(key.data() + 1)),
                                    .as_of = as_of};
}

std::string EncodeProducerSnapshot(const ProducerSnapshot& snapshot) {
  ValueWriter writer;
  writer.Add(snapshot.as_of.value()).Add(static_cast<uint32_t>(snapshot.producers.size()));
  for (const ProducerEntry& producer : snapshot.producers) {
    QUIPU_CHECK(producer.batches.size() <= UINT8_MAX);
    writer.Add(producer.producer_id.value())
        .Add(producer.producer_epoch.value())
        .Add(producer.last_timestamp.value())
        .Add(static_cast<uint8_t>(producer.batches.size()));
    for (const ProducerBatch& batch : producer.batches) {
      writer.Add(batch.base_sequence.value())
          .Add(batch.last_sequence.value())
          .Add(batch.base_offset.value())
          .Add(batch.last_offset.value())
          .Add(batch.timestamp.value());
    }
  }
  return writer.Finish();
}

std::optional<ProducerSnapshot> DecodeProducerSnapshot(absl::string_view bytes) {
  ValueReader reader(bytes);
  ProducerSnapshot snapshot{.as_of = Offset(reader.Take<int64_t>()), .producers = {}};
  const auto count = reader.Take<uint32_t>();
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    ProducerEntry producer;
    producer.producer_id = ProducerId(reader.Take<int64_t>());
    producer.producer_epoch = ProducerEpoch(reader.Take<int16_t>());
    producer.last_timestamp = TimestampMs(reader.Take<int64_t>());
    const auto batches = reader.Take<uint8_t>();
    for (uint8_t k = 0; k < batches && reader.ok(); ++k) {
      ProducerBatch batch;
      batch.base_sequence = Sequence(reader.Take<int32_t>());
      batch.last_sequence = Sequence(reader.Take<int32_t>());
      batch.base_offset = Offset(reader.Take<int64_t>());
      batch.last_offset = Offset(reader.Take<int64_t>());
      batch.timestamp = TimestampMs(reader.Take<int64_t>());
      producer.batches.push_back(batch);
    }
    snapshot.producers.push_back(std::move(producer));
  }
  if (!reader.Finished()) return std::nullopt;
  return snapshot;
}

FixedKey<9> EncodeDroppedLogKey(LogId log_id) {
  return PrefixedKey<9>(KeyPrefix::kDroppedLog, log_id);
}

std::optional<LogId> DecodeDroppedLogKey(absl::string_view key) {
  if (!HasForm(key, KeyPrefix::kDroppedLog, 9)) return std::nullopt;
  return LogId(LoadBigEndian<uint64_t>(key.data() + 1));
}

FixedKey<9> EncodeSegmentUseKey(uint64_t segment) {
  FixedKey<9> key;
  key.bytes[0] = static_cast<char>(KeyPrefix::kSegmentUse);
  StoreBigEndian(segment, key.bytes.data() + 1);
  return key;
}

std::optional<uint64_t> DecodeSegmentUseKey(absl::string_view key) {
  if (!HasForm(key, KeyPrefix::kSegmentUse, 9)) return std::nullopt;
  return LoadBigEndian<uint64_t>(key.data() + 1);
}

std::string EncodeSegmentUse(const SegmentUse& use) {
  ValueWriter out;
  for (const auto& [log_id, log] : use) {
    out.Add(log_id.value()).Add(log.first_offset.value()).Add(log.last_offset.value());
    out.Add(log.bytes);
  }
  return out.Finish();
}

std::optional<SegmentUse> DecodeSegmentUse(absl::string_view bytes) {
  ValueReader in(bytes);
  SegmentUse use;
  while (in.ok() && in.remaining() > 0) {
    const LogId log_id(in.Take<uint64_t>());
    SegmentLogUse& log = use[log_id];
    log.first_offset = Offset(in.Take<int64_t>());
    log.last_offset = Offset(in.Take<int64_t>());
    log.bytes = in.Take<uint64_t>();
  }
  if (!in.Finished()) return std::nullopt;
  return use;
}

// ---- family default ---------------------------------------------------------------------------

FixedKey<1> EncodeSingleKey(KeyPrefix prefix) { return {{static_cast<char>(prefix)}}; }

std::string EncodeNamedValueKey(absl::string_view name) {
  std::string key(1, static_cast<char>(KeyPrefix::kNamedValue));
  key.append(name.data(), name.size());
  return key;
}

std::string EncodeNextLogId(LogId next) { return ValueWriter().Add(next.value()).Finish(); }

std::optional<LogId> DecodeNextLogId(absl::string_view bytes) {
  ValueReader reader(bytes);
  const LogId next(reader.Take<uint64_t>());
  if (!reader.Finished()) return std::nullopt;
  return next;
}

std::string EncodeText(absl::string_view text) { return ValueWriter().AddBytes(text).Finish(); }

std::optional<std::string> DecodeText(absl::string_view bytes) {
  ValueReader reader(bytes);
  const absl::string_view text = reader.TakeRest();
  if (!reader.Finished()) return std::nullopt;
  return std::string(text);
}

// ---- the controller's database ------------------------------------------------------------------

FixedKey<8> EncodeRaftKey(LogIndex index) {
  FixedKey<8> key;
  StoreBigEndian(index.value(), key.bytes.data());
  return key;
}

std::optional<LogIndex> DecodeRaftKey(absl::string_view key) {
  if (key.size() != 8) return std::nullopt;
  return LogIndex(LoadBigEndian<uint64_t>(key.data()));
}

std::string EncodeRaftEntry(const message::RaftEntry& entry) {
  return ValueWriter()
      .Add(static_cast<uint64_t>(entry.index()))
      .Add(static_cast<uint64_t>(entry.term()))
      .Add(static_cast<uint8_t>(entry.kind()))
      .AddBytes(entry.data())
      .Finish();
}

std::optional<message::RaftEntry> DecodeRaftEntry(absl::string_view bytes) {
  ValueReader reader(bytes);
  message::RaftEntry entry;
  entry.set_index(reader.Take<uint64_t>());
  entry.set_term(reader.Take<uint64_t>());
  const auto kind = reader.Take<uint8_t>();
  if (!reader.ok() || !message::RaftEntry::Kind_IsValid(kind)) return std::nullopt;
  entry.set_kind(static_cast<message::RaftEntry::Kind>(kind));
  const absl::string_view data = reader.TakeRest();
  entry.set_data(data.data(), data.size());
  return entry;
}

std::string EncodeHardState(const RaftHardState& state) {
  return ValueWriter()
      .Add(state.term.value())
      .Add(state.voted_for.value())
      .Add(state.voted_directory.high())
      .Add(state.voted_directory.low())
      .Finish();
}

std::optional<RaftHardState> DecodeHardState(absl::string_view bytes) {
  ValueReader reader(bytes);
  RaftHardState state;
  state.term = Term(reader.Take<uint64_t>());
  state.voted_for = ControllerId(reader.Take<int32_t>());
  const auto high = reader.Take<uint64_t>();
  const auto low = reader.Take<uint64_t>();
  state.voted_directory = DirectoryId(high, low);
  if (!reader.Finished()) return std::nullopt;
  return state;
}

std::string EncodeRaftSnapshot(const RaftSnapshot& snapshot) {
  return ValueWriter()
      .Add(snapshot.last_index.value())
      .Add(snapshot.last_term.value())
      .AddBytes(snapshot.data)
      .Finish();
}

std::optional<RaftSnapshot> DecodeRaftSnapshot(absl::string_view bytes) {
  ValueReader reader(bytes);
  RaftSnapshot snapshot;
  snapshot.last_index = LogIndex(reader.Take<uint64_t>());
  snapshot.last_term = Term(reader.Take<uint64_t>());
  if (!reader.ok()) return std::nullopt;
  snapshot.data = std::string(reader.TakeRest());
  return snapshot;
}

}  // namespace quipu
