// Goal: keys land where Kafka's Java client puts them. Method: hashes that Kafka publishes in the
// unit test of its own client.
#include "core/client/partitioner.h"

#include <gtest/gtest.h>

namespace quipu {
namespace {

int32_t Signed(absl::string_view key) { return static_cast<int32_t>(Murmur2(key)); }

TEST(PartitionerTest, Murmur2MatchesTheJavaClient) {
  EXPECT_EQ(Signed("21"), -973932308);
  EXPECT_EQ(Signed("foobar"), -790332482);
  EXPECT_EQ(Signed("a-little-bit-long-string"), -985981536);
  EXPECT_EQ(Signed("a-little-bit-longer-string"), -1486304829);
  EXPECT_EQ(Signed("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"), -58897971);
  EXPECT_EQ(Signed("abc"), 479470107);
}

TEST(PartitionerTest, NegativeHashesLoseTheirSignBitNotTheirSign) {
  EXPECT_EQ(PartitionForKey("21", 1000).value(), (-973932308 & 0x7fffffff) % 1000);
  EXPECT_EQ(PartitionForKey("abc", 7).value(), 479470107 % 7);
}

TEST(PartitionerTest, EmptyKeyHasAPartition) {
  EXPECT_GE(PartitionForKey("", 5).value(), 0);
  EXPECT_LT(PartitionForKey("", 5).value(), 5);
}

}  // namespace
}  // namespace quipu
