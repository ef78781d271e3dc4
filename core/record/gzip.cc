#include "core/record/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "base/check.h"
#include "core/record/capped_output.h"

namespace quipu {
namespace {

// The largest window, and 16: gzip's header and trailer and no other format's.
constexpr int kGzipWindowBits = MAX_WBITS + 16;
// zlib's default.
constexpr int kDeflateMemoryLevel = 8;

// zlib reads through a pointer that is not const, and counts in unsigned int.
void SetInput(z_stream& stream, absl::string_view data) {
  QUIPU_CHECK(data.size() <= std::numeric_limits<uInt>::max());
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
}

}  // namespace

std::string CompressGzip(absl::string_view data) {
  z_stream stream{};
  QUIPU_CHECK(deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindowBits,
                           kDeflateMemoryLevel, Z_DEFAULT_STRATEGY) == Z_OK);
  const std::unique_ptr<z_stream, decltype(&deflateEnd)> end(&stream, &deflateEnd);
  std::string out(deflateBound(&stream, static_cast<uLong>(data.size())), '\0');
  SetInput(stream, data);
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  QUIPU_CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  return out;
}

absl::StatusOr<std::string> DecompressGzip(absl::string_view data, size_t output_bytes_max) {
  z_stream stream{};
  QUIPU_CHECK(inflateInit2(&stream, kGzipWindowBits) == Z_OK);
  const std::unique_ptr<z_stream, decltype(&inflateEnd)> end(&stream, &inflateEnd);
  SetInput(stream, data);
  CappedOutput out(output_bytes_max);
  bool complete = false;  // at the end of a member
  while (!complete || stream.avail_in > 0) {
    if (complete) QUIPU_CHECK(inflateReset(&stream) == Z_OK);
    if (!out.MakeRoom()) return OutputTooLarge();
    const size_t room = std::min<size_t>(out.room_bytes(), std::numeric_limits<uInt>::max());
    const uInt input = stream.avail_in;
    stream.next_out = reinterpret_cast<Bytef*>(out.room());
    stream.avail_out = static_cast<uInt>(room);
    const int result = inflate(&stream, Z_NO_FLUSH);
    const size_t produced = room - stream.avail_out;
    out.Advance(produced);
    complete = result == Z_STREAM_END;
    // Z_BUF_ERROR: no progress is possible, that is, the input has ended.
    if (!complete && result != Z_OK && result != Z_BUF_ERROR) {
      return BrokenData("broken gzip stream");
    }
    if (!complete && produced == 0 && stream.avail_in == input) {
      return BrokenData("gzip stream is cut off");
    }
  }
  if (out.IsOverCap()) return OutputTooLarge();
  return out.Take();
}

}  // namespace quipu
