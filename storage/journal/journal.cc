#include "storage/journal/journal.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <new>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/error_code.h"
#include "base/logging.h"
#include "base/status_macros.h"

namespace quipu {
namespace {

constexpr size_t kBufferBytes = size_t{512} << 10;
constexpr size_t kReadersMax = 128;  // file descriptors
constexpr absl::string_view kEvidence = ".unproven";

std::unique_ptr<char, AlignedDeleter> MakeBuffer(size_t bytes) {
  std::unique_ptr<char, AlignedDeleter> buffer(
      static_cast<char*>(std::aligned_alloc(kDirectAlignment, bytes)));
  if (buffer == nullptr) throw std::bad_alloc();
  return buffer;
}

absl::Status Copy(Files& files, const std::string& from, const std::string& to) {
  QUIPU_ASSIGN_OR_RETURN(const std::string content, files.Read(from));
  return WriteFileDurably(files, to, content);
}

}  // namespace

absl::Status Journal::CutBehind(const Options& options, const JournalReader& reader,
                                const JournalEnd& end) {
  Files& files = *options.files;
  for (const SegmentFile& segment : reader.segments()) {
    const std::string path = absl::StrCat(options.folder, "/", SegmentFileName(segment.segment));
    const std::string evidence = absl::StrCat(path, kEvidence);
    if (segment.segment > end.segment) {
      QUIPU_RETURN_IF_ERROR(files.Rename(path, evidence));
    } else if (segment.segment == end.segment) {
      QUIPU_ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(options.folder));
      // A start that was cut short has copied it, and begun to overwrite it.
      const std::string name = absl::StrCat(SegmentFileName(segment.segment), kEvidence);
      if (std::find(names.begin(), names.end(), name) == names.end()) {
        QUIPU_RETURN_IF_ERROR(Copy(files, path, evidence));
      }
    }
  }
  QUIPU_RETURN_IF_ERROR(files.SyncFolder(options.folder));
  if (end.segment == 0) return absl::OkStatus();
  const std::string path = absl::StrCat(options.folder, "/", SegmentFileName(end.segment));
  QUIPU_ASSIGN_OR_RETURN(const uint64_t bytes, files.SizeOf(path));
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<OpenFile> file, files.OpenExisting(path));
  const std::string zeros(kBufferBytes, '\0');
  // Marks of what is given up.
  const auto cut = std::find_if(reader.segments().begin(), reader.segments().end(),
                                [&](const SegmentFile& s) { return s.segment == end.segment; });
  if (cut != reader.segments().end() && cut->marked > end.last.number) {
    QUIPU_RETURN_IF_ERROR(file->WriteAt(
        MarkPosition(0), absl::string_view(zeros).substr(0, kSegmentMarks * kJournalBlockBytes)));
  }
  for (uint64_t at = end.position; at < bytes; at += zeros.size()) {
    QUIPU_RETURN_IF_ERROR(file->WriteAt(
        at, absl::string_view(zeros).substr(0, std::min<uint64_t>(zeros.size(), bytes - at))));
  }
  return file->Sync();
}

absl::StatusOr<Journal::Found> Journal::FindFiles(uint64_t last) {
  Files& files = *options_.files;
  Found found;
  QUIPU_ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(options_.folder));
  for (const std::string& name : names) {
    const std::string path = absl::StrCat(options_.folder, "/", name);
    const std::optional<uint64_t> any_id =
        SegmentOfFileName(absl::StripSuffix(absl::string_view(name), kEvidence));
    if (any_id.has_value()) found.next_id = std::max(found.next_id, *any_id + 1);
    // Its groups carry the id that it had: no segment may get that again.
    uint64_t had = 0;
    if (absl::SimpleAtoi(absl::StripPrefix(name, "spare-"), &had)) {
      found.next_id = std::max(found.next_id, had + 1);
    }
    QUIPU_ASSIGN_OR_RETURN(const uint64_t bytes, files.SizeOf(path));
    if (absl::StartsWith(name, "spare-")) {
      const bool whole = bytes == options_.segment_bytes && !absl::StartsWith(name, "spare-new-");
      if (whole && found.spares.size() < options_.spares_max) {
        found.spares.push_back(path);
      } else {
        QUIPU_RETURN_IF_ERROR(files.Remove(path));
      }
    } else if (const std::optional<uint64_t> id = SegmentOfFileName(name)) {
      auto segment =
          std::make_shared<const Segment>(Segment{.id = *id, .bytes = bytes, .path = path});
      if (*id > last) {
        found.behind.push_back(std::move(segment));
      } else {
        found.segments[*id] = std::move(segment);
      }
    }
  }
  return found;
}

