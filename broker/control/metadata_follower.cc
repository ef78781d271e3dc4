#include "broker/control/metadata_follower.h"

#include <memory>

#include "base/logging.h"

namespace quipu {

MetadataFollower::Outcome MetadataFollower::OnUpdate(const message::MetadataUpdate& update) {
  if (update.controller_epoch() < controller_epoch_) {
    LogWarn("metadata.stale_controller", {{"epoch", std::to_string(update.controller_epoch())},
                                          {"newest", std::to_string(controller_epoch_)}});
    return Outcome::kNothingNew;
  }
  controller_epoch_ = update.controller_epoch();
  controller_ = ControllerId(update.controller_id());
  Outcome outcome = Outcome::kNothingNew;
  if (update.has_snapshot()) outcome = OnSnapshot(update.snapshot());
  if (update.entries_size() > 0) {
    const Outcome applied = OnEntries(update);
    if (applied != Outcome::kNothingNew) outcome = applied;
  }
  return outcome;
}

MetadataFollower::Outcome MetadataFollower::OnSnapshot(
    const message::MetadataUpdate::Snapshot& piece) {
  const LogIndex last_index(piece.last_index());
  if (piece.first()) snapshot_ = PartialSnapshot{last_index, {}};
  if (!snapshot_ || snapshot_->last_index != last_index) return Outcome::kNothingNew;
  for (const record::MetadataRecord& record : piece.records()) snapshot_->records.push_back(record);
  if (!piece.last()) return Outcome::kNothingNew;
  const PartialSnapshot whole = std::move(*snapshot_);
  snapshot_.reset();
  if (image_ != nullptr && whole.last_index <= image_->index()) return Outcome::kNothingNew;
  image_ = std::make_shared<const MetadataImage>(
      MetadataImage::FromSnapshot(whole.last_index, whole.records));
  return Outcome::kNewer;
}

MetadataFollower::Outcome MetadataFollower::OnEntries(const message::MetadataUpdate& update) {
  auto next = image_ == nullptr ? std::make_shared<MetadataImage>()
                                : std::make_shared<MetadataImage>(*image_);
  const LogIndex before = next->index();
  for (const message::MetadataUpdate::Entry& entry : update.entries()) {
    // A new subscription may repeat what is known.
    if (LogIndex(entry.index()) <= next->index()) continue;
    if (LogIndex(entry.index()) != next->index() + 1) return Outcome::kGap;
    next->Apply(LogIndex(entry.index()), entry.batch());
  }
  if (next->index() == before) return Outcome::kNothingNew;
  image_ = std::move(next);
  return Outcome::kNewer;
}

}  // namespace quipu
