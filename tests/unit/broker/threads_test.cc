// Goal: shards, log writer, cold readers and the request router of a broker share no memory
// unguarded. Method: one broker on real threads over memory stores, with a controller on a thread
// of its own and clients in several; what was acknowledged is read back. Under ThreadSanitizer
// (preset tsan) a race is a failure.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "broker/broker_node.h"
#include "core/metadata/controller_core.h"
#include "runtime/shard_thread.h"
#include "runtime/worker_pool.h"
#include "storage/memory_log_store.h"
#include "storage/wal_writer.h"
#include "tests/unit/broker/world/fake_world.h"

namespace quipu {
namespace {

using std::chrono::seconds;

// MemoryLogStore is for one thread; a broker reads while its writer writes.
class LockedStore final : public MemoryLogStore {
 public:
  absl::Status Write(const std::vector<LogWrite>& group) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return MemoryLogStore::Write(group);
  }
  absl::StatusOr<LogId> CreateLog(PartitionUid uid) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return MemoryLogStore::CreateLog(uid);
  }
  absl::Status DropLog(PartitionUid uid) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return MemoryLogStore::DropLog(uid);
  }
  std::vector<KnownLog> Logs() const override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return MemoryLogStore::Logs();
  }
  std::optional<LogId> FindLog(PartitionUid uid) const override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return MemoryLogStore::FindLog(uid);
  }
  absl::StatusOr<RecoveredLog> Recover(LogId log_id) const override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return MemoryLogStore::Recover(log_id);
  }
  absl::StatusOr<std::vector<StoredBatch>> Read(LogId log_id, Offset from, Offset end,
                                                size_t bytes_max) const override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return MemoryLogStore::Read(log_id, from, end, bytes_max);
  }
  absl::StatusOr<std::optional<StoredBatch>> FindByTimestamp(LogId log_id,
                                                             TimestampMs time) const override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return MemoryLogStore::FindByTimestamp(log_id, time);
  }
  absl::StatusOr<std::optional<StoredBatch>> FindLargestTimestamp(LogId log_id,
                                                                  Offset from) const override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return MemoryLogStore::FindLargestTimestamp(log_id, from);
  }
  absl::StatusOr<Offset> OffsetForSize(LogId log_id, int64_t bytes_max) const override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return MemoryLogStore::OffsetForSize(log_id, bytes_max);
  }
  void PublishTrim(LogId log_id, Offset log_start) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    MemoryLogStore::PublishTrim(log_id, log_start);
  }
  int64_t ApproximateBytes(LogId log_id) const override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return MemoryLogStore::ApproximateBytes(log_id);
  }
  absl::Status PutValue(const std::string& name, const std::string& value) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return MemoryLogStore::PutValue(name, value);
  }
  absl::StatusOr<std::optional<std::string>> GetValue(const std::string& name) const override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return MemoryLogStore::GetValue(name);
  }

 private:
  mutable std::mutex mutex_;
};

class LockedWatermark final : public WatermarkFile {
 public:
  absl::Status StoreBrokerEpoch(BrokerEpoch epoch) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return file_.StoreBrokerEpoch(epoch);
  }
  [[nodiscard]] BrokerEpoch broker_epoch() const override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return file_.broker_epoch();
  }
  absl::Status StoreLastGroup(uint64_t group) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return file_.StoreLastGroup(group);
  }
  [[nodiscard]] uint64_t last_group() const override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return file_.last_group();
  }
  [[nodiscard]] bool unclean() const override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return file_.unclean();
  }

 private:
  mutable std::mutex mutex_;
  testing::FakeWatermark file_;
};

// The real ControllerCore, whose log commits at once, on a thread of its own.
class ThreadedController {
 public:
  using Handler = MessageHandler<message::ControllerToBroker>;

  ThreadedController() {
    thread_.Post([this] {
      core_.Activate(MetadataImage(), thread_.GetNow().mono);
      Commit(core_.Bootstrap());
    });
  }
  void Stop() { thread_.Stop(); }

  std::unique_ptr<MessageSender<message::BrokerToController>> Open(Handler handler) {
    return std::make_unique<Sender>(*this, std::make_shared<Handler>(std::move(handler)));
  }

 private:
  class Sender final : public MessageSender<message::BrokerToController> {
   public:
    Sender(ThreadedController& controller, std::shared_ptr<Handler> handler)
        : controller_(controller), handler_(std::move(handler)) {}
    void Send(message::BrokerToController message) override {
      controller_.thread_.Post(
          [&controller = controller_, handler = handler_, message = std::move(message)] {
            controller.OnMessage(handler, message);
          });
    }
    [[nodiscard]] size_t queued_bytes() const override { return 0; }
    void Close(absl::Status reason) override {
      controller_.thread_.Post([&controller = controller_, handler = handler_, reason] {
        std::erase(controller.subscribers_, handler);
        handler->on_closed(reason);
      });
    }