absl::StatusOr<std::unique_ptr<Journal>> Journal::Start(Options options, const JournalEnd& end,
                                                        const std::vector<Unsynced>& unsynced) {
  auto journal = std::unique_ptr<Journal>(new Journal(std::move(options)));
  const Options& settings = journal->options_;
  Files& files = *settings.files;
  QUIPU_RETURN_IF_ERROR(files.MakeFolder(settings.folder));
  QUIPU_RETURN_IF_ERROR(files.SyncFolder(FolderOf(settings.folder)));
  journal->writes_ = files.NewWriteQueue();
  for (auto& buffer : journal->buffers_) buffer = MakeBuffer(kBufferBytes);
  journal->mark_buffer_ = MakeBuffer(kJournalBlockBytes);
  QUIPU_RETURN_IF_ERROR(journal->Rewrite(unsynced));
  QUIPU_ASSIGN_OR_RETURN(Found found, journal->FindFiles(end.segment));
  QUIPU_RETURN_IF_ERROR(journal->SetAsideBehind(found));
  journal->maker_ =
      std::make_unique<SegmentMaker>(SegmentMaker::Options{.files = &files,
                                                           .folder = settings.folder,
                                                           .directory_id = settings.directory_id,
                                                           .segment_bytes = settings.segment_bytes,
                                                           .spares_max = settings.spares_max,
                                                           .spares_ahead = settings.spares_ahead,
                                                           .fatal = settings.fatal},
                                     found.next_id, std::move(found.spares));
  const auto last = found.segments.find(end.segment);
  std::shared_ptr<const Segment> active = last == found.segments.end() ? nullptr : last->second;
  journal->segments_ = std::make_shared<const SegmentMap>(std::move(found.segments));
  if (active != nullptr) QUIPU_RETURN_IF_ERROR(journal->GoOn(std::move(active), end.position));
  return journal;
}

Journal::~Journal() = default;

// Before anything is written: one may begin with a group that was cut short, which at the next
// start would stand between the groups of this one.
absl::Status Journal::SetAsideBehind(Found& found) const {
  if (found.behind.empty()) return absl::OkStatus();
  for (const auto& segment : found.behind) {
    const bool keep =
        segment->bytes == options_.segment_bytes && found.spares.size() < options_.spares_max;
    if (!keep) {
      QUIPU_RETURN_IF_ERROR(options_.files->Remove(segment->path));
      continue;
    }
    found.spares.push_back(absl::StrCat(options_.folder, "/spare-", segment->id));
    QUIPU_RETURN_IF_ERROR(options_.files->Rename(segment->path, found.spares.back()));
  }
  return options_.files->SyncFolder(options_.folder);
}

// The process before this one may have ended between a write and its sync, or after a sync that
// failed: the kernel then shows bytes that it will never write. Writing them again makes them so.
absl::Status Journal::Rewrite(const std::vector<Unsynced>& groups) {
  std::string bytes;
  for (size_t i = 0; i < groups.size();) {
    const uint64_t segment = groups[i].segment;
    const std::string path = absl::StrCat(options_.folder, "/", SegmentFileName(segment));
    QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<OpenFile> file,
                           options_.files->OpenExisting(path));
    for (; i < groups.size() && groups[i].segment == segment; ++i) {
      bytes.resize(groups[i].bytes);
      QUIPU_ASSIGN_OR_RETURN(const size_t got,
                             file->ReadAt(groups[i].position, bytes.size(), bytes.data()));
      if (got != bytes.size()) {
        return ToStatus(ErrorCode::kStorageError, absl::StrCat("cannot read all of ", path));
      }
      QUIPU_RETURN_IF_ERROR(file->WriteAt(groups[i].position, bytes));
    }
    QUIPU_RETURN_IF_ERROR(file->Sync());
  }
  return absl::OkStatus();
}

