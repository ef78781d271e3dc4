// The codecs of a batch's records. Pure; thread-safe.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/record/record_batch.h"

namespace quipu {

// Whether this version reads and writes the codec: none, lz4 (frame format) and zstd.
bool IsSupported(Compression codec);

// `data` compressed. `codec` must be supported; kNone gives a copy.
std::string Compress(Compression codec, absl::string_view data);

// The inverse. Memory grows with the bytes that really come out, never with what a frame claims.
//   kUnsupportedCompressionType  gzip, snappy, or a codec number without a name
//   kCorruptMessage              broken or incomplete data, or bytes after its end
//   kMessageTooLarge             more than `output_bytes_max` would come out
absl::StatusOr<std::string> Decompress(Compression codec, absl::string_view data,
                                       size_t output_bytes_max);

}  // namespace quipu
