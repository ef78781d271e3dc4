#include "client/examples/payments/log_reader.h"

#include <chrono>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "client/consumer.h"
#include "client/examples/payments/payment_input.h"

namespace quipu::payments {
namespace {

absl::StatusOr<std::unique_ptr<Consumer>> NewReader(const std::string& bootstrap_servers) {
  return Consumer::Create({{"bootstrap.servers", bootstrap_servers},
                           {"auto.offset.reset", "earliest"},
                           {"max.poll.records", "5000"}});
}

bool IsResumeMarker(const ConsumerRecord& record) {
  for (const RecordHeader& header : record.headers()) {
    if (header.key == kResumeHeader) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<PartitionEnds> CurrentEnds(const std::string& bootstrap_servers,
                                          const std::string& topic) {
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Consumer> consumer, NewReader(bootstrap_servers));
  QUIPU_ASSIGN_OR_RETURN(const std::vector<NamedPartition> partitions,
                         consumer->PartitionsOf(topic));
  QUIPU_ASSIGN_OR_RETURN(const NamedOffsets offsets, consumer->EndOffsets(partitions));
  PartitionEnds ends;
  for (const auto& [partition, end] : offsets) ends[partition.partition] = end.offset;
  return ends;
}

absl::Status ReadPartitions(const std::string& bootstrap_servers, const std::string& topic,
                            const PartitionEnds& ends, int patience_ms,
                            const std::function<void(const ReadRecord&)>& on_record) {
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Consumer> consumer, NewReader(bootstrap_servers));
  PartitionEnds missing;
  std::vector<NamedPartition> partitions;
  for (const auto& [partition, end] : ends) {
    if (end <= Offset(0)) continue;
    missing[partition] = end;
    partitions.push_back(NamedPartition{.topic = topic, .partition = partition});
  }
  if (partitions.empty()) return absl::OkStatus();
  QUIPU_RETURN_IF_ERROR(consumer->Assign(partitions));
  for (const NamedPartition& partition : partitions) {
    QUIPU_RETURN_IF_ERROR(consumer->SeekToBeginning(partition));
  }
  auto last_progress = std::chrono::steady_clock::now();
  while (!missing.empty()) {
    QUIPU_ASSIGN_OR_RETURN(const std::vector<ConsumerRecord> records,
                           consumer->Poll(std::chrono::milliseconds(200)));
    for (const ConsumerRecord& record : records) {
      const auto end = missing.find(record.partition());
      if (end == missing.end() || record.offset() >= end->second) continue;
      if (IsResumeMarker(record)) continue;
      on_record(ReadRecord{.partition = record.partition(),
                           .offset = record.offset(),
                           .key = record.key().value_or(absl::string_view()),
                           .value = record.value().value_or(absl::string_view())});
    }
    // A position passes over markers and control records, which carry no row.
    const size_t before = missing.size();
    for (const NamedPartition& partition : partitions) {
      const auto position = consumer->Position(partition);
      const auto end = missing.find(partition.partition);
      if (position.ok() && end != missing.end() && position->offset >= end->second) {
        missing.erase(end);
      }
    }
    const auto now = std::chrono::steady_clock::now();
    if (!records.empty() || missing.size() != before) last_progress = now;
    if (now - last_progress > std::chrono::milliseconds(patience_ms)) {
      return ToStatus(ErrorCode::kRequestTimedOut,
                      absl::StrCat("partition ", missing.begin()->first.value(), " of ", topic,
                                   " gave nothing for ", patience_ms, " ms"));
    }
  }
  return absl::OkStatus();
}

}  // namespace quipu::payments
