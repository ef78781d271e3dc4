// Goal: the disk that other tests trust to fail does fail, in every way that it names, and never
// loses what it may not lose. Method: small files by hand, many seeds where chance decides.
#include "tests/faultfs/fault_disk.h"

#include <algorithm>
#include <set>
#include <string>
#include <thread>

#include "base/error_code.h"
#include "gtest/gtest.h"
#include "rocksdb/env.h"
#include "tests/faultfs/fault_files.h"

namespace quipu::faultfs {
namespace {

class FaultDiskTest : public ::testing::Test {
 protected:
  // A file with `synced` durable, its name too, and `unsynced` behind it.
  FaultDisk::FilePtr Make(FaultDisk& disk, const std::string& path, const std::string& synced,
                          const std::string& unsynced = "") {
    FaultDisk::FilePtr file;
    EXPECT_EQ(disk.Create(path, file), DiskResult::kOk);
    EXPECT_EQ(disk.Append(*file, synced), DiskResult::kOk);
    EXPECT_EQ(disk.Sync(*file), DiskResult::kOk);
    EXPECT_EQ(disk.SyncFolder("/"), DiskResult::kOk);
    if (!unsynced.empty()) {
      EXPECT_EQ(disk.Append(*file, unsynced), DiskResult::kOk);
    }
    return file;
  }
  static std::string ContentOf(FaultDisk& disk, const std::string& path) {
    FaultDisk::FilePtr file;
    if (disk.Open(path, file) != DiskResult::kOk) return "(none)";
    std::string content;
    EXPECT_EQ(disk.ReadAt(*file, 0, 1 << 20, content), DiskResult::kOk);
    return content;
  }
  void LosePower(FaultDisk& disk, uint64_t seed) {
    disk.CutPower();
    disk.PowerOn(seed);
  }
  // Answers the calls of one kind with `fault`, `times` times.
  static void Plan(FaultDisk& disk, CallKind kind, Fault fault, int times = 1) {
    disk.SetHook([kind, fault, left = times](const Call& call) mutable {
      if (call.kind != kind || left == 0) return Fault::kNone;
      --left;
      return fault;
    });
  }
};

TEST_F(FaultDiskTest, SyncedBytesSurviveEveryPowerLoss) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    FaultDisk disk;
    Make(disk, "/a", "synced", std::string(2000, 'x'));
    LosePower(disk, seed);
    ASSERT_EQ(ContentOf(disk, "/a").substr(0, 6), "synced") << seed;
  }
}

TEST_F(FaultDiskTest, UnsyncedWritesAreLostKeptCutTornAndHoled) {
  LossCounts seen;
  std::set<std::string> outcomes;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    FaultDisk disk;
    const auto file = Make(disk, "/a", "s");
    for (const char fill : {'x', 'y', 'z'}) {
      ASSERT_EQ(disk.Append(*file, std::string(700, fill)), DiskResult::kOk);
    }
    LosePower(disk, seed);
    outcomes.insert(ContentOf(disk, "/a"));
    const LossCounts losses = disk.losses();
    seen.files_kept_whole += losses.files_kept_whole;
    seen.files_cut += losses.files_cut;
    seen.files_prefix += losses.files_prefix;
    seen.files_torn += losses.files_torn;
    seen.files_holed += losses.files_holed;
    seen.files_zero_length += losses.files_zero_length;
  }
  const std::string all =
      "s" + std::string(700, 'x') + std::string(700, 'y') + std::string(700, 'z');
  EXPECT_TRUE(outcomes.contains("s"));
  EXPECT_TRUE(outcomes.contains(all));
  EXPECT_TRUE(outcomes.contains(all.substr(0, 701)));
  // A later sector without the one before it.
  EXPECT_TRUE(std::any_of(outcomes.begin(), outcomes.end(), [](const std::string& content) {
    const size_t hole = content.find('\0');
    return hole != std::string::npos && content.find('z', hole) != std::string::npos;
  }));
  // The length without the data.
  EXPECT_TRUE(outcomes.contains("s" + std::string(2100, '\0')));
  for (const uint64_t count : {seen.files_kept_whole, seen.files_cut, seen.files_prefix,
                               seen.files_torn, seen.files_holed, seen.files_zero_length}) {
    EXPECT_GT(count, 0U);
  }
}