   private:
    ThreadedController& controller_;
    std::shared_ptr<Handler> handler_;
  };

  static ControllerCore::Options Options() {
    ControllerCore::Options options;
    options.cluster_id = Uuid(7, 7);
    options.replication_factor = 1;
    return options;
  }
  void OnMessage(const std::shared_ptr<Handler>& handler,
                 const message::BrokerToController& message) {
    message::ControllerToBroker out;
    out.set_request_id(message.request_id());
    if (message.has_subscribe()) {
      subscribers_.push_back(handler);
      return Tell(*handler, message.subscribe().next_index());
    }
    const auto commit = [this](const record::MetadataBatch& batch) {
      Commit(batch);
      return LogIndex(log_.size());
    };
    testing::Decide(core_, message, thread_.GetNow().mono, commit, out);
    handler->on_message(std::move(out));
  }
  void Commit(const record::MetadataBatch& batch) {
    if (batch.records_size() == 0) return;
    log_.push_back(batch);
    core_.Replay(LogIndex(log_.size()), batch, thread_.GetNow().mono);
    for (const auto& subscriber : subscribers_) Tell(*subscriber, log_.size());
  }
  void Tell(Handler& handler, uint64_t from) {
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
    handler.on_message(std::move(out));
  }

  ControllerCore core_{Options(), 1};
  std::vector<record::MetadataBatch> log_;
  std::vector<std::shared_ptr<Handler>> subscribers_;
  ShardThread thread_{"controller"};
};

class ThreadedPorts final : public BrokerPorts {
 public:
  explicit ThreadedPorts(size_t shards) {
    for (size_t i = 0; i < shards; ++i) shards_.push_back(std::make_unique<ShardThread>("shard"));
  }
  void Stop() {
    cold_reads_.Stop();
    for (const auto& shard : shards_) shard->Stop();
    control_.Stop();
    controller.Stop();
    writer_.reset();
  }
  Executor& shard_executor(size_t shard) override { return *shards_[shard]; }
  Executor& control_executor() override { return control_; }
  void RunColdRead(std::function<void()> work) override { cold_reads_.Run(std::move(work)); }
  LogStore& log_store() override { return store_; }
  LogWriter& log_writer() override { return *writer_; }
  WatermarkFile& watermark_file() override { return watermark_; }
  int64_t disk_free_bytes() override { return int64_t{1} << 40; }
  std::unique_ptr<MessageSender<message::BrokerToController>> OpenControlStream(
      const HostPort& /*controller*/,
      MessageHandler<message::ControllerToBroker> handler) override {
    return controller.Open(std::move(handler));
  }
  std::unique_ptr<MessageSender<ReplicaToLeader>> OpenReplicaStream(
      size_t /*shard*/, const HostPort& /*leader*/,
      MessageHandler<LeaderToReplica> /*handler*/) override {
    ADD_FAILURE() << "one broker follows nobody";
    return nullptr;
  }
  uint64_t RandomSeed() override { return ++seed_; }
  void RequestStop() override { FAIL() << "nobody drains this broker"; }
  [[noreturn]] void StopProcess(const std::string& reason) override {
    std::fprintf(stderr, "stopped: %s\n", reason.c_str());
    std::abort();
  }

  ThreadedController controller;

 private:
  std::atomic<uint64_t> seed_{0};
  LockedStore store_;
  LockedWatermark watermark_;
  std::unique_ptr<WalWriter> writer_ =
      std::make_unique<WalWriter>(store_, [](const std::string& reason) { FAIL() << reason; });
  std::vector<std::unique_ptr<ShardThread>> shards_;
  ShardThread control_{"control"};
  WorkerPool cold_reads_{"cold-read", 2};
};

// The answer of any method of BrokerNode, waited for.
template <typename Request, typename Response>
Response Call(BrokerNode& node, void (BrokerNode::*method)(Request, ReplyFn<Response>),
              Request request) {
  struct Answer {
    std::mutex mutex;
    std::condition_variable wake;
    std::optional<Response> response;
  };
  auto answer = std::make_shared<Answer>();
  (node.*method)(std::move(request), [answer](Response response) {
    const std::lock_guard<std::mutex> lock(answer->mutex);
    answer->response = std::move(response);
    answer->wake.notify_one();
  });
  std::unique_lock<std::mutex> lock(answer->mutex);
  EXPECT_TRUE(
      answer->wake.wait_for(lock, seconds(60), [&] { return answer->response.has_value(); }));
  return std::move(answer->response).value();
}

constexpr int kPartitions = 6;
constexpr int kClients = 3;
constexpr int kBatches = 60;

