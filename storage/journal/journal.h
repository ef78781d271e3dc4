// Groups, one after another, in segments: the log of a store that does not use RocksDB's.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/files.h"
#include "storage/journal/journal_format.h"
#include "storage/journal/journal_reader.h"
#include "storage/journal/journal_settings.h"
#include "storage/journal/segment.h"

namespace quipu {

// Appends and marks come from one thread at a time; everything else from any. Each Append is
// durable when it returns (D1) and costs one sync, and writes of blocks that were written before:
// the file system's own records do not change.
//
// Each segment says in its marks which of its groups were synced (D4). The mark of a group is
// written before the next one's sync, which makes both durable: it costs no sync of its own.
class Journal {
 public:
  struct Options {
    std::string folder;
    DirectoryId directory_id;
    FatalHandler fatal;
    Files* files = &SystemFiles();
    uint64_t segment_bytes = JournalSettings().segment_bytes;  // whole blocks
    // Free segments that are kept to be used again, and those of them that are made ahead.
    size_t spares_max = 4;
    size_t spares_ahead = 0;
  };

  // A group that is there, but not known to be synced.
  struct Unsynced {
    uint64_t segment;
    uint64_t position;
    uint64_t bytes;
  };
  // Goes on behind `end`, to which a walk over the folder has come. What lies there in later
  // segments is given up: it is one group at most, whose write was cut short. `unsynced` groups are
  // made durable: they may lie in the page cache alone. An end that is broken must have been cut
  // before (CutBehind).
  static absl::StatusOr<std::unique_ptr<Journal>> Start(Options options, const JournalEnd& end,
                                                        const std::vector<Unsynced>& unsynced);
  // Gives up what is behind `end`, but keeps it: later segments get the suffix `.unproven`, and the
  // segment of the end a copy with it, before the rest is overwritten with zeros.
  static absl::Status CutBehind(const Options& options, const JournalReader& reader,
                                const JournalEnd& end);
  ~Journal();

  // ---- appends ----
  struct Room {
    uint64_t segment = 0;
    uint64_t position = 0;           // of the group's header
    std::optional<uint64_t> sealed;  // the segment before, when the group is the first of this one
  };
  // Where a group of at most `bytes` (header and all) goes.
  absl::StatusOr<Room> MakeRoom(uint64_t bytes);
  // A piece of a group's payload, alive during Append. Where `summed_from` is in it, the CRC32C of
  // what lies there and behind is taken to be `sum`, and not computed again. Only for what was
  // checked when it came in: a walk takes a group with another sum for a damaged one.
  struct Piece {
    absl::string_view bytes;
    size_t summed_from = absl::string_view::npos;
    uint32_t sum = 0;
  };
  // Writes and syncs the group there. Any error is final (D3): what the disk holds is not known.
  // `header` without its checksums of the body.
  absl::Status Append(GroupHeader header, const std::vector<Piece>& payload,
                      absl::string_view index);
  // Begins to mark the group that was appended last. Append does it for the group before when
  // nobody has. Errors as there; one of the write itself comes with the next group, or never when
  // there is none: nobody was told anything by this mark.
  absl::Status Mark();
  // What the watermark file must hold before `group`, the last appended or the next one, counts as
  // synced. The marks say the rest: they lie in the segment, so that the file must show only that
  // there was such a segment, and all of the one before.
  [[nodiscard]] uint64_t WatermarkNeeded(uint64_t group) const {
    return group > active_first_group_ ? active_first_group_ : group - 1;
  }

  // ---- reads ----
  // The segments there are. Who holds them keeps them from being used for other groups.
  [[nodiscard]] std::shared_ptr<const SegmentMap> segments() const;
  // Reads `length` bytes; fewer at the end of the file. kStorageError.
  absl::StatusOr<size_t> Read(const Segment& segment, uint64_t position, size_t length,
                              char* out) const;

  // Whether a read there would wait for the disk, and a hint that this will be read soon.
  [[nodiscard]] bool WouldWait(const Segment& segment, uint64_t position) const;
  void WillRead(const Segment& segment, uint64_t position, size_t length) const;

  // Nothing in these is needed, now or after a restart. The newest one stays.
  void Free(const std::vector<uint64_t>& ids);
  [[nodiscard]] uint64_t active() const;

  struct Stats {
    SegmentMaker::Stats maker;
    size_t segments = 0;
    uint64_t bytes = 0;
    bool direct = false;  // written past the page cache
  };
  [[nodiscard]] Stats stats() const;

 private:
  explicit Journal(Options options) : options_(std::move(options)) {}
  // Appends follow at `position` of a segment that is there; in the next one if its version is
  // older.
  absl::Status GoOn(std::shared_ptr<const Segment> segment, uint64_t position);
  absl::Status OpenActive(std::shared_ptr<const Segment> segment, uint64_t position);
  absl::Status Rewrite(const std::vector<Unsynced>& groups);
  // Sorts the files of the folder into segments up to `last` (`segments`), later ones (`behind`)
  // and files that may be used again; returns the lowest id that none has ever had.
  struct Found {
    SegmentMap segments;
    std::vector<std::shared_ptr<const Segment>> behind;
    std::vector<std::string> spares;
    uint64_t next_id = 1;
  };
  absl::StatusOr<Found> FindFiles(uint64_t last);
  absl::Status SetAsideBehind(Found& found) const;
  // Adds bytes of the group to the buffer; begins to write what is full.
  absl::Status Put(absl::string_view bytes);
  // Begins to write the buffer: whole blocks, with zeros behind what is there. The next one is free
  // then.
  absl::Status BeginBuffer();
  absl::StatusOr<std::shared_ptr<OpenFile>> Reader(const Segment& segment) const;
  void Change(const std::function<void(SegmentMap&)>& change);

  const Options options_;
  std::unique_ptr<SegmentMaker> maker_;

  // Appending thread only.
  static constexpr size_t kBuffers = 4, kMarkSlot = kBuffers;
  static_assert(kMarkSlot < WriteQueue::kSlots);
  std::array<std::unique_ptr<char, AlignedDeleter>, kBuffers> buffers_;
  size_t buffer_ = 0;  // the one that is filled
  size_t buffered_ = 0;
  uint64_t write_at_ = 0;  // of the buffer's first byte
  std::shared_ptr<const Segment> active_;
  std::unique_ptr<OpenFile> file_;
  uint64_t position_ = 0;  // behind the last group
  bool direct_ = false;
  std::unique_ptr<char, AlignedDeleter> mark_buffer_;
  // A buffer's slot is its own, the mark's is kMarkSlot. Ends before what it writes from.
  std::unique_ptr<WriteQueue> writes_;
  size_t mark_slot_ = 0;                 // where the next one goes
  uint64_t unmarked_ = 0;                // group that was appended to the active segment; 0: none
  uint64_t active_first_group_ = ~0ULL;  // appended to the active segment by this process

  mutable std::mutex mutex_;
  std::shared_ptr<const SegmentMap> segments_ =
      std::make_shared<const SegmentMap>();  // under mutex_
  uint64_t active_id_ = 0;                   // the same
  // Files open for reading, the last used first.
  mutable std::list<std::pair<uint64_t, std::shared_ptr<OpenFile>>> readers_;  // under mutex_
};

}  // namespace quipu
