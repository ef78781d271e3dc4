// Brokers on virtual time, without threads, sockets and disks: executors that a test turns by hand,
// a log writer over MemoryLogStore whose syncs take time, streams that are queues, and a controller
// that is the real ControllerCore with a log which commits at once.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "broker/broker_node.h"
#include "core/metadata/controller_core.h"
#include "core/replication/partition_core.h"
#include "storage/memory_log_store.h"

namespace quipu::testing {

inline int32_t Wire(ErrorCode error) { return static_cast<int32_t>(error); }

// Everything that happens, in order of time and then of posting.
class FakeTime {
 public:
  void At(Instant when, std::function<void()> work) {
    events_.emplace(std::make_pair(when, next_++), std::move(work));
  }
  void After(Duration delay, std::function<void()> work) { At(now_ + delay, std::move(work)); }
  [[nodiscard]] Instant now() const { return now_; }
  // Runs the next event. False: nothing is left.
  bool Step();
  void RunFor(Duration time);

 private:
  Instant now_{};
  uint64_t next_ = 0;
  std::map<std::pair<Instant, uint64_t>, std::function<void()>> events_;
};

// Work of a process that has ended never runs.
using Life = std::shared_ptr<bool>;

class FakeExecutor final : public Executor {
 public:
  FakeExecutor(FakeTime& time, Life life) : time_(time), life_(std::move(life)) {}
  void Post(std::function<void()> work) override { PostAfter(Duration::zero(), std::move(work)); }
  void PostAfter(Duration delay, std::function<void()> work) override;
  [[nodiscard]] Now GetNow() const override;

 private:
  FakeTime& time_;
  Life life_;
};

class FakeLogWriter final : public LogWriter {
 public:
  FakeLogWriter(FakeTime& time, Life life, MemoryLogStore& store)
      : time_(time), life_(std::move(life)), store_(store) {}
  void Submit(std::vector<LogWrite> writes, std::function<void()> done) override;
  void RunOnWriter(std::function<void(LogStore&)> work) override;

  Duration sync_time = std::chrono::microseconds(300);
  // While set, nothing becomes durable.
  void Pause() { paused_ = true; }
  void Resume();
  [[nodiscard]] size_t submissions() const { return submissions_; }
  [[nodiscard]] size_t writes() const { return writes_; }
  // Pieces of work of RunOnWriter.
  [[nodiscard]] size_t works() const { return works_; }

 private:
  void Enqueue(std::function<void()> work);
  void Run();
  FakeTime& time_;
  Life life_;
  MemoryLogStore& store_;
  std::deque<std::function<void()>> queue_;
  bool paused_ = false;
  bool running_ = false;
  size_t submissions_ = 0;
  size_t writes_ = 0;
  size_t works_ = 0;
};

class FakeWatermark final : public WatermarkFile {
 public:
  absl::Status StoreBrokerEpoch(BrokerEpoch epoch) override {
    epoch_ = epoch;
    unclean_ = false;
    return absl::OkStatus();
  }
  [[nodiscard]] BrokerEpoch broker_epoch() const override { return epoch_; }
  absl::Status StoreLastGroup(uint64_t group) override {
    group_ = group;
    return absl::OkStatus();
  }
  [[nodiscard]] uint64_t last_group() const override { return group_; }
  void MarkUnclean() { unclean_ = true; }
  [[nodiscard]] bool unclean() const override { return unclean_; }

 private:
  bool unclean_ = false;
  BrokerEpoch epoch_ = kNoBrokerEpoch;
  uint64_t group_ = 0;
};

// A stream as a queue per direction. A is what the client end sends, B what it gets.
template <typename A, typename B>
class FakeStream : public std::enable_shared_from_this<FakeStream<A, B>> {
 public:
  explicit FakeStream(FakeTime& time) : time_(time) {}

