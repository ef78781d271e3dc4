// Several writes under way at once, to files past the page cache where the file system has that.
#include "storage/posix/aio_write_queue.h"

#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "base/error_code.h"
#include "gtest/gtest.h"
#include "storage/files.h"
#include "storage/journal/segment.h"
#include "tests/conformance/temporary_folder.h"

namespace quipu {
namespace {

constexpr size_t kPiece = size_t{256} << 10;
constexpr size_t kRounds = 3;

class AioWriteQueueTest : public testing::Test {
 protected:
  void SetUp() override {
    buffer_.reset(
        static_cast<char*>(std::aligned_alloc(kDirectAlignment, WriteQueue::kSlots * kPiece)));
    for (size_t slot = 0; slot < WriteQueue::kSlots; ++slot) {
      std::memset(buffer_.get() + slot * kPiece, static_cast<int>('a' + slot), kPiece);
    }
    // A write that makes a file longer is waited for at once.
    {
      const auto made = SystemFiles().Create(path_);
      ASSERT_TRUE(made.ok()) << made.status();
      ASSERT_TRUE(
          (*made)->WriteAt(0, std::string(kRounds * WriteQueue::kSlots * kPiece, '.')).ok());
      ASSERT_TRUE((*made)->Sync().ok());
    }
    auto file = SystemFiles().OpenDirect(path_);
    if (!file.ok() || *file == nullptr) file = SystemFiles().OpenExisting(path_);
    ASSERT_TRUE(file.ok()) << file.status();
    file_ = *std::move(file);
  }
  [[nodiscard]] std::string_view Piece(size_t slot) const {
    return {buffer_.get() + slot * kPiece, kPiece};
  }
  [[nodiscard]] absl::string_view View(size_t slot) const { return {Piece(slot).data(), kPiece}; }
  std::string Beginning(size_t bytes) {
    return SystemFiles().Read(path_).value_or("cannot be read").substr(0, bytes);
  }

  const conformance::TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/file";
  std::unique_ptr<char, AlignedDeleter> buffer_;
  std::unique_ptr<OpenFile> file_;
};

TEST_F(AioWriteQueueTest, WhatIsFinishedIsThereWhateverTheOrder) {
  const auto queue = NewAioWriteQueue();
  std::string expected;
  for (size_t round = 0; round < kRounds; ++round) {
    for (size_t slot = 0; slot < WriteQueue::kSlots; ++slot) {
      ASSERT_TRUE(queue->Begin(slot, *file_, expected.size(), View(slot)).ok());
      expected += Piece(slot);
    }
    for (size_t slot = WriteQueue::kSlots; slot-- > 0;) ASSERT_TRUE(queue->Finish(slot).ok());
    ASSERT_TRUE(file_->Sync().ok());
    EXPECT_TRUE(Beginning(expected.size()) == expected) << "round " << round;
  }
}

TEST_F(AioWriteQueueTest, ASlotWithoutAWriteIsFinished) {
  const auto queue = NewAioWriteQueue();
  EXPECT_TRUE(queue->Finish(0).ok());
  ASSERT_TRUE(queue->Begin(1, *file_, 0, View(1)).ok());
  EXPECT_TRUE(queue->Finish(1).ok());
  EXPECT_TRUE(queue->Finish(1).ok());
}

TEST_F(AioWriteQueueTest, TheEndOfAQueueWaitsForItsWrites) {
  {
    const auto queue = NewAioWriteQueue();
    for (size_t slot = 0; slot < WriteQueue::kSlots; ++slot) {
      ASSERT_TRUE(queue->Begin(slot, *file_, slot * kPiece, View(slot)).ok());
    }
  }
  std::string expected;
  for (size_t slot = 0; slot < WriteQueue::kSlots; ++slot) expected += Piece(slot);
  EXPECT_TRUE(Beginning(expected.size()) == expected);
}

TEST_F(AioWriteQueueTest, AWriteThatFailsNamesItsFileAndNoOther) {
  const auto read_only = SystemFiles().OpenForReading(path_);
  ASSERT_TRUE(read_only.ok());
  const auto queue = NewAioWriteQueue();
  ASSERT_TRUE(queue->Begin(0, *file_, 0, View(0)).ok());
  absl::Status failed = queue->Begin(1, **read_only, kPiece, View(1));
  if (failed.ok()) failed = queue->Finish(1);
  EXPECT_EQ(CodeOf(failed), ErrorCode::kStorageError) << failed;
  EXPECT_NE(failed.message().find(path_), std::string::npos) << failed;
  EXPECT_TRUE(queue->Finish(1).ok());
  EXPECT_TRUE(queue->Finish(0).ok());
  EXPECT_TRUE(Beginning(kPiece) == Piece(0));
}

// By a limit of the process, as by a disk that is full.
TEST_F(AioWriteQueueTest, AWriteThatIsCutShortSaysWhatHindersTheRest) {
  rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small = {.rlim_cur = kPiece / 2, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto queue = NewAioWriteQueue();
  absl::Status cut = queue->Begin(0, *file_, 0, View(0));
  if (cut.ok()) cut = queue->Finish(0);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, ignored);
  EXPECT_EQ(CodeOf(cut), ErrorCode::kStorageError) << cut;
  EXPECT_NE(cut.message().find("File too large"), std::string::npos) << cut;
  EXPECT_TRUE(Beginning(kPiece / 2) == Piece(0).substr(0, kPiece / 2));
  EXPECT_EQ(Beginning(kPiece).back(), '.');
}

// As where the kernel has no AIO left.
TEST_F(AioWriteQueueTest, WithoutAioAWriteIsDoneWhenItIsBegun) {
  WriteQueue queue;
  ASSERT_TRUE(queue.Begin(0, *file_, kPiece, View(1)).ok());
  EXPECT_TRUE(Beginning(2 * kPiece).substr(kPiece) == Piece(1));
  EXPECT_TRUE(queue.Finish(0).ok());
}

}  // namespace
}  // namespace quipu
