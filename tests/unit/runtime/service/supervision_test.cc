// Goal: a thread that hangs is noticed, and noticed to go on.
#include "runtime/service/supervision.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

namespace quipu {
namespace {

// An executor that runs what was posted when the test says so.
class HeldExecutor final : public Executor {
 public:
  void Post(std::function<void()> work) override { posted_.push_back(std::move(work)); }
  void PostAfter(Duration /*delay*/, std::function<void()> work) override { Post(std::move(work)); }
  [[nodiscard]] Now GetNow() const override { return {}; }
  void Run() {
    for (const auto& work : posted_) work();
    posted_.clear();
  }
  [[nodiscard]] size_t waiting() const { return posted_.size(); }

 private:
  std::vector<std::function<void()>> posted_;
};

TEST(LivenessProbeTest, AThreadThatHangsStopsTheAnswersUntilItGoesOn) {
  HeldExecutor one;
  HeldExecutor two;
  LivenessProbe probe({&one, &two});
  EXPECT_FALSE(probe.AllAnswered()) << "nobody was asked before";
  one.Run();
  two.Run();
  EXPECT_TRUE(probe.AllAnswered());
  one.Run();
  for (int i = 0; i < 5; ++i) {
    EXPECT_FALSE(probe.AllAnswered()) << "two hangs";
    one.Run();
  }
  EXPECT_EQ(two.waiting(), 1U) << "a thread that hangs is asked once";
  two.Run();
  EXPECT_TRUE(probe.AllAnswered());
}

TEST(LivenessProbeTest, ANoteMayOutliveTheProbe) {
  HeldExecutor one;
  {
    LivenessProbe probe({&one});
    probe.AllAnswered();
  }
  one.Run();
  EXPECT_EQ(one.waiting(), 0U);
}

}  // namespace
}  // namespace quipu
