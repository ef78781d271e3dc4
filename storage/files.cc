#include "storage/files.h"

#include "base/status_macros.h"

namespace quipu {

std::unique_ptr<WriteQueue> Files::NewWriteQueue() { return std::make_unique<WriteQueue>(); }

absl::Status WriteQueue::Begin(size_t /*slot*/, OpenFile& file, uint64_t position,
                               absl::string_view bytes) {
  return file.WriteAt(position, bytes);
}

absl::Status WriteQueue::Finish(size_t /*slot*/) { return absl::OkStatus(); }

std::string FolderOf(const std::string& path) {
  const size_t name_end = path.find_last_not_of('/');  // "a/b/" lies in "a"
  const size_t slash = path.rfind('/', name_end);
  if (slash == std::string::npos) return ".";
  return slash == 0 || name_end == std::string::npos ? "/" : path.substr(0, slash);
}

absl::Status WriteFileDurably(Files& files, const std::string& path, absl::string_view content) {
  const std::string temporary = path + ".tmp";
  {
    QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<OpenFile> file, files.Create(temporary));
    QUIPU_RETURN_IF_ERROR(file->WriteAt(0, content));
    QUIPU_RETURN_IF_ERROR(file->Sync());
  }
  QUIPU_RETURN_IF_ERROR(files.Rename(temporary, path));
  return files.SyncFolder(FolderOf(path));
}

}  // namespace quipu
