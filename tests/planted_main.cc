// The main function of a test program over the `_planted` libraries: the same tests, with one
// safety rule taken away.
//   QUIPU_PLANT=ack-before-sync build/release/tests/core_replication_test_planted
// Without QUIPU_PLANT nothing is taken away. Ends with 2 when there is no such planted bug.
#include <gmock/gmock.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/planted_bug.h"

namespace {

bool Plant(std::string_view name) {
  for (int i = 0; i < quipu::kPlantedBugCount; ++i) {
    const auto bug = static_cast<quipu::PlantedBug>(i);
    if (name != quipu::PlantedBugName(bug)) continue;
    quipu::SetPlantedBug(bug);
    return true;
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  const char* name = std::getenv("QUIPU_PLANT");
  if (name != nullptr && !Plant(name)) {
    std::fprintf(stderr, "no planted bug '%s'\n", name);
    return 2;
  }
  return RUN_ALL_TESTS();
}
