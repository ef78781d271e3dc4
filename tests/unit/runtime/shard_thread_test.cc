// Goal: the production executor keeps order, wakes for deadlines and stops cleanly. Method: real
// threads, latches; no test depends on how long something takes.
#include "runtime/shard_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "runtime/worker_pool.h"

namespace quipu {
namespace {

TEST(ShardThreadTest, WorkRunsInTheOrderOfPost) {
  ShardThread shard("shard");
  std::vector<int> seen;
  for (int i = 0; i < 1000; ++i) shard.Post([&seen, i] { seen.push_back(i); });
  shard.Stop();
  ASSERT_EQ(seen.size(), 1000U);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(seen[static_cast<size_t>(i)], i);
}

TEST(ShardThreadTest, PostsOfManyThreadsAllRunOnTheOneThread) {
  ShardThread shard("shard");
  int count = 0;
  bool elsewhere = false;
  std::vector<std::thread> posters;
  for (int t = 0; t < 4; ++t) {
    posters.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) {
        shard.Post([&] {
          ++count;
          elsewhere = elsewhere || !shard.IsCurrent();
        });
      }
    });
  }
  for (std::thread& poster : posters) poster.join();
  shard.Stop();
  EXPECT_EQ(count, 20000);
  EXPECT_FALSE(elsewhere);
}

TEST(ShardThreadTest, DelayedWorkRunsByDeadlineAndNotBefore) {
  ShardThread shard("shard");
  std::promise<void> done;
  std::vector<int> seen;
  const Instant begin = ReadClocks().mono;
  Instant first_ran;
  shard.PostAfter(std::chrono::milliseconds(40), [&] {
    seen.push_back(2);
    done.set_value();
  });
  shard.PostAfter(std::chrono::milliseconds(20), [&] {
    first_ran = shard.GetNow().mono;
    seen.push_back(1);
  });
  done.get_future().wait();
  shard.Stop();
  EXPECT_EQ(seen, (std::vector<int>{1, 2}));
  EXPECT_GE(first_ran - begin, std::chrono::milliseconds(20));
}

TEST(ShardThreadTest, AnEarlierDeadlineWakesASleepingThread) {
  ShardThread shard("shard");
  shard.PostAfter(std::chrono::hours(1), [] { ADD_FAILURE() << "an hour has not passed"; });
  std::promise<void> done;
  shard.PostAfter(std::chrono::milliseconds(1), [&] { done.set_value(); });
  done.get_future().wait();
}

TEST(ShardThreadTest, WorkPostedByWorkRunsAfterIt) {
  ShardThread shard("shard");
  std::promise<void> done;
  std::vector<int> seen;
  shard.Post([&] {
    shard.Post([&] {
      seen.push_back(2);
      done.set_value();
    });
    seen.push_back(1);
  });
  done.get_future().wait();
  EXPECT_EQ(seen, (std::vector<int>{1, 2}));
}

TEST(ShardThreadTest, StopDropsWhatWaitsAndWhatComesLater) {
  auto held = std::make_shared<int>(1);
  ShardThread shard("shard");
  shard.PostAfter(std::chrono::hours(1), [held] {});
  EXPECT_EQ(held.use_count(), 2);
  shard.Stop();
  EXPECT_EQ(held.use_count(), 1);
  shard.Post([held] {});
  shard.PostAfter(Duration(0), [held] {});
  EXPECT_EQ(held.use_count(), 1);
}

TEST(ShardThreadTest, WhatWorkHoldsIsReleasedBeforeTheNextWorkRuns) {
  ShardThread shard("shard");
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = held;
  bool alive = true;
  std::promise<void> gate;
  // Both in one batch: the first piece holds the thread until both are queued.
  shard.Post([opened = gate.get_future().share()] { opened.wait(); });
  shard.Post([held = std::move(held)] {});
  shard.Post([&] { alive = !watch.expired(); });
  gate.set_value();
  shard.Stop();
  EXPECT_FALSE(alive);
}

TEST(WorkerPoolTest, TwoPiecesOfWorkRunAtTheSameTime) {
  WorkerPool pool("pool", 2);
  std::promise<void> first;
  std::promise<void> second;
  // Each waits for the other: on one thread this would not end.
  pool.Run([&] {
    first.set_value();
    second.get_future().wait();
  });
  pool.Run([&] {
    first.get_future().wait();
    second.set_value();
  });
  pool.Stop();
}

TEST(WorkerPoolTest, StopFinishesWhatIsQueued) {
  WorkerPool pool("pool", 3);
  std::atomic<int> count{0};
  for (int i = 0; i < 1000; ++i) pool.Run([&] { ++count; });
  pool.Stop();
  EXPECT_EQ(count.load(), 1000);
  pool.Run([&] { ++count; });
  EXPECT_EQ(count.load(), 1000);
}

// Run by hand: --gtest_also_run_disabled_tests --gtest_filter=*HandOver*
TEST(ShardThreadTest, DISABLED_HandOverThroughput) {
  ShardThread a("a");
  ShardThread b("b");
  constexpr int kRounds = 200000;
  std::promise<void> done;
  std::function<void(int)> ping = [&](int left) {
    if (left == 0) {
      done.set_value();
      return;
    }
    ShardThread& next = (left % 2 == 0) ? a : b;
    next.Post([&ping, left] { ping(left - 1); });
  };
  const Instant begin = ReadClocks().mono;
  ping(kRounds);
  done.get_future().wait();
  const Duration took = ReadClocks().mono - begin;
  std::printf("one hand-over with wake-up: %.2f us\n",
              static_cast<double>(took.count()) / 1000.0 / kRounds);
}

}  // namespace
}  // namespace quipu
