// The file operations that a data directory needs besides its database: the seam at which a test
// puts a disk that fails (RocksDB has one of its own, rocksdb::FileSystem).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quipu {

// A file that is open for reading and, unless it was opened for that alone, writing; closed with
// the object.
class OpenFile {
 public:
  virtual ~OpenFile() = default;
  // Reads up to `length` bytes into `out`; fewer at the end of the file. Any thread.
  virtual absl::StatusOr<size_t> ReadAt(uint64_t position, size_t length, char* out) = 0;
  // Whether a read of the byte there would wait for the disk; false when that is not known. Any
  // thread.
  [[nodiscard]] virtual bool WouldWait(uint64_t /*position*/) { return false; }
  // A hint: this part will be read soon. Returns before it is read, and cannot fail. Any thread.
  virtual void WillRead(uint64_t /*position*/, size_t /*length*/) {}
  // Writes all of `bytes`, beginning at byte `position`. Durable only after Sync. A file that was
  // opened past the page cache takes position, length and address in multiples of kDirectAlignment.
  virtual absl::Status WriteAt(uint64_t position, absl::string_view bytes) = 0;
  // Makes what was written, and the file's length, durable. Not the file's name: see SyncFolder.
  virtual absl::Status Sync() = 0;
};

// Writes that are under way at once, each in a slot of its own. One thread at a time. Ends when
// none is under way any more; what came of those that were not finished is not known.
class WriteQueue {
 public:
  static constexpr size_t kSlots = 8;
  virtual ~WriteQueue() = default;
  // Begins what OpenFile::WriteAt does. The slot, below kSlots, has none under way; file and bytes
  // stay until Finish. This one, for files of any kind, has written before it returns.
  virtual absl::Status Begin(size_t slot, OpenFile& file, uint64_t position,
                             absl::string_view bytes);
  // Waits for the write in this slot, if there is one, and says what came of it.
  virtual absl::Status Finish(size_t slot);
};

// A lock that no other process holds; released with the object, and with the process.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

// What direct I/O wants of positions, lengths and addresses, on every disk that we know.
inline constexpr size_t kDirectAlignment = 4096;

// Every failure is kStorageError with the path and the system's own text, kDiskFull when there is
// no space left, unless another code is named. Any thread.
class Files {
 public:
  virtual ~Files() = default;

  // The whole file. kResourceNotFound when there is none.
  virtual absl::StatusOr<std::string> Read(const std::string& path) = 0;
  // An empty file, in the place of one that may be there.
  virtual absl::StatusOr<std::unique_ptr<OpenFile>> Create(const std::string& path) = 0;
  // A file that is there, with what it holds.
  virtual absl::StatusOr<std::unique_ptr<OpenFile>> OpenExisting(const std::string& path) = 0;
  // The same, for reading alone.
  virtual absl::StatusOr<std::unique_ptr<OpenFile>> OpenForReading(const std::string& path) = 0;
  // The same, for writing past the page cache. Null when the file system does not do that.
  virtual absl::StatusOr<std::unique_ptr<OpenFile>> OpenDirect(const std::string& path) = 0;
  // For files that these gave. Under way at once are writes past the page cache, where the system
  // has room for that; others are done before Begin returns. Never null.
  virtual std::unique_ptr<WriteQueue> NewWriteQueue();
  // The length of a file in bytes.
  virtual absl::StatusOr<uint64_t> SizeOf(const std::string& path) = 0;
  // What a folder's file system has left for this process.
  virtual absl::StatusOr<int64_t> FreeBytes(const std::string& path) = 0;
  // Removes a file. Durable after SyncFolder.
  virtual absl::Status Remove(const std::string& path) = 0;
  // Gives the file another name, in the place of one that may be there. Durable after SyncFolder.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  // Makes a folder unless it is there.
  virtual absl::Status MakeFolder(const std::string& path) = 0;
  // Makes the names in a folder durable: those that were made, and those that were removed.
  virtual absl::Status SyncFolder(const std::string& path) = 0;
  // Names in a folder, without "." and "..".
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& path) = 0;
  // Takes the lock of a file, which is made when there is none. Null when another process has it.
  virtual absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;
};

// The operating system's files. Stateless.
Files& SystemFiles();

// The folder that holds `path`, which may end with slashes.
std::string FolderOf(const std::string& path);

// Writes a new file under a temporary name, syncs it, renames it over `path` and syncs the folder:
// after a crash the file is there whole, or not at all.
absl::Status WriteFileDurably(Files& files, const std::string& path, absl::string_view content);

}  // namespace quipu
