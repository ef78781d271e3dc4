// Goal: the driver carries out the core's effects in order, tells roles at the right moment,
// answers reads and proposals, and takes snapshots.
// Method: drivers on one fake executor with virtual time and memory stores; writes become durable
// and messages arrive in tasks of their own.

#include "controller/raft_driver.h"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/error_code.h"
#include "core/raft/raft_core.h"
#include "gtest/gtest.h"
#include "storage/memory_raft_store.h"

namespace quipu {
namespace {

using std::chrono::milliseconds;

class FakeExecutor final : public Executor {
 public:
  void Post(std::function<void()> work) override { PostAfter(Duration(0), std::move(work)); }
  void PostAfter(Duration delay, std::function<void()> work) override {
    tasks_.emplace(std::make_pair(now_ + delay, ++sequence_), std::move(work));
  }
  [[nodiscard]] Now GetNow() const override { return {now_, TimestampMs(0)}; }

  void RunFor(Duration duration) {
    const Instant end = now_ + duration;
    while (!tasks_.empty() && tasks_.begin()->first.first <= end) {
      auto task = tasks_.extract(tasks_.begin());
      now_ = std::max(now_, task.key().first);
      task.mapped()();
    }
    now_ = end;
  }
  // Runs what is due at this moment only.
  void RunDue() { RunFor(Duration(0)); }

 private:
  Instant now_{};
  uint64_t sequence_ = 0;
  std::map<std::pair<Instant, uint64_t>, std::function<void()>> tasks_;
};

class Quorum;

class FakePorts final : public ControllerPorts {
 public:
  FakePorts(Quorum& quorum, int id) : quorum_(quorum), id_(id) {}
  Executor& executor() override;
  RaftStore& raft_store() override { return store; }
  void Persist(RaftWrite write, std::function<void()> done) override;
  void SendRaft(message::RaftMessage message) override;
  void OnVoters(const VoterSet& /*voters*/) override {}
  void ProbeBroker(const HostPort& /*peer*/, std::function<void(bool)> done) override {
    done(false);
  }
  uint64_t RandomSeed() override { return static_cast<uint64_t>(id_); }
  [[noreturn]] void StopProcess(const std::string& reason) override {
    if (stalled) throw std::runtime_error(reason);
    ADD_FAILURE() << reason;
    abort();
  }

  MemoryRaftStore store;
  bool stalled = false;  // its writes never end
  size_t writes = 0;

 private:
  Quorum& quorum_;
  int id_;
};

// Drivers 1..n with state machines that remember what they were told.
class Quorum {
 public:
  struct Member {
    std::unique_ptr<FakePorts> ports;
    std::unique_ptr<RaftDriver> driver;
    std::vector<std::string> events;  // what the callbacks were told, in order
    std::string state;
    bool is_leader = false;
  };

  explicit Quorum(int size) {
    config_.cluster_id = ClusterId(1, 1);
    config_.snapshot_entries = 5;
    config_.proposal_bytes_max = 1000;
    for (int id = 1; id <= size; ++id) {
      config_.voters.push_back({ControllerId(id), DirectoryOf(id), {}});
    }
    for (int id = 1; id <= size; ++id) {
      members[id].ports = std::make_unique<FakePorts>(*this, id);
      EXPECT_TRUE(StartMember(id).ok());
    }
  }

  static DirectoryId DirectoryOf(int id) { return {0xD, static_cast<uint64_t>(id)}; }

  absl::Status StartMember(int id) {
    Member& member = members[id];
    member.state.clear();
    member.is_leader = false;
    ControllerConfig config = config_;
    config.controller_id = ControllerId(id);
    config.directory_id = DirectoryOf(id);
    RaftDriver::Callbacks callbacks;
    callbacks.on_committed = [&member](const message::RaftEntry& entry) {
      member.events.push_back("commit " + std::to_string(entry.index()) + " " + entry.data());
      member.state += entry.data();
    };
    callbacks.on_restore = [&member](LogIndex last, absl::string_view data) {
      member.events.push_back("restore " + last.ToString() + " " + std::string(data));
      member.state = std::string(data);
    };
    callbacks.make_snapshot = [&member] { return member.state; };
    callbacks.on_role = [&member](bool is_leader, Term term, ControllerId leader) {
      member.events.push_back(std::string(is_leader ? "leads " : "follows ") + leader.ToString() +
                              " in " + term.ToString());
      member.is_leader = is_leader;
    };
    member.driver = std::make_unique<RaftDriver>(config, *member.ports, std::move(callbacks));
    return member.driver->Start();
  }

  // The member that leads and has been told so; nullptr when there is none.
  Member* Leader() {
    for (auto& [id, member] : members) {
      if (member.driver && member.is_leader) return &member;
    }
    return nullptr;
  }
  int LeaderId() {
    for (auto& [id, member] : members) {
      if (&member == Leader()) return id;
    }
    return 0;
  }

