// Goal: the quorum's behaviour in well-known situations reads as text and changes only on purpose.
// Method: every file of tests/scenario/raft is run and compared with the account it holds. With
// QUIPU_UPDATE_SCENARIOS=1 in the environment the files are rewritten; read the difference.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "gtest/gtest.h"
#include "tests/unit/core/raft/scenario_interpreter.h"

namespace quipu {
namespace {

class ScenarioTest : public testing::TestWithParam<std::string> {};

TEST_P(ScenarioTest, HappensAsWritten) {
  const std::string path =
      std::string(QUIPU_SOURCE_DIR "/tests/scenario/raft/") + GetParam() + ".txt";
  std::ifstream in(path);
  ASSERT_TRUE(in.good()) << path;
  std::stringstream text;
  text << in.rdbuf();
  const std::string actual = RunScenario(text.str());
  if (std::getenv("QUIPU_UPDATE_SCENARIOS") != nullptr) {
    std::ofstream(path) << actual;
    return;
  }
  EXPECT_EQ(actual, text.str());
}

INSTANTIATE_TEST_SUITE_P(Raft, ScenarioTest,
                         testing::Values("election", "replication", "conflict", "snapshot",
                                         "prevote_and_checkquorum", "partial_partition",
                                         "read_index", "late_append_completion", "restart",
                                         "same_id_new_disk", "single_server_change",
                                         "removed_server", "rolled_back_configuration",
                                         "removed_leader_restarts", "membership_partition_kill"),
                         [](const auto& test) { return test.param; });

TEST(ScenarioFilesTest, EveryFileIsRun) {
  size_t files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(QUIPU_SOURCE_DIR "/tests/scenario/raft")) {
    files += entry.path().extension() == ".txt" ? 1 : 0;
  }
  EXPECT_EQ(files, 15U);
}

TEST(ScenarioInterpreterTest, ACommandThatIsNotUnderstoodShowsInTheAccount) {
  EXPECT_EQ(RunScenario("cluster 1\nfly 1\n----\n"), "cluster 1\nfly 1\n----\n? fly 1\n");
}

}  // namespace
}  // namespace quipu
