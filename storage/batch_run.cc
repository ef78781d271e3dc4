#include "storage/batch_run.h"

#include <algorithm>
#include <cstdint>

#include "base/big_endian.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "core/record/varint.h"

namespace quipu {
namespace {

constexpr size_t kHeadBytes = 1 + 8 + 4;

// Differences wrap: times may be anything.
int64_t Minus(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}
int64_t Plus(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

}  // namespace

std::string EncodeBatchRun(absl::Span<const RunBatch> run) {
  QUIPU_CHECK(!run.empty() && run.size() <= kRunBatchesMax);
  if (run.size() == 1) return EncodeBatchPointer(run.front().pointer);
  std::string out;
  out.push_back(kRunVersion);
  AppendBigEndian(out, run.front().pointer.segment);
  AppendBigEndian(out, run.front().pointer.position);
  AppendVarint(out, static_cast<int64_t>(run.size()));
  int64_t time = 0;
  Offset before = run.front().last_offset;
  for (const auto& [last_offset, pointer] : run) {
    AppendVarint(out, pointer.bytes);
    AppendVarint(out, Minus(pointer.max_timestamp.value(), time));
    AppendVarint(out, last_offset - before);
    out.append(pointer.checksum.bytes.data(), pointer.checksum.bytes.size());
    time = pointer.max_timestamp.value();
    before = last_offset;
  }
  AppendBigEndian(out, Crc32c(out));
  return out;
}

std::optional<BatchRun> DecodeBatchRun(Offset last_offset, absl::string_view value) {
  if (IsBatchAlone(value)) {
    const std::optional<BatchPointer> alone = DecodeBatchPointer(value);
    if (!alone.has_value()) return std::nullopt;
    return BatchRun{{.last_offset = last_offset, .pointer = *alone}};
  }
  if (value.size() < kHeadBytes + sizeof(uint32_t)) return std::nullopt;
  const absl::string_view covered = value.substr(0, value.size() - sizeof(uint32_t));
  if (value.front() != kRunVersion ||
      LoadBigEndian<uint32_t>(value.data() + covered.size()) != Crc32c(covered)) {
    return std::nullopt;
  }
  const auto segment = LoadBigEndian<uint64_t>(value.data() + 1);
  uint64_t position = LoadBigEndian<uint32_t>(value.data() + 9);
  RecordCursor in(covered.substr(kHeadBytes));
  const int64_t count = in.ReadVarint64();
  if (count < 2 || count > static_cast<int64_t>(kRunBatchesMax)) return std::nullopt;
  BatchRun run(static_cast<size_t>(count));
  int64_t time = 0;
  int64_t behind_first = 0;
  for (RunBatch& batch : run) {
    const int64_t bytes = in.ReadVarint64();
    time = Plus(time, in.ReadVarint64());
    const int64_t step = in.ReadVarint64();
    const absl::string_view checksum = in.ReadBytes(kBatchChecksumBytes);
    const bool first = &batch == &run.front();
    const bool ascends = first ? step == 0 : step > 0 && step <= INT64_MAX - behind_first;
    if (in.failed() || bytes < 0 || bytes > UINT32_MAX || position > UINT32_MAX || !ascends) {
      return std::nullopt;
    }
    behind_first += step;
    batch.last_offset = Offset(behind_first);
    batch.pointer = {.segment = segment,
                     .position = static_cast<uint32_t>(position),
                     .bytes = static_cast<uint32_t>(bytes),
                     .max_timestamp = TimestampMs(time)};
    std::copy(checksum.begin(), checksum.end(), batch.pointer.checksum.bytes.begin());
    position += static_cast<uint64_t>(bytes);
  }
  if (!in.rest().empty() || last_offset < Offset(behind_first)) return std::nullopt;
  const int64_t first_offset = last_offset.value() - behind_first;
  for (RunBatch& batch : run) batch.last_offset = batch.last_offset + first_offset;
  return run;
}

}  // namespace quipu
