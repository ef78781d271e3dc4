// I34: a drain moves what a broker does to others, takes no ISR below its minimum, and is said to
// be done when it is.
#pragma once

#include <cstdint>
#include <map>

#include "core/metadata/metadata_image.h"

namespace quipu::sim {

class DrainChecker {
 public:
  // Committed metadata changed from `before` to `after`. Where images in between were not seen,
  // nothing is known of them and nothing is held against `after`.
  void OnImage(const MetadataImage& before, const MetadataImage& after);
  // One partition of a step from one image to the very next. `by_leader`: its leader may have asked
  // for the change of the ISR; `min_isr`: the effective minimum.
  void OnPartition(const MetadataImage& before, const MetadataImage& after,
                   const PartitionImage& old_state, const PartitionImage& new_state, bool by_leader,
                   size_t min_isr);
  // A controller tells the broker that it is drained and shall stop. `image`: what the controller
  // has committed, which may be newer than what was given to OnImage, or (of a former leader)
  // older.
  void OnToldToStop(BrokerId broker, const MetadataImage& image);

  // Leaderships that went from a broker that is being drained to another.
  [[nodiscard]] uint64_t leaders_moved() const { return leaders_moved_; }
  [[nodiscard]] uint64_t told_to_stop() const { return told_to_stop_; }

 private:
  // By broker that is drained to be stopped: whether it may have been in no ISR since.
  std::map<BrokerId, bool> left_all_;
  uint64_t leaders_moved_ = 0;
  uint64_t told_to_stop_ = 0;
};

}  // namespace quipu::sim
