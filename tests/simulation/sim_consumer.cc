#include "tests/simulation/sim_consumer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"
#include "core/record/record_batch.h"
#include "tests/simulation/checkers/violation.h"
#include "tests/simulation/sim_producer.h"

namespace quipu::sim {
namespace {

constexpr Duration kCommitTimeout = std::chrono::seconds(10);

NodeId NodeOf(int number) { return ClientNodeId(50 + number); }

}  // namespace

SimConsumer::SimConsumer(Cluster& cluster, int number, std::string topic, ConsumerOptions options,
                         GroupChecker& checker, ClientHistory& history)
    : cluster_(cluster),
      number_(number),
      topic_(std::move(topic)),
      options_(std::move(options)),
      checker_(checker),
      history_(history) {}
SimConsumer::~SimConsumer() = default;

NodeId SimConsumer::node() const { return NodeOf(number_); }

void SimConsumer::Start() {
  QUIPU_CHECK(!running());
  if (retired_) return;
  World& world = cluster_.world();
  process_ = std::make_shared<Process>(world, "consumer-" + std::to_string(number_));
  reader_ = history_.NewReader();
  core_ = std::make_unique<ConsumerCore>(options_, world.rng().Fork());
  Turn([this](Instant, ConsumerEffects&) { core_->Subscribe({topic_}); });
  PollLater();
}

void SimConsumer::Crash() {
  if (!running()) return;
  process_->Kill();
  cluster_.network().BreakNode(NodeOf(number_));
  streams_.clear();
  core_.reset();
  commits_.clear();
  next_offsets_.clear();
  resets_.clear();
  revoke_token_ = 0;
  confirm_revoked_ = false;
  timer_at_.reset();
  ending_ = false;
}

std::unique_ptr<SimConsumer> SimConsumer::MakeDuplicate(int number) {
  return std::make_unique<SimConsumer>(cluster_, number, topic_, options_, checker_, history_);
}

void SimConsumer::EndWhenFenced() {
  if (ending_ || core_->group().fatal() != ErrorCode::kFencedInstanceId) return;
  ending_ = true;
  checker_.OnFenced();
  World& world = cluster_.world();
  world.After(std::chrono::milliseconds(1), nullptr, "fenced", [this, life = process_] {
    if (process_ == life) Crash();
  });
  world.After(std::chrono::milliseconds(300), nullptr, "restart", [this] {
    if (!running()) Start();
  });
}

void SimConsumer::Turn(const std::function<void(Instant, ConsumerEffects&)>& input) {
  ConsumerEffects effects;
  const Instant now = cluster_.world().now();
  input(now, effects);
  if (std::exchange(confirm_revoked_, false)) core_->ConfirmRevoked(now);
  core_->Pump(now, effects);
  Carry(effects);
  ScheduleTimer();
  EndWhenFenced();
}

void SimConsumer::ScheduleTimer() {
  const std::optional<Instant> deadline = core_->NextDeadline();
  if (!deadline || (timer_at_ && *timer_at_ <= *deadline)) return;
  // A deadline that has passed already must not stop the time.
  const Instant at = std::max(*deadline, cluster_.world().now() + std::chrono::milliseconds(1));
  timer_at_ = at;
  cluster_.world().At(at, process_, "consumer-timer", [this, at] {
    if (timer_at_ != at) return;
    timer_at_.reset();
    Turn([](Instant, ConsumerEffects&) {});
  });
}

void SimConsumer::Carry(ConsumerEffects& effects) {
  const Instant now = cluster_.world().now();
  for (const OffsetOpResult& result : effects.results) OnResult(result);
  for (const TopicPartition& partition : effects.lost) next_offsets_.erase(partition);
  if (!effects.lost.empty()) revoke_token_ = 0;
  for (const auto& [partition, start] : effects.assigned) {
    checker_.OnAssigned(partition, start.offset, committed_at_fetch_);
    next_offsets_[partition] = start.offset;
    resets_.erase(partition);
    if (start.offset == kNoOffset) resets_.insert(partition);
    history_.OnAssigned(reader_, partition.partition,
                        start.offset == kNoOffset ? Offset(0) : start.offset);
  }
  if (!effects.revoked.empty()) {
    revoke_token_ = CommitPositions(now);
    for (const TopicPartition& partition : effects.revoked) next_offsets_.erase(partition);
    confirm_revoked_ = revoke_token_ == 0;
    cluster_.world().After(Duration(1), process_, "revoke",
                           [this] { Turn([](Instant, ConsumerEffects&) {}); });
  }
  for (const ServerAddress& address : effects.fetch_resets) {
    const auto open = streams_.find(address);
    if (open != streams_.end()) open->second.sender->Close(absl::DeadlineExceededError("reset"));
  }
  for (const UnaryCall& call : effects.calls) Call(call);
  for (FetchSend& send : effects.fetches) StreamTo(send.address).Send(std::move(send.request));
}

void SimConsumer::RequireSound(const FetchResponse& response) {
  for (const FetchPartitionResult& partition : response.partitions) {
    for (const Bytes& bytes : partition.batches) {
      const auto batch = RecordBatchView::Parse(bytes);
      Require(batch.ok() && batch->CrcMatches(), "I62", [&] {
        return "a damaged batch of partition index " + partition.partition.ToString() +
               " was served";
      });
    }
  }
}

void SimConsumer::Call(const UnaryCall& call) {
  if (std::holds_alternative<message::OffsetFetchRequest>(call.request)) {
    committed_at_fetch_ = checker_.committed();
  }
  message::GroupHeartbeatRequest heartbeat;
  if (const auto* said = std::get_if<message::GroupHeartbeatRequest>(&call.request)) {
    heartbeat = *said;
    checker_.ownership().OnSaid(heartbeat);
  }
  CarryCall(
      cluster_, NodeOf(number_), process_, call,
      [this, id = call.id, heartbeat](const UnaryResponse& response) {
        if (const auto* told = std::get_if<message::GroupHeartbeatResponse>(&response)) {
          checker_.ownership().OnTold(heartbeat, *told);
        }
        Turn([&](Instant now, ConsumerEffects& effects) {
          core_->OnAnswered(now, id, response, effects);
        });
      },
      [this, id = call.id](const absl::Status& status) {
        Turn([&](Instant now, ConsumerEffects& effects) {
          core_->OnCallFailed(now, id, status, effects);
        });
      });
}

MessageSender<FetchRequest>& SimConsumer::StreamTo(const ServerAddress& address) {
  OpenStream& open = streams_[address];
  if (open.sender != nullptr) return *open.sender;
  open.generation = ++next_generation_;
  const BrokerId broker = BrokerOfAddress(address);
  MessageHandler<FetchResponse> handler{
      .on_message =
          [this, address](const FetchResponse& response) {
            Turn([&](Instant now, ConsumerEffects&) {
              core_->OnFetchResponse(now, address, response);
            });
          },
      .on_closed =
          [this, address, generation = open.generation](const absl::Status& status) {
            const auto found = streams_.find(address);
            if (found == streams_.end() || found->second.generation != generation) return;
            streams_.erase(found);
            Turn([&](Instant now, ConsumerEffects&) {
              core_->OnFetchStreamClosed(now, address, status);
            });
          }};
  auto stream = std::make_shared<Stream>(cluster_.network(), NodeOf(number_), process_,
                                         std::move(handler), BrokerNodeId(broker));
  cluster_.network().Register(stream);
  stream->Connect([this, broker]() -> std::pair<ProcessPtr, Stream::AcceptFn> {
    SimBroker* machine = cluster_.FindBroker(broker);
    if (machine == nullptr || !machine->running()) return {nullptr, nullptr};
    return {machine->process(), [machine](std::shared_ptr<MessageSender<FetchResponse>> sender) {
              return MessageHandler<FetchRequest>{
                  .on_message =
                      [machine, sender](FetchRequest request) {
                        machine->node()->Fetch(std::move(request), [sender](FetchResponse r) {
                          RequireSound(r);
                          sender->Send(std::move(r));
                        });
                      },
                  .on_closed = [](const absl::Status&) {}};
            }};
  });
  open.sender = std::make_unique<Stream::ToB>(stream);
  return *open.sender;
}

void SimConsumer::PollLater() {
  World& world = cluster_.world();
  const Duration pause =
      world.Between(std::chrono::milliseconds(20), std::chrono::milliseconds(200));
  world.After(pause, process_, "poll", [this] {
    Turn([this](Instant now, ConsumerEffects&) { Poll(now); });
    PollLater();
  });
}

void SimConsumer::Poll(Instant now) {
  std::vector<ConsumerRecord> records;
  std::vector<PartitionError> errors;
  core_->Poll(now, records, errors);
  for (const PartitionError& error : errors) OnError(error);
  history_.OnPollBegins();
  for (const ConsumerRecord& record : records) OnRead(record);
  if (cluster_.world().rng().Chance(1, 3)) CommitPositions(now);
}

void SimConsumer::OnError(const PartitionError& error) {
  const auto position = core_->fetch().Position(error.partition);
  const bool deleted = error.error == ErrorCode::kOffsetOutOfRange && position &&
                       position->offset != kNoOffset &&
                       position->offset < checker_.DeletedEnd(error.partition);
  if (!deleted) return checker_.OnError(error);
  checker_.OnReset();
  resets_.insert(error.partition);
  core_->fetch().SeekToReset(error.partition, OffsetReset::kEarliest);
}

void SimConsumer::OnRead(const ConsumerRecord& record) {
  const TopicPartition partition{record.topic_id(), record.partition()};
  checker_.OnRead(partition, record.offset(), *record.value());
  const auto next = next_offsets_.find(partition);
  if (next != next_offsets_.end()) {
    const bool reset = resets_.erase(partition) > 0;
    checker_.OnPosition(partition, next->second, record.offset(), reset);
    // Behind what is deleted it begins anew.
    if (reset) history_.OnAssigned(reader_, record.partition(), record.offset());
    next->second = record.offset() + 1;
  }
  history_.OnRead(reader_, record.partition(), record.offset(), *record.key(), *record.value());
}

uint64_t SimConsumer::CommitPositions(Instant now) {
  PartitionOffsets positions;
  for (const TopicPartition& partition : core_->fetch().Assigned()) {
    const std::optional<OffsetAndMetadata> position = core_->fetch().Position(partition);
    if (position && position->offset != kNoOffset) positions.emplace_back(partition, *position);
  }
  if (positions.empty()) return 0;
  const uint64_t token = next_token_++;
  commits_[token] = {.offsets = positions, .committed_before = checker_.committed()};
  core_->CommitOffsets(token, std::move(positions), now + kCommitTimeout);
  return token;
}

void SimConsumer::OnResult(const OffsetOpResult& result) {
  const auto commit = commits_.find(result.token);
  QUIPU_CHECK(commit != commits_.end());
  checker_.OnCommitAnswered(commit->second.offsets, commit->second.committed_before, result.error);
  commits_.erase(commit);
  if (result.token != revoke_token_) return;
  revoke_token_ = 0;
  confirm_revoked_ = true;
}

}  // namespace quipu::sim
