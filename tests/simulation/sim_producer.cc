#include "tests/simulation/sim_producer.h"

#include <utility>

#include "base/check.h"

namespace quipu::sim {

BrokerId BrokerOfAddress(const ServerAddress& address) {
  const size_t colon = address.rfind(':');
  QUIPU_CHECK(colon != std::string::npos);
  return BrokerId(std::stoi(address.substr(colon + 1)));
}

namespace {

// One call type at a time: request and the broker's method.
template <typename Request, typename Response>
void CarryTyped(Cluster& cluster, NodeId node, const ProcessPtr& process, const UnaryCall& call,
                void (BrokerNode::*method)(Request, ReplyFn<Response>),
                const std::shared_ptr<bool>& done,
                const std::function<void(UnaryResponse)>& on_reply,
                const std::function<void(absl::Status)>& on_failed) {
  cluster.Call<Request, Response>(
      node, process, BrokerOfAddress(call.address), std::get<Request>(call.request), method,
      [done, on_reply](Response response) {
        if (std::exchange(*done, true)) return;
        on_reply(UnaryResponse(std::move(response)));
      },
      [done, on_failed] {
        if (std::exchange(*done, true)) return;
        on_failed(absl::UnavailableError("connection broken"));
      });
}

}  // namespace

void CarryCall(Cluster& cluster, NodeId node, const ProcessPtr& process, const UnaryCall& call,
               std::function<void(UnaryResponse)> on_reply,
               std::function<void(absl::Status)> on_failed) {
  auto done = std::make_shared<bool>(false);
  cluster.world().After(call.timeout, process, "call-timeout", [done, on_failed] {
    if (std::exchange(*done, true)) return;
    on_failed(absl::DeadlineExceededError("no answer in time; the outcome is unknown"));
  });
  const auto carry = [&](auto method) {
    CarryTyped(cluster, node, process, call, method, done, on_reply, on_failed);
  };
  if (std::holds_alternative<message::MetadataRequest>(call.request)) {
    carry(&BrokerNode::Metadata);
  } else if (std::holds_alternative<message::InitProducerIdRequest>(call.request)) {
    carry(&BrokerNode::InitProducerId);
  } else if (std::holds_alternative<message::ListOffsetsRequest>(call.request)) {
    carry(&BrokerNode::ListOffsets);
  } else if (std::holds_alternative<message::FindCoordinatorRequest>(call.request)) {
    carry(&BrokerNode::FindCoordinator);
  } else if (std::holds_alternative<message::GroupHeartbeatRequest>(call.request)) {
    carry(&BrokerNode::GroupHeartbeat);
  } else if (std::holds_alternative<message::OffsetCommitRequest>(call.request)) {
    carry(&BrokerNode::OffsetCommit);
  } else if (std::holds_alternative<message::OffsetFetchRequest>(call.request)) {
    carry(&BrokerNode::OffsetFetch);
  } else {
    QUIPU_CHECK_MSG(false, "a call that the simulator does not carry");
  }
}

SimProducer::SimProducer(Cluster& cluster, int number, std::string topic, ProducerOptions options,
                         ClientHistory& history)
    : cluster_(cluster),
      number_(number),
      topic_(std::move(topic)),
      options_(std::move(options)),
      history_(history) {}
SimProducer::~SimProducer() = default;

void SimProducer::Start() {
  QUIPU_CHECK(!running());
  World& world = cluster_.world();
  process_ = std::make_shared<Process>(world, "producer-" + std::to_string(number_));
  accumulator_ = std::make_unique<RecordAccumulator>(options_.accumulator, world.rng().Fork());
  core_ = std::make_unique<ProducerCore>(options_, *accumulator_, world.rng().Fork());
  Turn([this](Instant, ProducerEffects&) { core_->AddTopic(topic_); });
}

void SimProducer::Crash() {
  if (!running()) return;
  if (const auto id = identity()) options_.resume = id;
  retries_ += core_->stats().retries;
  duplicates_ += core_->stats().duplicates;
  process_->Kill();
  cluster_.network().BreakNode(ClientNodeId(number_));
  streams_.clear();
  core_.reset();
  accumulator_.reset();
  by_batch_.clear();
  timer_at_.reset();
}

std::optional<std::pair<ProducerId, ProducerEpoch>> SimProducer::identity() const {
  // The last that was used, also where the next epoch is asked for: one that is given twice is a
  // lost payment.
  if (core_ == nullptr || core_->identity().id() == kNoProducerId) return options_.resume;
  return std::make_pair(core_->identity().id(), core_->identity().epoch());
}

bool SimProducer::Send(const SentPayment& payment) {
  if (!running() || !accumulator_->HasTopic(topic_)) return false;
  const std::string value = ToValue(payment);
  bool taken = false;
  Turn([&](Instant now, ProducerEffects&) {
    const RecordInput record{
        .timestamp = TimestampMs(kWallStartMs + ToMillis(now.time_since_epoch())),
        .key = payment.account,
        .value = value,
        .headers = {}};
    const auto appended = accumulator_->Append(topic_, std::nullopt, record, now);
    if (appended.error != ErrorCode::kNone) return;
    taken = true;
    history_.OnSend(number_, payment);
    by_batch_[appended.batch_id].push_back(outcomes_.size());
    PaymentOutcome& outcome = outcomes_.emplace_back();
    outcome.payment = payment;
    outcome.timestamp = record.timestamp;
    QUIPU_CHECK(static_cast<size_t>(appended.index) + 1 == by_batch_[appended.batch_id].size());
  });
  return taken;
}

bool SimProducer::Idle() const { return !running() || (core_->idle() && accumulator_->empty()); }

void SimProducer::Turn(const std::function<void(Instant, ProducerEffects&)>& input) {
  QUIPU_CHECK(!in_turn_);
  in_turn_ = true;
  ProducerEffects effects;
  const Instant now = cluster_.world().now();
  input(now, effects);
  core_->Pull(now, effects);
  core_->Pump(now, effects);
  core_->FailQueued(effects);  // before the deliveries are told
  core_->CheckInvariants();
  in_turn_ = false;
  Carry(effects);
  ScheduleTimer();
}

void SimProducer::ScheduleTimer() {
  const std::optional<Instant> deadline = core_->NextDeadline();
  if (!deadline || (timer_at_ && *timer_at_ <= *deadline)) return;
  timer_at_ = *deadline;
  cluster_.world().At(*deadline, process_, "producer-timer", [this, at = *deadline] {
    if (timer_at_ != at) return;
    timer_at_.reset();
    Turn([this](Instant now, ProducerEffects& effects) { core_->OnTime(now, effects); });
  });
}

void SimProducer::Carry(ProducerEffects& effects) {
  for (const DeliveryReport& report : effects.deliveries) Report(report);
  for (const ServerAddress& address : effects.resets) {
    const auto open = streams_.find(address);
    if (open != streams_.end()) open->second.sender->Close(absl::DeadlineExceededError("reset"));
  }
  for (const UnaryCall& call : effects.calls) Call(call);
  for (ProduceSend& send : effects.produces) StreamTo(send.address).Send(std::move(send.request));
}

void SimProducer::Call(const UnaryCall& call) {
  CarryCall(
      cluster_, ClientNodeId(number_), process_, call,
      [this, id = call.id](const UnaryResponse& response) {
        Turn([&](Instant now, ProducerEffects& effects) {
          core_->OnAnswered(now, id, response, effects);
        });
      },
      [this, id = call.id](const absl::Status& status) {
        Turn([&](Instant now, ProducerEffects& effects) {
          core_->OnCallFailed(now, id, status, effects);
        });
      });
}

MessageSender<ProduceRequest>& SimProducer::StreamTo(const ServerAddress& address) {
  OpenStream& open = streams_[address];
  if (open.sender != nullptr) return *open.sender;
  open.generation = ++next_generation_;
  const BrokerId broker = BrokerOfAddress(address);
  MessageHandler<ProduceResponse> handler{
      .on_message =
          [this, address](const ProduceResponse& response) {
            for (const ProducePartitionResult& result : response.partitions) {
              if (result.error == ErrorCode::kUnknownProducerId) ++forgotten_;
            }
            Turn([&](Instant now, ProducerEffects& effects) {
              core_->OnProduceResponse(now, address, response, effects);
            });
          },
      .on_closed =
          [this, address, generation = open.generation](const absl::Status& status) {
            OnStreamClosed(address, generation, status);
          }};
  auto stream = std::make_shared<Stream>(cluster_.network(), ClientNodeId(number_), process_,
                                         std::move(handler), BrokerNodeId(broker));
  cluster_.network().Register(stream);
  stream->Connect([this, broker]() -> std::pair<ProcessPtr, Stream::AcceptFn> {
    SimBroker* machine = cluster_.FindBroker(broker);
    if (machine == nullptr || !machine->running()) return {nullptr, nullptr};
    return {machine->process(), [machine](std::shared_ptr<MessageSender<ProduceResponse>> sender) {
              return MessageHandler<ProduceRequest>{
                  .on_message =
                      [machine, sender](ProduceRequest request) {
                        machine->node()->Produce(std::move(request), [sender](ProduceResponse r) {
                          sender->Send(std::move(r));
                        });
                      },
                  .on_closed = [](const absl::Status&) {}};
            }};
  });
  open.sender = std::make_unique<Stream::ToB>(stream);
  return *open.sender;
}

void SimProducer::OnStreamClosed(const ServerAddress& address, uint64_t generation,
                                 const absl::Status& status) {
  const auto open = streams_.find(address);
  if (open == streams_.end() || open->second.generation != generation) return;
  streams_.erase(open);
  Turn([&](Instant now, ProducerEffects& effects) {
    core_->OnProduceStreamClosed(now, address, status, effects);
  });
}

void SimProducer::Report(const DeliveryReport& report) {
  const auto batch = by_batch_.find(report.batch_id);
  QUIPU_CHECK(batch != by_batch_.end());
  int64_t index = 0;
  for (const size_t outcome : batch->second) {
    PaymentOutcome& told = outcomes_[outcome];
    told.reported = true;
    told.error = report.error;
    told.persisted = report.persisted;
    told.topic_id = report.partition.topic_id;
    told.partition = report.partition.partition;
    if (report.base_offset != kNoOffset) told.offset = report.base_offset + index;
    ++index;
    if (told.persisted == Persisted::kUnknown) {
      history_.OnUnknown(number_, told.payment.id);
    } else if (told.persisted == Persisted::kNo) {
      history_.OnRefused(number_, told.payment.id);
    } else {
      history_.OnAcknowledged(number_, told.payment.id, told.partition, told.offset);
    }
  }
  by_batch_.erase(batch);
}

}  // namespace quipu::sim
