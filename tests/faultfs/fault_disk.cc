#include "tests/faultfs/fault_disk.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace quipu::faultfs {
namespace {

constexpr uint64_t kMisdirection = 512;

std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

std::string NameOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

absl::string_view CallKindName(CallKind kind) {
  switch (kind) {
    case CallKind::kCreate:
      return "create";
    case CallKind::kWrite:
      return "write";
    case CallKind::kTruncate:
      return "truncate";
    case CallKind::kSync:
      return "sync";
    case CallKind::kRename:
      return "rename";
    case CallKind::kRemove:
      return "remove";
    case CallKind::kMakeFolder:
      return "make folder";
    case CallKind::kSyncFolder:
      return "sync folder";
    case CallKind::kRead:
      return "read";
  }
  return "unknown";
}

absl::string_view DiskResultText(DiskResult result) {
  switch (result) {
    case DiskResult::kOk:
      return "ok";
    case DiskResult::kIoError:
      return "Input/output error";
    case DiskResult::kNoSpace:
      return "No space left on device";
    case DiskResult::kNotFound:
      return "No such file or directory";
    case DiskResult::kExists:
      return "File exists";
    case DiskResult::kStaleHandle:
      return "opened in a former life of the machine";
  }
  return "unknown";
}

FaultDisk::File::~File() {
  if (used != nullptr) used->fetch_sub(now.size());
}

FaultDisk::FaultDisk() : root_(std::make_shared<Folder>()) { root_->path = "/"; }

void FaultDisk::SetHook(FaultHook hook) {
  const std::lock_guard<std::mutex> lock(mutex_);
  hook_ = std::move(hook);
}

void FaultDisk::SetUnorderedNames(bool unordered) {
  const std::lock_guard<std::mutex> lock(mutex_);
  unordered_names_ = unordered;
}

int64_t FaultDisk::free_bytes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const uint64_t used = std::min(used_->load(), capacity_);
  return static_cast<int64_t>(std::min(capacity_ - used, uint64_t{1} << 50));
}

void FaultDisk::SetCapacity(uint64_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  capacity_ = bytes;
}

uint64_t FaultDisk::calls() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return calls_;
}

void FaultDisk::EndStalls() {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++stall_round_;
  stalls_.notify_all();
}

int FaultDisk::stalled() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return stalled_;
}

void FaultDisk::CutPower() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (power_) Cut();
}

void FaultDisk::Cut() {
  left_ = CopyOf(*root_);
  power_ = false;
  stalls_.notify_all();
}

bool FaultDisk::has_power() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return power_;
}

LossCounts FaultDisk::losses() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return losses_;
}

Fault FaultDisk::Enter(std::unique_lock<std::mutex>& lock, CallKind kind, const std::string& path) {
  if (!power_) return Fault::kNone;
  if (kind != CallKind::kRead) ++calls_;
  if (!hook_) return Fault::kNone;
  const Fault fault =
      hook_({.number = kind == CallKind::kRead ? calls_ + 1 : calls_, .kind = kind, .path = path});
  if (fault == Fault::kStall) {
    const uint64_t round = stall_round_;
    const uint64_t life = life_;
    ++stalled_;
    stalls_.wait(lock,
                 [this, round, life] { return stall_round_ != round || !power_ || life_ != life; });
    --stalled_;
    return Fault::kNone;
  }
  // A sync that the power loss cuts short promised nothing; other calls leave their change behind.
  const bool changes =
      kind != CallKind::kSync && kind != CallKind::kSyncFolder && kind != CallKind::kRead;
  if (fault == Fault::kPowerLoss && !changes) Cut();
  return fault;
}

void FaultDisk::ChangeNames(Folder& folder, const Change& change, Fault fault) {
  Apply(folder.now, change);
  folder.unsynced.push_back(change);
  if (fault == Fault::kPowerLoss) Cut();
}

FaultDisk::Folder* FaultDisk::FindFolder(const std::string& path) const {
  Folder* folder = root_.get();
  size_t at = 1;
  while (at < path.size()) {
    const size_t slash = std::min(path.find('/', at), path.size());
    if (slash > at) {
      const auto found = folder->now.find(path.substr(at, slash - at));
      if (found == folder->now.end() || found->second.folder == nullptr) return nullptr;
      folder = found->second.folder.get();
    }
    at = slash + 1;
  }
  return folder;
}

FaultDisk::Entry* FaultDisk::FindEntry(const std::string& path) const {
  Folder* folder = FindFolder(ParentOf(path));
  if (folder == nullptr) return nullptr;
  const auto found = folder->now.find(NameOf(path));
  return found == folder->now.end() ? nullptr : &found->second;
}

