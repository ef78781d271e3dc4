#include "storage/watermark_writer.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace quipu {
namespace {

// Longest time that the newest synced group waits for the next one before it is written.
constexpr std::chrono::milliseconds kWatermarkDelayMax{50};

}  // namespace

WatermarkWriter::WatermarkWriter(WatermarkFile& file, uint64_t proven, FatalHandler fatal)
    : file_(file), fatal_(std::move(fatal)) {
  written_ = file_.last_group();
  synced_ = std::max(proven, written_);
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

void WatermarkWriter::WriteNow() {
  if (std::exchange(write_now_, true)) return;
  wake_.notify_one();
}

void WatermarkWriter::OnGroupBegins(uint64_t needed) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (written_ < needed && synced_ > written_) WriteNow();
}

bool WatermarkWriter::OnGroupSynced(uint64_t group, uint64_t needed) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (written_ < needed) {
    WriteNow();
    stored_.wait(lock, [this, needed] { return failed_ || written_ >= needed; });
  }
  if (failed_) return false;
  synced_ = group;
  // While a group is due to be written the thread comes to this one by itself.
  if (std::exchange(idle_, false)) wake_.notify_one();
  return true;
}

void WatermarkWriter::Run() {
  pthread_setname_np(pthread_self(), "watermark");
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    idle_ = synced_ <= written_;
    wake_.wait(lock, [this] { return stopping_ || synced_ > written_; });
    idle_ = false;
    if (!stopping_) {
      wake_.wait_for(lock, kWatermarkDelayMax, [this] { return stopping_ || write_now_; });
    }
    if (stopping_ && synced_ <= written_) return;
    const uint64_t group = synced_;
    write_now_ = false;
    lock.unlock();
    const absl::Status status = file_.StoreLastGroup(group);
    if (!status.ok()) fatal_(std::string(status.message()));
    lock.lock();
    failed_ = !status.ok();  // when `fatal_` returns, as in tests
    if (!failed_) written_ = group;
    stored_.notify_all();
    if (failed_) return;
  }
}

}  // namespace quipu
