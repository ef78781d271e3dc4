#include "broker/control/metadata_follower.h"

#include <memory>

#include "base/logging.h"

namespace quipu {

bool MetadataFollower::OnUpdate(const message::MetadataUpdate& update) {
  if (update.controller_epoch() < controller_epoch_) {
    LogWarn("metadata.stale_controller", {{"epoch", std::to_string(update.controller_epoch())},
                                          {"newest", std::to_string(controller_epoch_)}});
    return false;
  }
  controller_epoch_ = update.controller_epoch();
  controller_ = ControllerId(update.controller_id());
  bool changed = false;
  if (update.has_snapshot()) changed = OnSnapshot(update.snapshot());
  if (update.entries_size() > 0) changed = OnEntries(update) || changed;
  return changed;
}

bool MetadataFollower::OnSnapshot(const message::MetadataUpdate::Snapshot& piece) {
  const LogIndex last_index(piece.last_index());
  if (piece.first()) snapshot_ = PartialSnapshot{last_index, {}};
  if (!snapshot_ || snapshot_->last_index != last_index) return false;
  for (const record::MetadataRecord& record : piece.records()) snapshot_->records.push_back(record);
  if (!piece.last()) return false;
  const PartialSnapshot whole = std::move(*snapshot_);
  snapshot_.reset();
  if (image_ != nullptr && whole.last_index <= image_->index()) return false;
  image_ = std::make_shared<const MetadataImage>(
      MetadataImage::FromSnapshot(whole.last_index, whole.records));
  return true;
}

bool MetadataFollower::OnEntries(const message::MetadataUpdate& update) {
  auto next = image_ == nullptr ? std::make_shared<MetadataImage>()
                                : std::make_shared<MetadataImage>(*image_);
  const LogIndex before = next->index();
  for (const message::MetadataUpdate::Entry& entry : update.entries()) {
    // A new subscription may repeat what is known.
    if (LogIndex(entry.index()) <= next->index()) continue;
    next->Apply(LogIndex(entry.index()), entry.batch());
  }
  if (next->index() == before) return false;
  image_ = std::move(next);
  return true;
}

}  // namespace quipu
