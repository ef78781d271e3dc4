// A disk in memory that fails as disks do, and loses power as machines do.
//
// What is modelled, by the letter of POSIX rather than by the habits of one file system:
//
// - A file has what its last successful sync made durable, and the writes since, in order. Reads
// see
//   both. Truncations are writes too.
// - A folder has the names that its last sync made durable, and the changes since (made, removed,
//   renamed), in order. Syncing a file does not make its name durable: a file that was synced under
//   a name whose folder was not is lost with the name. A folder's own name lies in its parent.
// - Power loss keeps, of each file's unsynced writes and independently of every other file:
// nothing,
//   all, the first few, the first few bytes, or any set of sectors of 512 bytes; what is missing
//   below the new end reads as zeros; the length may be the full one although the data is not
//   there. Of each folder's unsynced changes: nothing, all, the first few, or any set of them. A
//   rename is atomic: it happened or it did not.
// - A failed sync leaves the writes in the cache, clean: they are still read, a later sync returns
//   OK, and power loss loses them (as Linux does).
// - A lying sync returns OK and leaves everything unsynced.
// - A failed write may have written its first half. A full disk is a failed write that says so.
// - Reads that fail, that come back short, with one bit flipped, or from another place.
// - A stall: the call does not return until the test lets it.
//
// Not modelled: old bytes of other files in sectors that were never written, damage to what was
// synced long ago (flip bits by hand: FlipStoredBit), renames between folders, hard links, memory
// maps. A preallocated file has no blocks of its own here.
//
// After a power loss the process goes on in a world of its own: its calls work, and nothing of them
// remains. So no code of the process sees an error that a real one would not have lived to see; the
// test stops it at its leisure and counts nothing that it says from then on.
//
// Faults come from a hook that sees each call with its running number. What power loss keeps is a
// function of the seed, the path and the number of writes alone, not of the order in which threads
// got here.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace quipu::faultfs {

enum class CallKind {
  kCreate,
  kWrite,
  kTruncate,
  kSync,
  kRename,
  kRemove,
  kMakeFolder,
  kSyncFolder,
  kRead,  // the only kind that changes nothing
};
absl::string_view CallKindName(CallKind kind);

struct Call {
  uint64_t number = 0;  // from 1, over all changing calls; a read has that of the next one
  CallKind kind = CallKind::kRead;
  std::string path;
};

enum class Fault {
  kNone,
  kIoError,      // EIO
  kNoSpace,      // ENOSPC
  kLie,          // of a sync: OK, and nothing is made durable
  kPowerLoss,    // the machine dies in this call
  kStall,        // the call waits for EndStalls, then goes on
  kShortRead,    // half of what was asked for
  kFlippedBit,   // of what is read
  kMisdirected,  // what lies 512 bytes further on (or before) is read
};
using FaultHook = std::function<Fault(const Call&)>;

enum class DiskResult { kOk, kIoError, kNoSpace, kNotFound, kExists, kStaleHandle };
absl::string_view DiskResultText(DiskResult result);

// What power losses did, for tests that want to know that it happened.
struct LossCounts {
  uint64_t power_losses = 0;
  uint64_t files_kept_whole = 0;   // unsynced writes, all kept
  uint64_t files_cut = 0;          // none of the unsynced writes kept
  uint64_t files_prefix = 0;       // the first few writes kept
  uint64_t files_torn = 0;         // cut inside a write
  uint64_t files_holed = 0;        // later sectors kept, earlier ones not
  uint64_t files_zero_length = 0;  // full length, data missing at the end
  uint64_t writes_dropped = 0;     // cached writes of a failed sync
  uint64_t names_lost = 0;         // made, and gone
  uint64_t synced_files_lost = 0;  // the same, of a file whose content was synced
  uint64_t removals_undone = 0;
  uint64_t renames_undone = 0;
};

// Thread-safe. Paths are absolute and without "..".
class FaultDisk {
 public:
  // Unsynced changes of a file since its last sync.
  struct Write {
    uint64_t position = 0;
    std::string bytes;
    bool truncate = false;  // to `position`
    bool dropped = false;   // a sync of it failed: cached, never to be durable
  };
  struct File {
    ~File();
    std::string path;  // the last name that it was given
    std::string now;
    std::string durable;
    std::vector<Write> unsynced;
    uint64_t life = 0;  // of the machine, in which it was opened or made
    std::shared_ptr<std::atomic<uint64_t>> used;
  };
  using FilePtr = std::shared_ptr<File>;

  FaultDisk();