void FaultDisk::Apply(std::map<std::string, Entry>& names, const Change& change) {
  if (!change.removed.empty()) names.erase(change.removed);
  if (change.made.empty()) return;
  // A file has one name: a rename takes it from wherever it is known.
  std::erase_if(names, [&change](const auto& name) {
    return change.entry.file != nullptr && name.second.file == change.entry.file;
  });
  names[change.made] = change.entry;
}

void FaultDisk::Apply(std::string& content, const Write& write) {
  if (write.truncate) {
    content.resize(write.position, '\0');
    return;
  }
  const size_t end = write.position + write.bytes.size();
  if (content.size() < end) content.resize(end, '\0');
  content.replace(write.position, write.bytes.size(), write.bytes);
}

// ---- files ------------------------------------------------------------------------------------

DiskResult FaultDisk::Create(const std::string& path, FilePtr& file) {
  std::unique_lock<std::mutex> lock(mutex_);
  const Fault fault = Enter(lock, CallKind::kCreate, path);
  if (fault == Fault::kIoError) return DiskResult::kIoError;
  if (fault == Fault::kNoSpace || used_->load() >= capacity_) return DiskResult::kNoSpace;
  Folder* folder = FindFolder(ParentOf(path));
  if (folder == nullptr) return DiskResult::kNotFound;
  file = std::make_shared<File>();
  file->path = path;
  file->life = life_;
  file->used = used_;
  ChangeNames(*folder, {.removed = "", .made = NameOf(path), .entry = {.file = file, .folder = {}}},
              fault);
  return DiskResult::kOk;
}

DiskResult FaultDisk::Open(const std::string& path, FilePtr& file) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const Entry* entry = FindEntry(path);
  if (entry == nullptr || entry->file == nullptr) return DiskResult::kNotFound;
  file = entry->file;
  return DiskResult::kOk;
}

DiskResult FaultDisk::ChangeFile(std::unique_lock<std::mutex>& lock, File& file, CallKind kind,
                                 Write write) {
  const Fault fault = Enter(lock, kind, file.path);
  if (file.life != life_) return DiskResult::kStaleHandle;
  DiskResult result = DiskResult::kOk;
  if (fault == Fault::kIoError) result = DiskResult::kIoError;
  if (fault == Fault::kNoSpace) result = DiskResult::kNoSpace;
  const uint64_t end = write.position + write.bytes.size();
  const uint64_t grows = !write.truncate && end > file.now.size() ? end - file.now.size() : 0;
  if (result == DiskResult::kOk && grows > 0 && used_->load() + grows > capacity_) {
    result = DiskResult::kNoSpace;
  }
  if (result == DiskResult::kIoError || result == DiskResult::kNoSpace) {
    if (write.truncate) return result;
    write.bytes.resize(write.bytes.size() / 2);  // what the kernel took before it failed
  }
  const size_t before = file.now.size();
  Apply(file.now, write);
  used_->fetch_add(file.now.size() - before);  // wraps when it shrinks, as it should
  file.unsynced.push_back(std::move(write));
  if (fault == Fault::kPowerLoss) Cut();
  return result;
}

DiskResult FaultDisk::WriteAt(File& file, uint64_t position, absl::string_view bytes) {
  std::unique_lock<std::mutex> lock(mutex_);
  return ChangeFile(lock, file, CallKind::kWrite,
                    {.position = position, .bytes = std::string(bytes)});
}

DiskResult FaultDisk::Append(File& file, absl::string_view bytes) {
  std::unique_lock<std::mutex> lock(mutex_);
  return ChangeFile(lock, file, CallKind::kWrite,
                    {.position = file.now.size(), .bytes = std::string(bytes)});
}

DiskResult FaultDisk::Truncate(File& file, uint64_t size) {
  std::unique_lock<std::mutex> lock(mutex_);
  return ChangeFile(lock, file, CallKind::kTruncate,
                    {.position = size, .bytes = "", .truncate = true});
}

DiskResult FaultDisk::Sync(File& file) {
  std::unique_lock<std::mutex> lock(mutex_);
  const Fault fault = Enter(lock, CallKind::kSync, file.path);
  if (file.life != life_) return DiskResult::kStaleHandle;
  if (fault == Fault::kLie) return DiskResult::kOk;
  if (fault == Fault::kIoError || fault == Fault::kNoSpace) {
    for (Write& write : file.unsynced) write.dropped = true;
    return fault == Fault::kIoError ? DiskResult::kIoError : DiskResult::kNoSpace;
  }
  std::erase_if(file.unsynced, [&file](const Write& write) {
    if (!write.dropped) Apply(file.durable, write);
    return !write.dropped;
  });
  return DiskResult::kOk;
}

