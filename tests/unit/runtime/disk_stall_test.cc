// Goal: a disk that does not answer costs leadership first and the process later, and is believed
// again only after a while. Method: moments by hand.
#include "runtime/disk_stall.h"

#include "base/error_code.h"
#include "gtest/gtest.h"

namespace quipu {
namespace {

using std::chrono::milliseconds;
using Verdict = DiskStall::Verdict;

constexpr DiskStall::Options kOptions{.shed = milliseconds(2000), .exit = milliseconds(20000)};

TEST(DiskStallTest, ShedsThenExits) {
  DiskStall stall(kOptions);
  const Instant start{};
  EXPECT_EQ(stall.Look(start, milliseconds(0)), Verdict::kHealthy);
  EXPECT_EQ(stall.Look(start + milliseconds(1999), milliseconds(1999)), Verdict::kHealthy);
  EXPECT_EQ(stall.Look(start + milliseconds(2000), milliseconds(2000)), Verdict::kStalled);
  EXPECT_EQ(stall.Look(start + milliseconds(19999), milliseconds(19999)), Verdict::kStalled);
  EXPECT_EQ(stall.Look(start + milliseconds(20000), milliseconds(20000)), Verdict::kExit);
}

TEST(DiskStallTest, IsBelievedAgainAfterFiveTimesTheLimitWithoutAStall) {
  DiskStall stall(kOptions);
  const Instant start{};
  EXPECT_EQ(stall.Look(start, milliseconds(2500)), Verdict::kStalled);
  EXPECT_EQ(stall.Look(start + milliseconds(9999), milliseconds(5)), Verdict::kStalled);
  EXPECT_EQ(stall.Look(start + milliseconds(9999), milliseconds(2100)), Verdict::kStalled);
  EXPECT_EQ(stall.Look(start + milliseconds(15000), milliseconds(0)), Verdict::kStalled);
  EXPECT_EQ(stall.Look(start + milliseconds(19999), milliseconds(0)), Verdict::kHealthy);
}

TEST(DiskStallTest, LimitsThatLeaveNoTimeToMoveAreRefused) {
  EXPECT_TRUE(CheckDiskStall(kOptions).ok());
  EXPECT_EQ(CodeOf(CheckDiskStall({.shed = milliseconds(2000), .exit = milliseconds(3999)})),
            ErrorCode::kInvalidConfig);
}

}  // namespace
}  // namespace quipu
