// Fuzz targets: whole brokers on virtual time, over memory stores.
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/check.h"
#include "core/request/log_codec.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/targets.h"
#include "tests/unit/broker/world/fake_world.h"

namespace quipu::fuzz {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::FakeWorld;

constexpr int kStepsMax = 200;

void CheckInvariants(FakeWorld& world, int brokers) {
  for (int id = 1; id <= brokers; ++id) {
    if (!world.machine(id).running()) continue;
    const BrokerNode::Inspector& inspector = world.node(id).inspector();
    for (const PartitionUid uid : inspector.partitions()) {
      inspector.FindPartition(uid)->CheckInvariants();
    }
  }
}

// A sender that nobody listens to.
class NoSender final : public MessageSender<LeaderToReplica> {
 public:
  void Send(LeaderToReplica /*message*/) override {}
  [[nodiscard]] size_t queued_bytes() const override { return 0; }
  void Close(absl::Status /*reason*/) override {}
};

// One broker and whoever talks to it.
class Server {
 public:
  Server() : world_(1, 2), topic_(world_.CreateTopic("payments", 2)) {
    (void)world_.Produce(1, topic_, 0, testing::MakeBatch(0, 3));
  }
  ~Server() {
    if (stream_.on_closed) stream_.on_closed(absl::UnavailableError("gone"));
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void Run(uint32_t kind, absl::string_view bytes) {
    if (kind < 8) {
      RunData(kind, bytes);
    } else {
      RunGroup(kind, bytes);
    }
    world_.RunFor(milliseconds(5));
    CheckInvariants(world_, 1);
  }

 private:
  // The topic's real id wherever the bytes leave it out.
  template <typename Request>
  void Fill(Request& request) {
    for (auto& partition : request.partitions) {
      if (partition.topic_id == TopicId()) partition.topic_id = topic_;
    }
  }
  template <typename Request, typename Response>
  void Send(void (BrokerNode::*method)(Request, ReplyFn<Response>), Request request) {
    auto answered = std::make_shared<bool>(false);
    (world_.node(1).*method)(std::move(request), [answered](const Response& /*response*/) {
      QUIPU_CHECK_MSG(!*answered, "a request is answered once");
      *answered = true;
    });
  }
  template <typename Request, typename Response>
  void Unary(void (BrokerNode::*method)(Request, ReplyFn<Response>), absl::string_view bytes) {
    Request request;
    if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
    if constexpr (requires { request.mutable_partitions(0)->set_topic_id(""); }) {
      for (auto& partition : *request.mutable_partitions()) {
        if (partition.topic_id().empty()) partition.set_topic_id(topic_.ToBytes());
      }
    }
    Send(method, std::move(request));
  }
  void RunData(uint32_t kind, absl::string_view bytes) {
    switch (kind) {
      case 0: {
        auto request = DecodeProduceRequest(Bytes::CopyOf(bytes));
        if (!request.ok()) return;
        Fill(*request);
        return Send(&BrokerNode::Produce, std::move(*request));
      }
      case 1: {
        auto request = DecodeFetchRequest(Bytes::CopyOf(bytes));
        if (!request.ok()) return;
        Fill(*request);
        return Send(&BrokerNode::Fetch, std::move(*request));
      }
      case 2: {
        auto message = DecodeReplicaToLeader(Bytes::CopyOf(bytes));
        if (!message.ok()) return;
        if (message->has_open || !stream_.on_message) {
          if (stream_.on_closed) stream_.on_closed(absl::UnavailableError("anew"));
          stream_ = world_.node(1).AcceptReplicaStream(std::make_shared<NoSender>());
        }
        return stream_.on_message(std::move(*message));
      }
      case 3:
        return Unary(&BrokerNode::Metadata, bytes);
      case 4:
        return Unary(&BrokerNode::ListOffsets, bytes);
      case 5:
        return Unary(&BrokerNode::EpochEndOffsets, bytes);
      case 6:
        return Unary(&BrokerNode::DeleteRecords, bytes);
      default:
        return Unary(&BrokerNode::DescribePartitions, bytes);
    }
  }
  void RunGroup(uint32_t kind, absl::string_view bytes) {
    switch (kind) {
      case 8:
        return Unary(&BrokerNode::InitProducerId, bytes);
      case 9:
        return Unary(&BrokerNode::Admin, bytes);
      case 10:
        return Unary(&BrokerNode::FindCoordinator, bytes);
      case 11:
        return Unary(&BrokerNode::GroupHeartbeat, bytes);
      case 12:
        return Unary(&BrokerNode::OffsetCommit, bytes);
      case 13:
        return Unary(&BrokerNode::OffsetFetch, bytes);
      case 14:
        return Unary(&BrokerNode::ListGroups, bytes);
      case 15:
        return Unary(&BrokerNode::DescribeGroup, bytes);
      case 16:
        return Unary(&BrokerNode::DeleteGroup, bytes);
      case 18:
        return Unary(&BrokerNode::OffsetDelete, bytes);
      case 19:
        return Unary(&BrokerNode::RemoveMembers, bytes);
      default:
        return world_.RunFor(milliseconds(bytes.size()));
    }
  }

  FakeWorld world_;
  TopicId topic_;
  MessageHandler<ReplicaToLeader> stream_;
};

// An idempotent producer with one batch under way, which it sends again until it is acknowledged.
struct Sender {
  int64_t id = 0;
  int32_t sequence = 0;
  bool waiting = false;
  std::map<int64_t, std::string> acknowledged;  // offset -> value
};

// Two brokers, one partition on both, and what is acknowledged.
class Pair {
 public:
  Pair() : world_(2, 1), topic_(world_.CreateTopic("payments", 1, 2)) {
    for (size_t i = 0; i < 2; ++i) senders_.emplace_back().id = 7000 + static_cast<int64_t>(i);
  }

