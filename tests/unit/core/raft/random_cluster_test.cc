// Goal: no schedule of losses, repetitions, reorderings, partitions, crashes and slow disks breaks
// the Raft invariants, and a healed quorum always comes back to work.
// Method: each seed drives a RaftCluster, whose checkers abort at the first violation, through a
// phase of faults and then a phase without; at the end every acknowledged command is on every node.
// QUIPU_RAFT_SEEDS=first-last in the environment runs other seeds.

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/rng.h"
#include "gtest/gtest.h"
#include "tests/unit/core/raft/raft_cluster.h"

namespace quipu {
namespace {

using message::RaftMessage;
using std::chrono::milliseconds;

class RandomRun {
 public:
  explicit RandomRun(uint64_t seed)
      : rng_(seed), cluster_(kSizes[rng_.Below(3)], [this](RaftOptions& options) {
          options.seed = rng_.Next();
          options.snapshot_chunk_bytes = 16;
          options.append_bytes_max = 100;
          options.in_flight_appends_max = 4;
          options.proposal_bytes_max = 2000;
        }) {
    loss_percent_ = rng_.Below(30);
    repeat_percent_ = rng_.Below(20);
    slow_disk_ms_ = 1 + rng_.Below(rng_.Chance(1, 4) ? 400 : 20);
  }

  void Run() {
    for (int step = 0; step < 700; ++step) {
      Faults();
      Advance();
    }
    Heal();
    for (int step = 0; step < 600 && !IsSettled(); ++step) Advance();
    ASSERT_TRUE(IsSettled()) << "no progress after healing";
    for (const auto& [index, data] : acknowledged_) {
      ASSERT_EQ(cluster_.committed().at(index).data(), data);
    }
    for (size_t id = 2; id <= cluster_.size(); ++id) {
      ASSERT_EQ(cluster_.node(1).state, cluster_.node(static_cast<int>(id)).state);
    }
  }
  [[nodiscard]] size_t acknowledged() const { return acknowledged_.size(); }
  [[nodiscard]] size_t reads() const { return cluster_.answers.size(); }
  [[nodiscard]] size_t crashes() const { return crashes_; }

 private:
  static constexpr size_t kSizes[] = {1, 3, 5};

  int AnyNode() { return static_cast<int>(1 + rng_.Below(cluster_.size())); }

  void Faults() {
    if (rng_.Chance(1, 60)) {
      int id = AnyNode();
      if (cluster_.IsUp(id)) {
        cluster_.Crash(id, rng_.Below(cluster_.node(id).disk.under_way().size() + 1));
        disk_due_.erase(id);
        proposed_.erase(id);
        ++crashes_;
      }
    }
    if (rng_.Chance(1, 30)) {
      int id = AnyNode();
      if (!cluster_.IsUp(id)) cluster_.Restart(id);
    }
    if (rng_.Chance(1, 50)) {
      cut_.clear();
      if (rng_.Chance(2, 3)) {
        for (size_t i = rng_.Below(cluster_.size() * 2); i > 0; --i) {
          cut_.insert({AnyNode(), AnyNode()});  // one way, perhaps
        }
      }
    }
    int id = AnyNode();
    if (!cluster_.IsUp(id)) return;
    if (rng_.Chance(1, 3)) ProposeOn(id);
    if (rng_.Chance(1, 5)) (void)cluster_.ReadIndex(id, ++last_read_);
    if (rng_.Chance(1, 40)) cluster_.Compact(id);
  }

  void ProposeOn(int id) {
    const std::string data = absl::StrCat("v", ++last_value_);
    RaftCore::Proposed proposed = cluster_.Propose(id, data);
    if (proposed.error != ErrorCode::kNone) return;
    proposed_[id].push_back({proposed.index, cluster_.node(id).core->term(), data});
  }

  void Heal() {
    loss_percent_ = repeat_percent_ = 0;
    slow_disk_ms_ = 2;
    cut_.clear();
    for (size_t id = 1; id <= cluster_.size(); ++id) {
      if (!cluster_.IsUp(static_cast<int>(id))) cluster_.Restart(static_cast<int>(id));
    }
  }

  bool IsSettled() {
    const LogIndex commit = cluster_.node(1).core->commit_index();
    bool led = false;
    for (size_t i = 1; i <= cluster_.size(); ++i) {
      const RaftCore& core = *cluster_.node(static_cast<int>(i)).core;
      led = led || core.IsReadyLeader();
      if (core.commit_index() != commit || core.last_index() != commit) return false;
    }
    return led;
  }

