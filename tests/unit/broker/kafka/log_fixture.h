// A topic "a" of one partition behind the handlers of Kafka's protocol, written and read.
#pragma once

#include <string>
#include <utility>

#include "base/crc32c.h"
#include "broker/kafka/api_handlers.h"
#include "core/kafka/log/delete_records.h"
#include "core/kafka/log/fetch.h"
#include "core/kafka/log/produce.h"
#include "core/record/record_batch.h"
#include "tests/unit/broker/kafka/kafka_world.h"

namespace quipu::kafka {

// `batch` with other bytes from `at` on, and a CRC that fits.
inline Bytes Rewritten(const Bytes& batch, size_t at, const std::string& bytes) {
  constexpr size_t kCrcAt = 17;
  constexpr size_t kCrcOf = 21;
  std::string text(batch.view());
  text.replace(at, bytes.size(), bytes);
  const uint32_t crc = Crc32c(absl::string_view(text).substr(kCrcOf));
  for (size_t i = 0; i < 4; ++i) text[kCrcAt + i] = static_cast<char>(crc >> (24 - 8 * i));
  return Bytes(std::move(text));
}

class KafkaLogTest : public ::testing::Test {
 protected:
  explicit KafkaLogTest(int brokers = 2) : kafka_(brokers) {
    a_ = kafka_.world.CreateTopic("a", 1, 1);
    leader_ = kafka_.world.Partition(a_, 0).leader.value();
  }

  static ProduceRequest Writes(const Bytes& batch, const std::string& topic = "a",
                               int16_t acks = -1, int partition = 0) {
    ProduceRequest request{.acks = acks, .timeout_ms = 1000};
    request.topic_data = {{.name = topic,
                           .partition_data = {{.index = PartitionIndex(partition),
                                               .records = {.is_null = false, .slices = {batch}}}}}};
    return request;
  }
  ProduceResponse::Partition Write(const ProduceRequest& request, int16_t version = 11) {
    const auto response = kafka_.Ask<ProduceResponse>(HandleProduce, request, version, leader_);
    return response.responses.at(0).partition_responses.at(0);
  }
  ErrorCode WriteError(const Bytes& batch) { return Write(Writes(batch)).error_code; }

  static FetchRequest Reads(int64_t offset, int32_t partition_bytes = 1 << 20) {
    FetchRequest request;
    request.topics = {{.topic = "a",
                       .partitions = {{.partition = PartitionIndex(0),
                                       .fetch_offset = Offset(offset),
                                       .partition_max_bytes = partition_bytes}}}};
    return request;
  }
  FetchResponse::Partition Read(const FetchRequest& request, int16_t version = 12) {
    const auto response = kafka_.Ask<FetchResponse>(HandleFetch, request, version, leader_);
    return response.responses.at(0).partitions.at(0);
  }

  // The batch that was read, alone.
  static RecordBatchView OnlyBatch(const FetchResponse::Partition& read) {
    EXPECT_EQ(read.records.slices.size(), 1U);
    absl::StatusOr<RecordBatchView> batch = RecordBatchView::Parse(read.records.slices.at(0));
    EXPECT_TRUE(batch.ok()) << batch.status();
    return *std::move(batch);
  }
  // Moves the log start of partition 0 of "a".
  void DeleteBelow(int64_t offset) {
    DeleteRecordsRequest request{.timeout_ms = 1000};
    request.topics = {
        {.name = "a",
         .partitions = {{.partition_index = PartitionIndex(0), .offset = Offset(offset)}}}};
    const auto answer = kafka_.Ask<DeleteRecordsResponse>(HandleDeleteRecords, request, 2, leader_);
    EXPECT_EQ(answer.topics.at(0).partitions.at(0).error_code, ErrorCode::kNone);
  }

  KafkaWorld kafka_;
  TopicId a_;
  int leader_ = 1;
};

}  // namespace quipu::kafka
