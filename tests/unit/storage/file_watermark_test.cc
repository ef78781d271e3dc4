// Goal: the watermark file survives a torn write and never gives a damaged number.
// Method: a real file, damaged between closing and opening.
#include "storage/file_watermark.h"

#include <filesystem>
#include <fstream>

#include "base/error_code.h"
#include "gtest/gtest.h"
#include "tests/conformance/temporary_folder.h"

namespace quipu {
namespace {

class FileWatermarkTest : public ::testing::Test {
 protected:
  FileWatermarkTest() { EXPECT_TRUE(FileWatermark::Create(path_).ok()); }
  std::unique_ptr<FileWatermark> Open() {
    auto file = FileWatermark::Open(path_);
    EXPECT_TRUE(file.ok()) << file.status();
    return file.ok() ? *std::move(file) : nullptr;
  }
  void Damage(size_t slot) {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(slot * 4096 + 15));
    file.put('\x5A');
  }

  conformance::TemporaryFolder folder_;
  std::string path_ = folder_.path() + "/watermark";
};

TEST_F(FileWatermarkTest, NewFileSaysNothing) {
  EXPECT_EQ(Open()->last_group(), 0U);
  EXPECT_EQ(Open()->broker_epoch(), kNoBrokerEpoch);
}

TEST_F(FileWatermarkTest, BothValuesAreKept) {
  auto file = Open();
  ASSERT_TRUE(file->StoreLastGroup(7).ok());
  ASSERT_TRUE(file->StoreBrokerEpoch(BrokerEpoch(42)).ok());
  ASSERT_TRUE(file->StoreLastGroup(8).ok());
  file = Open();
  EXPECT_EQ(file->last_group(), 8U);
  EXPECT_EQ(file->broker_epoch(), BrokerEpoch(42));
}

TEST_F(FileWatermarkTest, LowerGroupIsIgnored) {
  auto file = Open();
  ASSERT_TRUE(file->StoreLastGroup(7).ok());
  ASSERT_TRUE(file->StoreLastGroup(5).ok());
  EXPECT_EQ(Open()->last_group(), 7U);
}

TEST_F(FileWatermarkTest, TornWriteCostsOnlyTheNewestValue) {
  auto file = Open();                         // sequence 1 in slot 1
  ASSERT_TRUE(file->StoreLastGroup(7).ok());  // slot 0
  ASSERT_TRUE(file->StoreLastGroup(8).ok());  // slot 1
  file.reset();
  Damage(1);
  file = Open();
  EXPECT_EQ(file->last_group(), 7U);
  ASSERT_TRUE(file->StoreLastGroup(9).ok());
  EXPECT_EQ(Open()->last_group(), 9U);
}

TEST_F(FileWatermarkTest, TwoDamagedSlotsProveNothing) {
  ASSERT_TRUE(Open()->StoreLastGroup(7).ok());
  Damage(0);
  Damage(1);
  EXPECT_EQ(CodeOf(FileWatermark::Open(path_).status()), ErrorCode::kUnprovenDirectory);
}

TEST_F(FileWatermarkTest, MissingOrCutFileProvesNothing) {
  std::filesystem::resize_file(path_, 5000);
  EXPECT_EQ(CodeOf(FileWatermark::Open(path_).status()), ErrorCode::kUnprovenDirectory);
  std::filesystem::remove(path_);
  EXPECT_EQ(CodeOf(FileWatermark::Open(path_).status()), ErrorCode::kUnprovenDirectory);
}

}  // namespace
}  // namespace quipu
