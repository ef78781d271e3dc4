// Goal: frames come out whole however they are cut on the way, and what is no frame is refused.
// Method: the same bytes fed in pieces of every size that matters, and random ones.
#include "runtime/socket/stream_frames.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/rng.h"

namespace quipu {
namespace {

constexpr size_t kBodyMax = size_t{1} << 20;

std::string Wire(absl::string_view body, bool last = false) {
  std::string frame = FrameHead(body.size(), last).ToString();
  frame.append(body.data(), body.size());
  return frame;
}

// Feeds `bytes` in pieces of at most `piece`.
absl::Status Feed(FrameReader& reader, absl::string_view bytes, size_t piece,
                  std::vector<Bytes>& bodies) {
  while (!bytes.empty()) {
    const std::span<char> space = reader.Space();
    const size_t part = std::min({space.size(), piece, bytes.size()});
    std::memcpy(space.data(), bytes.data(), part);
    bytes.remove_prefix(part);
    const absl::Status taken = reader.Took(part, [&](Bytes body, bool) {
      bodies.push_back(std::move(body));
      return absl::OkStatus();
    });
    if (!taken.ok()) return taken;
  }
  return absl::OkStatus();
}

TEST(FrameReaderTest, FramesAreTheSameHoweverTheyAreCut) {
  Rng rng(7);
  std::vector<std::string> sent;
  std::string wire;
  for (const size_t size :
       {size_t{0}, size_t{1}, FrameReader::kCopiedBytesMax, FrameReader::kCopiedBytesMax + 1,
        FrameReader::kChunkBytes / 2 - 1, FrameReader::kChunkBytes / 2,
        FrameReader::kChunkBytes - kFrameHeadBytes, FrameReader::kChunkBytes, size_t{300000},
        size_t{5}, kBodyMax}) {
    for (int copies = 0; copies < 3; ++copies) {
      std::string body(size, '\0');
      for (char& c : body) c = static_cast<char>(rng.Below(256));
      wire += Wire(body);
      sent.push_back(std::move(body));
    }
  }
  for (const size_t piece : {size_t{1}, size_t{3}, size_t{1000}, FrameReader::kChunkBytes,
                             size_t{70000}, size_t{1} << 22}) {
    FrameReader reader(kBodyMax);
    std::vector<Bytes> bodies;
    ASSERT_TRUE(Feed(reader, wire, piece, bodies).ok());
    ASSERT_EQ(bodies.size(), sent.size());
    // All are still held: none may have been overwritten by what came after it.
    for (size_t i = 0; i < sent.size(); ++i) ASSERT_EQ(bodies[i].view(), sent[i]) << piece;
  }
}

TEST(FrameReaderTest, RandomFramesInRandomPieces) {
  Rng rng(11);
  for (int round = 0; round < 30; ++round) {
    FrameReader reader(kBodyMax);
    std::vector<std::string> sent;
    std::vector<Bytes> bodies;
    for (int i = 0; i < 100; ++i) {
      const size_t most = rng.Chance(1, 8) ? 200000 : rng.Chance(1, 2) ? 3000 : 60;
      sent.emplace_back(rng.Below(most), static_cast<char>('a' + rng.Below(26)));
      ASSERT_TRUE(Feed(reader, Wire(sent.back()), 1 + rng.Below(90000), bodies).ok());
    }
    ASSERT_EQ(bodies.size(), sent.size());
    for (size_t i = 0; i < sent.size(); ++i) ASSERT_EQ(bodies[i].view(), sent[i]);
  }
}

TEST(FrameReaderTest, LargeBodiesLieInMemoryOfTheirOwnAndSmallOnesHoldNoChunk) {
  FrameReader reader(kBodyMax);
  std::vector<Bytes> bodies;
  ASSERT_TRUE(Feed(reader, Wire("small") + Wire(std::string(200000, 'x')), 1 << 20, bodies).ok());
  ASSERT_EQ(bodies.size(), 2U);
  EXPECT_EQ(bodies[0].owner().use_count(), 1);
  EXPECT_EQ(bodies[1].owner().use_count(), 1);
}

TEST(FrameReaderTest, ABodyThatIsTooLargeIsRefusedByItsLengthAlone) {
  FrameReader reader(1000);
  std::vector<Bytes> bodies;
  const absl::Status refused = Feed(reader, FrameHead(1001).view(), 4, bodies);
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()), testing::HasSubstr("1001 bytes; up to 1000"));
  FrameReader http(size_t{16} << 20);
  EXPECT_FALSE(Feed(http, "GET / HTTP/1.1\r\n\r\n", 100, bodies).ok());
  EXPECT_TRUE(bodies.empty());
}

TEST(FrameReaderTest, TheLastFrameIsMarkedAndAnErrorEndsTheReading) {
  FrameReader reader(kBodyMax);
  const std::string wire = Wire("one") + Wire("end", /*last=*/true) + Wire("never");
  const std::span<char> space = reader.Space();
  std::memcpy(space.data(), wire.data(), wire.size());
  std::vector<std::pair<std::string, bool>> seen;
  const absl::Status ended = reader.Took(wire.size(), [&](const Bytes& body, bool last) {
    seen.emplace_back(body.ToString(), last);
    return last ? absl::CancelledError("over") : absl::OkStatus();
  });
  EXPECT_EQ(ended.message(), "over");
  EXPECT_THAT(seen, testing::ElementsAre(testing::Pair("one", false), testing::Pair("end", true)));
}

TEST(StreamOpeningTest, ItIsReadBackAndWhatIsNoneIsRefused) {
  const StreamOpening opening{.purpose = StreamPurpose::kListOffsets, .lane = 200};
  const std::string frame = EncodeOpening(opening);
  EXPECT_EQ(frame.size(), kOpeningBytes);
  ASSERT_TRUE(DecodeOpening(frame).ok());
  EXPECT_EQ(*DecodeOpening(frame), opening);
  EXPECT_THAT(std::string(DecodeOpening("PRI * HTTP/2").status().message()),
              testing::HasSubstr("not a stream between brokers"));
  std::string newer = frame;
  newer[kOpeningBytes - 3] = 2;
  EXPECT_THAT(std::string(DecodeOpening(newer).status().message()),
              testing::HasSubstr("version 2"));
  std::string other = frame;
  other[kOpeningBytes - 2] = 99;
  EXPECT_THAT(std::string(DecodeOpening(other).status().message()),
              testing::HasSubstr("unknown purpose 99"));
  EXPECT_FALSE(DecodeOpening(frame.substr(1)).ok());
}

TEST(StreamEndTest, TheReasonIsReadBack) {
  const absl::Status reason = absl::PermissionDeniedError("not of this cluster");
  EXPECT_EQ(DecodeEnd(EncodeEnd(reason)), reason);
  EXPECT_EQ(DecodeEnd(EncodeEnd(absl::OkStatus())), absl::OkStatus());
  EXPECT_EQ(DecodeEnd("").code(), absl::StatusCode::kUnknown);
  EXPECT_EQ(DecodeEnd("\x7fodd").code(), absl::StatusCode::kUnknown);
  EXPECT_LE(EncodeEnd(absl::InternalError(std::string(100000, 'x'))).size(), 1025U);
}

}  // namespace
}  // namespace quipu
