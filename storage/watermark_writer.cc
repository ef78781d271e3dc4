#include "storage/watermark_writer.h"

#include <chrono>
#include <utility>

namespace quipu {
namespace {

// Longest time that the newest synced group waits for the next one before it is written.
constexpr std::chrono::milliseconds kWatermarkDelayMax{50};

}  // namespace

WatermarkWriter::WatermarkWriter(WatermarkFile& file, FatalHandler fatal)
    : file_(file), fatal_(std::move(fatal)) {
  synced_ = written_ = file_.last_group();
  thread_ = std::thread([this] { Run(); });
}

WatermarkWriter::~WatermarkWriter() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void WatermarkWriter::OnGroupBegins() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (written_ >= synced_) return;
    write_now_ = true;
  }
  wake_.notify_one();
}

void WatermarkWriter::OnGroupSynced(uint64_t group) {
  bool wake = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    wake = synced_ <= written_;  // the thread sleeps without a time limit
    synced_ = group;
  }
  if (wake) wake_.notify_one();
}

void WatermarkWriter::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || synced_ > written_; });
    if (!stopping_) {
      wake_.wait_for(lock, kWatermarkDelayMax, [this] { return stopping_ || write_now_; });
    }
    if (stopping_ && synced_ <= written_) return;
    const uint64_t group = synced_;
    write_now_ = false;
    lock.unlock();
    const absl::Status status = file_.StoreLastGroup(group);
    if (!status.ok()) {
      fatal_(std::string(status.message()));
      return;
    }
    lock.lock();
    written_ = group;
  }
}

}  // namespace quipu
