// Goal: frames come out as they went in, however the socket cuts them; sizes that lie cost nothing.
// Method: bytes by hand and random cuts.
#include "core/kafka/frame_reader.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "base/big_endian.h"
#include "base/error_code.h"
#include "base/rng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace quipu::kafka {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr size_t kMax = 5 << 20U;

std::string Framed(const std::string& frame) {
  std::string bytes;
  AppendBigEndian(bytes, static_cast<int32_t>(frame.size()));
  return bytes + frame;
}

// Feeds all of `bytes`, at most `piece` at a time.
absl::Status Feed(FrameReader& reader, absl::string_view bytes, size_t piece = SIZE_MAX) {
  while (!bytes.empty()) {
    const absl::Span<char> space = reader.Space();
    EXPECT_GT(space.size(), 0);
    const size_t size = std::min({piece, space.size(), bytes.size()});
    std::memcpy(space.data(), bytes.data(), size);
    bytes.remove_prefix(size);
    if (absl::Status status = reader.Commit(size); !status.ok()) return status;
  }
  return absl::OkStatus();
}

std::vector<std::string> Frames(FrameReader& reader) {
  std::vector<std::string> frames;
  for (Bytes frame; reader.Next(frame);) frames.push_back(frame.ToString());
  return frames;
}

TEST(KafkaFrameReaderTest, SeveralSmallFramesComeFromOneRead) {
  FrameReader reader(kMax);
  ASSERT_TRUE(Feed(reader, Framed("one") + Framed("two") + Framed("three").substr(0, 6)).ok());
  EXPECT_THAT(Frames(reader), ElementsAre("one", "two"));
  EXPECT_TRUE(reader.in_frame());
  ASSERT_TRUE(Feed(reader, "ree").ok());
  EXPECT_THAT(Frames(reader), ElementsAre("three"));
  EXPECT_FALSE(reader.in_frame());
}

TEST(KafkaFrameReaderTest, FramesOfEverySizeComeThroughByteByByte) {
  FrameReader reader(kMax);
  for (const size_t size : {1U, 2U, 2043U, 2044U, 2045U, 2048U, 5000U}) {
    const std::string frame(size, static_cast<char>('a' + size % 26));
    ASSERT_TRUE(Feed(reader, Framed(frame), 1).ok());
    EXPECT_THAT(Frames(reader), ElementsAre(frame)) << size;
    EXPECT_FALSE(reader.in_frame());
  }
}

TEST(KafkaFrameReaderTest, RandomCutsLoseNothing) {
  Rng rng(11);
  FrameReader reader(kMax);
  std::string stream;
  std::vector<std::string> expected;
  for (int i = 0; i < 300; ++i) {
    expected.emplace_back(1 + rng.Below(rng.Below(8000) + 1), static_cast<char>(rng.Next()));
    stream += Framed(expected.back());
  }
  std::vector<std::string> found;
  for (absl::string_view rest = stream; !rest.empty();) {
    const absl::string_view piece = rest.substr(0, 1 + rng.Below(rng.Below(5000) + 1));
    rest.remove_prefix(piece.size());
    ASSERT_TRUE(Feed(reader, piece).ok());
    for (std::string& frame : Frames(reader)) found.push_back(std::move(frame));
  }
  EXPECT_EQ(found, expected);
}

TEST(KafkaFrameReaderTest, ALargeFrameIsReadToWhereItStays) {
  FrameReader reader(kMax);
  const std::string frame(500'000, 'f');
  ASSERT_TRUE(Feed(reader, Framed(frame).substr(0, 1000)).ok());
  const char* const place = reader.Space().data();
  ASSERT_TRUE(Feed(reader, Framed(frame).substr(1000)).ok());
  Bytes found;
  ASSERT_TRUE(reader.Next(found));
  EXPECT_EQ(found.ToString(), frame);
  EXPECT_EQ(found.data() + 996, place);
  EXPECT_EQ(reader.arriving_bytes(), 0);
}

TEST(KafkaFrameReaderTest, MemoryOfAHugeFrameFollowsWhatHasArrived) {
  FrameReader reader(kMax);
  const std::string bytes = Framed(std::string(kMax, 'x'));
  ASSERT_TRUE(Feed(reader, bytes.substr(0, 10)).ok());
  EXPECT_EQ(reader.arriving_bytes(), FrameReader::kFrameBytesTrusted);
  for (size_t at = 10; at < bytes.size(); at += 100'000) {
    ASSERT_TRUE(Feed(reader, absl::string_view(bytes).substr(at, 100'000)).ok());
    EXPECT_LE(reader.arriving_bytes(),
              std::max(2 * (at + 100'000), FrameReader::kFrameBytesTrusted));
  }
  Bytes found;
  ASSERT_TRUE(reader.Next(found));
  EXPECT_EQ(found.size(), kMax);
}

TEST(KafkaFrameReaderTest, SizesThatAreNotAllowedEndIt) {
  for (const int32_t size : {0, -1, INT32_MIN, INT32_MAX, static_cast<int32_t>(kMax) + 1}) {
    FrameReader reader(kMax);
    std::string bytes;
    AppendBigEndian(bytes, size);
    const absl::Status status = Feed(reader, Framed("before") + bytes);
    EXPECT_EQ(CodeOf(status), ErrorCode::kInvalidRequest) << size;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("a frame of " + std::to_string(size) +
                          " bytes; from 1 to socket.request.max.bytes=5242880 are allowed"));
    EXPECT_TRUE(reader.Space().empty());
    EXPECT_THAT(Frames(reader), ElementsAre("before"));
  }
}

TEST(KafkaFrameReaderTest, OtherProtocolsAreNamed) {
  FrameReader tls(kMax);
  EXPECT_THAT(std::string(Feed(tls, "\x16\x03\x01\x02").message()), HasSubstr("speaks TLS"));
  FrameReader http(kMax);
  EXPECT_THAT(std::string(Feed(http, "GET / HTTP/1.1").message()), HasSubstr("speaks HTTP"));
}

}  // namespace
}  // namespace quipu::kafka
