// gzip as Kafka's clients write it: a gzip stream (RFC 1952). Pure; thread-safe.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace quipu {

// One gzip member without name and time: the same bytes for the same data.
std::string CompressGzip(absl::string_view data);

// One or more members in a row, as Java's GZIPInputStream reads them. Errors as Decompress.
absl::StatusOr<std::string> DecompressGzip(absl::string_view data, size_t output_bytes_max);

}  // namespace quipu
