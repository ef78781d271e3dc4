// Metadata as clients see it. Pure.
#pragma once

#include "core/metadata/metadata_image.h"
#include "proto/message/client.pb.h"

namespace quipu {

// The answer to `request` from `image`. Topics that are asked for and not there carry
// kUnknownTopicOrPartition (by name) or kUnknownTopicId. A partition without a leader has leader
// -1.
message::MetadataResponse MetadataAnswer(const MetadataImage& image, ControllerId controller,
                                         const message::MetadataRequest& request);

}  // namespace quipu
