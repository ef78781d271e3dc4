// Goal: no schedule of losses, repetitions, reorderings, partitions, crashes, slow and lost disks
// and changes of voters breaks the Raft invariants, and a healed quorum always comes back to work.
// Method: seeds of the Raft-only simulation (tests/simulation/raft_only).
// QUIPU_RAFT_SEEDS=first-last in the environment runs other seeds; `quipu-sim --raft-only --seed N`
// replays one.

#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/check.h"
#include "gtest/gtest.h"
#include "tests/simulation/raft_only/raft_run.h"

namespace quipu {
namespace {

TEST(RandomClusterTest, NoScheduleOfFaultsBreaksTheRaftInvariants) {
  uint64_t first = 1;
  uint64_t last = 300;
  if (const char* range = std::getenv("QUIPU_RAFT_SEEDS")) {
    const std::vector<std::string> ends = absl::StrSplit(range, '-');
    ASSERT_TRUE(ends.size() == 2 && absl::SimpleAtoi(ends[0], &first) &&
                absl::SimpleAtoi(ends[1], &last) && first <= last);
  }
  std::map<std::string, uint64_t> totals;
  for (uint64_t seed = first; seed <= last; ++seed) {
    const sim::RaftRunResult result = sim::RunRaftSeed(seed);
    ASSERT_FALSE(result.violation.has_value())
        << "seed " << seed << ": " << result.violation->id << ": " << result.violation->what;
    for (const auto& [name, count] : result.coverage) totals[name] += count;
  }
  SetCheckFailureHandler(nullptr);  // death tests follow
  // The schedules are not so hostile that nothing ever happens.
  const uint64_t runs = last - first + 1;
  EXPECT_GT(totals["commands.acknowledged"], 16 * runs);
  EXPECT_GT(totals["reads.answered"], 3 * runs);
  EXPECT_GT(totals["fault.crash"], 3 * runs);
}

TEST(RandomClusterTest, TheSameSeedGivesTheSameRun) {
  EXPECT_EQ(sim::RunRaftSeed(7).trace_hash, sim::RunRaftSeed(7).trace_hash);
  EXPECT_NE(sim::RunRaftSeed(7).trace_hash, sim::RunRaftSeed(8).trace_hash);
  SetCheckFailureHandler(nullptr);
}

}  // namespace
}  // namespace quipu