  // 5 to 25 ms pass: messages and writes that are due arrive, timers run.
  void Advance() {
    cluster_.now += milliseconds(rng_.Between(5, 25));
    Route();
    for (size_t i = arriving_.size(); i > 0; --i) {
      // Any order: picks a random one of those that are due.
      const size_t pick = rng_.Below(arriving_.size());
      std::pair<Instant, RaftMessage> item = std::move(arriving_[pick]);
      arriving_.erase(arriving_.begin() + static_cast<std::ptrdiff_t>(pick));
      if (item.first > cluster_.now) {
        arriving_.push_back(std::move(item));
      } else if (cluster_.IsUp(item.second.to())) {
        cluster_.Step(item.second);
        Acknowledge();
      }
    }
    for (size_t i = 1; i <= cluster_.size(); ++i) {
      const int id = static_cast<int>(i);
      if (!cluster_.IsUp(id)) continue;
      CompleteWrites(id);
      if (cluster_.node(id).core->deadline() <= cluster_.now) cluster_.OnTime(id);
    }
    Acknowledge();
  }

  void Route() {
    for (RaftMessage& message : cluster_.network) {
      if (cut_.contains({message.from(), message.to()})) continue;
      if (rng_.Chance(loss_percent_, 100)) continue;
      const size_t copies = rng_.Chance(repeat_percent_, 100) ? 2 : 1;
      for (size_t i = 0; i < copies; ++i) {
        const int64_t delay_ms = rng_.Chance(1, 20) ? rng_.Between(0, 1500) : rng_.Between(0, 20);
        arriving_.emplace_back(cluster_.now + milliseconds(delay_ms), message);
      }
    }
    cluster_.network.clear();
  }

  void CompleteWrites(int id) {
    while (!cluster_.node(id).disk.under_way().empty()) {
      auto [it, first] = disk_due_.try_emplace(id, cluster_.now);
      if (first) it->second += milliseconds(rng_.Below(slow_disk_ms_));
      if (it->second > cluster_.now) return;
      disk_due_.erase(it);
      cluster_.CompleteWrite(id);
    }
  }

  // A leader acknowledges its proposals when it commits them in its own term.
  void Acknowledge() {
    for (auto& [id, list] : proposed_) {
      if (!cluster_.IsUp(id)) continue;
      const RaftCore& core = *cluster_.node(id).core;
      while (!list.empty() && list.front().index <= core.commit_index()) {
        const Proposal& front = list.front();
        const message::RaftEntry& entry = cluster_.committed().at(front.index);
        if (entry.term() == front.term.value()) {
          ASSERT_EQ(entry.data(), front.data);
          acknowledged_[front.index] = front.data;
        }
        list.pop_front();
      }
    }
  }

  struct Proposal {
    LogIndex index;
    Term term;
    std::string data;
  };

  Rng rng_;
  RaftCluster cluster_;
  uint64_t loss_percent_;
  uint64_t repeat_percent_;
  uint64_t slow_disk_ms_;
  std::vector<std::pair<Instant, RaftMessage>> arriving_;
  std::map<int, Instant> disk_due_;
  std::set<std::pair<int, int>> cut_;
  std::map<int, std::deque<Proposal>> proposed_;
  std::map<LogIndex, std::string> acknowledged_;
  uint64_t last_value_ = 0;
  RaftReadToken last_read_ = 0;
  size_t crashes_ = 0;
};

TEST(RandomClusterTest, NoScheduleOfFaultsBreaksTheRaftInvariants) {
  size_t acknowledged = 0;
  size_t reads = 0;
  size_t crashes = 0;
  uint64_t first = 1;
  uint64_t last = 300;
  if (const char* range = std::getenv("QUIPU_RAFT_SEEDS")) {
    const std::vector<std::string> ends = absl::StrSplit(range, '-');
    ASSERT_TRUE(ends.size() == 2 && absl::SimpleAtoi(ends[0], &first) &&
                absl::SimpleAtoi(ends[1], &last) && first <= last);
  }
  for (uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    RandomRun run(seed);
    ASSERT_NO_FATAL_FAILURE(run.Run());
    acknowledged += run.acknowledged();
    reads += run.reads();
    crashes += run.crashes();
  }
  // The schedules are not so hostile that nothing ever happens.
  const uint64_t runs = last - first + 1;
  EXPECT_GT(acknowledged, 16 * runs);
  EXPECT_GT(reads, 3 * runs);
  EXPECT_GT(crashes, 3 * runs);
}

}  // namespace
}  // namespace quipu