absl::Status Journal::GoOn(std::shared_ptr<const Segment> segment, uint64_t position) {
  std::string head(kSegmentHeadBytes, '\0');
  QUIPU_ASSIGN_OR_RETURN(const size_t got, Read(*segment, 0, head.size(), head.data()));
  head.resize(got);
  const uint64_t id = segment->id;
  const std::optional<SegmentHeader> header = DecodeSegmentHeader(head);
  if (header.has_value() && header->version < kSegmentVersion) position = segment->bytes;
  QUIPU_RETURN_IF_ERROR(OpenActive(std::move(segment), position));
  maker_->Used(position);
  const auto mark = [&](size_t slot) {
    const absl::string_view block = absl::ClippedSubstr(head, MarkPosition(slot));
    return DecodeMark(block, options_.directory_id, id).value_or(0);
  };
  mark_slot_ = mark(0) > mark(1) ? 1 : 0;
  return absl::OkStatus();
}

absl::Status Journal::OpenActive(std::shared_ptr<const Segment> segment, uint64_t position) {
  QUIPU_RETURN_IF_ERROR(writes_->Finish(kMarkSlot));  // of the segment before
  QUIPU_ASSIGN_OR_RETURN(file_, options_.files->OpenDirect(segment->path));
  const bool direct = file_ != nullptr;
  if (!direct) {
    QUIPU_ASSIGN_OR_RETURN(file_, options_.files->OpenExisting(segment->path));
  }
  active_ = std::move(segment);
  position_ = position;
  mark_slot_ = 0;
  unmarked_ = 0;
  active_first_group_ = ~0ULL;
  Change([this](SegmentMap& segments) { segments[active_->id] = active_; });
  const std::lock_guard<std::mutex> lock(mutex_);
  active_id_ = active_->id;
  direct_ = direct;
  return absl::OkStatus();
}

void Journal::Change(const std::function<void(SegmentMap&)>& change) {
  const std::lock_guard<std::mutex> lock(mutex_);
  SegmentMap segments = *segments_;
  change(segments);
  segments_ = std::make_shared<const SegmentMap>(std::move(segments));
}

absl::StatusOr<Journal::Room> Journal::MakeRoom(uint64_t bytes) {
  const uint64_t needed = RoundUpToBlock(bytes);
  if (active_ != nullptr && position_ + needed <= active_->bytes) {
    return Room{.segment = active_->id, .position = position_, .sealed = std::nullopt};
  }
  const std::shared_ptr<const Segment> sealed = active_;
  const bool common = kSegmentHeadBytes + needed <= options_.segment_bytes;
  absl::StatusOr<std::shared_ptr<const Segment>> next =
      common ? maker_->Take() : maker_->TakeOfSize(kSegmentHeadBytes + needed);
  QUIPU_RETURN_IF_ERROR(next.status());
  QUIPU_RETURN_IF_ERROR(OpenActive(*std::move(next), kSegmentHeadBytes));
  return Room{.segment = active_->id,
              .position = position_,
              .sealed = sealed == nullptr ? std::nullopt : std::optional<uint64_t>(sealed->id)};
}

absl::Status Journal::Append(GroupHeader header, const std::vector<Piece>& payload,
                             absl::string_view index) {
  uint64_t payload_bytes = 0;
  for (const Piece& piece : payload) {
    payload_bytes += piece.bytes.size();
    const absl::string_view unsummed = piece.bytes.substr(0, piece.summed_from);
    header.body_crc = Crc32cConcat(Crc32cExtend(header.body_crc, unsummed), piece.sum,
                                   piece.bytes.size() - unsummed.size());
  }
  header.body_crc = Crc32cExtend(header.body_crc, index);
  QUIPU_CHECK(payload_bytes <= UINT32_MAX && index.size() <= UINT32_MAX);
  header.segment = active_->id;
  header.payload_bytes = static_cast<uint32_t>(payload_bytes);
  header.index_bytes = static_cast<uint32_t>(index.size());
  QUIPU_CHECK(position_ + header.bytes() <= active_->bytes);
  QUIPU_RETURN_IF_ERROR(Mark());
  write_at_ = position_;
  buffered_ = 0;
  QUIPU_RETURN_IF_ERROR(Put(EncodeGroupHeader(header, options_.directory_id)));
  for (const Piece& piece : payload) QUIPU_RETURN_IF_ERROR(Put(piece.bytes));
  QUIPU_RETURN_IF_ERROR(Put(index));
  QUIPU_RETURN_IF_ERROR(BeginBuffer());
  for (size_t slot = 0; slot <= kMarkSlot; ++slot) {
    QUIPU_RETURN_IF_ERROR(writes_->Finish(slot));
  }
  QUIPU_RETURN_IF_ERROR(file_->Sync());
  position_ += header.bytes();
  maker_->Used(header.bytes());
  unmarked_ = header.number;
  active_first_group_ = std::min(active_first_group_, header.number);
  return absl::OkStatus();
}

