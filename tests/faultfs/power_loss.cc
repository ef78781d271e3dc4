// What a power loss leaves of files and folders; see fault_disk.h.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <utility>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/rng.h"
#include "tests/faultfs/fault_disk.h"

namespace quipu::faultfs {
namespace {

constexpr uint64_t kSectorBytes = 512;

// A source of choices that depends on what is lost alone.
Rng ChoicesFor(uint64_t seed, const std::string& path, size_t changes) {
  return Rng(seed * 0x9E3779B97F4A7C15 + (uint64_t{Crc32c(path)} << 20) + changes);
}

// Each sector holds what it did after some of the writes that touch it, whatever its neighbours do.
void ApplySectors(std::string& content, const std::vector<FaultDisk::Write>& writes, Rng& rng) {
  std::map<uint64_t, std::vector<size_t>> touched;  // sector -> writes, in order
  for (size_t i = 0; i < writes.size(); ++i) {
    if (writes[i].bytes.empty()) continue;
    const uint64_t last = (writes[i].position + writes[i].bytes.size() - 1) / kSectorBytes;
    for (uint64_t sector = writes[i].position / kSectorBytes; sector <= last; ++sector) {
      touched[sector].push_back(i);
    }
  }
  for (const auto& [sector, by] : touched) {
    const uint64_t kept = rng.Below(by.size() + 1);
    for (uint64_t k = 0; k < kept; ++k) {
      const FaultDisk::Write& write = writes[by[k]];
      const uint64_t from = std::max(write.position, sector * kSectorBytes);
      const uint64_t to =
          std::min(write.position + write.bytes.size(), (sector + 1) * kSectorBytes);
      if (content.size() < to) content.resize(to, '\0');
      content.replace(from, to - from, write.bytes, from - write.position, to - from);
    }
  }
}

}  // namespace

void FaultDisk::SettleFile(File& file, uint64_t seed) {
  const size_t all = file.unsynced.size();
  std::erase_if(file.unsynced, [](const Write& write) { return write.dropped; });
  losses_.writes_dropped += all - file.unsynced.size();
  std::string content = file.durable;
  const std::vector<Write>& writes = file.unsynced;
  if (!writes.empty()) {
    Rng rng = ChoicesFor(seed, file.path, all);
    const bool cut_back =
        std::any_of(writes.begin(), writes.end(), [](const Write& w) { return w.truncate; });
    uint64_t mode = rng.Below(6);
    if (cut_back && mode >= 4) mode = 2;
    uint64_t kept = 0;
    if (mode == 1) kept = writes.size();
    if (mode == 2 || mode == 3) kept = rng.Below(writes.size());
    if (mode >= 4) {
      ApplySectors(content, writes, rng);
      ++losses_.files_holed;
    } else {
      for (uint64_t i = 0; i < kept; ++i) Apply(content, writes[i]);
    }
    if (mode == 0) ++losses_.files_cut;
    if (mode == 1) ++losses_.files_kept_whole;
    if (mode == 2) ++losses_.files_prefix;
    if (mode == 3) {
      Write torn = writes[kept];
      if (!torn.truncate && !torn.bytes.empty()) {
        torn.bytes.resize(rng.Below(torn.bytes.size()));
        Apply(content, torn);
        ++losses_.files_torn;
      }
    }
    if (mode != 1 && rng.Chance(1, 4) && content.size() < file.now.size()) {
      content.resize(file.now.size(), '\0');
      ++losses_.files_zero_length;
    }
  }
  used_->fetch_add(content.size() - file.now.size());
  file.now = content;
  file.durable = std::move(content);
  file.unsynced.clear();
}

void FaultDisk::Settle(Folder& folder, uint64_t seed) {
  std::map<std::string, Entry> kept = folder.durable;
  Rng rng = ChoicesFor(seed, folder.path, folder.unsynced.size());
  const uint64_t mode = rng.Below(4);  // none, all, the first few (twice)
  const bool any_set = unordered_names_ && mode == 3;
  const uint64_t changes = folder.unsynced.size();
  const uint64_t first = mode >= 2 && !any_set ? rng.Below(changes + 1) : changes;
  for (uint64_t i = 0; i < folder.unsynced.size(); ++i) {
    const Change& change = folder.unsynced[i];
    const bool survives = mode != 0 && i < first && (!any_set || rng.Chance(1, 2));
    if (survives) {
      Apply(kept, change);
    } else if (change.made.empty()) {
      ++losses_.removals_undone;
    } else if (!change.removed.empty()) {
      ++losses_.renames_undone;
    }
  }
  for (const auto& [name, entry] : folder.now) {
    if (kept.contains(name)) continue;
    ++losses_.names_lost;
    if (entry.file != nullptr && !entry.file->durable.empty()) ++losses_.synced_files_lost;
  }
  folder.now = std::move(kept);
  for (auto& [name, entry] : folder.now) {
    if (entry.folder != nullptr) Settle(*entry.folder, seed);
    if (entry.file != nullptr) SettleFile(*entry.file, seed);
  }
  folder.durable = folder.now;
  folder.unsynced.clear();
}

// Everything anew, of the present life: whoever holds a file of the original keeps that one.
std::shared_ptr<FaultDisk::Folder> FaultDisk::CopyOf(const Folder& folder) {
  std::map<const File*, FilePtr> files;
  std::map<const Folder*, std::shared_ptr<Folder>> folders;
  const auto renewed = [this, &files, &folders](Entry entry) {
    if (entry.file != nullptr) {
      FilePtr& copy = files[entry.file.get()];
      if (copy == nullptr) {
        copy = std::make_shared<File>(*entry.file);
        used_->fetch_add(copy->now.size());
      }
      entry.file = copy;
    }
    if (entry.folder != nullptr) {
      std::shared_ptr<Folder>& copy = folders[entry.folder.get()];
      if (copy == nullptr) copy = CopyOf(*entry.folder);
      entry.folder = copy;
    }
    return entry;
  };
  auto copy = std::make_shared<Folder>();
  copy->path = folder.path;
  for (const auto& [name, entry] : folder.now) copy->now[name] = renewed(entry);
  for (const auto& [name, entry] : folder.durable) copy->durable[name] = renewed(entry);
  for (Change change : folder.unsynced) {
    change.entry = renewed(change.entry);
    copy->unsynced.push_back(std::move(change));
  }
  return copy;
}

void FaultDisk::Begin(Folder& folder) {
  for (auto& [name, entry] : folder.now) {
    if (entry.folder != nullptr) Begin(*entry.folder);
    if (entry.file != nullptr) entry.file->life = life_;
  }
}

void FaultDisk::PowerOn(uint64_t seed) {
  const std::lock_guard<std::mutex> lock(mutex_);
  QUIPU_CHECK_MSG(!power_, "the power was not cut");
  ++losses_.power_losses;
  ++life_;
  root_ = std::move(left_);
  Settle(*root_, seed);
  Begin(*root_);
  power_ = true;
}

void FaultDisk::RestartProcess() {
  const std::lock_guard<std::mutex> lock(mutex_);
  QUIPU_CHECK_MSG(power_, "the power was cut");
  ++life_;
  root_ = CopyOf(*root_);
  Begin(*root_);
}

bool FaultDisk::FlipStoredBit(const std::string& path, uint64_t position) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const Entry* entry = FindEntry(path);
  if (entry == nullptr || entry->file == nullptr) return false;
  File& file = *entry->file;
  if (position >= file.now.size()) return false;
  file.now[position] = static_cast<char>(file.now[position] ^ 0x08);
  if (position < file.durable.size()) {
    file.durable[position] = static_cast<char>(file.durable[position] ^ 0x08);
  }
  return true;
}

void FaultDisk::DumpTo(const std::string& folder) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<const Folder*> open = {root_.get()};
  while (!open.empty()) {
    const Folder* next = open.back();
    open.pop_back();
    std::filesystem::create_directories(folder + next->path);
    for (const auto& [name, entry] : next->now) {
      if (entry.folder != nullptr) open.push_back(entry.folder.get());
      if (entry.file == nullptr) continue;
      std::ofstream out(folder + next->path + "/" + name, std::ios::binary);
      out << entry.file->now;
    }
  }
}

}  // namespace quipu::faultfs
