// What the producer did and when, for whoever watches it: a text file that grows.
//
//   P time_ms sent acked n,n,...     progress: rows sent, acknowledged, in flight by partition
//   A time_ms partition rows         so many rows of the partition were acknowledged
#pragma once

#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/ids.h"

namespace quipu::payments {

// Thread-safe. A thread of its own writes every few milliseconds; without a path it only counts.
class EventLog {
 public:
  static absl::StatusOr<std::unique_ptr<EventLog>> Open(const std::string& path, int partitions);
  ~EventLog();
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  // Rows that were in the log already count as sent and acknowledged.
  void AlreadyThere(uint64_t rows);
  void Sent(PartitionIndex partition);
  void Acked(PartitionIndex partition);
  [[nodiscard]] uint64_t acked() const;

 private:
  EventLog(std::FILE* file, int partitions);
  void Run();
  void Write();

  mutable std::mutex mutex_;
  std::FILE* file_;
  uint64_t sent_ = 0;
  uint64_t acked_ = 0;
  std::vector<uint64_t> in_flight_;
  struct Ack {
    int64_t time_ms;
    int32_t partition;
    uint64_t rows;
  };
  std::vector<Ack> acks_;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace quipu::payments
