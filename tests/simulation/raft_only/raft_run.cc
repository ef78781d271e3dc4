#include "tests/simulation/raft_only/raft_run.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/rng.h"
#include "tests/simulation/raft_only/short_leaders.h"
#include "tests/simulation/raft_only/voter_operator.h"
#include "tests/unit/core/raft/raft_cluster.h"

namespace quipu::sim {
namespace {

using message::RaftMessage;
using std::chrono::milliseconds;

void ThrowRaftViolation(absl::string_view id, absl::string_view condition, absl::string_view file,
                        int line, absl::string_view detail) {
  throw Violation{std::string(id), absl::StrCat(std::string(condition), " at ", std::string(file),
                                                ":", line, " ", std::string(detail))};
}

class RaftRun {
 public:
  RaftRun(uint64_t seed, std::function<void(absl::string_view)> trace)
      : rng_(seed),
        figure_8_(seed % kFigure8Every == 0),
        cluster_(figure_8_ ? 5 : kSizes[rng_.Below(3)],
                 [this](RaftOptions& options) {
                   options.seed = rng_.Next();
                   options.snapshot_chunk_bytes = 16;
                   options.append_bytes_max = 100;
                   options.in_flight_appends_max = 4;
                   options.proposal_bytes_max = 2000;
                   options.joiner_lag_entries_max = 10;
                   if (figure_8_) ShortLeaders::Adjust(options);
                 }),
        operator_(cluster_, rng_),
        short_leaders_({.cluster = cluster_,
                        .rng = rng_,
                        .cut = cut_,
                        .crash = [this](int id) { Crash(id); },
                        .propose = [this](int id) { ProposeOn(id); }}) {
    if (trace) {
      cluster_.trace = [trace = std::move(trace)](const std::string& line) { trace(line); };
      operator_.trace = cluster_.trace;
    }
    loss_percent_ = rng_.Below(30);
    repeat_percent_ = rng_.Below(20);
    slow_disk_ms_ = 1 + rng_.Below(rng_.Chance(1, 4) ? 400 : 20);
    operator_.on_changed = [this](int leader) { ContestChange(leader); };
    operator_.replaces = rng_.Chance(1, 2);
    operator_.resizes = rng_.Chance(1, 2);
    if (figure_8_) {
      loss_percent_ = repeat_percent_ = 0;
      operator_.replaces = operator_.resizes = false;
    }
    Take();
  }

  void Execute() {
    for (int step = 0; step < 700; ++step) {
      if (figure_8_) {
        short_leaders_.Step();
      } else {
        Faults();
      }
      Advance();
    }
    Heal();
    for (int step = 0; step < 1500 && !IsSettled(); ++step) Advance();
    Require(IsSettled(), "liveness", [this] { return "no progress after healing: " + Show(); });
    for (const auto& [index, data] : acknowledged_) {
      const bool kept = cluster_.committed().at(index).data() == data;
      Require(kept, "I10", [&] { return absl::StrCat("entry ", index.value(), " was lost"); });
    }
    const std::vector<int> voters = Voters();
    for (const int id : voters) {
      const bool same = cluster_.node(id).state == cluster_.node(voters.front()).state;
      Require(same, "I7", [&] { return absl::StrCat("the state of ", id, " differs"); });
    }
  }

  void Fill(RaftRunResult& result) const {
    result.steps = cluster_.counters().steps;
    result.trace_hash = cluster_.counters().hash;
    result.options =
        absl::StrCat("voters=", cluster_.size(), " loss=", loss_percent_,
                     "% replaces=", operator_.replaces, " resizes=", operator_.resizes);
    auto& c = result.coverage;
    c["fault.crash"] = crashes_;
    c["fault.partition"] = partitions_;
    c["fault.contested_change"] = contested_changes_;
    c["fault.short_leader"] = short_leaders_.reigns();
    c["fault.lost_disk"] = operator_.counters().lost_disks;
    c["raft.leaders"] = cluster_.counters().leaders;
    c["raft.truncations"] = cluster_.counters().truncations;
    c["raft.snapshots_installed"] = cluster_.counters().restores;
    c["raft.voters_rolled_back"] = cluster_.counters().voters_rolled_back;
    c["voters.joined"] = operator_.counters().joined;
    c["voters.cancelled"] = operator_.counters().cancelled;
    c["voters.removed"] = operator_.counters().removed;
    c["voters.leaders_removed"] = operator_.counters().leaders_removed;
    c["voters.admitted"] = operator_.counters().admitted;
    c["voters.refused"] = operator_.counters().refused;
    c["commands.acknowledged"] = acknowledged_.size();
    c["reads.answered"] = cluster_.answers.size();
  }

 private:
  static constexpr size_t kSizes[] = {1, 3, 5};
  static constexpr uint64_t kFigure8Every = 8;

  void Take() { ids_ = cluster_.Ids(); }
  int AnyNode() { return ids_[rng_.Below(ids_.size())]; }

  void Faults() {
    if (rng_.Chance(1, 60)) Crash(AnyNode());
    if (rng_.Chance(1, 30)) {
      int id = AnyNode();
      if (!cluster_.IsUp(id)) cluster_.Restart(id);
    }
    if (rng_.Chance(1, 50)) {
      cut_.clear();
      if (rng_.Chance(2, 3)) {
        ++partitions_;
        for (size_t i = rng_.Below(ids_.size() * 2); i > 0; --i) {
          cut_.insert({AnyNode(), AnyNode()});  // one way, perhaps
        }
      }
    }
    if (cluster_.now < eager_until_ || rng_.Chance(1, 10)) Operate(/*calm=*/false);
    int id = AnyNode();
    if (!cluster_.IsUp(id)) return;
    if (rng_.Chance(1, 3)) ProposeOn(id);
    if (rng_.Chance(1, 5)) (void)cluster_.ReadIndex(id, ++last_read_);
    if (rng_.Chance(1, 40)) cluster_.Compact(id);
  }

