// The test class of the LogStore conformance suite: short words for what the tests do.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/error_code.h"
#include "gtest/gtest.h"
#include "tests/conformance/log_store_fixture.h"

namespace quipu::conformance {

enum class Kind { kMemory, kRocksdb, kJournal };
inline constexpr size_t kUnlimited = size_t{1} << 30;

class LogStoreTest : public ::testing::TestWithParam<Kind> {
 protected:
  LogStoreTest() {
    if (GetParam() == Kind::kMemory) {
      under_test_ = std::make_unique<MemoryStoreUnderTest>();
    } else {
      under_test_ = std::make_unique<RocksdbStoreUnderTest>(GetParam() == Kind::kJournal);
    }
  }
  LogStore& store() { return under_test_->store(); }
  void Reopen() { under_test_->Reopen(); }

  LogId Create(uint64_t uid) {
    const absl::StatusOr<LogId> id = store().CreateLog(PartitionUid(uid));
    EXPECT_TRUE(id.ok()) << id.status();
    return id.value_or(LogId(0));
  }
  void Write(LogId log_id, LogMutation mutation) {
    const absl::Status status = store().Write({{log_id, std::move(mutation)}});
    ASSERT_TRUE(status.ok()) << status;
  }
  void Append(LogId log_id, const std::vector<BatchShape>& shapes) {
    LogMutation mutation;
    for (const BatchShape& shape : shapes) mutation.appends.push_back(MakeBatch(shape));
    Write(log_id, std::move(mutation));
  }
  void SetLogStart(LogId log_id, Offset start) {
    LogMutation mutation;
    mutation.state = PartitionState{.log_start_offset = start};
    Write(log_id, std::move(mutation));
    store().PublishTrim(log_id, start);
  }
  RecoveredLog Recover(LogId log_id) {
    absl::StatusOr<RecoveredLog> log = store().Recover(log_id);
    EXPECT_TRUE(log.ok()) << log.status();
    return log.ok() ? *std::move(log) : RecoveredLog{};
  }
  // Base offsets of what a read returns.
  std::vector<int64_t> Read(LogId log_id, int64_t from, int64_t end = INT64_MAX,
                            size_t bytes_max = kUnlimited) {
    auto batches = store().Read(log_id, Offset(from), Offset(end), bytes_max);
    EXPECT_TRUE(batches.ok()) << batches.status();
    std::vector<int64_t> out;
    if (!batches.ok()) return out;
    for (const StoredBatch& batch : *batches) out.push_back(batch.base_offset.value());
    return out;
  }
  int64_t FindByTimestamp(LogId log_id, int64_t timestamp) {
    const auto found = store().FindByTimestamp(log_id, TimestampMs(timestamp));
    EXPECT_TRUE(found.ok()) << found.status();
    if (!found.ok() || !found->has_value()) return -1;
    return (*found)->base_offset.value();
  }
  int64_t OffsetForSize(LogId log_id, int64_t bytes) {
    const auto offset = store().OffsetForSize(log_id, bytes);
    EXPECT_TRUE(offset.ok()) << offset.status();
    return offset.ok() ? offset->value() : -1;
  }

  std::unique_ptr<StoreUnderTest> under_test_;
};

inline std::string KindName(const ::testing::TestParamInfo<Kind>& kind) {
  switch (kind.param) {
    case Kind::kMemory:
      return "Memory";
    case Kind::kRocksdb:
      return "Rocksdb";
    case Kind::kJournal:
      return "Journal";
  }
  return "Unknown";
}

}  // namespace quipu::conformance
