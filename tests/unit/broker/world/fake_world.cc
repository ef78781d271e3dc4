#include "tests/unit/broker/world/fake_world.h"

#include <gtest/gtest.h>

#include "core/record/record_batch_builder.h"

namespace quipu::testing {

// ---- time ------------------------------------------------------------------------------------

bool FakeTime::Step() {
  if (events_.empty()) return false;
  const auto first = events_.begin();
  now_ = std::max(now_, first->first.first);
  const std::function<void()> work = std::move(first->second);
  events_.erase(first);
  work();
  return true;
}

void FakeTime::RunFor(Duration time) {
  const Instant end = now_ + time;
  while (!events_.empty() && events_.begin()->first.first <= end) Step();
  now_ = end;
}

void FakeExecutor::PostAfter(Duration delay, std::function<void()> work) {
  time_.After(delay, [life = life_, work = std::move(work)] {
    if (*life) work();
  });
}

Now FakeExecutor::GetNow() const {
  return {.mono = time_.now(),
          .wall = TimestampMs(1700000000000 + ToMillis(time_.now().time_since_epoch()))};
}

// ---- disk ------------------------------------------------------------------------------------

void FakeLogWriter::Submit(std::vector<LogWrite> writes, std::function<void()> done) {
  ++submissions_;
  auto shared = std::make_shared<std::vector<LogWrite>>(std::move(writes));
  Enqueue([this, shared, done = std::move(done)] {
    ++writes_;
    ASSERT_TRUE(store_.Write(*shared).ok());
    done();
  });
}

void FakeLogWriter::RunOnWriter(std::function<void(LogStore&)> work) {
  ++works_;
  Enqueue([this, work = std::move(work)] { work(store_); });
}

void FakeLogWriter::Enqueue(std::function<void()> work) {
  queue_.push_back(std::move(work));
  Run();
}

void FakeLogWriter::Resume() {
  paused_ = false;
  Run();
}

void FakeLogWriter::Run() {
  if (running_ || paused_ || queue_.empty()) return;
  running_ = true;
  time_.After(sync_time, [this, life = life_] {
    if (!*life) return;
    running_ = false;
    if (paused_) return;
    const std::function<void()> work = std::move(queue_.front());
    queue_.pop_front();
    work();
    Run();
  });
}

// ---- controller ------------------------------------------------------------------------------

ControllerCore::Options With(ClusterId cluster) {
  ControllerCore::Options options;
  options.cluster_id = cluster;
  return options;
}

FakeController::FakeController(FakeTime& time, ClusterId id) : time_(time), core_(With(id), 42) {
  Begin();
}

void FakeController::Begin() {
  core_.Activate(MetadataImage(), time_.now());
  Commit(core_.Bootstrap());
  Tick();
}

void FakeController::Tick() {
  while (true) {
    const record::MetadataBatch batch = core_.OnTime(time_.now());
    if (batch.records_size() == 0) break;
    Commit(batch);
  }
  time_.After(std::chrono::milliseconds(100), [this] { Tick(); });
}

LogIndex FakeController::CommitAt(const record::MetadataBatch& batch) {
  if (batch.records_size() > 0) {
    log_.push_back(batch);
    core_.Replay(LogIndex(log_.size()), batch, time_.now());
  }
  return LogIndex(log_.size());
}

void FakeController::Commit(record::MetadataBatch batch) {
  const size_t before = log_.size();
  CommitAt(batch);
  if (log_.size() == before) return;
  std::vector<std::weak_ptr<ControlStream>> alive;
  for (const auto& weak : subscribers_) {
    const auto stream = weak.lock();
    if (stream == nullptr || stream->closed()) continue;
    alive.push_back(weak);
    SendEntries(stream, before + 1);
  }
  subscribers_ = std::move(alive);
}

void FakeController::SendEntries(const std::shared_ptr<ControlStream>& stream, uint64_t from) {
  if (mute_metadata) return;
  message::ControllerToBroker out;
  auto* update = out.mutable_metadata();
  update->set_controller_id(1);
  update->set_controller_epoch(1);
  update->set_committed_index(log_.size());
  for (uint64_t index = from; index <= log_.size(); ++index) {
    auto* entry = update->add_entries();
    entry->set_index(index);
    *entry->mutable_batch() = log_[index - 1];
  }
  stream->ServerEnd()->Send(std::move(out));
}

MessageHandler<message::BrokerToController> FakeController::Accept(
    std::shared_ptr<ControlStream> stream) {
  streams_.push_back(stream);
  const std::weak_ptr<ControlStream> weak = stream;
  return {.on_message =
              [this, weak](message::BrokerToController message) {
                if (const auto alive = weak.lock()) OnMessage(alive, message);
              },
          .on_closed = nullptr};
}

void FakeController::BreakStreams() {
  for (const auto& weak : streams_) {
    if (const auto stream = weak.lock()) stream->Close(absl::UnavailableError("broken by test"));
  }
  streams_.clear();
}

bool Decide(ControllerCore& core, const message::BrokerToController& message, Instant now,
            const std::function<LogIndex(const record::MetadataBatch&)>& commit,
            message::ControllerToBroker& out) {
  if (message.has_register_()) {
    auto decision = core.Register(message.register_(), now);
    ControllerCore::FillEpoch(commit(decision.batch), decision.response);
    *out.mutable_register_() = decision.response;
  } else if (message.has_heartbeat()) {
    auto decision = core.Heartbeat(message.heartbeat(), now);
    commit(decision.batch);
    *out.mutable_heartbeat() = decision.response;
  } else if (message.has_alter_partitions()) {
    auto decision = core.AlterPartitions(message.alter_partitions());
    commit(decision.batch);
    *out.mutable_alter_partitions() = decision.response;
  } else if (message.has_allocate_producer_ids()) {
    auto decision = core.AllocateProducerIds(message.allocate_producer_ids());
    commit(decision.batch);
    *out.mutable_allocate_producer_ids() = decision.response;
  } else if (message.has_admin()) {
    auto decision = core.Admin(message.admin());
    commit(decision.batch);
    *out.mutable_admin() = decision.response;
  } else {
    return false;
  }
  return true;
}

void FakeController::OnMessage(const std::shared_ptr<ControlStream>& stream,
                               const message::BrokerToController& sent) {
  if (silent) return;
  // As it comes over the wire: what protobuf does not take back ends the stream.
  message::BrokerToController message;
  if (!message.ParseFromString(sent.SerializeAsString())) {
    ++unreadable_messages;
    stream->Close(absl::InvalidArgumentError("the message could not be parsed"));
    return;
  }
  message::ControllerToBroker out;
  out.set_request_id(message.request_id());
  if (message.has_register_()) ++registrations;
  if (message.has_alter_partitions()) ++alter_requests;
  if (refuse_all) {
    out.mutable_not_controller()->set_leader_id(-1);
  } else if (message.has_register_() && refuse_registration) {
    out.mutable_register_()->set_error_code(static_cast<int32_t>(*refuse_registration));
  } else if (message.has_subscribe()) {
    subscribers_.push_back(stream);
    SendEntries(stream, message.subscribe().next_index());
    return;
  } else {
    const auto commit = [this](const record::MetadataBatch& batch) {
      Commit(batch);
      return LogIndex(log_.size());
    };
    Decide(core_, message, time_.now(), commit, out);
  }
  stream->ServerEnd()->Send(std::move(out));
}

// ---- machine ---------------------------------------------------------------------------------

FakeMachine::FakeMachine(FakeWorld& world, BrokerConfig given)
    : config(std::move(given)),
      world_(world),
      seed_(static_cast<uint64_t>(config.broker_id.value()) * 1000) {}

void FakeMachine::RunColdRead(std::function<void()> work) {
  ++cold_reads;
  world_.time.After(std::chrono::microseconds(50), [life = life_, work = std::move(work)] {
    if (*life) work();
  });
}

std::unique_ptr<MessageSender<message::BrokerToController>> FakeMachine::OpenControlStream(
    const HostPort& /*controller*/, MessageHandler<message::ControllerToBroker> handler) {
  auto stream = std::make_shared<ControlStream>(world_.time);
  stream->client = std::move(handler);
  stream->server = world_.controller.Accept(stream);
  control_streams_.push_back(stream);
  return stream->ClientEnd();
}

std::unique_ptr<MessageSender<ReplicaToLeader>> FakeMachine::OpenReplicaStream(
    size_t /*shard*/, const HostPort& leader, MessageHandler<LeaderToReplica> handler) {
  auto stream = std::make_shared<FollowStream>(world_.time);
  stream->client = std::move(handler);
  FakeMachine& target = world_.machine(leader.port - 9100);
  if (target.running()) {
    stream->server = target.node->AcceptReplicaStream(stream->ServerEnd());
    target.follow_streams.push_back(stream);
  } else {
    stream->Close(absl::UnavailableError("connection refused"));
  }
  follow_streams.push_back(stream);
  return stream->ClientEnd();
}

void FakeMachine::StopProcess(const std::string& reason) { throw StopProcessCalled(reason); }

void FakeMachine::Boot() {
  life_ = std::make_shared<bool>(true);
  for (auto& executor : shard_executors_) ended_executors_.push_back(std::move(executor));
  if (control_executor_) ended_executors_.push_back(std::move(control_executor_));
  shard_executors_.clear();
  for (size_t i = 0; i < config.num_shards; ++i) {
    shard_executors_.push_back(std::make_unique<FakeExecutor>(world_.time, life_));
  }
  control_executor_ = std::make_unique<FakeExecutor>(world_.time, life_);
  writer = std::make_unique<FakeLogWriter>(world_.time, life_, store);
  node = std::make_unique<BrokerNode>(config, *this);
  ASSERT_TRUE(node->Start().ok());
}

void FakeMachine::Crash() {
  *life_ = false;
  for (const auto& weak : follow_streams) {
    if (const auto stream = weak.lock()) stream->Close(absl::UnavailableError("peer died"));
  }
  for (const auto& weak : control_streams_) {
    if (const auto stream = weak.lock()) stream->Close(absl::UnavailableError("peer died"));
  }
  follow_streams.clear();
  control_streams_.clear();
  node.reset();
}

// ---- world -----------------------------------------------------------------------------------

FakeWorld::FakeWorld(int brokers, size_t num_shards) : controller(time, cluster) {
  for (int id = 1; id <= brokers; ++id) {
    BrokerConfig config;
    config.cluster_id = cluster;
    config.broker_id = BrokerId(id);
    config.directory_id = Uuid(99, static_cast<uint64_t>(id));
    config.client_endpoint = {"client", static_cast<uint16_t>(9000 + id)};
    config.peer_endpoint = {"peer", static_cast<uint16_t>(9100 + id)};
    config.kafka_endpoint = {"127.0.0.1", static_cast<uint16_t>(9190 + id)};
    config.controllers = {{"controller", 9500}, {"controller", 9501}};
    config.num_shards = num_shards;
    machines_.push_back(std::make_unique<FakeMachine>(*this, std::move(config)));
  }
  for (const auto& machine : machines_) machine->Boot();
  RunUntil([&] {
    size_t active = 0;
    for (const auto& [id, broker] : controller.image().brokers()) active += broker.fenced ? 0 : 1;
    return active == machines_.size();
  });
}

FakeWorld::~FakeWorld() {
  for (const auto& machine : machines_) {
    if (machine->running()) machine->Crash();
  }
  RunFor(std::chrono::milliseconds(1));  // the streams hear of it, and are freed
}

void FakeWorld::RunUntil(const std::function<bool()>& done, Duration limit) {
  const Instant end = time.now() + limit;
  while (!done()) {
    if (time.now() > end || !time.Step()) {
      FAIL() << "not reached within " << ToMillis(limit) << " ms";
    }
  }
}

TopicId FakeWorld::CreateTopic(const std::string& name, int partitions, int replication,
                               std::map<std::string, std::string> configs) {
  message::AdminRequest request;
  auto* create = request.mutable_create_topic();
  create->set_name(name);
  create->set_partitions(partitions);
  create->set_replication_factor(replication);
  for (const auto& [key, value] : configs) {
    auto* entry = create->add_configs();
    entry->set_key(key);
    entry->set_value(value);
  }
  auto decision = controller.core().Admin(request);
  EXPECT_EQ(decision.response.error_code(), 0) << decision.response.error_message();
  controller.Commit(decision.batch);
  const TopicId id = controller.image().FindTopicByName(name)->id;
  RunUntil([&] {
    for (int i = 0; i < partitions; ++i) {
      const PartitionImage& partition = Partition(id, i);
      for (const BrokerId replica : partition.replicas) {
        if (!machine(replica.value()).running()) continue;
        const PartitionCore* core = node(replica.value()).inspector().FindPartition(partition.uid);
        if (core == nullptr || core->role() == PartitionRole::kNone) return false;
        if (partition.leader == replica && !core->high_watermark_known()) return false;
      }
    }
    return true;
  });
  return id;
}

const PartitionImage& FakeWorld::Partition(TopicId topic, int index) {
  return *controller.image().FindPartition(topic, PartitionIndex(index));
}

ProducePartitionResult FakeWorld::Produce(int broker, TopicId topic, int partition,
                                          const Bytes& batch, int32_t acks) {
  ProduceRequest request;
  request.acks = acks;
  request.partitions.push_back(
      {.topic_id = topic, .partition = PartitionIndex(partition), .records = batch});
  const auto response =
      Call<ProduceRequest, ProduceResponse>(broker, &BrokerNode::Produce, std::move(request));
  return response.partitions.at(0);
}

FetchResponse FakeWorld::Fetch(int broker, FetchRequest request) {
  return Call<FetchRequest, FetchResponse>(broker, &BrokerNode::Fetch, std::move(request));
}

FetchResponse FakeWorld::FetchOne(int broker, TopicId topic, int partition, int64_t offset,
                                  int32_t max_wait_ms) {
  FetchRequest request;
  request.max_wait_ms = max_wait_ms;
  request.partitions.push_back(Want(topic, partition, offset));
  return Fetch(broker, std::move(request));
}

// ---- batches ---------------------------------------------------------------------------------

Bytes MakeBatch(int first, int records, int64_t producer, int16_t epoch, int32_t sequence,
                int64_t timestamp, size_t value_bytes) {
  RecordBatchOptions options;
  if (producer >= 0) {
    options.producer_id = ProducerId(producer);
    options.producer_epoch = ProducerEpoch(epoch);
    options.base_sequence = Sequence(sequence);
  }
  RecordBatchBuilder builder(options);
  for (int i = 0; i < records; ++i) {
    std::string value = "v" + std::to_string(first + i);
    if (value.size() < value_bytes) value.resize(value_bytes, '.');
    builder.Add({.timestamp = TimestampMs(timestamp + i),
                 .key = std::nullopt,
                 .value = value,
                 .headers = {}});
  }
  return builder.Build();
}

std::vector<std::string> ValuesIn(const std::vector<Bytes>& batches) {
  std::vector<std::string> values;
  for (const Bytes& bytes : batches) {
    auto view = RecordBatchView::Parse(bytes);
    EXPECT_TRUE(view.ok());
    auto decoded = DecodedBatch::Decode(*view);
    EXPECT_TRUE(decoded.ok());
    for (const RecordView& record : decoded->records()) {
      values.emplace_back(record.value->data(), record.value->size());
    }
  }
  return values;
}

FetchPartition Want(TopicId topic, int partition, int64_t offset) {
  return {
      .topic_id = topic, .partition = PartitionIndex(partition), .fetch_offset = Offset(offset)};
}

}  // namespace quipu::testing
