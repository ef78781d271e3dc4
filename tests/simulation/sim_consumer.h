// A simulated member of a consumer group, with the product's own consumer brain.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "core/client/consumer_core.h"
#include "tests/simulation/checkers/client_history.h"
#include "tests/simulation/checkers/group_checker.h"
#include "tests/simulation/cluster.h"

namespace quipu::sim {

// Polls, commits what it has polled, and gives partitions up as an application does: commits first,
// then confirms.
class SimConsumer {
 public:
  SimConsumer(Cluster& cluster, int number, std::string topic, ConsumerOptions options,
              GroupChecker& checker, ClientHistory& history);
  ~SimConsumer();

  void Start();
  // The member dies without a good-bye; a new one comes in its place.
  void Crash();
  // Another process with the same options, group.instance.id included, which is yet to be started.
  [[nodiscard]] std::unique_ptr<SimConsumer> MakeDuplicate(int number);
  // Nobody starts the process again once it has ended.
  void Retire() { retired_ = true; }
  [[nodiscard]] bool running() const { return core_ != nullptr; }
  [[nodiscard]] const ProcessPtr& process() const { return process_; }
  [[nodiscard]] NodeId node() const;
  [[nodiscard]] const ConsumerCore& core() const { return *core_; }

 private:
  using Stream = SimStream<FetchRequest, FetchResponse>;
  struct OpenStream {
    uint64_t generation = 0;
    std::unique_ptr<MessageSender<FetchRequest>> sender;
  };

  void Turn(const std::function<void(Instant, ConsumerEffects&)>& input);
  void Carry(ConsumerEffects& effects);
  // I62: what a broker serves has a matching checksum.
  static void RequireSound(const FetchResponse& response);
  void Call(const UnaryCall& call);
  MessageSender<FetchRequest>& StreamTo(const ServerAddress& address);
  void PollLater();
  void Poll(Instant now);
  // What it was to read next is deleted: it goes on with what is left, as one with
  // auto.offset.reset=earliest does. Other errors are violations.
  void OnError(const PartitionError& error);
  void OnRead(const ConsumerRecord& record);
  // Commits all positions; returns the token, 0 when there is nothing to commit.
  uint64_t CommitPositions(Instant now);
  void OnResult(const OffsetOpResult& result);
  void ScheduleTimer();
  // A member whose place was taken ends, as an application that gets the error does.
  void EndWhenFenced();

  Cluster& cluster_;
  int number_;
  std::string topic_;
  ConsumerOptions options_;
  GroupChecker& checker_;
  ClientHistory& history_;
  int64_t reader_ = 0;  // a number of its own for each life
  ProcessPtr process_;
  std::unique_ptr<ConsumerCore> core_;
  std::map<ServerAddress, OpenStream> streams_;
  uint64_t next_generation_ = 0;
  uint64_t next_token_ = 1;
  struct Commit {
    PartitionOffsets offsets;
    GroupChecker::Committed committed_before;  // had been acknowledged when it was asked for
  };
  std::map<uint64_t, Commit> commits_;  // under way, by token
  uint64_t revoke_token_ = 0;  // the commit after which the revoked partitions are given up
  bool confirm_revoked_ = false;
  GroupChecker::Committed committed_at_fetch_;     // when the committed offsets were last asked for
  std::map<TopicPartition, Offset> next_offsets_;  // due next, per partition being read
  std::set<TopicPartition>
      resets_;  // of these: begun at the first record that is there, unread yet
  std::optional<Instant> timer_at_;
  bool retired_ = false;
  bool ending_ = false;
};

}  // namespace quipu::sim
