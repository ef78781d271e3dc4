#include "storage/file_watermark.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/big_endian.h"
#include "base/crc32c.h"
#include "base/error_code.h"
#include "base/status_macros.h"

namespace quipu {
namespace {

constexpr size_t kSlotSpacing = 4096;
constexpr size_t kSlotBytes = 32;
// The mark is the magic, so that a program that does not know it takes the slot for damaged, judges
// the log by the other one, and does not believe it either.
constexpr absl::string_view kMagic = "QWM1";
constexpr absl::string_view kUncleanMagic = "QWU1";

absl::Status Unproven(const std::string& path, absl::string_view what) {
  return ToStatus(ErrorCode::kUnprovenDirectory,
                  absl::StrCat("watermark file ", path, ": ", what,
                               "; the log of this directory cannot be shown to be complete"));
}

}  // namespace

std::string FileWatermark::Encode(const Slot& slot) {
  std::string out(slot.unclean ? kUncleanMagic : kMagic);
  AppendBigEndian(out, slot.sequence);
  AppendBigEndian(out, slot.last_group);
  AppendBigEndian(out, slot.broker_epoch.value());
  AppendBigEndian(out, Crc32c(out));
  return out;
}

bool FileWatermark::Decode(absl::string_view bytes, Slot& slot) {
  if (bytes.size() < kSlotBytes) return false;
  const absl::string_view magic = bytes.substr(0, kMagic.size());
  if (magic != kMagic && magic != kUncleanMagic) return false;
  const size_t crc_at = kSlotBytes - sizeof(uint32_t);
  if (LoadBigEndian<uint32_t>(bytes.data() + crc_at) != Crc32c(bytes.substr(0, crc_at))) {
    return false;
  }
  slot.sequence = LoadBigEndian<uint64_t>(bytes.data() + 4);
  slot.last_group = LoadBigEndian<uint64_t>(bytes.data() + 12);
  slot.broker_epoch = BrokerEpoch(LoadBigEndian<int64_t>(bytes.data() + 20));
  slot.unclean = magic == kUncleanMagic;
  return true;
}

absl::Status FileWatermark::Create(const std::string& path, Files& files, bool unclean) {
  std::string content(2 * kSlotSpacing, '\0');
  const std::string slot = Encode(Slot{.sequence = 1, .unclean = unclean});
  content.replace(kSlotSpacing, slot.size(), slot);  // sequence 1 lies in slot 1
  return WriteFileDurably(files, path, content);
}

absl::StatusOr<FileWatermark::Slot> FileWatermark::ReadNewest(const std::string& path,
                                                              Files& files) {
  absl::StatusOr<std::string> content = files.Read(path);
  if (!content.ok() && CodeOf(content.status()) == ErrorCode::kResourceNotFound) {
    return Unproven(path, "it is missing");
  }
  QUIPU_RETURN_IF_ERROR(content.status());
  if (content->size() != 2 * kSlotSpacing) return Unproven(path, "it has a wrong length");
  Slot newest;
  for (size_t i = 0; i < 2; ++i) {
    Slot slot;
    const absl::string_view bytes = absl::string_view(*content).substr(i * kSlotSpacing);
    if (Decode(bytes, slot) && slot.sequence > newest.sequence) newest = slot;
  }
  if (newest.sequence == 0) return Unproven(path, "neither slot is sound");
  return newest;
}

absl::StatusOr<FileWatermark::Content> FileWatermark::Read(const std::string& path, Files& files) {
  QUIPU_ASSIGN_OR_RETURN(const Slot newest, ReadNewest(path, files));
  return Content{.last_group = newest.last_group,
                 .broker_epoch = newest.broker_epoch,
                 .unclean = newest.unclean};
}

absl::StatusOr<std::unique_ptr<FileWatermark>> FileWatermark::Open(const std::string& path,
                                                                   Files& files) {
  QUIPU_ASSIGN_OR_RETURN(const Slot newest, ReadNewest(path, files));
  QUIPU_ASSIGN_OR_RETURN(std::unique_ptr<OpenFile> file, files.OpenExisting(path));
  return std::unique_ptr<FileWatermark>(new FileWatermark(std::move(file), newest));
}

absl::Status FileWatermark::StoreBrokerEpoch(BrokerEpoch epoch) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Slot slot = newest_;
  slot.broker_epoch = epoch;
  slot.unclean = false;
  return Store(slot);
}

absl::Status FileWatermark::MarkUnclean(uint64_t last_group) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Slot slot = newest_;
  slot.last_group = last_group;
  slot.unclean = true;
  return Store(slot);
}

bool FileWatermark::unclean() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return newest_.unclean;
}

absl::Status FileWatermark::StoreLastGroup(uint64_t group) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (group <= newest_.last_group) return absl::OkStatus();
  Slot slot = newest_;
  slot.last_group = group;
  return Store(slot);
}

absl::Status FileWatermark::Store(Slot slot) {
  ++slot.sequence;
  QUIPU_RETURN_IF_ERROR(file_->WriteAt((slot.sequence % 2) * kSlotSpacing, Encode(slot)));
  QUIPU_RETURN_IF_ERROR(file_->Sync());
  newest_ = slot;
  return absl::OkStatus();
}

BrokerEpoch FileWatermark::broker_epoch() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return newest_.broker_epoch;
}

uint64_t FileWatermark::last_group() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return newest_.last_group;
}

}  // namespace quipu