  template <typename Out, typename In>
  class End final : public MessageSender<Out> {
   public:
    End(std::shared_ptr<FakeStream> stream, bool from_client)
        : stream_(std::move(stream)), from_client_(from_client) {}
    void Send(Out message) override {
      auto shared = std::make_shared<Out>(std::move(message));
      stream_->time_.After(stream_->latency, [stream = stream_, shared] {
        if (!stream->closed_) stream->Deliver(std::move(*shared));
      });
    }
    [[nodiscard]] size_t queued_bytes() const override { return 0; }
    void Close(absl::Status reason) override { stream_->Close(std::move(reason)); }

   private:
    std::shared_ptr<FakeStream> stream_;
    bool from_client_;
  };

  std::unique_ptr<MessageSender<A>> ClientEnd() {
    return std::make_unique<End<A, B>>(this->shared_from_this(), true);
  }
  std::shared_ptr<MessageSender<B>> ServerEnd() {
    return std::make_shared<End<B, A>>(this->shared_from_this(), false);
  }
  void Close(absl::Status reason) {
    if (closed_) return;
    closed_ = true;
    time_.After(latency, [self = this->shared_from_this(), reason] {
      // The ends hold the stream, so it must not hold them for good.
      const auto client_end = std::exchange(self->client, {});
      const auto server_end = std::exchange(self->server, {});
      if (client_end.on_closed) client_end.on_closed(reason);
      if (server_end.on_closed) server_end.on_closed(reason);
    });
  }
  [[nodiscard]] bool closed() const { return closed_; }

  MessageHandler<B> client;
  MessageHandler<A> server;
  Duration latency = std::chrono::microseconds(100);

 private:
  void Deliver(A message) { server.on_message(std::move(message)); }
  void Deliver(B message) { client.on_message(std::move(message)); }

  FakeTime& time_;
  bool closed_ = false;
};
using ControlStream = FakeStream<message::BrokerToController, message::ControllerToBroker>;
using FollowStream = FakeStream<ReplicaToLeader, LeaderToReplica>;

// The core's answer to a request of a broker; `commit` appends the decision and returns its index.
// False: a message of another kind.
bool Decide(ControllerCore& core, const message::BrokerToController& message, Instant now,
            const std::function<LogIndex(const record::MetadataBatch&)>& commit,
            message::ControllerToBroker& out);

// One controller that is always active unless told otherwise.
class FakeController {
 public:
  FakeController(FakeTime& time, ClusterId cluster);

  MessageHandler<message::BrokerToController> Accept(std::shared_ptr<ControlStream> stream);
  // Commits `batch`, tells the brokers.
  void Commit(record::MetadataBatch batch);
  [[nodiscard]] const MetadataImage& image() const { return core_.image(); }
  ControllerCore& core() { return core_; }
  void BreakStreams();

  bool refuse_all = false;  // answers NotController to everything
  bool silent = false;      // answers nothing
  bool mute_metadata = false;
  std::optional<ErrorCode> refuse_registration;
  size_t registrations = 0;
  size_t alter_requests = 0;
  size_t unreadable_messages = 0;  // that protobuf refused; each ended its stream

 private:
  void Begin();
  void OnMessage(const std::shared_ptr<ControlStream>& stream,
                 const message::BrokerToController& sent);
  void SendEntries(const std::shared_ptr<ControlStream>& stream, uint64_t from);
  void Tick();
  LogIndex CommitAt(const record::MetadataBatch& batch);

  FakeTime& time_;
  ControllerCore core_;
  std::vector<record::MetadataBatch> log_;  // entry i has index i + 1
  std::vector<std::weak_ptr<ControlStream>> subscribers_;
  std::vector<std::weak_ptr<ControlStream>> streams_;
};

class FakeWorld;

// One broker's machine: the disk outlives the process.
class FakeMachine final : public BrokerPorts {
 public:
  FakeMachine(FakeWorld& world, BrokerConfig config);

