// The codecs of a batch's records. Pure; thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/record/record_batch.h"

namespace quipu {

// Every codec, by its number in a batch.
inline constexpr Compression kCodecs[] = {Compression::kNone, Compression::kGzip,
                                          Compression::kSnappy, Compression::kLz4,
                                          Compression::kZstd};

// Whether this version reads and writes the codec: none, gzip, snappy (gzip.h and snappy_blocks.h
// tell their form), lz4 (frame format) and zstd. False for the numbers 5 to 7, which have no name.
bool IsSupported(Compression codec);

// `data` compressed. `codec` must be supported; kNone gives a copy.
std::string Compress(Compression codec, absl::string_view data);

// The inverse. Memory grows with the bytes that really come out, never with what a frame claims.
//   kUnsupportedCompressionType  a codec number without a name
//   kCorruptMessage              broken or incomplete data, or bytes after its end
//   kMessageTooLarge             more than `output_bytes_max` would come out
absl::StatusOr<std::string> Decompress(Compression codec, absl::string_view data,
                                       size_t output_bytes_max);

// Kafka's name: none, gzip, snappy, lz4, zstd; "number N" for one without a name.
std::string CodecName(Compression codec);
// The inverse; nullopt when no codec has this name.
std::optional<Compression> CodecOf(absl::string_view name);

}  // namespace quipu
