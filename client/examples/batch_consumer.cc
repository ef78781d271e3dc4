// Collects records into batches of a fixed size, handles each batch as one, and commits where it
// ended. A batch that is not full when the topic falls silent is handled after a second.
//   batch_consumer SERVERS TOPIC GROUP BATCH COUNT     prints a line for each batch
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <map>
#include <vector>

#include "client/consumer.h"

namespace {

using Clock = std::chrono::steady_clock;

// One batch, handled: here, a line. A real one writes all of it in one transaction.
void Handle(const std::vector<quipu::ConsumerRecord>& batch) {
  std::cout << "batch of " << batch.size() << ", first " << batch.front().value().value_or("")
            << std::endl;
}

// The offsets after the last record of each partition.
quipu::NamedOffsets EndsOf(const std::vector<quipu::ConsumerRecord>& batch) {
  std::map<quipu::NamedPartition, quipu::OffsetAndMetadata> ends;
  for (const quipu::ConsumerRecord& record : batch) {
    ends[{record.topic(), record.partition()}] = {
        .offset = record.offset() + 1, .leader_epoch = record.leader_epoch(), .metadata = {}};
  }
  return {ends.begin(), ends.end()};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  const auto batch_size = static_cast<size_t>(std::atoi(argv[4]));
  auto consumer = quipu::Consumer::Create(
      {{"bootstrap.servers", argv[1]}, {"group.id", argv[3]}, {"max.poll.records", argv[4]}});
  if (!consumer.ok()) return std::cerr << consumer.status() << "\n", 1;
  std::vector<quipu::ConsumerRecord> batch;
  quipu::RebalanceListener listener;
  // Their next owner begins at the committed offsets, so what was only collected is not lost here.
  // The partitions that stay were read on: what was collected of them stays too.
  listener.on_revoked = [&batch](const std::vector<quipu::NamedPartition>& gone) {
    std::erase_if(batch, [&gone](const quipu::ConsumerRecord& record) {
      return std::count(gone.begin(), gone.end(),
                        quipu::NamedPartition{record.topic(), record.partition()}) > 0;
    });
  };
  listener.on_lost = listener.on_revoked;
  absl::Status status = (*consumer)->Subscribe({argv[2]}, listener);
  auto begun_at = Clock::now();
  for (int left = std::atoi(argv[5]); status.ok() && left > 0;) {
    auto records = (*consumer)->Poll(std::chrono::milliseconds(100));
    if (!records.ok()) return std::cerr << records.status() << "\n", 1;
    for (const quipu::ConsumerRecord& record : *records) {
      if (batch.empty()) begun_at = Clock::now();
      batch.push_back(record);
      const bool full = batch.size() == batch_size;
      if (!full && !(static_cast<int>(batch.size()) >= left)) continue;
      Handle(batch);
      left -= static_cast<int>(batch.size());
      status = (*consumer)->CommitSync(EndsOf(batch));
      batch.clear();
      if (!status.ok() || left <= 0) break;
    }
    if (batch.empty() || Clock::now() - begun_at < std::chrono::seconds(1)) continue;
    Handle(batch);
    left -= static_cast<int>(batch.size());
    status = (*consumer)->CommitSync(EndsOf(batch));
    batch.clear();
  }
  if (!status.ok()) return std::cerr << status << "\n", 1;
  return (*consumer)->Close().ok() ? 0 : 1;
}
