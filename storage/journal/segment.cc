#include "storage/journal/segment.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/check.h"
#include "base/error_code.h"
#include "base/logging.h"
#include "base/status_macros.h"

namespace quipu {
namespace {

constexpr size_t kZerosBytes = size_t{256} << 10;
// After a full disk, and while a reader holds a segment that is free.
constexpr auto kPause = std::chrono::milliseconds(200);
// Spares that are made ahead take at most this part of what is free.
constexpr uint64_t kFreePart = 16;
// With no spare the disk is let be for as long as a piece took, with all of them for so many times.
constexpr double kPausesMost = 8;
// The next segment is whole when a quarter of the present one was used: then it may come late, by
// a burst or for want of a processor, and still be in time.
constexpr uint64_t kPrepareAhead = 4;
// Without much use a piece is written so often.
constexpr auto kIdlePause = std::chrono::milliseconds(50);
constexpr auto kLook = std::chrono::milliseconds(5);

std::unique_ptr<char, AlignedDeleter> MakeZeros() {
  std::unique_ptr<char, AlignedDeleter> zeros(
      static_cast<char*>(std::aligned_alloc(kDirectAlignment, kZerosBytes)));
  if (zeros == nullptr) throw std::bad_alloc();
  std::memset(zeros.get(), 0, kZerosBytes);
  return zeros;
}

}  // namespace

SegmentMaker::SegmentMaker(Options options, uint64_t next_id, std::vector<std::string> spares)
    : options_(std::move(options)), zeros_(MakeZeros()), next_id_(next_id) {
  for (std::string& path : spares) spares_.push_back({.path = std::move(path)});
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

absl::StatusOr<std::shared_ptr<const Segment>> SegmentMaker::AwaitReady(
    std::unique_lock<std::mutex>& lock) {
  ++waiting_;
  wake_.notify_all();
  ready_.wait(lock, [this] { return prepared_ != nullptr || !failed_.ok(); });
  --waiting_;
  if (prepared_ == nullptr) return failed_;
  used_before_ = used_.load(std::memory_order_relaxed);
  return std::exchange(prepared_, nullptr);
}

absl::StatusOr<std::shared_ptr<const Segment>> SegmentMaker::Take() {
  std::unique_lock<std::mutex> lock(mutex_);
  QUIPU_ASSIGN_OR_RETURN(std::shared_ptr<const Segment> taken, AwaitReady(lock));
  ++taken_;
  wake_.notify_all();
  return taken;
}

absl::StatusOr<std::shared_ptr<const Segment>> SegmentMaker::TakeOfSize(uint64_t bytes) {
  std::unique_lock<std::mutex> lock(mutex_);
  // Ids say the order of groups: one that was prepared before must not be used behind this.
  QUIPU_ASSIGN_OR_RETURN(std::shared_ptr<const Segment> unused, AwaitReady(lock));
  free_.push_back(std::move(unused));
  const uint64_t id = next_id_++;
  wake_.notify_all();
  lock.unlock();
  QUIPU_ASSIGN_OR_RETURN(Blank blank, Begin(id, bytes));
  QUIPU_RETURN_IF_ERROR(RemoveIfFull(WriteZeros(blank, bytes), blank.path));
  QUIPU_ASSIGN_OR_RETURN(std::shared_ptr<const Segment> made, Finish(blank.path, id, bytes));
  lock.lock();
  ++stats_.made;
  return made;
}

void SegmentMaker::GiveBack(std::shared_ptr<const Segment> segment) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    free_.push_back(std::move(segment));
    came_back_ = true;
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
    std::optional<absl::Duration> pause;
    absl::Status status = Reclaim(lock);
    if (status.ok() && prepared_ == nullptr && !stopping_) status = Prepare(lock);
    if (status.ok() && prepared_ != nullptr && WantsAhead()) {
      failed_ = absl::OkStatus();
      ready_.notify_all();  // not behind what is only for later
      absl::StatusOr<std::optional<absl::Duration>> made = MakeAhead(lock);
      status = made.status();
      if (made.ok()) pause = *made;
    }
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
    const auto wanted = [this] { return stopping_ || prepared_ == nullptr; };
    if (!status.ok()) {
      wake_.wait_for(lock, kPause);
    } else if (pause.has_value()) {
      wake_.wait_for(lock, absl::ToChronoNanoseconds(*pause), wanted);
    } else if (!free_.empty()) {
      wake_.wait_for(lock, kPause, wanted);
    } else {
      wake_.wait(lock, [&] { return wanted() || !free_.empty(); });
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
    if (keep) spares_.push_back({.path = spare});
    if (!keep) ++stats_.removed;
  }
  return came_back_ && !spares_.empty() ? DropBlank(lock) : absl::OkStatus();
}

absl::Status SegmentMaker::DropBlank(std::unique_lock<std::mutex>& lock) {
  if (!blank_.has_value()) return absl::OkStatus();
  lock.unlock();
  absl::Status status = options_.files->Remove(blank_->path);
  blank_.reset();
  lock.lock();
  return status;
}

absl::Status SegmentMaker::Prepare(std::unique_lock<std::mutex>& lock) {
  while (spares_.empty()) {
    QUIPU_RETURN_IF_ERROR(MakeSpare(lock));
    if (spares_.empty()) AwaitPiece(lock);
    QUIPU_RETURN_IF_ERROR(Reclaim(lock));  // one that came back is as good
    if (stopping_) return absl::OkStatus();
  }
  const Spare spare = std::move(spares_.back());
  spares_.pop_back();
  // The id under which zeros were written is free, and good where none came behind it.
  const bool used = spare.unused_id == 0;
  const uint64_t id = !used && spare.unused_id + 1 == next_id_ ? spare.unused_id : next_id_++;
  lock.unlock();
  absl::StatusOr<std::shared_ptr<const Segment>> made =
      Finish(spare.path, id, options_.segment_bytes);
  lock.lock();
  QUIPU_RETURN_IF_ERROR(made.status());
  if (used) ++stats_.recycled;
  // Another thread may have made a large one meanwhile, behind which this one must not be used.
  if (id + 1 == next_id_) {
    prepared_ = *std::move(made);
  } else {
    free_.push_back(*std::move(made));
  }
  return absl::OkStatus();
}

void SegmentMaker::AwaitPiece(std::unique_lock<std::mutex>& lock) {
  const auto until = std::chrono::steady_clock::now() + kIdlePause;
  const auto due = [this] {
    const uint64_t used = used_.load(std::memory_order_relaxed) - used_before_;
    return stopping_ || waiting_ > 0 || !failed_.ok() || blank_->at < kPrepareAhead * used;
  };
  while (!due() && std::chrono::steady_clock::now() < until) wake_.wait_for(lock, kLook);
}

bool SegmentMaker::WantsAhead() const {
  return !came_back_ && taken_ > 1 && spares_.size() < options_.spares_ahead;
}

absl::StatusOr<std::optional<absl::Duration>> SegmentMaker::MakeAhead(
    std::unique_lock<std::mutex>& lock) {
  if (!blank_.has_value()) {
    lock.unlock();
    const absl::StatusOr<int64_t> free_bytes = options_.files->FreeBytes(options_.folder);
    lock.lock();
    QUIPU_RETURN_IF_ERROR(free_bytes.status());
    const uint64_t room = static_cast<uint64_t>(*free_bytes) / kFreePart;
    if (options_.spares_ahead * options_.segment_bytes > room) return std::nullopt;
  }
  const double there =
      static_cast<double>(spares_.size()) / static_cast<double>(options_.spares_ahead);
  const auto before = std::chrono::steady_clock::now();
  const uint64_t used = used_.load(std::memory_order_relaxed);
  const bool idle = used - std::exchange(ahead_at_, used) < kZerosBytes;
  const absl::Status status = MakeSpare(lock);
  // It was only for later.
  if (!status.ok() && CodeOf(status) == ErrorCode::kDiskFull) return std::nullopt;
  QUIPU_RETURN_IF_ERROR(status);
  if (idle) return absl::FromChrono(kIdlePause);
  const auto took = absl::FromChrono(std::chrono::steady_clock::now() - before);
  return std::min(took * (1 + (kPausesMost - 1) * there), absl::FromChrono(kPause));
}

absl::Status SegmentMaker::MakeSpare(std::unique_lock<std::mutex>& lock) {
  const uint64_t id = blank_.has_value() ? blank_->id : next_id_++;
  lock.unlock();
  const absl::Status status = [&]() -> absl::Status {
    if (!blank_.has_value()) {
      QUIPU_ASSIGN_OR_RETURN(blank_, Begin(id, options_.segment_bytes));
    }
    return RemoveIfFull(WriteZeros(*blank_, kZerosBytes), blank_->path);
  }();
  if (!status.ok()) blank_.reset();
  lock.lock();
  QUIPU_RETURN_IF_ERROR(status);
  if (blank_->at < blank_->bytes) return absl::OkStatus();
  spares_.push_back({.path = blank_->path, .unused_id = id});
  blank_.reset();
  ++stats_.made;
  return absl::OkStatus();
}

// Past the page cache where that goes: nobody reads zeros, and their copies would cost as much as
// what is written for good.
absl::StatusOr<SegmentMaker::Blank> SegmentMaker::Begin(uint64_t id, uint64_t bytes) const {
  Blank blank{.id = id, .bytes = bytes, .path = absl::StrCat(options_.folder, "/spare-new-", id)};
  QUIPU_ASSIGN_OR_RETURN(blank.file, options_.files->Create(blank.path));
  QUIPU_ASSIGN_OR_RETURN(blank.direct, options_.files->OpenDirect(blank.path));
  return blank;
}

absl::Status SegmentMaker::WriteZeros(Blank& blank, uint64_t piece) const {
  OpenFile& file = blank.direct != nullptr ? *blank.direct : *blank.file;
  const uint64_t end = std::min(blank.bytes, blank.at + piece);
  while (blank.at < end) {
    const uint64_t count = std::min<uint64_t>(kZerosBytes, end - blank.at);
    QUIPU_RETURN_IF_ERROR(file.WriteAt(blank.at, {zeros_.get(), count}));
    blank.at += count;
  }
  return absl::OkStatus();
}

// The name comes last: a file that is called a segment is one.
absl::StatusOr<std::shared_ptr<const Segment>> SegmentMaker::Finish(const std::string& spare,
                                                                    uint64_t id,
                                                                    uint64_t bytes) const {
  Files& files = *options_.files;
  const std::string path = absl::StrCat(options_.folder, "/", SegmentFileName(id));
  const std::string head =
      EncodeSegmentHeader({.directory_id = options_.directory_id, .segment = id, .bytes = bytes});
  {
    QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<OpenFile> file, files.OpenExisting(spare));
    absl::Status status = file->WriteAt(0, head);
    if (status.ok()) status = file->Sync();
    QUIPU_RETURN_IF_ERROR(RemoveIfFull(status, spare));
  }
  QUIPU_RETURN_IF_ERROR(files.Rename(spare, path));
  // It has its name for now: nothing but an end of the process makes up for that (D3).
  if (const absl::Status status = files.SyncFolder(options_.folder); !status.ok()) {
    return ToStatus(ErrorCode::kStorageError, status.message());
  }
  return std::make_shared<const Segment>(Segment{.id = id, .bytes = bytes, .path = path});
}

absl::Status SegmentMaker::RemoveIfFull(const absl::Status& status, const std::string& path) const {
  if (!status.ok() && CodeOf(status) == ErrorCode::kDiskFull) {
    QUIPU_RETURN_IF_ERROR(options_.files->Remove(path));
  }
  return status;
}

}  // namespace quipu