  void Step(Input& input) {
    const int broker = 1 + static_cast<int>(input.Below(2));
    const uint32_t what = input.Below(16);
    if (what < 6) Produce(broker, senders_[input.Below(2)], input.Byte());
    if (what == 6) ProduceBytes(broker, input.Block());
    if (what == 7) Fetch(broker, input.Byte());
    if (what == 8) Delete(broker, input.Byte());
    if (what == 9) Pause(broker);
    if (what == 10 || what == 11) CrashOrBoot(broker, what == 10);
    if (what == 12) world_.controller.BreakStreams();
    if (what == 13) world_.RunFor(milliseconds(50 * input.Byte()));
    if (what == 14) BreakFollowers(broker);
    world_.RunFor(milliseconds(input.Byte() % 64));
    CheckInvariants(world_, 2);
  }

  // Heals everything; then what was acknowledged is there, once and in order.
  void Finish() {
    for (int id = 1; id <= 2; ++id) {
      if (!world_.machine(id).running()) world_.machine(id).Boot();
      world_.machine(id).writer->Resume();
    }
    const auto& partition = world_.Partition(topic_, 0);
    world_.RunUntil(
        [&] { return partition.isr.size() == 2 && Leader() != nullptr && IsCaughtUp(); },
        seconds(60));
    CheckInvariants(world_, 2);
    CheckLog();
  }

 private:
  void Produce(int broker, Sender& sender, uint8_t records) {
    if (sender.waiting || !world_.machine(broker).running()) return;
    sender.waiting = true;
    const std::string value = "v" + std::to_string(sender.sequence);
    ProduceRequest request;
    request.timeout_ms = 300;
    request.partitions.push_back({.topic_id = topic_,
                                  .partition = PartitionIndex(0),
                                  .records = testing::MakeBatch(sender.sequence, 1 + records % 3,
                                                                sender.id, 0, sender.sequence)});
    const int count = 1 + records % 3;
    sender.sequence += count;
    SendAgain(broker, sender, std::move(request), count);
  }
  void SendAgain(int broker, Sender& sender, ProduceRequest request, int count) {
    if (!world_.machine(broker).running()) broker = 3 - broker;
    if (!world_.machine(broker).running()) return Later(broker, sender, std::move(request), count);
    const uint64_t attempt = ++attempts_[sender.id];
    auto copy = request;
    world_.node(broker).Produce(std::move(copy), [this, broker, &sender, request, count,
                                                  attempt](const ProduceResponse& response) {
      if (attempts_[sender.id] != attempt) return;
      const ProducePartitionResult& result = response.partitions.at(0);
      if (result.error != ErrorCode::kNone) {
        QUIPU_CHECK_MSG(result.error != ErrorCode::kOutOfOrderSequence,
                        "a batch sent again is never out of order");
        return Later(3 - broker, sender, request, count);
      }
      const int first = sender.sequence - count;
      for (int i = 0; i < count; ++i) {
        sender.acknowledged.emplace(result.base_offset.value() + i,
                                    "v" + std::to_string(first + i));
      }
      sender.waiting = false;
    });
    // A crash of the broker takes the answer along.
    world_.time.After(seconds(2), [this, broker, &sender, request, count, attempt] {
      if (attempts_[sender.id] != attempt || !sender.waiting) return;
      Later(3 - broker, sender, request, count);
    });
  }
  void Later(int broker, Sender& sender, ProduceRequest request, int count) {
    const uint64_t attempt = ++attempts_[sender.id];
    world_.time.After(milliseconds(20), [this, broker, &sender, request, count, attempt] {
      if (attempts_[sender.id] == attempt) SendAgain(broker, sender, request, count);
    });
  }
  void ProduceBytes(int broker, absl::string_view bytes) {
    if (!world_.machine(broker).running()) return;
    ProduceRequest request;
    request.partitions.push_back(
        {.topic_id = topic_, .partition = PartitionIndex(0), .records = Bytes::CopyOf(bytes)});
    world_.node(broker).Produce(std::move(request), [](const ProduceResponse& /*response*/) {});
  }
  void Fetch(int broker, int64_t offset) {
    if (!world_.machine(broker).running()) return;
    FetchRequest request;
    request.max_wait_ms = 20;
    request.partitions.push_back(testing::Want(topic_, 0, offset));
    world_.node(broker).Fetch(std::move(request), [](const FetchResponse& response) {
      for (const FetchPartitionResult& part : response.partitions) {
        for (const Bytes& batch : part.batches) {
          const auto view = RecordBatchView::Parse(batch);
          QUIPU_CHECK(view.ok() && view->last_offset() < part.high_watermark);
        }
      }
    });
  }
  void Delete(int broker, int64_t before) {
    if (!world_.machine(broker).running()) return;
    message::DeleteRecordsRequest request;
    auto* partition = request.add_partitions();
    partition->set_topic_id(topic_.ToBytes());
    partition->set_before_offset(before / 8);
    world_.node(broker).DeleteRecords(request,
                                      [](const message::DeleteRecordsResponse& /*response*/) {});
  }
  void Pause(int broker) {
    if (!world_.machine(broker).running()) return;
    testing::FakeLogWriter& writer = *world_.machine(broker).writer;
    paused_[broker] = !paused_[broker];
    paused_[broker] ? writer.Pause() : writer.Resume();
  }
  void CrashOrBoot(int broker, bool crash) {
    testing::FakeMachine& machine = world_.machine(broker);
    if (crash && machine.running()) machine.Crash();
    if (!crash && !machine.running()) machine.Boot();
    paused_[broker] = false;
  }
  void BreakFollowers(int broker) {
    for (const auto& weak : world_.machine(broker).follow_streams) {
      if (const auto stream = weak.lock()) stream->Close(absl::UnavailableError("broken"));
    }
    world_.machine(broker).follow_streams.clear();
  }

