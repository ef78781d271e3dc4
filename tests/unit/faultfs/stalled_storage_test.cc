// Goal: while the disk does not answer nothing is acknowledged, the wait can be seen from outside
// and is judged as D6 says, and afterwards everything goes on. Method: a broker's storage over a
// disk that stalls in the sync of the write-ahead log until the test lets it go.
#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "rocksdb/env.h"
#include "runtime/disk_stall.h"
#include "storage/data_directory.h"
#include "storage/rocksdb/open_storage.h"
#include "tests/faultfs/fault_disk.h"
#include "tests/faultfs/fault_files.h"

namespace quipu {
namespace {

using faultfs::Call;
using faultfs::CallKind;
using faultfs::Fault;
using std::chrono::milliseconds;

// Whether it becomes true within a minute.
bool Within(const std::function<bool()>& condition) {
  for (int i = 0; i < 60'000 && !condition(); ++i) std::this_thread::sleep_for(milliseconds(1));
  return condition();
}

TEST(StalledStorageTest, NothingIsAcknowledgedAndTheWaitIsJudgedUntilTheDiskAnswers) {
  faultfs::FaultDisk disk;
  faultfs::FaultFiles files(disk);
  const std::unique_ptr<rocksdb::Env> env = faultfs::NewFaultEnv(disk);
  const DirectoryIdentity identity{.cluster_id = ClusterId(1, 2),
                                   .role = NodeRole::kBroker,
                                   .node_id = 1,
                                   .directory_id = DirectoryId(3, 4),
                                   .voters = {}};
  ASSERT_TRUE(FormatDirectory("/data", identity, files).ok());
  std::atomic<bool> ended = false;
  OpenStorageOptions options;
  options.path = "/data";
  options.fatal = [&ended](const std::string& /*reason*/) { ended = true; };
  options.files = &files;
  options.env = env.get();
  absl::StatusOr<BrokerStorage> storage = OpenBrokerStorage(options);
  ASSERT_TRUE(storage.ok()) << storage.status();

  disk.SetHook([](const Call& call) {
    const bool stalls = call.kind == CallKind::kSync && absl::EndsWith(call.path, ".log");
    return stalls ? Fault::kStall : Fault::kNone;
  });
  std::atomic<bool> acknowledged = false;
  storage->writer->RunOnWriter([&acknowledged](LogStore& store) {
    EXPECT_TRUE(store.PutValue("newest", "1").ok());
    acknowledged = true;
  });
  ASSERT_TRUE(Within([&] { return disk.stalled() > 0; }));

  DiskStall watch({.shed = milliseconds(30), .exit = milliseconds(120)});
  std::vector<DiskStall::Verdict> verdicts;
  while (verdicts.empty() || verdicts.back() != DiskStall::Verdict::kExit) {
    const Instant now{std::chrono::steady_clock::now().time_since_epoch()};
    const auto verdict = watch.Look(now, storage->writer->WriteInProgressFor());
    if (verdicts.empty() || verdicts.back() != verdict) verdicts.push_back(verdict);
    ASSERT_FALSE(acknowledged);
  }
  EXPECT_EQ(verdicts, (std::vector{DiskStall::Verdict::kHealthy, DiskStall::Verdict::kStalled,
                                   DiskStall::Verdict::kExit}));

  disk.SetHook({});
  disk.EndStalls();
  EXPECT_TRUE(Within([&] { return acknowledged.load(); }));
  EXPECT_TRUE(Within([&] { return storage->writer->WriteInProgressFor() == Duration(0); }));
  EXPECT_FALSE(ended);
}

}  // namespace
}  // namespace quipu