  void Operate(bool calm) {
    if (const int lost = operator_.Step(calm); lost != 0) {
      disk_due_.erase(lost);
      proposed_.erase(lost);
    }
    Take();
  }

  // Now and then a leader that has just changed the voters loses some of the others before it can
  // tell them; whoever is elected then is asked for another change at once (C05).
  void ContestChange(int leader) {
    if (healed_ || !rng_.Chance(1, 3)) return;
    ++contested_changes_;
    cut_.clear();
    for (const int id : ids_) {
      if (id == leader || rng_.Chance(1, 4)) continue;
      cut_.insert({leader, id});
      cut_.insert({id, leader});
    }
    std::erase_if(arriving_, [leader](const auto& item) { return item.second.from() == leader; });
    eager_until_ = cluster_.now + milliseconds(4000);
  }

  void Crash(int id) {
    if (!cluster_.IsUp(id)) return;
    cluster_.Crash(id, rng_.Below(cluster_.node(id).disk.under_way().size() + 1));
    disk_due_.erase(id);
    proposed_.erase(id);
    ++crashes_;
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
    for (const int id : ids_) {
      if (!cluster_.IsUp(id)) cluster_.Restart(id);
    }
    healed_ = true;
  }

  // Those that count by the log of the leader; none while nobody leads for sure.
  [[nodiscard]] std::vector<int> Voters() {
    std::vector<int> voters;
    for (const int id : ids_) {
      const RaftCore& core = *cluster_.node(id).core;
      if (!core.IsReadyLeader() || !core.VotersAreCommitted()) continue;
      voters.clear();
      for (const RaftVoter& voter : core.voters().members()) {
        voters.push_back(voter.identity.id.value());
      }
    }
    return voters;
  }

  bool IsSettled() {
    if (!operator_.IsDone()) return false;
    const std::vector<int> voters = Voters();
    if (voters.empty()) return false;
    const LogIndex commit = cluster_.node(voters.front()).core->commit_index();
    return std::all_of(voters.begin(), voters.end(), [this, commit](int id) {
      const RaftCore& core = *cluster_.node(id).core;
      return core.commit_index() == commit && core.last_index() == commit;
    });
  }

  std::string Show() {
    std::string text;
    for (const int id : ids_) {
      const RaftCore& core = *cluster_.node(id).core;
      absl::StrAppend(&text, id, " ", core.IsObserver() ? "observer" : RoleName(core.role()),
                      " term ", core.term().value(), " log ", core.last_index().value(), "/",
                      core.log().last_term().value(), " commit ", core.commit_index().value(),
                      " voters ", Describe(core.voters()), "; ");
    }
    return text;
  }

  // 5 to 25 ms pass: messages and writes that are due arrive, timers run.
  void Advance() {
    cluster_.now += milliseconds(rng_.Between(5, 25));
    if (healed_) Operate(/*calm=*/true);
    Route();
    for (size_t i = arriving_.size(); i > 0; --i) {
      // Any order: picks a random one of those that are due.
      const size_t pick = rng_.Below(arriving_.size());
      std::pair<Instant, RaftMessage> item = std::move(arriving_[pick]);
      arriving_.erase(arriving_.begin() + static_cast<std::ptrdiff_t>(pick));
      if (item.first > cluster_.now) {
        arriving_.push_back(std::move(item));
      } else if (cluster_.Has(item.second.to()) && cluster_.IsUp(item.second.to())) {
        cluster_.Step(item.second);
        Acknowledge();
      }
    }
    for (const int id : ids_) {
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
          const bool same = entry.data() == front.data;
          Require(same, "I7", [&] { return absl::StrCat("entry ", entry.index(), " is another"); });
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
  const bool figure_8_;  // ShortLeaders takes the place of all other faults
  RaftCluster cluster_;
  VoterOperator operator_;
  ShortLeaders short_leaders_;
  std::vector<int> ids_;
  uint64_t loss_percent_ = 0;
  uint64_t repeat_percent_ = 0;
  uint64_t slow_disk_ms_ = 1;
  bool healed_ = false;
  Instant eager_until_{};
  uint64_t contested_changes_ = 0;
  std::vector<std::pair<Instant, RaftMessage>> arriving_;
  std::map<int, Instant> disk_due_;
  std::set<std::pair<int, int>> cut_;
  std::map<int, std::deque<Proposal>> proposed_;
  std::map<LogIndex, std::string> acknowledged_;
  uint64_t last_value_ = 0;
  RaftReadToken last_read_ = 0;
  uint64_t crashes_ = 0;
  uint64_t partitions_ = 0;
};

}  // namespace

RaftRunResult RunRaftSeed(uint64_t seed, std::function<void(absl::string_view)> trace) {
  SetCheckFailureHandler(&ThrowRaftViolation);
  RaftRunResult result;
  result.seed = seed;
  RaftRun run(seed, std::move(trace));
  try {
    run.Execute();
  } catch (const Violation& violation) {
    result.violation = violation;
  }
  run.Fill(result);
  return result;
}

}  // namespace quipu::sim