  // ---- faults ----
  void SetHook(FaultHook hook);
  // Power loss keeps any set of a folder's changes, not only the first few.
  void SetUnorderedNames(bool unordered);
  // Writes that would leave more than so many bytes in all files fail as on a full disk.
  void SetCapacity(uint64_t bytes);
  [[nodiscard]] uint64_t used_bytes() const { return used_->load(); }
  [[nodiscard]] int64_t free_bytes() const;
  [[nodiscard]] uint64_t calls() const;
  // Lets every stalled call go on.
  void EndStalls();
  [[nodiscard]] int stalled() const;
  // What is on the disk now is what PowerOn begins with.
  void CutPower();
  [[nodiscard]] bool has_power() const;
  // The machine is on again with what `seed` lets survive. Files that were open stay unusable.
  void PowerOn(uint64_t seed);
  // Only the process died: everything written is there. Files that were open stay unusable.
  void RestartProcess();
  [[nodiscard]] LossCounts losses() const;
  // Damages what is stored, as a disk that rots. False when the file is shorter.
  bool FlipStoredBit(const std::string& path, uint64_t position);
  // Writes everything that can be read now into a real folder, for examination.
  void DumpTo(const std::string& folder) const;

  // ---- files ----
  DiskResult Create(const std::string& path, FilePtr& file);
  DiskResult Open(const std::string& path, FilePtr& file);
  DiskResult WriteAt(File& file, uint64_t position, absl::string_view bytes);
  DiskResult Append(File& file, absl::string_view bytes);
  DiskResult Truncate(File& file, uint64_t size);
  DiskResult Sync(File& file);
  // Up to `length` bytes; fewer at the end of the file.
  DiskResult ReadAt(const File& file, uint64_t position, size_t length, std::string& out);
  DiskResult SizeOf(const File& file, uint64_t& size);

  // ---- names ----
  DiskResult Rename(const std::string& from, const std::string& to);  // in one folder
  DiskResult Remove(const std::string& path);
  DiskResult MakeFolder(const std::string& path);  // kExists: is there
  DiskResult SyncFolder(const std::string& path);
  DiskResult List(const std::string& path, std::vector<std::string>& names);
  DiskResult IsFolder(const std::string& path, bool& folder);
  // False when another holder has it.
  bool Lock(const std::string& path);
  void Unlock(const std::string& path);

 private:
  struct Folder;
  // A name's target: exactly one is set.
  struct Entry {
    FilePtr file;
    std::shared_ptr<Folder> folder;
  };
  struct Change {
    std::string removed;  // empty: nothing
    std::string made;     // empty: nothing
    Entry entry;          // of `made`
  };
  struct Folder {
    std::string path;
    std::map<std::string, Entry> now;
    std::map<std::string, Entry> durable;
    std::vector<Change> unsynced;
  };

  // Numbers the call, asks the hook, waits out a stall. Under `lock`.
  Fault Enter(std::unique_lock<std::mutex>& lock, CallKind kind, const std::string& path);
  void Cut();
  // Makes a change of names, and cuts the power after it when `fault` says so.
  void ChangeNames(Folder& folder, const Change& change, Fault fault);
  std::shared_ptr<Folder> CopyOf(const Folder& folder);
  void Begin(Folder& folder);  // a new life: only files found in it now can be used
  DiskResult ChangeFile(std::unique_lock<std::mutex>& lock, File& file, CallKind kind, Write write);
  // nullptr when it is not there.
  Folder* FindFolder(const std::string& path) const;
  Entry* FindEntry(const std::string& path) const;
  static void Apply(std::map<std::string, Entry>& names, const Change& change);
  static void Apply(std::string& content, const Write& write);
  void Settle(Folder& folder, uint64_t seed);  // power loss, recursively
  void SettleFile(File& file, uint64_t seed);

  mutable std::mutex mutex_;
  std::condition_variable stalls_;
  FaultHook hook_;
  std::shared_ptr<Folder> root_;
  std::shared_ptr<Folder> left_;           // at the power loss
  std::map<std::string, uint64_t> locks_;  // path -> life
  std::shared_ptr<std::atomic<uint64_t>> used_ = std::make_shared<std::atomic<uint64_t>>(0);
  uint64_t capacity_ = ~uint64_t{0};
  uint64_t calls_ = 0;
  uint64_t life_ = 1;
  uint64_t stall_round_ = 0;
  int stalled_ = 0;
  bool power_ = true;
  bool unordered_names_ = false;
  LossCounts losses_;
};

}  // namespace quipu::faultfs
