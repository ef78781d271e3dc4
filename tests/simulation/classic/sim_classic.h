// A simulated member of a classic group: a ClassicSession in a process that dies, with an
// application that reads what it owns and commits what it has read.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/checkers/classic_checker.h"
#include "tests/simulation/checkers/client_history.h"
#include "tests/simulation/checkers/group_checker.h"
#include "tests/simulation/checkers/partition_checker.h"
#include "tests/simulation/classic/classic_session.h"
#include "tests/simulation/cluster.h"

namespace quipu::sim {

class SimClassic {
 public:
  // They and what they name must outlive the member.
  struct Ports {
    Cluster& cluster;
    const PartitionChecker& partitions;
    GroupChecker& group;
    ClassicChecker& classic;
    ClientHistory& history;
    // Takes a line of the trace; empty: nobody reads it.
    std::function<void(const std::string&)> say = {};
  };
  SimClassic(const Ports& ports, int number, ClassicOptions options);

  void Start();
  // The process dies without a good-bye.
  void Crash();
  // It says good-bye, and the process ends.
  void Leave();
  void Rejoin();
  // Another process with the same options, which is yet to be started.
  [[nodiscard]] std::unique_ptr<SimClassic> MakeDuplicate(int number) const;
  // Called when it has ended: another process has its place, or the group is not a classic one.
  std::function<void()> on_ended;
  [[nodiscard]] bool running() const { return session_ != nullptr; }
  [[nodiscard]] const ProcessPtr& process() const { return process_; }
  [[nodiscard]] NodeId node() const { return ClientNodeId(kFirstNode + number_); }
  [[nodiscard]] const ClassicSession& session() const { return *session_; }
  [[nodiscard]] const ClassicOptions& options() const { return options_; }
  // The next offset that it reads; nullopt: it does not read this partition.
  [[nodiscard]] std::optional<Offset> Position(int32_t index) const;

 private:
  static constexpr int kFirstNode = 150;
  struct Reading {
    OffsetAndMetadata next;
    bool resets = false;  // begins with the first record that is there
    bool asked = false;   // a fetch is under way
  };
  // What the checkers knew when something was asked for.
  struct Known {
    ClassicChecker::Asked group;
    GroupChecker::Committed committed;
    bool is_elected = false;  // who was asked is the group's coordinator in the newest metadata
  };

  void Turn(const std::function<void(Instant, ClassicEffects&)>& input);
  void Carry(ClassicEffects& effects);
  void Begin(int32_t index, const OffsetAndMetadata& start);
  void Send(const ClassicCall& call);
  template <typename Request, typename Response>
  void SendTyped(const ClassicCall& call, const Request& request,
                 void (BrokerNode::*method)(Request, ReplyFn<Response>));
  [[nodiscard]] bool IsElected(BrokerId broker) const;
  void OnAnswer(const ClassicCall& call, const Known& known, const ClassicResponse& response);
  void Commit(ClassicEffects& effects);
  void ReadLater();
  void Read();
  void Fetch(BrokerId leader, std::vector<FetchPartition> partitions);
  void OnFetched(const FetchPartition& asked, const FetchPartitionResult& result);
  void OnBatch(Reading& reading, const FetchPartition& asked, const Bytes& bytes);
  void ScheduleTimer();
  void EndWhenTold();
  // A line for each answer that says something, and for each partition that comes and goes.
  void Say(const ClassicResponse& response) const;
  void Say(const std::string& text) const;
  [[nodiscard]] std::vector<TopicPartition> PartitionsOf(const Indices& indices) const;
  [[nodiscard]] TopicPartition PartitionOf(int32_t index) const {
    return {options_.topic_id, PartitionIndex(index)};
  }

  const Ports& ports_;
  int number_;
  ClassicOptions options_;
  int64_t reader_ = 0;  // a number of its own for each life
  ProcessPtr process_;
  std::unique_ptr<ClassicSession> session_;
  std::map<int32_t, Reading> readings_;
  Known known_at_read_;  // when the committed offsets were last asked for
  std::optional<Instant> timer_at_;
  bool ending_ = false;
};

}  // namespace quipu::sim
