#include "client/examples/payments/event_log.h"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace quipu::payments {
namespace {

constexpr auto kWriteInterval = std::chrono::milliseconds(5);

int64_t WallMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

absl::StatusOr<std::unique_ptr<EventLog>> EventLog::Open(const std::string& path, int partitions) {
  std::FILE* file = nullptr;
  if (!path.empty()) {
    file = std::fopen(path.c_str(), "a");
    if (file == nullptr) {
      return absl::UnavailableError(
          absl::StrCat("--events ", path, ": cannot be opened: ", std::strerror(errno)));
    }
  }
  return std::unique_ptr<EventLog>(new EventLog(file, partitions));
}

EventLog::EventLog(std::FILE* file, int partitions)
    : file_(file), in_flight_(static_cast<size_t>(partitions), 0) {
  if (file_ != nullptr) thread_ = std::thread([this] { Run(); });
}

EventLog::~EventLog() {
  if (file_ == nullptr) return;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopped_ = true;
  }
  thread_.join();
  Write();
  std::fclose(file_);
}

void EventLog::AlreadyThere(uint64_t rows) {
  const std::lock_guard<std::mutex> lock(mutex_);
  sent_ += rows;
  acked_ += rows;
}

void EventLog::Sent(PartitionIndex partition) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++sent_;
  ++in_flight_[static_cast<size_t>(partition.value())];
}

void EventLog::Acked(PartitionIndex partition) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++acked_;
  --in_flight_[static_cast<size_t>(partition.value())];
  if (file_ == nullptr) return;
  const int64_t now = WallMs();
  if (!acks_.empty() && acks_.back().time_ms == now &&
      acks_.back().partition == partition.value()) {
    ++acks_.back().rows;
  } else {
    acks_.push_back(Ack{.time_ms = now, .partition = partition.value(), .rows = 1});
  }
}

uint64_t EventLog::acked() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return acked_;
}

void EventLog::Run() {
  while (true) {
    std::this_thread::sleep_for(kWriteInterval);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (stopped_) return;
    }
    Write();
  }
}

void EventLog::Write() {
  std::string text;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const Ack& ack : acks_) {
      absl::StrAppend(&text, "A ", ack.time_ms, " ", ack.partition, " ", ack.rows, "\n");
    }
    acks_.clear();
    absl::StrAppend(&text, "P ", WallMs(), " ", sent_, " ", acked_, " ",
                    absl::StrJoin(in_flight_, ","), "\n");
  }
  // A watcher that cannot be told is no reason to stop paying.
  if (std::fwrite(text.data(), 1, text.size(), file_) == text.size()) std::fflush(file_);
}

}  // namespace quipu::payments
