// One LogStore of each kind behind the same handle, and batches to put into it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/record/record_batch.h"
#include "core/record/record_batch_builder.h"
#include "gtest/gtest.h"
#include "storage/file_watermark.h"
#include "storage/log_store.h"
#include "storage/memory_log_store.h"
#include "storage/rocksdb/rocksdb_log_store.h"
#include "tests/conformance/temporary_folder.h"

namespace quipu::conformance {

// A store that can be closed and opened again with what it holds.
class StoreUnderTest {
 public:
  virtual ~StoreUnderTest() = default;
  virtual LogStore& store() = 0;
  virtual void Reopen() = 0;
};

class MemoryStoreUnderTest final : public StoreUnderTest {
 public:
  LogStore& store() override { return *store_; }
  // A copy is what the disk holds.
  void Reopen() override { store_ = std::make_unique<MemoryLogStore>(*store_); }

 private:
  std::unique_ptr<MemoryLogStore> store_ = std::make_unique<MemoryLogStore>();
};

inline void FailTest(const std::string& reason) { ADD_FAILURE() << "fatal: " << reason; }

class RocksdbStoreUnderTest final : public StoreUnderTest {
 public:
  // With a journal; small, so that a test uses many segments and reads most batches from them.
  static constexpr uint64_t kSegmentBytes = uint64_t{64} << 10;
  static constexpr size_t kTailBytes = 1 << 10;

  // Small limits, so that the trimmer has something to do.
  explicit RocksdbStoreUnderTest(bool journal = false,
                                 Trimmer::Options trimmer = {.reclaim_bytes_min = 1 << 16,
                                                             .garbage_ratio = 0.5})
      : journal_(journal), trimmer_(trimmer) {
    EXPECT_TRUE(FileWatermark::Create(watermark_path()).ok());
    Open();
  }
  LogStore& store() override { return *store_; }
  RocksdbLogStore& rocksdb_store() { return *store_; }
  void Reopen() override {
    Close();
    Open();
  }
  void Close() {
    store_.reset();
    watermark_.reset();
  }
  void Open() {
    const absl::Status status = TryOpen();
    ASSERT_TRUE(status.ok()) << status;
  }
  absl::Status TryOpen() {
    auto watermark = FileWatermark::Open(watermark_path());
    if (!watermark.ok()) return watermark.status();
    watermark_ = *std::move(watermark);
    RocksdbLogStore::Options options{
        .path = database_path(), .identity = "test", .fatal = FailTest, .trimmer = trimmer_};
    if (journal_) {
      options.journal = JournalLog::Options{.journal = {.folder = journal_path(),
                                                        .directory_id = DirectoryId(7, 8),
                                                        .fatal = FailTest,
                                                        .segment_bytes = kSegmentBytes},
                                            .tail_bytes = kTailBytes};
      options.cleaner.pause = std::chrono::milliseconds(1);
      options.cleaner.settle = Duration(0);
    }
    auto store = RocksdbLogStore::Open(std::move(options), *watermark_);
    if (!store.ok()) return store.status();
    store_ = *std::move(store);
    return absl::OkStatus();
  }
  [[nodiscard]] std::string database_path() const { return folder_.path() + "/log"; }
  [[nodiscard]] std::string journal_path() const { return folder_.path() + "/journal"; }
  [[nodiscard]] std::string watermark_path() const { return folder_.path() + "/watermark"; }
  [[nodiscard]] FileWatermark& watermark() { return *watermark_; }

 private:
  TemporaryFolder folder_;
  const bool journal_;
  Trimmer::Options trimmer_;
  std::unique_ptr<FileWatermark> watermark_;
  std::unique_ptr<RocksdbLogStore> store_;
};

// How a test batch looks.
struct BatchShape {
  Offset base{0};
  int32_t records = 1;
  TimestampMs timestamp{1000};
  size_t value_bytes = 100;
  LeaderEpoch epoch{1};
  ProducerId producer = kNoProducerId;
  ProducerEpoch producer_epoch{0};
  Sequence sequence{0};
};

inline StoredBatch MakeBatch(const BatchShape& shape) {
  RecordBatchBuilder builder(
      {.producer_id = shape.producer,
       .producer_epoch = shape.producer == kNoProducerId ? ProducerEpoch{-1} : shape.producer_epoch,
       .base_sequence = shape.producer == kNoProducerId ? kNoSequence : shape.sequence,
       .base_offset = shape.base,
       .leader_epoch = shape.epoch});
  const std::string value(shape.value_bytes, static_cast<char>('a' + shape.base.value() % 26));
  for (int32_t i = 0; i < shape.records; ++i) {
    builder.Add({.timestamp = shape.timestamp,
                 .key = absl::string_view("key"),
                 .value = absl::string_view(value),
                 .headers = {}});
  }
  Bytes bytes = builder.Build();
  return {.base_offset = shape.base,
          .last_offset = shape.base + (shape.records - 1),
          .max_timestamp = shape.timestamp,
          .bytes = std::move(bytes)};
}

inline StoredBatch Damaged(const StoredBatch& batch, size_t position) {
  std::string bytes = batch.bytes.ToString();
  bytes[position] = static_cast<char>(bytes[position] ^ 0x10);
  StoredBatch out = batch;
  out.bytes = Bytes(std::move(bytes));
  return out;
}

}  // namespace quipu::conformance