TEST_F(FaultDiskTest, ASectorNeverHoldsALaterWriteWithoutAnEarlierOne) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    FaultDisk disk;
    const auto file = Make(disk, "/a", "s");
    ASSERT_EQ(disk.Append(*file, "first"), DiskResult::kOk);
    ASSERT_EQ(disk.Append(*file, "second"), DiskResult::kOk);
    LosePower(disk, seed);
    const std::string content = ContentOf(disk, "/a");
    if (content.find('d') != std::string::npos) {
      ASSERT_EQ(content, "sfirstsecond");
    }
  }
}

TEST_F(FaultDiskTest, TheSameSeedLosesTheSame) {
  std::set<std::string> outcomes;
  for (int i = 0; i < 3; ++i) {
    FaultDisk disk;
    Make(disk, "/a", "s", std::string(5000, 'x'));
    LosePower(disk, 77);
    outcomes.insert(ContentOf(disk, "/a"));
  }
  EXPECT_EQ(outcomes.size(), 1U);
}

TEST_F(FaultDiskTest, SyncedFileIsLostWithItsUnsyncedName) {
  bool lost = false;
  bool kept = false;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    FaultDisk disk;
    FaultDisk::FilePtr file;
    ASSERT_EQ(disk.Create("/a", file), DiskResult::kOk);
    ASSERT_EQ(disk.Append(*file, "synced"), DiskResult::kOk);
    ASSERT_EQ(disk.Sync(*file), DiskResult::kOk);
    LosePower(disk, seed);
    const std::string content = ContentOf(disk, "/a");
    lost = lost || (content == "(none)" && disk.losses().synced_files_lost == 1);
    kept = kept || content == "synced";
  }
  EXPECT_TRUE(lost);
  EXPECT_TRUE(kept);
}

TEST_F(FaultDiskTest, UnsyncedRenamesAndRemovalsAreUndoneOrNotAndNeverHalf) {
  uint64_t renames = 0;
  uint64_t removals = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    FaultDisk disk;
    Make(disk, "/new", "new");
    Make(disk, "/current", "old");
    Make(disk, "/gone", "gone");
    ASSERT_EQ(disk.Rename("/new", "/current"), DiskResult::kOk);
    ASSERT_EQ(disk.Remove("/gone"), DiskResult::kOk);
    LosePower(disk, seed);
    if (disk.losses().renames_undone > 0) {
      ++renames;
      ASSERT_EQ(ContentOf(disk, "/current"), "old");
      ASSERT_EQ(ContentOf(disk, "/new"), "new");
    } else {
      ASSERT_EQ(ContentOf(disk, "/current"), "new");
      ASSERT_EQ(ContentOf(disk, "/new"), "(none)");
    }
    removals += disk.losses().removals_undone;
  }
  EXPECT_GT(renames, 0U);
  EXPECT_LT(renames, 60U);
  EXPECT_GT(removals, 0U);
}

TEST_F(FaultDiskTest, ChangesOfNamesSurviveInOrderUnlessAskedOtherwise) {
  bool out_of_order = false;
  for (const bool unordered : {false, true}) {
    for (uint64_t seed = 0; seed < 60; ++seed) {
      FaultDisk disk;
      disk.SetUnorderedNames(unordered);
      FaultDisk::FilePtr file;
      ASSERT_EQ(disk.Create("/first", file), DiskResult::kOk);
      ASSERT_EQ(disk.Create("/second", file), DiskResult::kOk);
      LosePower(disk, seed);
      const bool only_second =
          ContentOf(disk, "/first") == "(none)" && ContentOf(disk, "/second") != "(none)";
      ASSERT_TRUE(unordered || !only_second) << seed;
      out_of_order = out_of_order || only_second;
    }
  }
  EXPECT_TRUE(out_of_order);
}

