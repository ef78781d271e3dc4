// A simulated application that produces payments with the product's own producer brain.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/client/producer_core.h"
#include "tests/simulation/checkers/client_history.h"
#include "tests/simulation/cluster.h"

namespace quipu::sim {

// What became of it, as the application was told.
struct PaymentOutcome {
  SentPayment payment;
  TimestampMs timestamp;  // of its record
  bool reported = false;
  ErrorCode error = ErrorCode::kNone;
  Persisted persisted = Persisted::kUnknown;
  TopicId topic_id;
  PartitionIndex partition{-1};
  Offset offset = kNoOffset;
};

class SimProducer {
 public:
  SimProducer(Cluster& cluster, int number, std::string topic, ProducerOptions options,
              ClientHistory& history);
  ~SimProducer();

  void Start();
  // The application dies; its brain and everything in flight are gone.
  void Crash();
  [[nodiscard]] bool running() const { return core_ != nullptr; }
  // Hands a payment to the brain; false when it cannot be taken now.
  bool Send(const SentPayment& payment);
  [[nodiscard]] bool Idle() const;

  [[nodiscard]] Compression codec() const { return options_.accumulator.compression; }
  [[nodiscard]] const std::vector<PaymentOutcome>& outcomes() const { return outcomes_; }
  [[nodiscard]] uint64_t retries() const { return retries_ + (core_ ? core_->stats().retries : 0); }
  [[nodiscard]] uint64_t duplicates() const {
    return duplicates_ + (core_ ? core_->stats().duplicates : 0);
  }
  // Batches that were refused since the broker knew nothing of the producer (P07).
  [[nodiscard]] uint64_t forgotten() const { return forgotten_; }
  // Identity to take up after a crash.
  [[nodiscard]] std::optional<std::pair<ProducerId, ProducerEpoch>> identity() const;

 private:
  using Stream = SimStream<ProduceRequest, ProduceResponse>;
  void Turn(const std::function<void(Instant, ProducerEffects&)>& input);
  void Carry(ProducerEffects& effects);
  void Call(const UnaryCall& call);
  MessageSender<ProduceRequest>& StreamTo(const ServerAddress& address);
  void OnStreamClosed(const ServerAddress& address, uint64_t generation,
                      const absl::Status& status);
  void Report(const DeliveryReport& report);
  void ScheduleTimer();

  Cluster& cluster_;
  int number_;
  std::string topic_;
  ProducerOptions options_;
  ClientHistory& history_;
  ProcessPtr process_;
  std::unique_ptr<RecordAccumulator> accumulator_;
  std::unique_ptr<ProducerCore> core_;
  struct OpenStream {
    uint64_t generation = 0;
    std::unique_ptr<MessageSender<ProduceRequest>> sender;
  };
  std::map<ServerAddress, OpenStream> streams_;
  uint64_t next_generation_ = 0;
  std::optional<Instant> timer_at_;
  std::map<uint64_t, std::vector<size_t>> by_batch_;  // batch id -> outcome indexes, in order
  std::vector<PaymentOutcome> outcomes_;
  uint64_t retries_ = 0;
  uint64_t duplicates_ = 0;
  uint64_t forgotten_ = 0;
  bool in_turn_ = false;
};

// The broker that an address of the simulated network names.
BrokerId BrokerOfAddress(const ServerAddress& address);

// Makes a unary call of a client brain and hands the answer, or the failure, back.
void CarryCall(Cluster& cluster, NodeId node, const ProcessPtr& process, const UnaryCall& call,
               std::function<void(UnaryResponse)> on_reply,
               std::function<void(absl::Status)> on_failed);

}  // namespace quipu::sim
