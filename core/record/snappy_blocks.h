// snappy as Kafka's clients write it. Pure; thread-safe.
//
// Java's clients frame it (org.xerial.snappy), and that is what is written here:
//
//   position  bytes  field
//   0         8      magic: 0x82 'S' 'N' 'A' 'P' 'P' 'Y' 0
//   8         4      version = 1, big-endian
//   12        4      least version that can read it = 1, big-endian
//   16        ...    blocks of up to 32 KiB of data: length (4, big-endian), snappy block
//
// The frame has no end: the blocks go on to the end of the data. Other clients (librdkafka, older
// Python ones) send one snappy block without a frame; both are read.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quipu {

// The framed form.
std::string CompressSnappy(absl::string_view data);

// The framed form, also several frames in a row, or one bare block. Memory grows with the input:
// a block cannot be larger than 22 times its bytes. Errors as Decompress. A frame that was cut off
// between two blocks looks whole.
absl::StatusOr<std::string> DecompressSnappy(absl::string_view data, size_t output_bytes_max);

}  // namespace quipu
