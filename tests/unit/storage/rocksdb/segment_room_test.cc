// Segments on a disk that is full for a while.
#include <chrono>
#include <thread>

#include "base/error_code.h"
#include "gtest/gtest.h"
#include "storage/journal/segment.h"
#include "tests/faultfs/fault_files.h"

namespace quipu {
namespace {

// Whoever asked while the disk was full was refused and comes again: it does not wait for a pace.
TEST(SegmentRoomTest, OnceThereIsRoomTheNextIsMadeAtOnce) {
  constexpr uint64_t kBytes = 32 << 20;  // 128 pieces: 6.4 s without any use
  faultfs::FaultDisk disk;
  faultfs::FaultFiles files(disk);
  ASSERT_TRUE(files.MakeFolder("/journal").ok());
  SegmentMaker maker({.files = &files,
                      .folder = "/journal",
                      .directory_id = DirectoryId(7, 8),
                      .segment_bytes = kBytes,
                      .fatal = [](const std::string& why) { ADD_FAILURE() << why; }},
                     1, {});
  ASSERT_TRUE(maker.Take().ok());
  disk.SetCapacity(0);
  EXPECT_EQ(CodeOf(maker.Take().status()), ErrorCode::kDiskFull);
  disk.SetCapacity(uint64_t{1} << 40);
  const auto began = std::chrono::steady_clock::now();
  absl::StatusOr<std::shared_ptr<const Segment>> taken = maker.Take();
  while (!taken.ok() && std::chrono::steady_clock::now() - began < std::chrono::seconds(20)) {
    EXPECT_EQ(CodeOf(taken.status()), ErrorCode::kDiskFull);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    taken = maker.Take();
  }
  EXPECT_TRUE(taken.ok()) << taken.status();
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(4));
}

}  // namespace
}  // namespace quipu
