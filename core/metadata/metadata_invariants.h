// What must hold for every metadata image, whoever made it.
#pragma once

#include "core/metadata/metadata_image.h"

namespace quipu {

// Fails a QUIPU_INVARIANT when the image is impossible.
//   I31  leader in ISR, and one whenever the ISR is not empty; no fenced broker in an ISR; ELR
//        disjoint from ISR; ISR >= minimum => ELR empty. Both are empty only when every broker that
//        could lead came back without a complete log (D4).
// Checked after each replay in the simulator and by the tests; linear in the image.
void CheckMetadataInvariants(const MetadataImage& image);

}  // namespace quipu
