// Goal: a run comes back as it was put, costs a fraction of keys of their own, and no damaged one
// is ever taken for a sound one. Method: encode, damage, decode.
#include "storage/batch_run.h"

#include <cstdint>
#include <string>

#include "base/big_endian.h"
#include "base/crc32c.h"
#include "gtest/gtest.h"

namespace quipu {
namespace {

BatchRun MakeRun(size_t count, TimestampMs time = TimestampMs(1'700'000'000'000)) {
  BatchRun run;
  uint32_t position = 4096;
  Offset offset{1'000'000'007};
  for (size_t i = 0; i < count; ++i) {
    const auto bytes = static_cast<uint32_t>(280 + 10 * i);
    run.push_back(
        {.last_offset = offset,
         .pointer = {.segment = 77,
                     .position = position,
                     .bytes = bytes,
                     .max_timestamp = time,
                     .checksum = EncodeBatchChecksum(std::string(61, static_cast<char>(i)))}});
    position += bytes;
    offset = offset + static_cast<int64_t>(1 + i % 3);
    time = TimestampMs(time.value() + (i % 2 == 0 ? 3 : -2));
  }
  return run;
}

void ExpectSame(const BatchRun& run) {
  const auto back = DecodeBatchRun(run.back().last_offset, EncodeBatchRun(run));
  ASSERT_TRUE(back.has_value());
  ASSERT_EQ(back->size(), run.size());
  for (size_t i = 0; i < run.size(); ++i) {
    SCOPED_TRACE(i);
    const auto& [last_offset, pointer] = (*back)[i];
    EXPECT_EQ(last_offset, run[i].last_offset);
    EXPECT_EQ(pointer.segment, run[i].pointer.segment);
    EXPECT_EQ(pointer.position, run[i].pointer.position);
    EXPECT_EQ(pointer.bytes, run[i].pointer.bytes);
    EXPECT_EQ(pointer.max_timestamp, run[i].pointer.max_timestamp);
    EXPECT_EQ(pointer.checksum.view(), run[i].pointer.checksum.view());
  }
}

TEST(BatchRunTest, ComesBack) {
  for (const size_t count : {size_t{1}, size_t{2}, size_t{3}, size_t{63}, kRunBatchesMax}) {
    SCOPED_TRACE(count);
    ExpectSame(MakeRun(count));
  }
}

TEST(BatchRunTest, OneBatchAloneIsAPointer) {
  const BatchRun run = MakeRun(1);
  EXPECT_EQ(EncodeBatchRun(run), EncodeBatchPointer(run[0].pointer));
  EXPECT_TRUE(IsBatchAlone(EncodeBatchRun(run)));
  EXPECT_FALSE(IsBatchAlone(EncodeBatchRun(MakeRun(2))));
  EXPECT_FALSE(IsBatchAlone(""));
}

TEST(BatchRunTest, TimesMayBeAnything) {
  BatchRun run = MakeRun(4, kNoTimestamp);
  run[1].pointer.max_timestamp = TimestampMs(INT64_MAX);
  run[2].pointer.max_timestamp = TimestampMs(INT64_MIN);
  run[3].pointer.max_timestamp = TimestampMs(0);
  ExpectSame(run);
}

TEST(BatchRunTest, OffsetsMayBeAnything) {
  BatchRun run = MakeRun(2);
  run[0].last_offset = Offset(0);
  run[1].last_offset = Offset::Max();
  ExpectSame(run);
  // The same distance below a smaller key would begin below zero.
  EXPECT_FALSE(DecodeBatchRun(Offset::Max() - 1, EncodeBatchRun(run)).has_value());
}

TEST(BatchRunTest, ABatchCostsAFractionOfAKey) {
  EXPECT_LT(EncodeBatchRun(MakeRun(kRunBatchesMax)).size(), kRunBatchesMax * 10);
}

TEST(BatchRunTest, DamageIsFound) {
  const std::string sound = EncodeBatchRun(MakeRun(3));
  for (size_t i = 0; i < sound.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = sound;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      EXPECT_FALSE(DecodeBatchRun(Offset(2'000'000'000), damaged).has_value()) << i << " " << bit;
    }
    EXPECT_FALSE(DecodeBatchRun(Offset(2'000'000'000), sound.substr(0, i)).has_value()) << i;
  }
}

// Behind a checksum that holds: what a program with a defect might write.
TEST(BatchRunTest, WhatCannotBeIsRefused) {
  const std::string sound = EncodeBatchRun(MakeRun(2));
  const auto with = [&](size_t at, char byte, absl::string_view more = "") {
    std::string value = sound.substr(0, sound.size() - sizeof(uint32_t));
    value[at] = byte;
    value.append(more.data(), more.size());
    AppendBigEndian(value, Crc32c(value));
    return DecodeBatchRun(Offset(2'000'000'000), value).has_value();
  };
  constexpr size_t kCount = 1 + 8 + 4;
  EXPECT_TRUE(with(kCount, 4));  // zigzag: 2
  EXPECT_FALSE(with(kCount, 0));
  EXPECT_FALSE(with(kCount, 2));
  EXPECT_FALSE(with(kCount, 1));
  EXPECT_FALSE(with(kCount, 6));
  EXPECT_FALSE(with(kCount, 4, "x"));
  const size_t last_step = sound.size() - sizeof(uint32_t) - kBatchChecksumBytes - 1;
  EXPECT_TRUE(with(last_step, 4));
  EXPECT_FALSE(with(last_step, 0));  // two batches that end at one offset
  EXPECT_FALSE(with(last_step, 1));  // one behind that ends before
}

}  // namespace
}  // namespace quipu
