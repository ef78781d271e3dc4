#include "storage/journal/journal_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/crc32c.h"
#include "base/error_code.h"
#include "base/status_macros.h"

namespace quipu {
namespace {

constexpr size_t kWindowBytes = size_t{1} << 20;

bool Continues(const GroupHeader& header, const JournalPoint& point) {
  return header.number == point.number + 1 && header.previous_chain == point.chain;
}

// Reads a file from front to back through a window.
class Window {
 public:
  explicit Window(OpenFile& file) : file_(file) {}
  // Up to `length` bytes; good until the next call.
  absl::StatusOr<absl::string_view> At(uint64_t position, size_t length) {
    if (position < begin_ || position + length > begin_ + bytes_.size()) {
      bytes_.resize(std::max(length, kWindowBytes));
      begin_ = position;
      const absl::StatusOr<size_t> got = file_.ReadAt(position, bytes_.size(), bytes_.data());
      bytes_.resize(got.value_or(0));
      QUIPU_RETURN_IF_ERROR(got.status());
    }
    return absl::string_view(bytes_).substr(position - begin_, length);
  }

 private:
  OpenFile& file_;
  uint64_t begin_ = 0;
  std::string bytes_;
};

}  // namespace

absl::StatusOr<JournalReader> JournalReader::Open(Files& files, const std::string& folder,
                                                  const DirectoryId& directory_id,
                                                  IndexHolds index_holds) {
  JournalReader reader(files, folder, directory_id, std::move(index_holds));
  QUIPU_ASSIGN_OR_RETURN(const std::vector<std::string> beside, files.List(FolderOf(folder)));
  const std::string name = folder.substr(folder.rfind('/') + 1);
  if (std::find(beside.begin(), beside.end(), name) == beside.end()) return reader;
  QUIPU_ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(folder));
  for (const std::string& file_name : names) {
    const std::optional<uint64_t> segment = SegmentOfFileName(file_name);
    if (!segment.has_value()) continue;
    reader.segments_.emplace_back().segment = *segment;
  }
  std::sort(reader.segments_.begin(), reader.segments_.end(),
            [](const SegmentFile& a, const SegmentFile& b) { return a.segment < b.segment; });
  for (SegmentFile& file : reader.segments_) reader.Look(file);
  return reader;
}

void JournalReader::Look(SegmentFile& file) const {
  const std::string path = absl::StrCat(folder_, "/", SegmentFileName(file.segment));
  const absl::StatusOr<uint64_t> size = files_->SizeOf(path);
  file.unreadable = size.status();
  if (!size.ok()) return;
  file.bytes = *size;
  absl::StatusOr<std::unique_ptr<OpenFile>> open = files_->OpenForReading(path);
  file.unreadable = open.status();
  if (!open.ok()) return;
  std::string head(kSegmentHeadBytes + kGroupHeaderBytes, '\0');
  const absl::StatusOr<size_t> got = (*open)->ReadAt(0, head.size(), head.data());
  file.unreadable = got.status();
  if (!got.ok()) return;
  head.resize(*got);
  const std::optional<SegmentHeader> header = DecodeSegmentHeader(head);
  file.sound = header.has_value() && header->directory_id == directory_id_ &&
               header->segment == file.segment;
  if (header.has_value() && header->directory_id != directory_id_) {
    file.foreign = header->directory_id;
  }
  if (header.has_value() &&
      (header->version < kOldestSegmentVersion || header->version > kSegmentVersion)) {
    file.sound = false;
    file.other_version = header->version;
  }
  const auto part = [&head](uint64_t position) {
    return absl::ClippedSubstr(absl::string_view(head), position);
  };
  file.first = DecodeGroupHeader(part(kSegmentHeadBytes), directory_id_, file.segment);
  for (size_t slot = 0; slot < kSegmentMarks; ++slot) {
    const auto mark = DecodeMark(part(MarkPosition(slot)), directory_id_, file.segment);
    file.marked = std::max(file.marked, mark.value_or(0));
  }
}

bool JournalReader::holds_groups() const {
  return std::any_of(segments_.begin(), segments_.end(),
                     [](const SegmentFile& file) { return file.first.has_value(); });
}

uint64_t JournalReader::marked() const {
  uint64_t last = 0;
  for (const SegmentFile& file : segments_) last = std::max(last, file.marked);
  return last;
}