TEST_F(FaultDiskTest, FolderIsLostWithAllThatIsInIt) {
  bool lost = false;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    FaultDisk disk;
    ASSERT_EQ(disk.MakeFolder("/f"), DiskResult::kOk);
    FaultDisk::FilePtr file;
    ASSERT_EQ(disk.Create("/f/a", file), DiskResult::kOk);
    ASSERT_EQ(disk.Append(*file, "x"), DiskResult::kOk);
    ASSERT_EQ(disk.Sync(*file), DiskResult::kOk);
    ASSERT_EQ(disk.SyncFolder("/f"), DiskResult::kOk);
    LosePower(disk, seed);
    lost = lost || ContentOf(disk, "/f/a") == "(none)";
  }
  EXPECT_TRUE(lost);
}

TEST_F(FaultDiskTest, FailedSyncIsFollowedByOneThatSaysOkAndTheDataIsGone) {
  FaultDisk disk;
  const auto file = Make(disk, "/a", "s", "unsynced");
  Plan(disk, CallKind::kSync, Fault::kIoError);
  EXPECT_EQ(disk.Sync(*file), DiskResult::kIoError);
  EXPECT_EQ(disk.Sync(*file), DiskResult::kOk);
  EXPECT_EQ(ContentOf(disk, "/a"), "sunsynced");  // from the cache
  LosePower(disk, 1);
  EXPECT_EQ(ContentOf(disk, "/a"), "s");
  EXPECT_EQ(disk.losses().writes_dropped, 1U);
}

TEST_F(FaultDiskTest, LyingSyncSaysOkAndMakesNothingDurable) {
  bool lost = false;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    FaultDisk disk;
    const auto file = Make(disk, "/a", "s", "unsynced");
    Plan(disk, CallKind::kSync, Fault::kLie);
    ASSERT_EQ(disk.Sync(*file), DiskResult::kOk);
    LosePower(disk, seed);
    lost = lost || ContentOf(disk, "/a") == "s";
  }
  EXPECT_TRUE(lost);
}

TEST_F(FaultDiskTest, FailedWriteMayHaveWrittenItsFirstHalf) {
  FaultDisk disk;
  const auto file = Make(disk, "/a", "s");
  Plan(disk, CallKind::kWrite, Fault::kIoError);
  EXPECT_EQ(disk.Append(*file, "123456"), DiskResult::kIoError);
  EXPECT_EQ(ContentOf(disk, "/a"), "s123");
}

TEST_F(FaultDiskTest, FullDiskRefusesWritesUntilSomethingIsRemoved) {
  FaultDisk disk;
  Make(disk, "/ballast", std::string(1000, 'b'));
  const auto file = Make(disk, "/a", "s");
  disk.SetCapacity(1500);
  EXPECT_EQ(disk.Append(*file, std::string(800, 'x')), DiskResult::kNoSpace);
  EXPECT_EQ(disk.Append(*file, std::string(99, 'x')), DiskResult::kOk);
  EXPECT_EQ(disk.used_bytes(), 1500U);
  FaultDisk::FilePtr other;
  EXPECT_EQ(disk.Create("/b", other), DiskResult::kNoSpace);
  EXPECT_EQ(disk.Remove("/ballast"), DiskResult::kOk);
  EXPECT_EQ(disk.SyncFolder("/"), DiskResult::kOk);
  EXPECT_EQ(disk.used_bytes(), 500U);
  EXPECT_EQ(disk.Append(*file, std::string(800, 'x')), DiskResult::kOk);
}

