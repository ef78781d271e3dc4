// Goal: equal states have equal fingerprints, and every value, its place and its length count.
#include "base/fingerprint.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>

namespace quipu {
namespace {

using std::chrono::seconds;
constexpr Instant kNow{seconds(100)};

std::pair<uint64_t, uint64_t> Of(const std::function<void(Fingerprint&)>& fill) {
  Fingerprint state(kNow, seconds(10));
  fill(state);
  return state.value();
}

struct Machine {
  Offset end;
  std::vector<int> members;
  void AddTo(Fingerprint& state) const { state.Add(end, members); }
};

TEST(FingerprintTest, EqualStatesAreEqual) {
  const auto fill = [](Fingerprint& state) { state.Add(Machine{Offset(3), {1, 2}}, true); };
  EXPECT_EQ(Of(fill), Of(fill));
}

TEST(FingerprintTest, EveryDifferenceCounts) {
  const std::vector<std::function<void(Fingerprint&)>> states = {
      [](Fingerprint&) {},
      [](Fingerprint& s) { s.Add(7); },
      [](Fingerprint& s) { s.Add(1, 2); },
      [](Fingerprint& s) { s.Add(2, 1); },
      [](Fingerprint& s) { s.Add(Machine{Offset(3), {1, 2}}); },
      [](Fingerprint& s) { s.Add(Machine{Offset(3), {1}}, 2); },
      [](Fingerprint& s) { s.Add(Machine{Offset(4), {1, 2}}); },
      [](Fingerprint& s) { s.Add(absl::string_view("payment")); },
      [](Fingerprint& s) { s.Add(absl::string_view("payment\0", 8)); },
      [](Fingerprint& s) { s.Add(absl::string_view("a long payment")); },
      [](Fingerprint& s) { s.Add(std::optional<Offset>()); },
      [](Fingerprint& s) { s.Add(std::optional<Offset>(Offset(0))); },
  };
  std::set<std::pair<uint64_t, uint64_t>> values;
  for (const auto& state : states) values.insert(Of(state));
  EXPECT_EQ(values.size(), states.size());
}

TEST(FingerprintTest, InstantsCountByWhatTheyDecide) {
  const auto at = [](Duration distance) {
    return Of([distance](Fingerprint& state) { state.Add(kNow + distance); });
  };
  EXPECT_EQ(at(seconds(-11)), at(seconds(-1000)));
  EXPECT_EQ(at(seconds(0)), at(seconds(-9)));
  EXPECT_EQ(at(seconds(1)), at(seconds(10)));
  EXPECT_EQ(at(seconds(11)), at(seconds(1000)));
  const std::set<std::pair<uint64_t, uint64_t>> kinds = {at(seconds(-11)), at(seconds(0)),
                                                         at(seconds(1)), at(seconds(11))};
  EXPECT_EQ(kinds.size(), 4U);
}

TEST(FingerprintTest, InstantsCountUntilTimeIsIgnored) {
  const auto at = [](Duration distance) {
    return Of([distance](Fingerprint& state) {
      state.IgnoreTime();
      state.Add(7, kNow + distance);
    });
  };
  EXPECT_EQ(at(seconds(0)), at(seconds(1000)));
}

TEST(FingerprintTest, NamedEpochsCountByWhichAreEqual) {
  const auto of = [](std::vector<int> epochs, EpochNames& names) {
    Fingerprint state(kNow, seconds(10), &names);
    for (const int epoch : epochs) state.Add(LeaderEpoch(epoch));
    return state.value();
  };
  EpochNames low;
  EpochNames high;
  EpochNames other;
  EXPECT_EQ(of({3, 4, 3}, low), of({7, 9, 7}, high));
  EXPECT_NE(of({3, 4, 3}, other), of({7, 9, 9}, other));
  EXPECT_EQ(low.leader, (EpochNames::List<LeaderEpoch>{LeaderEpoch(3), LeaderEpoch(4)}));
  EXPECT_EQ(high.leader, (EpochNames::List<LeaderEpoch>{LeaderEpoch(7), LeaderEpoch(9)}));
}

TEST(FingerprintTest, NoEpochIsNotNamed) {
  EpochNames names;
  Fingerprint named(kNow, seconds(10), &names);
  named.Add(kNoLeaderEpoch, kNoBrokerEpoch);
  EXPECT_TRUE(names.leader.empty());
  EXPECT_TRUE(names.broker.empty());
  EXPECT_EQ(named.value(), Of([](Fingerprint& s) { s.Add(kNoLeaderEpoch, kNoBrokerEpoch); }));
}

}  // namespace
}  // namespace quipu