  const PartitionCore* Core(BrokerId broker) {
    return world_.node(broker.value()).inspector().FindPartition(world_.Partition(topic_, 0).uid);
  }
  const PartitionCore* Leader() {
    const BrokerId leader = world_.Partition(topic_, 0).leader;
    if (leader == kNoBroker) return nullptr;
    const PartitionCore* core = Core(leader);
    return core != nullptr && core->role() == PartitionRole::kLeader ? core : nullptr;
  }
  bool IsCaughtUp() {
    if (Leader()->high_watermark() != Leader()->log_end_offset()) return false;
    for (const Sender& sender : senders_) {
      if (sender.waiting) return false;
    }
    return true;
  }
  void CheckLog() {
    const int leader = world_.Partition(topic_, 0).leader.value();
    const int64_t start = Leader()->log_start_offset().value();
    std::map<int64_t, std::string> found;
    std::set<std::pair<int64_t, std::string>> seen;
    std::map<int64_t, int64_t> next;  // of each producer
    for (int64_t from = start; from < Leader()->high_watermark().value();) {
      const auto fetched = world_.FetchOne(leader, topic_, 0, from).partitions.at(0);
      QUIPU_CHECK(fetched.error == ErrorCode::kNone && !fetched.batches.empty());
      for (const Bytes& bytes : fetched.batches) {
        const auto batch = RecordBatchView::Parse(bytes);
        QUIPU_CHECK(batch.ok());
        const auto decoded = DecodedBatch::Decode(*batch);
        QUIPU_CHECK(decoded.ok());
        for (const RecordView& record : decoded->records()) {
          const std::string value(record.value.value_or(""));
          found.emplace(record.offset.value(), value);
          if (batch->producer_id() == kNoProducerId) continue;
          QUIPU_CHECK_MSG(seen.emplace(batch->producer_id().value(), value).second,
                          "a payment is there twice");
        }
        if (batch->producer_id() != kNoProducerId) {
          int64_t& sequence = next[batch->producer_id().value()];
          QUIPU_CHECK_MSG(batch->base_sequence().value() >= sequence, "batches out of order");
          sequence = batch->last_sequence().value() + 1;
        }
        from = batch->end_offset().value();
      }
    }
    for (const Sender& sender : senders_) {
      for (const auto& [offset, value] : sender.acknowledged) {
        if (offset < start) continue;
        QUIPU_CHECK_MSG(found.contains(offset) && found.at(offset) == value,
                        "an acknowledged payment is missing");
      }
    }
  }

  std::vector<Sender> senders_;
  std::map<int64_t, uint64_t> attempts_;
  std::map<int, bool> paused_;
  FakeWorld world_;  // ends first: what is still to happen refers to the rest
  TopicId topic_;
};

}  // namespace

void BrokerRequests(absl::string_view bytes) {
  Input input(bytes);
  Server server;
  for (int step = 0; step < kStepsMax && !input.empty(); ++step) {
    const uint32_t kind = input.Below(20);
    server.Run(kind, input.Block());
  }
}

void BrokerShards(absl::string_view bytes) {
  Input input(bytes);
  Pair pair;
  for (int step = 0; step < kStepsMax && !input.empty(); ++step) pair.Step(input);
  pair.Finish();
}

}  // namespace quipu::fuzz