DiskResult FaultDisk::ReadAt(const File& file, uint64_t position, size_t length, std::string& out) {
  std::unique_lock<std::mutex> lock(mutex_);
  const Fault fault = Enter(lock, CallKind::kRead, file.path);
  if (file.life != life_) return DiskResult::kStaleHandle;
  if (fault == Fault::kIoError) return DiskResult::kIoError;
  if (fault == Fault::kShortRead) length /= 2;
  if (fault == Fault::kMisdirected) {
    position = position >= kMisdirection ? position - kMisdirection : position + kMisdirection;
  }
  out.clear();
  if (position < file.now.size()) out = file.now.substr(position, length);
  if (fault == Fault::kFlippedBit && !out.empty()) {
    out[out.size() / 2] = static_cast<char>(out[out.size() / 2] ^ 0x20);
  }
  return DiskResult::kOk;
}

DiskResult FaultDisk::SizeOf(const File& file, uint64_t& size) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (file.life != life_) return DiskResult::kStaleHandle;
  size = file.now.size();
  return DiskResult::kOk;
}

// ---- names ------------------------------------------------------------------------------------

DiskResult FaultDisk::Rename(const std::string& from, const std::string& to) {
  QUIPU_CHECK_MSG(ParentOf(from) == ParentOf(to), "a rename between folders is not modelled");
  std::unique_lock<std::mutex> lock(mutex_);
  const Fault fault = Enter(lock, CallKind::kRename, to);
  if (fault == Fault::kIoError) return DiskResult::kIoError;
  if (fault == Fault::kNoSpace) return DiskResult::kNoSpace;
  const Entry* entry = FindEntry(from);
  if (entry == nullptr) return DiskResult::kNotFound;
  if (entry->file != nullptr) entry->file->path = to;
  Folder* folder = FindFolder(ParentOf(from));
  ChangeNames(*folder, {.removed = NameOf(from), .made = NameOf(to), .entry = *entry}, fault);
  return DiskResult::kOk;
}

DiskResult FaultDisk::Remove(const std::string& path) {
  std::unique_lock<std::mutex> lock(mutex_);
  const Fault fault = Enter(lock, CallKind::kRemove, path);
  if (fault == Fault::kIoError || fault == Fault::kNoSpace) return DiskResult::kIoError;
  if (FindEntry(path) == nullptr) return DiskResult::kNotFound;
  Folder* folder = FindFolder(ParentOf(path));
  ChangeNames(*folder, {.removed = NameOf(path), .made = "", .entry = {}}, fault);
  return DiskResult::kOk;
}

DiskResult FaultDisk::MakeFolder(const std::string& path) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (FindEntry(path) != nullptr) return DiskResult::kExists;
  const Fault fault = Enter(lock, CallKind::kMakeFolder, path);
  if (fault == Fault::kIoError) return DiskResult::kIoError;
  if (fault == Fault::kNoSpace) return DiskResult::kNoSpace;
  Folder* folder = FindFolder(ParentOf(path));
  if (folder == nullptr) return DiskResult::kNotFound;
  auto made = std::make_shared<Folder>();
  made->path = path;
  ChangeNames(*folder, {.removed = "", .made = NameOf(path), .entry = {.file = {}, .folder = made}},
              fault);
  return DiskResult::kOk;
}

DiskResult FaultDisk::SyncFolder(const std::string& path) {
  std::unique_lock<std::mutex> lock(mutex_);
  const Fault fault = Enter(lock, CallKind::kSyncFolder, path);
  if (fault == Fault::kLie) return DiskResult::kOk;
  if (fault == Fault::kIoError || fault == Fault::kNoSpace) return DiskResult::kIoError;
  Folder* folder = FindFolder(path);
  if (folder == nullptr) return DiskResult::kNotFound;
  folder->durable = folder->now;
  folder->unsynced.clear();
  return DiskResult::kOk;
}

DiskResult FaultDisk::List(const std::string& path, std::vector<std::string>& names) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const Folder* folder = FindFolder(path);
  if (folder == nullptr) return DiskResult::kNotFound;
  names.clear();
  for (const auto& [name, entry] : folder->now) names.push_back(name);
  return DiskResult::kOk;
}

DiskResult FaultDisk::IsFolder(const std::string& path, bool& folder) {
  const std::lock_guard<std::mutex> lock(mutex_);
  folder = FindFolder(path) != nullptr;
  return folder || FindEntry(path) != nullptr ? DiskResult::kOk : DiskResult::kNotFound;
}

bool FaultDisk::Lock(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = locks_.find(path);
  if (found != locks_.end() && found->second == life_) return false;
  locks_[path] = life_;
  return true;
}

void FaultDisk::Unlock(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  locks_.erase(path);
}

}  // namespace quipu::faultfs