  // ---- BrokerPorts ----
  Executor& shard_executor(size_t shard) override { return *shard_executors_.at(shard); }
  Executor& control_executor() override { return *control_executor_; }
  void RunColdRead(std::function<void()> work) override;
  LogStore& log_store() override { return store; }
  LogWriter& log_writer() override { return *writer; }
  WatermarkFile& watermark_file() override { return watermark; }
  int64_t disk_free_bytes() override { return free_bytes; }
  Duration disk_write_in_progress() override { return write_in_progress; }
  std::unique_ptr<MessageSender<message::BrokerToController>> OpenControlStream(
      const HostPort& controller, MessageHandler<message::ControllerToBroker> handler) override;
  std::unique_ptr<MessageSender<ReplicaToLeader>> OpenReplicaStream(
      size_t /*shard*/, const HostPort& leader, MessageHandler<LeaderToReplica> handler) override;
  uint64_t RandomSeed() override { return ++seed_; }
  void RequestStop() override { ++stop_requests; }
  [[noreturn]] void StopProcess(const std::string& reason) override;

  void Boot();
  void Crash();  // what was not synced is gone
  [[nodiscard]] bool running() const { return node != nullptr; }

  BrokerConfig config;
  MemoryLogStore store;
  FakeWatermark watermark;
  int64_t free_bytes = int64_t{1} << 40;
  Duration write_in_progress{0};
  size_t cold_reads = 0;
  size_t stop_requests = 0;
  std::unique_ptr<FakeLogWriter> writer;
  std::unique_ptr<BrokerNode> node;
  std::vector<std::weak_ptr<FollowStream>> follow_streams;  // opened by this broker

 private:
  FakeWorld& world_;
  Life life_;
  uint64_t seed_ = 0;
  std::vector<std::unique_ptr<FakeExecutor>> shard_executors_;
  std::unique_ptr<FakeExecutor> control_executor_;
  // Of earlier processes: what is still on its way may post to them.
  std::vector<std::unique_ptr<FakeExecutor>> ended_executors_;
  std::vector<std::weak_ptr<ControlStream>> control_streams_;
};

struct StopProcessCalled : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class FakeWorld {
 public:
  // Brokers 1 to `brokers`, booted and unfenced.
  explicit FakeWorld(int brokers = 1, size_t num_shards = 1);
  ~FakeWorld();

  FakeMachine& machine(int id) { return *machines_.at(static_cast<size_t>(id - 1)); }
  BrokerNode& node(int id) { return *machine(id).node; }
  void RunFor(Duration duration) { time.RunFor(duration); }
  // Runs until `done` says so; fails the test after `limit` of virtual time.
  void RunUntil(const std::function<bool()>& done, Duration limit = std::chrono::seconds(20));

  TopicId CreateTopic(const std::string& name, int partitions, int replication = 1,
                      std::map<std::string, std::string> configs = {});
  const PartitionImage& Partition(TopicId topic, int index);

  // ---- requests, each run until answered ----
  ProducePartitionResult Produce(int broker, TopicId topic, int partition, const Bytes& batch,
                                 int32_t acks = -1);
  FetchResponse Fetch(int broker, FetchRequest request);
  FetchResponse FetchOne(int broker, TopicId topic, int partition, int64_t offset,
                         int32_t max_wait_ms = 0);
  // The answer of any unary method of BrokerNode.
  template <typename Request, typename Response>
  Response Call(int broker, void (BrokerNode::*method)(Request, ReplyFn<Response>),
                Request request) {
    auto answer = std::make_shared<std::optional<Response>>();
    (node(broker).*method)(std::move(request),
                           [answer](Response response) { *answer = std::move(response); });
    RunUntil([&] { return answer->has_value(); });
    return **answer;
  }

  FakeTime time;
  ClusterId cluster{7, 7};
  FakeController controller;

 private:
  std::vector<std::unique_ptr<FakeMachine>> machines_;
};

// A batch of `records` records with values "v<first>", ...; `producer` -1: not idempotent.
Bytes MakeBatch(int first, int records, int64_t producer = -1, int16_t epoch = 0,
                int32_t sequence = 0, int64_t timestamp = 1000, size_t value_bytes = 0);
// The values of all records in `batches`.
std::vector<std::string> ValuesIn(const std::vector<Bytes>& batches);
FetchPartition Want(TopicId topic, int partition, int64_t offset);

}  // namespace quipu::testing