class ThreadsTest : public ::testing::Test {
 protected:
  ThreadsTest() {
    BrokerConfig config;
    config.cluster_id = Uuid(7, 7);
    config.broker_id = BrokerId(1);
    config.directory_id = Uuid(99, 1);
    config.client_endpoint = {"client", 9001};
    config.peer_endpoint = {"peer", 9101};
    config.controllers = {{"controller", 9500}};
    config.num_shards = 3;
    node_ = std::make_unique<BrokerNode>(config, ports_);
    EXPECT_TRUE(node_->Start().ok());
  }
  ~ThreadsTest() override {
    ports_.Stop();
    node_.reset();
  }

  // Made once the broker is registered; its id.
  TopicId CreateTopic() {
    const auto deadline = std::chrono::steady_clock::now() + seconds(60);
    while (std::chrono::steady_clock::now() < deadline) {
      message::AdminRequest request;
      request.mutable_create_topic()->set_name("payments");
      request.mutable_create_topic()->set_partitions(kPartitions);
      request.mutable_create_topic()->set_replication_factor(1);
      (void)Call(*node_, &BrokerNode::Admin, request);
      message::MetadataRequest ask;
      ask.add_topics("payments");
      const auto answer = Call(*node_, &BrokerNode::Metadata, ask);
      if (answer.topics_size() == 1 && answer.topics(0).error_code() == 0) {
        return *Uuid::FromBytes(answer.topics(0).topic_id());
      }
      std::this_thread::yield();
    }
    ADD_FAILURE() << "no topic";
    return {};
  }
  // Sends until it is acknowledged; the partition may not be led yet.
  Offset Produce(TopicId topic, int partition, int first) {
    for (int attempt = 0; attempt < 100000; ++attempt) {
      ProduceRequest request;
      request.partitions.push_back({.topic_id = topic,
                                    .partition = PartitionIndex(partition),
                                    .records = testing::MakeBatch(first, 1)});
      const auto answer = Call(*node_, &BrokerNode::Produce, std::move(request));
      if (answer.partitions.at(0).error == ErrorCode::kNone) {
        return answer.partitions[0].base_offset;
      }
      std::this_thread::yield();
    }
    ADD_FAILURE() << "never acknowledged";
    return kNoOffset;
  }
  std::vector<std::string> ReadAll(TopicId topic, int partition, Offset end) {
    std::vector<std::string> values;
    while (Offset(static_cast<int64_t>(values.size())) < end) {
      FetchRequest request;
      request.partitions.push_back(
          testing::Want(topic, partition, static_cast<int64_t>(values.size())));
      const auto answer = Call(*node_, &BrokerNode::Fetch, std::move(request));
      const FetchPartitionResult& part = answer.partitions.at(0);
      EXPECT_EQ(part.error, ErrorCode::kNone);
      if (part.error != ErrorCode::kNone) break;
      for (std::string& value : testing::ValuesIn(part.batches)) values.push_back(std::move(value));
    }
    return values;
  }

  ThreadedPorts ports_{3};
  std::unique_ptr<BrokerNode> node_;
};

TEST_F(ThreadsTest, ClientsInManyThreadsReadWhatWasAcknowledged) {
  const TopicId topic = CreateTopic();
  std::vector<std::map<Offset, std::string>> acknowledged(kPartitions);
  std::mutex mutex;
  std::vector<std::thread> clients;
  for (int client = 0; client < kClients; ++client) {
    clients.emplace_back([&, client] {
      for (int i = 0; i < kBatches; ++i) {
        const int value = client * 1000 + i;
        const int partition = (client + i) % kPartitions;
        const Offset offset = Produce(topic, partition, value);
        const std::lock_guard<std::mutex> lock(mutex);
        EXPECT_TRUE(acknowledged[static_cast<size_t>(partition)]
                        .emplace(offset, "v" + std::to_string(value))
                        .second);
      }
    });
  }
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done) {
      FetchRequest request;
      request.max_wait_ms = 5;
      for (int p = 0; p < kPartitions; ++p)
        request.partitions.push_back(testing::Want(topic, p, 0));
      (void)Call(*node_, &BrokerNode::Fetch, std::move(request));
      (void)Call(*node_, &BrokerNode::DescribePartitions, message::DescribePartitionsRequest());
    }
  });
  for (std::thread& client : clients) client.join();
  done = true;
  reader.join();
  for (int partition = 0; partition < kPartitions; ++partition) {
    const auto& expected = acknowledged[static_cast<size_t>(partition)];
    ASSERT_EQ(expected.size(), size_t{kClients * kBatches / kPartitions});
    const auto values = ReadAll(topic, partition, expected.rbegin()->first + 1);
    ASSERT_EQ(values.size(), expected.size());
    for (const auto& [offset, value] : expected) {
      EXPECT_EQ(values.at(static_cast<size_t>(offset.value())), value);
    }
  }
}

}  // namespace
}  // namespace quipu
