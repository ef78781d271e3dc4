// What lies in a segment is counted from groups, written down, and put together again.
#include "storage/journal/segment_uses.h"

#include "gtest/gtest.h"

namespace quipu {
namespace {

constexpr LogId kLog{3};

TEST(SegmentUsesTest, KeepsTheRangeOfOffsetsAndTheBytesOfEachLog) {
  SegmentUses uses;
  uses.Add(7, kLog, Offset(20), 100);
  uses.Add(7, kLog, Offset(10), 50);  // moved there behind newer ones
  uses.Add(7, kLog, Offset(15), 1);
  uses.Add(7, LogId(4), Offset(1), 5);
  uses.Add(8, kLog, Offset(99), 9);
  const SegmentUse use = uses.Get(7);
  ASSERT_EQ(use.size(), 2U);
  EXPECT_EQ(use.at(kLog).first_offset, Offset(10));
  EXPECT_EQ(use.at(kLog).last_offset, Offset(20));
  EXPECT_EQ(use.at(kLog).bytes, 151U);
  EXPECT_EQ(use.at(LogId(4)).bytes, 5U);
  EXPECT_EQ(uses.Segments(), (std::set<uint64_t>{7, 8}));
  EXPECT_TRUE(uses.Get(9).empty());
}

TEST(SegmentUsesTest, WhatAFormerProcessWroteDownIsNotCountedTwice) {
  SegmentUses uses;
  uses.Add(7, kLog, Offset(20), 100);  // read from the segment by this one
  uses.Merge(7, {{kLog, {.first_offset = Offset(5), .last_offset = Offset(20), .bytes = 300}},
                 {LogId(4), {.first_offset = Offset(1), .last_offset = Offset(2), .bytes = 8}}});
  EXPECT_EQ(uses.Get(7).at(kLog).first_offset, Offset(5));
  EXPECT_EQ(uses.Get(7).at(kLog).bytes, 300U);
  EXPECT_EQ(uses.Get(7).at(LogId(4)).last_offset, Offset(2));
  uses.Merge(7, {{kLog, {.first_offset = Offset(6), .last_offset = Offset(30), .bytes = 10}}});
  EXPECT_EQ(uses.Get(7).at(kLog).first_offset, Offset(5));
  EXPECT_EQ(uses.Get(7).at(kLog).last_offset, Offset(30));
  EXPECT_EQ(uses.Get(7).at(kLog).bytes, 300U);
}

// A segment of which is known that nothing lies in it is not one of which nothing is known.
TEST(SegmentUsesTest, ASegmentWithoutBatchesIsKnownOnceItWasWrittenDown) {
  SegmentUses uses;
  uses.Merge(7, {});
  EXPECT_EQ(uses.Segments(), std::set<uint64_t>{7});
}

TEST(SegmentUsesTest, TheUnknownIsWrittenDownToo) {
  SegmentUses uses;
  uses.Add(7, kLog, Offset(20), 100);
  uses.AddUnknown(7);
  const auto again = DecodeSegmentUse(EncodeSegmentUse(uses.Get(7)));
  ASSERT_TRUE(again.has_value());
  SegmentUses next;
  next.Merge(7, *again);
  EXPECT_TRUE(next.Get(7).contains(SegmentUses::kUnknown));
  EXPECT_TRUE(next.Get(7).contains(kLog));
}

TEST(SegmentUsesTest, WhatWasFreedIsForgotten) {
  SegmentUses uses;
  uses.Add(7, kLog, Offset(20), 100);
  uses.AddUnknown(8);
  uses.Remove({7, 9});
  EXPECT_TRUE(uses.Get(7).empty());
  EXPECT_FALSE(uses.Get(8).empty());
}

// The room of a group is taken before its size is known.
TEST(SegmentUsesTest, WhatIsWrittenDownIsNeverLargerThanForetold) {
  SegmentUses uses;
  EXPECT_GE(uses.EncodedBytes(7), EncodeSegmentUse(uses.Get(7)).size());
  for (uint64_t log = 1; log <= 300; ++log) {
    uses.Add(7, LogId(log), Offset(static_cast<int64_t>(log)), UINT64_MAX / 2);
    ASSERT_GE(uses.EncodedBytes(7), EncodeSegmentUse(uses.Get(7)).size());
  }
}

}  // namespace
}  // namespace quipu
