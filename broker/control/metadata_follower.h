// Follows the controller's metadata log and keeps the newest image of the cluster.
//
// Updates come from whichever controller the control stream is connected to; one of an older
// controller epoch than already seen is dropped (C20: a zombie controller must not turn time back).
// Control executor only; the images it publishes are immutable.
#pragma once

#include <vector>

#include "core/metadata/metadata_image.h"
#include "proto/message/control.pb.h"

namespace quipu {

class MetadataFollower {
 public:
  enum class Outcome {
    kNothingNew,
    kNewer,  // there is a newer image
    kGap,    // an entry is missing before these: nothing was applied, subscribe anew
  };
  Outcome OnUpdate(const message::MetadataUpdate& update);
  // A new stream: a snapshot that was on its way is incomplete for ever.
  void OnStreamOpened() { snapshot_.reset(); }

  // nullptr until the first update.
  [[nodiscard]] const MetadataImagePtr& image() const { return image_; }
  [[nodiscard]] LogIndex index() const { return image_ == nullptr ? LogIndex(0) : image_->index(); }
  // What to subscribe from.
  [[nodiscard]] uint64_t next_index() const { return index().value() + 1; }
  [[nodiscard]] ControllerId controller() const { return controller_; }

 private:
  struct PartialSnapshot {
    LogIndex last_index;
    std::vector<record::MetadataRecord> records;
  };
  Outcome OnSnapshot(const message::MetadataUpdate::Snapshot& piece);
  Outcome OnEntries(const message::MetadataUpdate& update);

  MetadataImagePtr image_;
  uint64_t controller_epoch_ = 0;
  ControllerId controller_ = kNoController;
  std::optional<PartialSnapshot> snapshot_;
};

}  // namespace quipu
