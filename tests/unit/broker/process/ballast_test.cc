// Goal: the ballast gives its space away when the disk is full, takes it back when there is room,
// and never makes producers believe in space that is only lent. Method: a real folder, and free
// bytes by hand.
#include "broker/process/ballast.h"

#include <filesystem>

#include "gtest/gtest.h"
#include "tests/conformance/temporary_folder.h"

namespace quipu {
namespace {

constexpr int64_t kBytes = 1 << 20;
constexpr int64_t kMark = 10 * kBytes;

class BallastTest : public ::testing::Test {
 protected:
  [[nodiscard]] bool there() const { return std::filesystem::exists(path_); }
  [[nodiscard]] Ballast Make(int64_t bytes = kBytes) const {
    return Ballast({.path = path_, .bytes = bytes, .mark = kMark});
  }
  conformance::TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/ballast";
};

TEST_F(BallastTest, IsMadeOfRealBlocksWhenThereIsRoom) {
  Ballast ballast = Make();
  EXPECT_EQ(ballast.Keep(kMark + 5 * kBytes), kMark + 4 * kBytes);
  EXPECT_EQ(ballast.held_bytes(), kBytes);
  EXPECT_EQ(std::filesystem::file_size(path_), static_cast<uintmax_t>(kBytes));
  // A process that starts again finds it.
  EXPECT_EQ(Make().held_bytes(), kBytes);
}

TEST_F(BallastTest, IsNotMadeOfWhatProducersAreRefused) {
  Ballast ballast = Make();
  EXPECT_EQ(ballast.Keep(kMark + kBytes - 1), kMark - 1);
  EXPECT_FALSE(there());
}

TEST_F(BallastTest, IsReleasedWhenLessThanItsSizeIsLeftAndDoesNotCountAsFree) {
  Ballast ballast = Make();
  ballast.Keep(2 * kMark);
  EXPECT_EQ(ballast.Keep(kBytes), kBytes);
  EXPECT_TRUE(there());
  EXPECT_EQ(ballast.Keep(kBytes / 2), kBytes / 2);
  EXPECT_FALSE(there());
  // What is free now was lent: producers stay out until there is room without it.
  EXPECT_EQ(ballast.Keep(kMark + kBytes / 2), kMark - kBytes / 2);
  EXPECT_FALSE(there());
  EXPECT_EQ(ballast.Keep(kMark + kBytes), kMark);
  EXPECT_TRUE(there());
}

TEST_F(BallastTest, AStartOnAFullDiskReleasesIt) {
  Make().Keep(2 * kMark);
  ASSERT_TRUE(there());
  Make().Keep(0);
  EXPECT_FALSE(there());
}

TEST_F(BallastTest, NoneIsKeptWhenSwitchedOffAndOneThatIsThereGoes) {
  Make().Keep(2 * kMark);
  Ballast ballast = Make(0);
  EXPECT_FALSE(there());
  EXPECT_EQ(ballast.Keep(2 * kMark), 2 * kMark);
  EXPECT_FALSE(there());
}

TEST_F(BallastTest, OtherSizeIsMadeAnew) {
  Make().Keep(2 * kMark);
  Ballast ballast = Make(2 * kBytes);
  ballast.Keep(2 * kMark);
  EXPECT_EQ(std::filesystem::file_size(path_), static_cast<uintmax_t>(2 * kBytes));
}

TEST_F(BallastTest, WhereNothingCanBeMadeEverythingFreeCounts) {
  Ballast ballast({.path = folder_.path() + "/missing/ballast", .bytes = kBytes, .mark = kMark});
  ballast.Keep(2 * kMark);
  EXPECT_EQ(ballast.Keep(kMark), kMark);
}

}  // namespace
}  // namespace quipu
