// Where segments come from and go to: ids that rise, files that are used again and no more of them
// than there may be, and none while somebody holds it.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/error_code.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/journal/segment.h"
#include "storage/posix/posix_file.h"
#include "tests/conformance/temporary_folder.h"

namespace quipu {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kBytes = 16 << 10;

class SegmentMakerTest : public ::testing::Test {
 protected:
  void Start(size_t spares_max, uint64_t next_id = 5, std::vector<std::string> spares = {},
             size_t spares_ahead = 0, uint64_t segment_bytes = kBytes) {
    maker_ = std::make_unique<SegmentMaker>(
        SegmentMaker::Options{.files = &SystemFiles(),
                              .folder = folder_.path(),
                              .directory_id = id_,
                              .segment_bytes = segment_bytes,
                              .spares_max = spares_max,
                              .spares_ahead = spares_ahead,
                              .fatal = [this](const std::string& why) { fatal_ = why; }},
        next_id, std::move(spares));
  }
  std::shared_ptr<const Segment> Take() {
    auto taken = maker_->Take();
    EXPECT_TRUE(taken.ok()) << taken.status();
    return *std::move(taken);
  }
  std::shared_ptr<const Segment> TakeOfSize(uint64_t bytes) {
    auto taken = maker_->TakeOfSize(bytes);
    EXPECT_TRUE(taken.ok()) << taken.status();
    return *std::move(taken);
  }
  [[nodiscard]] std::string PathOf(const std::string& name) const {
    return absl::StrCat(folder_.path(), "/", name);
  }
  [[nodiscard]] std::vector<std::string> Names() const {
    return SystemFiles().List(folder_.path()).value();
  }
  // What the file says that it is.
  void ExpectWhole(const Segment& segment) const {
    EXPECT_EQ(segment.path, PathOf(SegmentFileName(segment.id)));
    const std::string content = SystemFiles().Read(segment.path).value_or("");
    EXPECT_EQ(content.size(), segment.bytes);
    const auto header = DecodeSegmentHeader(content);
    ASSERT_TRUE(header.has_value());
    EXPECT_EQ(header->segment, segment.id);
    EXPECT_EQ(header->bytes, segment.bytes);
    EXPECT_EQ(header->directory_id, id_);
  }
  // Beside `others` files; later what is free stays free.
  void WaitUntilOneIsReady(size_t others) {
    ASSERT_TRUE(Eventually([&] {
      const std::vector<std::string> names = Names();
      return names.size() == others + 1 &&
             std::all_of(names.begin(), names.end(), SegmentOfFileName);
    }));
  }
  // The deadline only bounds a failing test.
  static bool Eventually(const std::function<bool()>& condition) {
    for (int i = 0; i < 20'000 && !condition(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return condition();
  }

  conformance::TemporaryFolder folder_;
  DirectoryId id_{1, 2};
  std::string fatal_;  // read after the maker has ended
  std::unique_ptr<SegmentMaker> maker_;
};

TEST_F(SegmentMakerTest, SegmentsComeWithRisingIdsAndWhole) {
  Start(2);
  for (uint64_t id = 5; id < 9; ++id) {
    const auto segment = Take();
    EXPECT_EQ(segment->id, id);
    EXPECT_EQ(segment->bytes, kBytes);
    ExpectWhole(*segment);
  }
}

// Ids say the order of groups: what was ready when a large one was asked for is not used behind it.
TEST_F(SegmentMakerTest, ALargeOneComesBehindAllBeforeItAndBeforeAllBehind) {
  Start(4);
  uint64_t last = Take()->id;
  for (int i = 0; i < 20; ++i) {
    const auto large = i % 3 == 0 ? Take() : TakeOfSize(3 * kBytes);
    EXPECT_GT(large->id, last);
    last = large->id;
    ExpectWhole(*large);
  }
}

TEST_F(SegmentMakerTest, AFreeOneIsUsedAgainUnderAnIdThatNoneHad) {
  Start(1);
  auto first = Take();
  const uint64_t first_id = first->id;
  const auto second = Take();
  {
    auto file = SystemFiles().OpenExisting(first->path);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->WriteAt(kSegmentHeadBytes, "groups of its former life").ok());
  }
  WaitUntilOneIsReady(2);
  maker_->GiveBack(std::move(first));
  ASSERT_TRUE(Eventually([&] { return fs::exists(PathOf(absl::StrCat("spare-", first_id))); }));
  EXPECT_EQ(Take()->id, second->id + 1);  // that was ready
  const auto taken = Take();
  EXPECT_EQ(maker_->stats().recycled, 1U);
  EXPECT_EQ(taken->id, second->id + 2);
  ExpectWhole(*taken);
  EXPECT_THAT(SystemFiles().Read(taken->path).value(), ::testing::HasSubstr("former life"));
  EXPECT_FALSE(fs::exists(PathOf(SegmentFileName(first_id))));
}

TEST_F(SegmentMakerTest, NoMoreAreKeptThanMayBe) {
  Start(2);
  std::vector<std::shared_ptr<const Segment>> taken;
  for (int i = 0; i < 6; ++i) taken.push_back(Take());
  WaitUntilOneIsReady(6);
  for (auto& segment : taken) maker_->GiveBack(std::move(segment));
  EXPECT_TRUE(Eventually([&] { return maker_->stats().removed == 4; }));
  EXPECT_EQ(maker_->stats().free, 2U);
  EXPECT_EQ(maker_->stats().free_bytes, 2 * kBytes);
  EXPECT_EQ(Names().size(), 3U);  // and the one that is ready
}

TEST_F(SegmentMakerTest, ALargeOneIsNotKept) {
  Start(4);
  auto large = TakeOfSize(3 * kBytes);
  const std::string path = large->path;
  maker_->GiveBack(std::move(large));
  EXPECT_TRUE(Eventually([&] { return maker_->stats().removed == 1; }));
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(SegmentMakerTest, WhatSomebodyHoldsStaysAsItIs) {
  Start(4);
  auto segment = Take();
  const std::shared_ptr<const Segment> held = segment;
  auto other = Take();
  const std::string other_path = other->path;
  maker_->GiveBack(std::move(segment));
  maker_->GiveBack(std::move(other));
  EXPECT_TRUE(Eventually([&] { return !fs::exists(other_path); }));
  ExpectWhole(*held);
  EXPECT_GE(maker_->stats().free, 1U);
}

TEST_F(SegmentMakerTest, SparesOfAFormerProcessAreUsedFirst) {
  ASSERT_TRUE(WriteFileDurably(SystemFiles(), PathOf("spare-3"), std::string(kBytes, 'x')).ok());
  Start(4, 9, {PathOf("spare-3")});
  const auto segment = Take();
  EXPECT_EQ(segment->id, 9U);
  ExpectWhole(*segment);
  EXPECT_EQ(maker_->stats().recycled, 1U);
  EXPECT_FALSE(fs::exists(PathOf("spare-3")));
}

// Zeros for later leave the disk to the groups; what is needed soon, or now, is made at once.
TEST_F(SegmentMakerTest, TheNextKeepsAheadOfTheUseOfThePresentOne) {
  constexpr uint64_t kLarge = 32 << 20;  // 128 pieces: 6.4 s without any use
  const auto now = [] { return std::chrono::steady_clock::now(); };
  Start(0, 5, {}, 0, kLarge);
  ExpectWhole(*Take());
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_EQ(maker_->stats().made, 1U);
  auto began = now();
  maker_->Used(kLarge / 4);
  EXPECT_TRUE(Eventually([&] { return maker_->stats().made == 2; }));
  EXPECT_LT(now() - began, std::chrono::seconds(4));
  ExpectWhole(*Take());
  began = now();
  ExpectWhole(*Take());
  EXPECT_LT(now() - began, std::chrono::seconds(4));
}

// A broker that takes little keeps no more than it needs.
TEST_F(SegmentMakerTest, SparesAreMadeAheadOnceASegmentHasFilled) {
  Start(3, 5, {}, 3);
  std::vector<std::shared_ptr<const Segment>> taken{Take()};
  WaitUntilOneIsReady(1);
  EXPECT_EQ(maker_->stats().free, 0U);
  taken.push_back(Take());
  ASSERT_TRUE(Eventually([&] { return maker_->stats().free == 3; }));
  EXPECT_EQ(maker_->stats().made, 6U);  // two in use, one ready
  uint64_t last = taken.back()->id;
  for (int i = 0; i < 9; ++i) {
    taken.push_back(Take());
    EXPECT_GT(taken.back()->id, last);
    last = taken.back()->id;
    ExpectWhole(*taken.back());
  }
  ASSERT_TRUE(Eventually([&] { return maker_->stats().free == 3; }));
  EXPECT_EQ(maker_->stats().recycled, 0U);
  for (auto& segment : taken) maker_->GiveBack(std::move(segment));
  ASSERT_TRUE(Eventually([&] { return maker_->stats().removed == 11; }));
  EXPECT_EQ(maker_->stats().free, 3U);
}

TEST_F(SegmentMakerTest, SparesAreMadeSlowlyWithoutUse) {
  constexpr uint64_t kLarge = 16 << 20;  // 64 pieces: 3.2 s without any use
  Start(3, 5, {}, 3, kLarge);
  const std::vector<std::shared_ptr<const Segment>> taken{Take(), Take()};
  maker_->Used(kLarge / 4);
  ASSERT_TRUE(Eventually([&] { return maker_->stats().made == 3; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_EQ(maker_->stats().free, 0U);
}

// What was begun for want of a segment takes no room beside one that came back.
TEST_F(SegmentMakerTest, WhatIsHalfMadeGoesWhenASegmentComesBack) {
  constexpr uint64_t kLarge = 16 << 20;  // 64 pieces: 3.2 s without any use
  const auto half_made = [this] {
    const std::vector<std::string> names = Names();
    return std::any_of(names.begin(), names.end(),
                       [](const std::string& name) { return name.starts_with("spare-new-"); });
  };
  for (const size_t ahead : {size_t{0}, size_t{1}}) {
    Start(4, 5, {}, ahead, kLarge);
    std::vector<std::shared_ptr<const Segment>> taken{Take(), Take()};
    if (ahead > 0) {
      maker_->Used(kLarge / 4);
      ASSERT_TRUE(Eventually([&] { return maker_->stats().made == 3; }));
    }
    ASSERT_TRUE(Eventually(half_made));
    maker_->GiveBack(std::move(taken.front()));
    EXPECT_TRUE(Eventually([&] { return !half_made(); })) << "ahead: " << ahead;
    EXPECT_EQ(maker_->stats().made, 2U + ahead);
    ExpectWhole(*Take());
    maker_.reset();
    for (const std::string& name : Names()) fs::remove(PathOf(name));
  }
}

TEST_F(SegmentMakerTest, NoneIsMadeAheadWhereAllWouldTakeMoreThanASixteenthOfWhatIsFree) {
  const size_t more = static_cast<size_t>(DiskFreeBytes(folder_.path()).value()) / kBytes / 8;
  Start(more, 5, {}, more);
  std::vector<std::shared_ptr<const Segment>> taken{Take(), Take(), Take()};
  WaitUntilOneIsReady(3);
  EXPECT_EQ(maker_->stats().made, 4U);
  EXPECT_EQ(maker_->stats().free, 0U);
}

// Where retention frees as much as is taken, no zeros are written.
TEST_F(SegmentMakerTest, NoneIsMadeAheadWhileSegmentsComeBack) {
  Start(3, 5, {}, 3);
  std::vector<std::shared_ptr<const Segment>> taken{Take(), Take()};
  ASSERT_TRUE(Eventually([&] { return maker_->stats().free == 3; }));
  const uint64_t made = maker_->stats().made;
  for (int i = 0; i < 20; ++i) {
    maker_->GiveBack(std::exchange(taken.front(), taken.back()));
    taken.back() = Take();
  }
  EXPECT_EQ(maker_->stats().made, made);
  // Where too few come back, one is made at once for each that is missing.
  for (int i = 0; i < 6; ++i) taken.push_back(Take());
  WaitUntilOneIsReady(taken.size());
  EXPECT_GT(maker_->stats().made, made);
  EXPECT_EQ(maker_->stats().free, 0U);
}

TEST_F(SegmentMakerTest, AFailureEndsTheProcessAndIsToldToWhoeverWaits) {
  fs::remove_all(folder_.path());
  Start(1);
  EXPECT_EQ(CodeOf(maker_->Take().status()), ErrorCode::kStorageError);
  EXPECT_EQ(CodeOf(maker_->TakeOfSize(3 * kBytes).status()), ErrorCode::kStorageError);
  maker_.reset();
  EXPECT_NE(fatal_, "");
}

}  // namespace
}  // namespace quipu