  FakeExecutor executor;
  std::map<int, Member> members;
  std::set<int> cut;  // nothing to or from these
  Duration disk_delay = milliseconds(1);

 private:
  ControllerConfig config_;
};

Executor& FakePorts::executor() { return quorum_.executor; }

void FakePorts::Persist(RaftWrite write, std::function<void()> done) {
  ++writes;
  if (stalled) return;
  quorum_.executor.PostAfter(quorum_.disk_delay,
                             [this, write = std::move(write), done = std::move(done)] {
                               EXPECT_TRUE(store.Write(write).ok());
                               done();
                             });
}

void FakePorts::SendRaft(message::RaftMessage message) {
  if (quorum_.cut.contains(message.from()) || quorum_.cut.contains(message.to())) return;
  quorum_.executor.PostAfter(milliseconds(2), [this, message = std::move(message)] {
    Quorum::Member& to = quorum_.members.at(message.to());
    if (to.driver) to.driver->Step(message);
  });
}

TEST(RaftDriverTest, ASingleVoterLeadsAfterItsNoOpIsCommitted) {
  Quorum quorum(1);
  quorum.executor.RunFor(milliseconds(50));
  EXPECT_EQ(quorum.members[1].events,
            (std::vector<std::string>{"follows -1 in 0", "follows -1 in 1", "follows 1 in 1",
                                      "commit 1 ", "leads 1 in 1"}));
}

TEST(RaftDriverTest, ThreeVotersElectOneLeaderAndCommitItsProposals) {
  Quorum quorum(3);
  quorum.executor.RunFor(milliseconds(5000));
  Quorum::Member* leader = quorum.Leader();
  ASSERT_NE(leader, nullptr);
  ASSERT_TRUE(leader->driver->Propose("a").ok());
  ASSERT_TRUE(leader->driver->Propose("b").ok());
  quorum.executor.RunFor(milliseconds(300));
  for (auto& [id, member] : quorum.members) EXPECT_EQ(member.state, "ab") << id;
}

TEST(RaftDriverTest, ALeaderWhoseDiskStallsResignsThoughItIsHeard) {
  Quorum quorum(3);
  quorum.executor.RunFor(milliseconds(5000));
  const int old_leader = quorum.LeaderId();
  ASSERT_NE(old_leader, 0);
  quorum.members[old_leader].ports->stalled = true;
  ASSERT_TRUE(quorum.members[old_leader].driver->Propose("a").ok());
  quorum.executor.RunFor(milliseconds(1900));
  EXPECT_EQ(quorum.LeaderId(), old_leader);
  quorum.executor.RunFor(milliseconds(4000));
  EXPECT_NE(quorum.LeaderId(), 0);
  EXPECT_NE(quorum.LeaderId(), old_leader);
}

TEST(RaftDriverTest, ADiskThatStallsForLongStopsTheProcess) {
  Quorum quorum(3);
  quorum.executor.RunFor(milliseconds(5000));
  const int leader = quorum.LeaderId();
  quorum.members[leader].ports->stalled = true;
  ASSERT_TRUE(quorum.members[leader].driver->Propose("a").ok());
  quorum.executor.RunFor(milliseconds(19000));
  EXPECT_THROW(quorum.executor.RunFor(milliseconds(1600)), std::runtime_error);
}

TEST(RaftDriverTest, AFollowerRefusesProposalsAndReads) {
  Quorum quorum(3);
  quorum.executor.RunFor(milliseconds(5000));
  const int follower = quorum.LeaderId() == 1 ? 2 : 1;
  RaftDriver& driver = *quorum.members[follower].driver;
  EXPECT_EQ(CodeOf(driver.Propose("a").status()), ErrorCode::kNotController);
  ErrorCode read = ErrorCode::kNone;
  driver.ReadIndex([&](absl::StatusOr<LogIndex> index) { read = CodeOf(index.status()); });
  EXPECT_EQ(read, ErrorCode::kNone) << "answered on the caller's stack";
  quorum.executor.RunDue();
  EXPECT_EQ(read, ErrorCode::kNotController);
}

TEST(RaftDriverTest, AProposalBeyondTheLimitIsRefusedAndLaterOnesPass) {
  Quorum quorum(1);
  quorum.executor.RunFor(milliseconds(50));
  RaftDriver& driver = *quorum.members[1].driver;
  ASSERT_TRUE(driver.Propose(std::string(900, 'x')).ok());
  EXPECT_EQ(CodeOf(driver.Propose(std::string(900, 'y')).status()), ErrorCode::kLimitReached);
  quorum.executor.RunFor(milliseconds(50));
  EXPECT_TRUE(driver.Propose(std::string(900, 'z')).ok());
}

TEST(RaftDriverTest, ProposalsDuringAWriteShareTheNextOne) {
  Quorum quorum(1);
  quorum.executor.RunFor(milliseconds(50));
  const size_t before = quorum.members[1].ports->writes;
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(quorum.members[1].driver->Propose("a").ok());
  quorum.executor.RunFor(milliseconds(1));
  quorum.executor.RunFor(milliseconds(1));
  EXPECT_EQ(quorum.members[1].state, std::string(20, 'a'));
  // One for the first, one for the other nineteen, and the snapshot.
  EXPECT_EQ(quorum.members[1].ports->writes - before, 3U);
}

TEST(RaftDriverTest, AReadIsAnsweredAfterEverythingAcknowledgedIsApplied) {
  Quorum quorum(3);
  quorum.executor.RunFor(milliseconds(5000));
  Quorum::Member* leader = quorum.Leader();
  ASSERT_NE(leader, nullptr);
  absl::StatusOr<LogIndex> proposed = leader->driver->Propose("a");
  ASSERT_TRUE(proposed.ok());
  quorum.executor.RunFor(milliseconds(50));
  std::string seen;
  leader->driver->ReadIndex([&](absl::StatusOr<LogIndex> index) {
    ASSERT_TRUE(index.ok());
    EXPECT_GE(*index, *proposed);
    seen = leader->state;
  });
  quorum.executor.RunDue();
  EXPECT_EQ(seen, "") << "answered without a round";
  quorum.executor.RunFor(milliseconds(50));
  EXPECT_EQ(seen, "a");
}

TEST(RaftDriverTest, ACutOffLeaderIsToldThatItNoLongerLeadsAndItsReadFails) {
  Quorum quorum(3);
  quorum.executor.RunFor(milliseconds(5000));
  const int old_leader = quorum.LeaderId();
  Quorum::Member& member = quorum.members[old_leader];
  quorum.cut.insert(old_leader);
  ErrorCode read = ErrorCode::kNone;
  member.driver->ReadIndex([&](absl::StatusOr<LogIndex> index) { read = CodeOf(index.status()); });
  quorum.executor.RunFor(milliseconds(5000));
  EXPECT_FALSE(member.is_leader);
  EXPECT_EQ(read, ErrorCode::kNotController);
  ASSERT_NE(quorum.Leader(), nullptr);
  EXPECT_NE(quorum.LeaderId(), old_leader);
}

TEST(RaftDriverTest, ARestartedMemberHasItsSnapshotAndWhatCameAfter) {
  Quorum quorum(3);
  quorum.executor.RunFor(milliseconds(5000));
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(quorum.Leader()->driver->Propose(std::to_string(i)).ok());
    quorum.executor.RunFor(milliseconds(200));
  }
  const int follower = quorum.LeaderId() == 1 ? 2 : 1;
  quorum.members[follower].driver.reset();
  quorum.members[follower].events.clear();
  ASSERT_TRUE(quorum.StartMember(follower).ok());
  EXPECT_EQ(quorum.members[follower].events.front(), "restore 5 0123");
  quorum.executor.RunFor(milliseconds(2000));
  EXPECT_EQ(quorum.members[follower].state, "01234567");
}

TEST(RaftDriverTest, AMemberThatMissedCompactedEntriesIsRestoredFromTheLeader) {
  Quorum quorum(3);
  quorum.executor.RunFor(milliseconds(5000));
  const int follower = quorum.LeaderId() == 1 ? 2 : 1;
  quorum.cut.insert(follower);
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(quorum.Leader()->driver->Propose(std::to_string(i)).ok());
    quorum.executor.RunFor(milliseconds(200));
  }
  EXPECT_EQ(quorum.members[follower].state, "");
  quorum.cut.clear();
  quorum.executor.RunFor(milliseconds(5000));
  EXPECT_EQ(quorum.members[follower].state, "01234567");
}

TEST(RaftDriverTest, WorkPostedByADestroyedDriverDoesNothing) {
  Quorum quorum(1);
  quorum.executor.RunFor(milliseconds(50));
  ASSERT_TRUE(quorum.members[1].driver->Propose("a").ok());
  quorum.members[1].driver.reset();
  quorum.executor.RunFor(milliseconds(5000));
  EXPECT_EQ(quorum.members[1].state, "");
}

TEST(RaftDriverTest, AConfigWithoutThisDirectoryIsRefused) {
  Quorum quorum(1);
  ControllerConfig config;
  config.cluster_id = ClusterId(1, 1);
  config.controller_id = ControllerId(1);
  config.directory_id = DirectoryId(9, 9);
  config.voters = {{ControllerId(1), Quorum::DirectoryOf(1), {}}};
  RaftDriver driver(config, *quorum.members[1].ports, {});
  EXPECT_EQ(CodeOf(driver.Start()), ErrorCode::kInconsistentVoterSet);
}

}  // namespace
}  // namespace quipu
