// What the segments of a journal hold, read without changing anything.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/files.h"
#include "storage/journal/journal_format.h"

namespace quipu {

// A segment as it lies in its folder.
struct SegmentFile {
  uint64_t segment = 0;
  uint64_t bytes = 0;
  bool sound = false;                     // its first block is that of this directory and segment
  std::optional<DirectoryId> foreign;     // it is that of another directory
  std::optional<uint32_t> other_version;  // it is of a version that this program does not read
  std::optional<GroupHeader> first;       // of its first group
  // The last of its groups whose sync is known to have returned; 0: none is.
  uint64_t marked = 0;
  absl::Status unreadable;  // why neither is known
};

// A group as it was read; the view is good until the next one.
struct JournalGroup {
  GroupHeader header;
  uint64_t position = 0;  // of the header
  // Of a group that need not be applied any more: its index, or groups before it, cannot be read.
  // What its segment holds is then not known.
  bool damaged = false;
  bool payload_damaged = false;  // it is not what was written
  absl::string_view index;       // empty when it is damaged
};

// Whether `index` is what was written with the group of this header, told from the index alone, as
// by a chain over it. Thread-safe.
using IndexHolds = std::function<bool(const GroupHeader& header, absl::string_view index)>;

// A group that the log goes on behind; 0: its beginning.
struct JournalPoint {
  uint64_t number = 0;
  uint32_t chain = 0;
};

// Where a walk came to its end.
struct JournalEnd {
  JournalPoint last;
  uint64_t segment = 0;
  uint64_t position = 0;  // behind it
  // Why the log is not known to end here: groups are behind, and do not continue it. Empty: what is
  // behind, if anything, is one group whose write was cut short.
  std::string broken;
};

// One thread.
class JournalReader {
 public:
  using See = std::function<absl::Status(const JournalGroup&)>;

  // Finds the segments. A folder that is not there holds none. kStorageError.
  static absl::StatusOr<JournalReader> Open(Files& files, const std::string& folder,
                                            const DirectoryId& directory_id,
                                            IndexHolds index_holds);

  [[nodiscard]] const std::vector<SegmentFile>& segments() const { return segments_; }  // ascending
  // Whether some segment begins with a group.
  [[nodiscard]] bool holds_groups() const;
  // The last group of all that some segment marks as synced; 0: none does.
  [[nodiscard]] uint64_t marked() const;
  // Shows each group from the beginning of the segment in which the one behind `after` lies, as
  // long as each continues the one before. Up to `after`, whose groups are known to be applied,
  // damage is stepped over; the end lies below `after` when that group itself is not there. Behind
  // it a group that a segment marks as synced, and whose index holds, is shown though its payload
  // is damaged: that is damage to batches, each of which has its own checksum (D5), and not the
  // log's end. Error: that of `see`, or kStorageError when a segment cannot be read.
  absl::StatusOr<JournalEnd> Walk(const JournalPoint& after, const See& see) const;

 private:
  JournalReader(Files& files, std::string folder, const DirectoryId& directory_id,
                IndexHolds index_holds)
      : files_(&files),
        folder_(std::move(folder)),
        directory_id_(directory_id),
        index_holds_(std::move(index_holds)) {}
  void Look(SegmentFile& file) const;
  absl::Status WalkSegment(const SegmentFile& file, const JournalPoint& after, const See& see,
                           JournalEnd& end) const;
  [[nodiscard]] std::optional<GroupHeader> HeaderIn(absl::string_view bytes,
                                                    const SegmentFile& file,
                                                    uint64_t position) const;
  // Sets `end.broken` when a group lies behind the end: in segments_[at] from `position` on, or in
  // a later one.
  absl::Status LookBehind(size_t at, uint64_t position, JournalEnd& end) const;

  Files* files_;
  std::string folder_;
  DirectoryId directory_id_;
  IndexHolds index_holds_;
  std::vector<SegmentFile> segments_;
};

}  // namespace quipu
