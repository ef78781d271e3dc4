#include "storage/journal/segment.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/error_code.h"
#include "base/logging.h"
#include "base/status_macros.h"

namespace quipu {
namespace {

constexpr size_t kZerosBytes = size_t{1} << 20;
// After a full disk, and while a reader holds a segment that is free.
constexpr auto kPause = std::chrono::milliseconds(200);

}  // namespace

SegmentMaker::SegmentMaker(Options options, uint64_t next_id, std::vector<std::string> spares)
    : options_(std::move(options)), next_id_(next_id), spares_(std::move(spares)) {
  thread_ = std::thread([this] { Run(); });
}

SegmentMaker::~SegmentMaker() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

absl::StatusOr<std::shared_ptr<const Segment>> SegmentMaker::Take() {
  std::unique_lock<std::mutex> lock(mutex_);
  ready_.wait(lock, [this] { return prepared_ != nullptr || !failed_.ok(); });
  if (prepared_ == nullptr) return failed_;
  std::shared_ptr<const Segment> taken = std::exchange(prepared_, nullptr);
  wake_.notify_all();
  return taken;
}

absl::StatusOr<std::shared_ptr<const Segment>> SegmentMaker::TakeOfSize(uint64_t bytes) {
  std::unique_lock<std::mutex> lock(mutex_);
  // Ids say the order of groups: one that was prepared before must not be used behind this.
  ready_.wait(lock, [this] { return prepared_ != nullptr || !failed_.ok(); });
  if (prepared_ == nullptr) return failed_;
  free_.push_back(std::exchange(prepared_, nullptr));
  const uint64_t id = next_id_++;
  lock.unlock();
  absl::StatusOr<std::shared_ptr<const Segment>> made = Make(id, bytes, "");
  lock.lock();
  if (made.ok()) ++stats_.made;
  wake_.notify_all();
  return made;
}

void SegmentMaker::GiveBack(std::shared_ptr<const Segment> segment) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    free_.push_back(std::move(segment));
  }
  wake_.notify_all();
}

SegmentMaker::Stats SegmentMaker::stats() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  Stats stats = stats_;
  stats.free = spares_.size() + free_.size();
  stats.free_bytes = spares_.size() * options_.segment_bytes;
  for (const auto& segment : free_) stats.free_bytes += segment->bytes;
  return stats;
}

void SegmentMaker::Run() {
  pthread_setname_np(pthread_self(), "segment-maker");
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopping_) {
    absl::Status status = Reclaim(lock);
    if (status.ok() && prepared_ == nullptr && !stopping_) status = Prepare(lock);
    if (!status.ok() && CodeOf(status) != ErrorCode::kDiskFull) {
      failed_ = status;
      ready_.notify_all();
      lock.unlock();
      options_.fatal(absl::StrCat("the journal: ", status.message()));  // D3
      return;
    }
    failed_ = status;
    ready_.notify_all();
    if (stopping_) return;
    if (!status.ok() || !free_.empty()) {
      wake_.wait_for(lock, kPause);
    } else {
      wake_.wait(lock, [this] { return stopping_ || prepared_ == nullptr || !free_.empty(); });
    }
  }
}

absl::Status SegmentMaker::Reclaim(std::unique_lock<std::mutex>& lock) {
  std::vector<std::shared_ptr<const Segment>> unread;
  for (size_t i = free_.size(); i-- > 0;) {
    if (free_[i].use_count() > 1) continue;
    unread.push_back(std::move(free_[i]));
    free_.erase(free_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  for (const auto& segment : unread) {
    const bool keep =
        segment->bytes == options_.segment_bytes && spares_.size() < options_.spares_max;
    const std::string spare = absl::StrCat(options_.folder, "/spare-", segment->id);
    lock.unlock();
    absl::Status status =
        keep ? options_.files->Rename(segment->path, spare) : options_.files->Remove(segment->path);
    // Before it is written to: under its old name it must be what it was.
    if (status.ok()) status = options_.files->SyncFolder(options_.folder);
    lock.lock();
    QUIPU_RETURN_IF_ERROR(status);
    if (keep) spares_.push_back(spare);
    if (!keep) ++stats_.removed;
  }
  return absl::OkStatus();
}

absl::Status SegmentMaker::Prepare(std::unique_lock<std::mutex>& lock) {
  const uint64_t id = next_id_++;
  std::string spare;
  if (!spares_.empty()) {
    spare = spares_.back();
    spares_.pop_back();
  }
  lock.unlock();
  absl::StatusOr<std::shared_ptr<const Segment>> made = Make(id, options_.segment_bytes, spare);
  lock.lock();
  QUIPU_RETURN_IF_ERROR(made.status());
  ++(spare.empty() ? stats_.made : stats_.recycled);
  // Another thread may have made a large one meanwhile, behind which this one must not be used.
  if (id + 1 == next_id_) {
    prepared_ = *std::move(made);
  } else {
    free_.push_back(*std::move(made));
  }
  return absl::OkStatus();
}

// Past the page cache where that goes: nobody reads zeros, and their copies would cost as much as
// what is written for good.
absl::Status SegmentMaker::WriteZeros(const std::string& path, OpenFile& file, uint64_t bytes) {
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<OpenFile> direct, options_.files->OpenDirect(path));
  OpenFile& target = direct != nullptr ? *direct : file;
  const std::unique_ptr<char, AlignedDeleter> zeros(
      static_cast<char*>(std::aligned_alloc(kDirectAlignment, kZerosBytes)));
  if (zeros == nullptr) throw std::bad_alloc();
  std::memset(zeros.get(), 0, kZerosBytes);
  for (uint64_t at = 0; at < bytes; at += kZerosBytes) {
    QUIPU_RETURN_IF_ERROR(
        target.WriteAt(at, {zeros.get(), std::min<uint64_t>(kZerosBytes, bytes - at)}));
  }
  return absl::OkStatus();
}

// The name comes last: a file that is called a segment is one.
absl::StatusOr<std::shared_ptr<const Segment>> SegmentMaker::Make(uint64_t id, uint64_t bytes,
                                                                  const std::string& spare) {
  Files& files = *options_.files;
  const std::string path = absl::StrCat(options_.folder, "/", SegmentFileName(id));
  const std::string before =
      spare.empty() ? absl::StrCat(options_.folder, "/spare-new-", id) : spare;
  absl::StatusOr<std::unique_ptr<OpenFile>> file =
      spare.empty() ? files.Create(before) : files.OpenExisting(before);
  QUIPU_RETURN_IF_ERROR(file.status());
  absl::Status status = spare.empty() ? WriteZeros(before, **file, bytes) : absl::OkStatus();
  if (status.ok()) {
    status = (*file)->WriteAt(
        0, EncodeSegmentHeader(
               {.directory_id = options_.directory_id, .segment = id, .bytes = bytes}));
  }
  if (status.ok()) status = (*file)->Sync();
  if (!status.ok()) {
    file->reset();
    if (CodeOf(status) == ErrorCode::kDiskFull) QUIPU_RETURN_IF_ERROR(files.Remove(before));
    return status;
  }
  QUIPU_RETURN_IF_ERROR(files.Rename(before, path));
  // It has its name for now: nothing but an end of the process makes up for that (D3).
  if (status = files.SyncFolder(options_.folder); !status.ok()) {
    return ToStatus(ErrorCode::kStorageError, status.message());
  }
  return std::make_shared<const Segment>(Segment{.id = id, .bytes = bytes, .path = path});
}

}  // namespace quipu
