// Goal: an answer of many replies asks for a bounded number of them at a time, whoever replies
// when.
#include "broker/kafka/gather.h"

#include <gtest/gtest.h>

#include <optional>

namespace quipu::kafka {
namespace {

using Slots = std::vector<size_t>;

TEST(KafkaGatherTest, NoMoreThanAllowedAreUnderWay) {
  std::vector<std::pair<Gather<Slots>::Ptr, size_t>> asked;
  std::optional<Slots> answer;
  Gather<Slots>::Run(
      Slots(10), 10, 3,
      [&asked](const Gather<Slots>::Ptr& gather, size_t slot) { asked.emplace_back(gather, slot); },
      [&answer](Slots all) { answer = std::move(all); });
  for (size_t done = 0; done < 10; ++done) {
    EXPECT_EQ(asked.size(), std::min<size_t>(done + 3, 10));
    EXPECT_FALSE(answer.has_value());
    const auto [gather, slot] = asked[done];
    gather->Complete([slot = slot](Slots& all) { all[slot] = slot + 1; });
  }
  EXPECT_EQ(answer, (Slots{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
}

TEST(KafkaGatherTest, RepliesAtOnceDoNotNest) {
  constexpr size_t kMany = 1000000;
  std::optional<size_t> answer;
  Gather<size_t>::Run(
      0, kMany, 2,
      [](const Gather<size_t>::Ptr& gather, size_t /*slot*/) {
        gather->Complete([](size_t& sum) { ++sum; });
      },
      [&answer](size_t sum) { answer = sum; });
  EXPECT_EQ(answer, kMany);
}

TEST(KafkaGatherTest, WithNothingToAskForItIsAnsweredAtOnce) {
  std::optional<int> answer;
  Gather<int>::Run(
      7, 0, 1, [](const Gather<int>::Ptr&, size_t) { FAIL(); },
      [&answer](int all) { answer = all; });
  EXPECT_EQ(answer, 7);
}

}  // namespace
}  // namespace quipu::kafka
