// The committed metadata: what Raft replicates.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "core/metadata/metadata_image.h"
#include "proto/message/raft.pb.h"

namespace quipu {

// Applies committed entries and makes and restores snapshots. The same on every voter; the active
// controller's speculative image is ControllerCore's. Controller's executor only.
class MetadataStateMachine {
 public:
  // A committed entry; returns its batch (empty for a no-op). Entries come in order, each once. An
  // entry that cannot be parsed is a failed check: it was written by a newer version or by a bug.
  record::MetadataBatch Apply(const message::RaftEntry& entry);
  [[nodiscard]] std::string MakeSnapshot() const;
  // Replaces everything by a snapshot as of `last`.
  void Restore(LogIndex last, absl::string_view data);

  [[nodiscard]] const MetadataImage& image() const { return image_; }
  // A copy that readers may keep; made once per index.
  [[nodiscard]] MetadataImagePtr SharedImage() const;

 private:
  MetadataImage image_;
  mutable MetadataImagePtr shared_;
};

}  // namespace quipu
