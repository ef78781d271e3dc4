// Drives a ProducerCore by hand: the test plays the brokers.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "core/client/producer_core.h"
#include "tests/unit/core/client/client_test_support.h"

namespace quipu::test {

// A produced batch as a broker would see it.
struct SeenBatch {
  uint64_t request_id = 0;
  std::string address;
  TopicPartition partition;
  int32_t base_sequence = 0;
  int16_t epoch = 0;
  int32_t records = 0;
  Bytes bytes;
};

class ProducerHarness {
 public:
  explicit ProducerHarness(ProducerOptions options = Options())
      : accumulator_(options.accumulator, Rng(1)), core_(options, accumulator_, Rng(2)) {
    core_.AddTopic("t");
    Turn();
  }

  static ProducerOptions Options() {
    ProducerOptions options;
    options.metadata.bootstrap_servers = {"b1:9"};
    options.accumulator.linger = Duration(0);
    return options;
  }

  // Answers metadata and producer id, so that records flow.
  void Ready(std::vector<std::pair<int, int>> leaders) {
    Metadata(std::move(leaders));
    GiveId(77, 0);
  }
  void Metadata(std::vector<std::pair<int, int>> leaders) {
    AnswerCall<message::MetadataRequest>(MetadataAnswer(++index_, "t", kTopic, leaders));
  }
  void GiveId(int64_t id, int32_t epoch) {
    message::InitProducerIdResponse response;
    response.set_producer_id(id);
    response.set_producer_epoch(epoch);
    AnswerCall<message::InitProducerIdRequest>(response);
  }
  // True when a call of this kind waits for an answer.
  template <typename Request>
  const Request* FindCall() const {
    for (const UnaryCall& call : calls) {
      if (const auto* request = std::get_if<Request>(&call.request)) return request;
    }
    return nullptr;
  }
  template <typename Request>
  void AnswerCall(UnaryResponse response) {
    for (size_t i = 0; i < calls.size(); ++i) {
      if (!std::holds_alternative<Request>(calls[i].request)) continue;
      const CallId id = calls[i].id;
      calls.erase(calls.begin() + static_cast<std::ptrdiff_t>(i));
      ProducerEffects effects;
      core_.OnAnswered(now, id, response, effects);
      Take(std::move(effects));
      Turn();
      return;
    }
    FAIL() << "no such call is waiting";
  }

  // One record, one turn: with linger 0 one batch.
  uint64_t Send(int32_t partition, const std::string& value = "v") {
    const uint64_t id = Append(partition, value).batch_id;
    Turn();
    return id;
  }
  RecordAccumulator::Appended Append(int32_t partition, const std::string& value) {
    return accumulator_.Append(
        "t", PartitionIndex(partition),
        {.timestamp = TimestampMs(1), .key = "k", .value = value, .headers = {}}, now);
  }

  // Answers the oldest batch that is waiting at `broker`.
  void Answer(ErrorCode error, int64_t base_offset = -1, int32_t hint = -1,
              int32_t hint_epoch = -1) {
    ASSERT_FALSE(seen.empty());
    const SeenBatch batch = seen.front();
    seen.pop_front();
    AnswerBatch(batch, error, base_offset, hint, hint_epoch);
  }
  void AnswerBatch(const SeenBatch& batch, ErrorCode error, int64_t base_offset = -1,
                   int32_t hint = -1, int32_t hint_epoch = -1) {
    ProduceResponse response;
    response.request_id = batch.request_id;
    ProducePartitionResult result;
    result.topic_id = batch.partition.topic_id;
    result.partition = batch.partition.partition;
    result.error = error;
    result.base_offset = Offset(base_offset);
    result.leader_id = BrokerId(hint);
    result.leader_epoch = LeaderEpoch(hint_epoch);
    response.partitions.push_back(result);
    ProducerEffects effects;
    core_.OnProduceResponse(now, batch.address, response, effects);
    Take(std::move(effects));
    Turn();
  }
  void LoseConnection(int32_t broker) {
    std::erase_if(seen, [&](const SeenBatch& b) { return b.address == Address(broker); });
    ProducerEffects effects;
    core_.OnProduceStreamClosed(now, Address(broker), absl::UnavailableError("reset"), effects);
    Take(std::move(effects));
    Turn();
  }
  void Advance(int64_t ms) {
    now += std::chrono::milliseconds(ms);
    ProducerEffects effects;
    core_.OnTime(now, effects);
    Take(std::move(effects));
    Turn();
  }
  void Turn() {
    ProducerEffects effects;
    core_.Pull(now, effects);
    core_.Pump(now, effects);
    core_.CheckInvariants();
    Take(std::move(effects));
  }
  const DeliveryReport* ReportOf(uint64_t batch_id) const {
    for (const DeliveryReport& report : reports) {
      if (report.batch_id == batch_id) return &report;
    }
    return nullptr;
  }
  std::vector<int32_t> SeenSequences() const {
    std::vector<int32_t> sequences;
    for (const SeenBatch& batch : seen) sequences.push_back(batch.base_sequence);
    return sequences;
  }

  Instant now = At(0);
  std::vector<UnaryCall> calls;
  std::deque<SeenBatch> seen;  // sent and not answered, in order
  std::vector<DeliveryReport> reports;
  std::vector<ServerAddress> resets;
  ProducerCore& core() { return core_; }
  RecordAccumulator& accumulator() { return accumulator_; }

 private:
  void Take(ProducerEffects effects) {
    core_.FailQueued(effects);  // as the SDK does before it runs callbacks
    for (UnaryCall& call : effects.calls) calls.push_back(std::move(call));
    for (DeliveryReport& report : effects.deliveries) reports.push_back(std::move(report));
    for (ServerAddress& address : effects.resets) resets.push_back(std::move(address));
    for (ProduceSend& send : effects.produces) {
      for (ProducePartition& part : send.request.partitions) {
        const auto view = RecordBatchView::Parse(part.records);
        ASSERT_TRUE(view.ok());
        ASSERT_TRUE(view->CrcMatches());
        seen.push_back({send.request.request_id,
                        send.address,
                        {part.topic_id, part.partition},
                        view->base_sequence().value(),
                        view->producer_epoch().value(),
                        view->record_count(),
                        part.records});
      }
    }
  }

  uint64_t index_ = 100;
  RecordAccumulator accumulator_;
  ProducerCore core_;
};

}  // namespace quipu::test