TEST_F(FaultDiskTest, ReadsFailComeShortFlippedAndFromElsewhere) {
  FaultDisk disk;
  const auto file = Make(disk, "/a", std::string(512, 'x') + std::string(512, 'y'));
  std::string got;
  Plan(disk, CallKind::kRead, Fault::kIoError);
  EXPECT_EQ(disk.ReadAt(*file, 0, 512, got), DiskResult::kIoError);
  Plan(disk, CallKind::kRead, Fault::kShortRead);
  ASSERT_EQ(disk.ReadAt(*file, 0, 512, got), DiskResult::kOk);
  EXPECT_EQ(got, std::string(256, 'x'));
  Plan(disk, CallKind::kRead, Fault::kFlippedBit);
  ASSERT_EQ(disk.ReadAt(*file, 0, 512, got), DiskResult::kOk);
  EXPECT_EQ(std::count(got.begin(), got.end(), 'x'), 511);
  Plan(disk, CallKind::kRead, Fault::kMisdirected);
  ASSERT_EQ(disk.ReadAt(*file, 0, 512, got), DiskResult::kOk);
  EXPECT_EQ(got, std::string(512, 'y'));
  EXPECT_EQ(disk.ReadAt(*file, 0, 512, got), DiskResult::kOk);
  EXPECT_EQ(got, std::string(512, 'x'));
  EXPECT_TRUE(disk.FlipStoredBit("/a", 3));
  EXPECT_NE(ContentOf(disk, "/a")[3], 'x');
}

TEST_F(FaultDiskTest, StalledCallReturnsWhenTheTestSaysSo) {
  FaultDisk disk;
  const auto file = Make(disk, "/a", "s", "unsynced");
  Plan(disk, CallKind::kSync, Fault::kStall);
  std::thread syncer([&] { EXPECT_EQ(disk.Sync(*file), DiskResult::kOk); });
  while (disk.stalled() == 0) std::this_thread::yield();
  EXPECT_EQ(ContentOf(disk, "/a"), "sunsynced");  // others go on
  disk.EndStalls();
  syncer.join();
  EXPECT_EQ(disk.stalled(), 0);
}

TEST_F(FaultDiskTest, PowerGoesInTheCallThatTheHookNames) {
  FaultDisk disk;
  const auto file = Make(disk, "/a", "s");
  const uint64_t next = disk.calls() + 1;
  disk.SetHook([next](const Call& call) {
    return call.number == next && call.kind != CallKind::kRead ? Fault::kPowerLoss : Fault::kNone;
  });
  EXPECT_EQ(disk.Append(*file, "torn"), DiskResult::kOk);
  EXPECT_FALSE(disk.has_power());
  // The process goes on in a world of its own, of which nothing remains.
  EXPECT_EQ(disk.Sync(*file), DiskResult::kOk);
  EXPECT_EQ(disk.Append(*file, "later"), DiskResult::kOk);
  disk.PowerOn(3);
  EXPECT_EQ(ContentOf(disk, "/a").find("later"), std::string::npos);
  EXPECT_EQ(disk.Append(*file, "x"), DiskResult::kStaleHandle);
}

TEST_F(FaultDiskTest, DeathOfTheProcessLosesNothing) {
  FaultDisk disk;
  const auto file = Make(disk, "/a", "s", "unsynced");
  disk.RestartProcess();
  EXPECT_EQ(ContentOf(disk, "/a"), "sunsynced");
  EXPECT_EQ(disk.Append(*file, "x"), DiskResult::kStaleHandle);
  LosePower(disk, 1);
  EXPECT_EQ(ContentOf(disk, "/a").substr(0, 1), "s");
}

TEST_F(FaultDiskTest, BothSeamsReachTheSameDisk) {
  FaultDisk disk;
  FaultFiles files(disk);
  const std::unique_ptr<rocksdb::Env> env = NewFaultEnv(disk);
  ASSERT_TRUE(WriteFileDurably(files, "/a", "content").ok());
  uint64_t size = 0;
  ASSERT_TRUE(env->GetFileSize("/a", &size).ok());
  EXPECT_EQ(size, 7U);
  EXPECT_TRUE(env->FileExists("/b").IsNotFound());
  EXPECT_EQ(CodeOf(files.Read("/b").status()), ErrorCode::kResourceNotFound);
  LosePower(disk, 5);
  EXPECT_EQ(*files.Read("/a"), "content");
  Plan(disk, CallKind::kSync, Fault::kIoError);
  EXPECT_EQ(CodeOf(WriteFileDurably(files, "/a", "other")), ErrorCode::kStorageError);
  EXPECT_EQ(*files.Read("/a"), "content");
}

}  // namespace
}  // namespace quipu::faultfs