absl::Status Journal::Mark() {
  if (unmarked_ == 0) return absl::OkStatus();
  const std::string mark = EncodeMark(unmarked_, options_.directory_id, active_->id);
  std::memcpy(mark_buffer_.get(), mark.data(), mark.size());
  QUIPU_RETURN_IF_ERROR(writes_->Begin(kMarkSlot, *file_, MarkPosition(mark_slot_),
                                       {mark_buffer_.get(), mark.size()}));
  mark_slot_ = (mark_slot_ + 1) % kSegmentMarks;
  unmarked_ = 0;
  return absl::OkStatus();
}

absl::Status Journal::Put(absl::string_view bytes) {
  while (!bytes.empty()) {
    if (buffered_ == kBufferBytes) QUIPU_RETURN_IF_ERROR(BeginBuffer());
    const absl::string_view piece = bytes.substr(0, kBufferBytes - buffered_);
    std::memcpy(buffers_[buffer_].get() + buffered_, piece.data(), piece.size());
    buffered_ += piece.size();
    bytes.remove_prefix(piece.size());
  }
  return absl::OkStatus();
}

absl::Status Journal::BeginBuffer() {
  const size_t whole = RoundUpToBlock(buffered_);
  char* const bytes = buffers_[buffer_].get();
  std::memset(bytes + buffered_, 0, whole - buffered_);
  QUIPU_RETURN_IF_ERROR(writes_->Begin(buffer_, *file_, write_at_, {bytes, whole}));
  write_at_ += whole;
  buffered_ = 0;
  buffer_ = (buffer_ + 1) % kBuffers;
  return writes_->Finish(buffer_);
}

std::shared_ptr<const SegmentMap> Journal::segments() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return segments_;
}

absl::StatusOr<std::shared_ptr<OpenFile>> Journal::Reader(const Segment& segment) const {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (auto it = readers_.begin(); it != readers_.end(); ++it) {
      if (it->first != segment.id) continue;
      readers_.splice(readers_.begin(), readers_, it);
      return it->second;
    }
  }
  QUIPU_ASSIGN_OR_RETURN(std::unique_ptr<OpenFile> opened,
                         options_.files->OpenForReading(segment.path));
  std::shared_ptr<OpenFile> file = std::move(opened);
  const std::lock_guard<std::mutex> lock(mutex_);
  readers_.emplace_front(segment.id, file);
  if (readers_.size() > kReadersMax) readers_.pop_back();
  return file;
}

absl::StatusOr<size_t> Journal::Read(const Segment& segment, uint64_t position, size_t length,
                                     char* out) const {
  QUIPU_ASSIGN_OR_RETURN(const std::shared_ptr<OpenFile> file, Reader(segment));
  return file->ReadAt(position, length, out);
}

bool Journal::WouldWait(const Segment& segment, uint64_t position) const {
  const auto file = Reader(segment);
  return file.ok() && (*file)->WouldWait(position);
}

void Journal::WillRead(const Segment& segment, uint64_t position, size_t length) const {
  if (const auto file = Reader(segment); file.ok()) (*file)->WillRead(position, length);
}

void Journal::Free(const std::vector<uint64_t>& ids) {
  std::vector<std::shared_ptr<const Segment>> freed;
  Change([this, &ids, &freed](SegmentMap& segments) {
    for (const uint64_t id : ids) {
      const auto found = segments.find(id);
      if (found == segments.end() || id >= active_id_) continue;
      freed.push_back(std::move(found->second));
      segments.erase(found);
      readers_.remove_if([id](const auto& reader) { return reader.first == id; });
    }
  });
  for (auto& segment : freed) maker_->GiveBack(std::move(segment));
}

uint64_t Journal::active() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return active_id_;
}

Journal::Stats Journal::stats() const {
  Stats stats{.maker = maker_->stats()};
  const std::lock_guard<std::mutex> lock(mutex_);
  stats.segments = segments_->size();
  for (const auto& [id, segment] : *segments_) stats.bytes += segment->bytes;
  stats.direct = direct_;
  return stats;
}

}  // namespace quipu