absl::StatusOr<JournalEnd> JournalReader::Walk(const JournalPoint& after, const See& see) const {
  // From the segment that holds `after`, else the first: what lies in the segments before it stands
  // in a group up to `after`, and what lies in it may not, if the first group behind it failed.
  size_t at = segments_.size();
  for (size_t i = 0; i < segments_.size(); ++i) {
    if (!segments_[i].first.has_value()) continue;
    if (at == segments_.size() || segments_[i].first->number <= after.number) at = i;
  }
  JournalEnd end;
  if (at == segments_.size()) {
    for (const SegmentFile& file : segments_) QUIPU_RETURN_IF_ERROR(file.unreadable);
    return end;
  }
  if (segments_[at].first->number == after.number + 1) {
    end = {.last = after,
           .segment = segments_[at].segment,
           .position = kSegmentHeadBytes,
           .broken = {}};
  }
  while (true) {
    JournalEnd further = end;
    QUIPU_RETURN_IF_ERROR(WalkSegment(segments_[at], after, see, further));
    if (further.last.number == end.last.number) {  // its first group was cut short
      QUIPU_RETURN_IF_ERROR(LookBehind(at, kSegmentHeadBytes, end));
      return end;
    }
    end = further;
    size_t next = at + 1;
    while (next < segments_.size() && !segments_[next].first.has_value()) {
      QUIPU_RETURN_IF_ERROR(segments_[next].unreadable);
      ++next;
    }
    const bool goes_on = next < segments_.size() && Continues(*segments_[next].first, end.last);
    if (!goes_on) {
      QUIPU_RETURN_IF_ERROR(LookBehind(at, end.position, end));
      return end;
    }
    at = next;
  }
}

std::optional<GroupHeader> JournalReader::HeaderIn(absl::string_view bytes, const SegmentFile& file,
                                                   uint64_t position) const {
  const std::optional<GroupHeader> header = DecodeGroupHeader(bytes, directory_id_, file.segment);
  if (!header.has_value() || position + header->bytes() > file.bytes) return std::nullopt;
  return header;
}

absl::Status JournalReader::WalkSegment(const SegmentFile& file, const JournalPoint& after,
                                        const See& see, JournalEnd& end) const {
  QUIPU_ASSIGN_OR_RETURN(
      const std::unique_ptr<OpenFile> open,
      files_->OpenForReading(absl::StrCat(folder_, "/", SegmentFileName(file.segment))));
  Window window(*open);
  uint64_t position = kSegmentHeadBytes;
  bool lost = false;  // groups up to `after` were stepped over
  while (position + kGroupHeaderBytes <= file.bytes) {
    QUIPU_ASSIGN_OR_RETURN(const absl::string_view head, window.At(position, kGroupHeaderBytes));
    const std::optional<GroupHeader> header = HeaderIn(head, file, position);
    const bool continues = header.has_value() && (end.segment == 0 || Continues(*header, end.last));
    const bool behind_loss = header.has_value() && lost && header->number > end.last.number &&
                             (header->number <= after.number || Continues(*header, after));
    if (!continues && !behind_loss) {
      if (end.last.number >= after.number) break;
      lost = true;
      position += kJournalBlockBytes;
      continue;
    }
    QUIPU_ASSIGN_OR_RETURN(const absl::string_view body,
                           window.At(position + kGroupHeaderBytes, header->body_bytes()));
    const bool whole = body.size() == header->body_bytes() && Crc32c(body) == header->body_crc;
    const bool index_holds = whole || (body.size() == header->body_bytes() &&
                                       index_holds_(*header, body.substr(header->payload_bytes)));
    const bool applied = header->number <= after.number;
    if (!whole && !applied && !(index_holds && header->number <= marked())) break;
    QUIPU_RETURN_IF_ERROR(see({.header = *header,
                               .position = position,
                               .damaged = !index_holds || lost,
                               .payload_damaged = !whole,
                               .index = index_holds ? body.substr(header->payload_bytes) : ""}));
    lost = false;
    position += header->bytes();
    end = {.last = {.number = header->number, .chain = header->chain},
           .segment = file.segment,
           .position = position,
           .broken = {}};
  }
  return absl::OkStatus();
}

// One group may have been under way when the power went; what lies behind that was written after
// its sync had returned.
absl::Status JournalReader::LookBehind(size_t at, uint64_t position, JournalEnd& end) const {
  const auto breaks = [&end](const GroupHeader& header) {
    end.broken = absl::StrCat("group ", header.number, " of the journal's segment ", header.segment,
                              " does not continue group ", end.last.number);
  };
  const SegmentFile& file = segments_[at];
  QUIPU_ASSIGN_OR_RETURN(
      const std::unique_ptr<OpenFile> open,
      files_->OpenForReading(absl::StrCat(folder_, "/", SegmentFileName(file.segment))));
  Window window(*open);
  for (uint64_t place = position; place + kGroupHeaderBytes <= file.bytes;
       place += kJournalBlockBytes) {
    QUIPU_ASSIGN_OR_RETURN(const absl::string_view head, window.At(place, kGroupHeaderBytes));
    const std::optional<GroupHeader> header = HeaderIn(head, file, place);
    if (!header.has_value() || header->number <= end.last.number) continue;
    const bool under_way = place == position && Continues(*header, end.last);
    if (under_way) continue;
    breaks(*header);
    return absl::OkStatus();
  }
  for (size_t later = at + 1; later < segments_.size(); ++later) {
    QUIPU_RETURN_IF_ERROR(segments_[later].unreadable);
    if (!segments_[later].first.has_value()) continue;
    breaks(*segments_[later].first);
    return absl::OkStatus();
  }
  return absl::OkStatus();
}

}  // namespace quipu
