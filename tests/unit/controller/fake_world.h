// A world without threads for a ControllerNode: virtual time, a memory store whose writes complete
// as tasks, senders that keep what they are given.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "controller/controller_node.h"
#include "storage/memory_raft_store.h"

namespace quipu {

class FakeExecutor final : public Executor {
 public:
  void Post(std::function<void()> work) override { Add(now_, std::move(work)); }
  void PostAfter(Duration delay, std::function<void()> work) override {
    Add(now_ + delay, std::move(work));
  }
  [[nodiscard]] Now GetNow() const override {
    return {.mono = now_, .wall = TimestampMs(ToMillis(now_.time_since_epoch()))};
  }
  // Runs everything due within `time`.
  void RunFor(Duration time) {
    const Instant end = now_ + time;
    while (!work_.empty() && work_.begin()->first.first <= end) {
      auto first = work_.begin();
      now_ = first->first.first;
      const std::function<void()> work = std::move(first->second);
      work_.erase(first);
      work();
    }
    now_ = end;
  }

 private:
  void Add(Instant when, std::function<void()> work) {
    work_[{when, ++sequence_}] = std::move(work);
  }
  Instant now_{std::chrono::seconds(100)};
  uint64_t sequence_ = 0;
  std::map<std::pair<Instant, uint64_t>, std::function<void()>> work_;
};

class FakeSender final : public MessageSender<message::ControllerToBroker> {
 public:
  void Send(message::ControllerToBroker message) override {
    if (!closed) sent.push_back(std::move(message));
  }
  [[nodiscard]] size_t queued_bytes() const override { return queued; }
  void Close(absl::Status reason) override {
    closed = true;
    close_reason = std::move(reason);
  }

  std::deque<message::ControllerToBroker> sent;
  size_t queued = 0;
  bool closed = false;
  absl::Status close_reason;
};

class FakePorts final : public ControllerPorts {
 public:
  FakePorts(FakeExecutor& executor, uint64_t seed) : executor_(executor), seed_(seed) {}
  Executor& executor() override { return executor_; }
  RaftStore& raft_store() override { return store; }
  void Persist(RaftWrite write, std::function<void()> done) override {
    executor_.Post([this, write = std::move(write), done = std::move(done)] {
      QUIPU_CHECK(store.Write(write).ok());
      if (drop_persists) return;
      done();
    });
  }
  void SendRaft(message::RaftMessage message) override {
    if (send) send(std::move(message));
  }
  void OnVoters(const VoterSet& now) override { voters = now; }
  void ProbeBroker(const HostPort& peer, std::function<void(bool refused)> done) override {
    probed.push_back(peer);
    executor_.Post([this, done = std::move(done)] { done(refused); });
  }
  uint64_t RandomSeed() override { return ++seed_; }
  [[noreturn]] void StopProcess(const std::string& reason) override {
    CheckFailed("stop", reason, __FILE__, __LINE__, "");
  }

  MemoryRaftStore store;
  VoterSet voters;  // as last told
  std::function<void(message::RaftMessage)> send;
  std::vector<HostPort> probed;
  bool refused = false;
  bool drop_persists = false;

 private:
  FakeExecutor& executor_;
  uint64_t seed_;
};

// One broker's end of a control stream.
class FakeBroker {
 public:
  FakeBroker(ControllerNode& node, int32_t id)
      : id_(id),
        sender_(std::make_shared<FakeSender>()),
        handler_(node.AcceptControlStream(sender_)) {}

  uint64_t Send(message::BrokerToController request) {
    request.set_request_id(++last_request_);
    handler_.on_message(std::move(request));
    return last_request_;
  }
  void Break() { handler_.on_closed(absl::UnavailableError("reset")); }

  uint64_t Register(int64_t last_epoch = -1, uint64_t incarnation = 1) {
    message::BrokerToController request;
    message::RegisterBroker* registration = request.mutable_register_();
    registration->set_cluster_id(Uuid(7, 7).ToBytes());
    registration->set_broker_id(id_);
    registration->set_directory_id(Uuid(100, static_cast<uint64_t>(id_)).ToBytes());
    registration->set_incarnation_id(Uuid(200, incarnation).ToBytes());
    registration->set_last_broker_epoch(last_epoch);
    registration->mutable_client_endpoint()->set_host("c");
    registration->mutable_client_endpoint()->set_port(1);
    registration->mutable_peer_endpoint()->set_host("p");
    registration->mutable_peer_endpoint()->set_port(static_cast<uint32_t>(id_));
    return Send(std::move(request));
  }
  uint64_t Heartbeat(int64_t epoch, uint64_t metadata_index = 1U << 30U) {
    message::BrokerToController request;
    request.mutable_heartbeat()->set_broker_id(id_);
    request.mutable_heartbeat()->set_broker_epoch(epoch);
    request.mutable_heartbeat()->set_metadata_index(metadata_index);
    return Send(std::move(request));
  }
  uint64_t CreateTopic(const std::string& name, int32_t partitions, int32_t replication_factor) {
    message::BrokerToController request;
    message::CreateTopic* create = request.mutable_admin()->mutable_create_topic();
    create->set_name(name);
    create->set_partitions(partitions);
    create->set_replication_factor(replication_factor);
    return Send(std::move(request));
  }
  uint64_t Subscribe(uint64_t next_index) {
    message::BrokerToController request;
    request.mutable_subscribe()->set_next_index(next_index);
    return Send(std::move(request));
  }

  // The answer to `request_id`, nullptr: none yet.
  [[nodiscard]] const message::ControllerToBroker* Answer(uint64_t request_id) const {
    for (const message::ControllerToBroker& message : sender_->sent) {
      if (message.request_id() == request_id) return &message;
    }
    return nullptr;
  }
  // What the metadata stream has told so far.
  [[nodiscard]] MetadataImage Followed() const {
    MetadataImage image;
    std::vector<record::MetadataRecord> pieces;
    for (const message::ControllerToBroker& message : sender_->sent) {
      if (!message.has_metadata()) continue;
      const message::MetadataUpdate& update = message.metadata();
      if (update.has_snapshot()) {
        if (update.snapshot().first()) pieces.clear();
        for (const auto& record : update.snapshot().records()) pieces.push_back(record);
        if (update.snapshot().last()) {
          image = MetadataImage::FromSnapshot(LogIndex(update.snapshot().last_index()), pieces);
        }
      }
      for (const auto& entry : update.entries())
        image.Apply(LogIndex(entry.index()), entry.batch());
    }
    return image;
  }
  FakeSender& sender() { return *sender_; }

 private:
  int32_t id_;
  std::shared_ptr<FakeSender> sender_;
  MessageHandler<message::BrokerToController> handler_;
  uint64_t last_request_ = 0;
};

// A quorum of `voters` nodes on one executor, joined by a network that loses nothing unless told.
class FakeQuorum {
 public:
  explicit FakeQuorum(int voters) {
    for (int i = 1; i <= voters; ++i) {
      Voter voter;
      voter.id = ControllerId(i);
      voter.directory_id = Uuid(50, static_cast<uint64_t>(i));
      voters_.push_back(voter);
    }
    for (int i = 1; i <= voters; ++i) {
      ports_.push_back(std::make_unique<FakePorts>(executor, static_cast<uint64_t>(i) * 1000));
      nodes_.push_back(nullptr);
      ports_.back()->send = [this, i](message::RaftMessage message) {
        const int to = message.to();
        if (cut.contains({i, to})) return;
        executor.PostAfter(std::chrono::milliseconds(1), [this, to, message = std::move(message)] {
          if (nodes_[static_cast<size_t>(to - 1)] != nullptr) node(to).OnRaftMessage(message);
        });
      };
    }
    for (int i = 1; i <= voters; ++i) StartNode(i);
  }
  void StartNode(int id) {
    ControllerConfig config;
    config.cluster_id = Uuid(7, 7);
    config.controller_id = ControllerId(id);
    config.directory_id = DirectoryOf(id);
    config.observer = new_directories_.contains(id);
    config.voters = voters_;
    config.snapshot_entries = snapshot_entries;
    auto& slot = nodes_[static_cast<size_t>(id - 1)];
    slot = std::make_unique<ControllerNode>(config, ports(id));
    const absl::Status started = slot->Start();
    QUIPU_CHECK_MSG(started.ok(), std::string(started.message()));
  }
  [[nodiscard]] DirectoryId DirectoryOf(int id) const {
    const auto found = new_directories_.find(id);
    return found != new_directories_.end() ? found->second
                                           : voters_[static_cast<size_t>(id - 1)].directory_id;
  }
  // The disk is gone; the node starts as an observer on an empty one.
  void LoseDisk(int id, DirectoryId fresh) {
    StopNode(id);
    ports(id).store = MemoryRaftStore();
    new_directories_[id] = fresh;
    StartNode(id);
  }
  void StopNode(int id) { nodes_[static_cast<size_t>(id - 1)] = nullptr; }
  // Takes `id` off the network, both ways.
  void Isolate(int id) {
    for (size_t other = 1; other <= voters_.size(); ++other) {
      cut[{id, static_cast<int>(other)}] = true;
      cut[{static_cast<int>(other), id}] = true;
    }
  }
  void Heal() { cut.clear(); }
  // Id of the active controller, 0: none or more than one.
  [[nodiscard]] int Active() const {
    int found = 0;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (nodes_[i] == nullptr || !IsActive(static_cast<int>(i + 1))) continue;
      if (found != 0) return 0;
      found = static_cast<int>(i + 1);
    }
    return found;
  }
  [[nodiscard]] bool IsActive(int id) const;
  ControllerNode& node(int id) { return *nodes_[static_cast<size_t>(id - 1)]; }
  FakePorts& ports(int id) { return *ports_[static_cast<size_t>(id - 1)]; }
  ControllerNode& active() { return node(Active()); }

  FakeExecutor executor;
  std::map<std::pair<int, int>, bool> cut;
  uint64_t snapshot_entries = 10000;

 private:
  std::vector<Voter> voters_;
  std::map<int, DirectoryId> new_directories_;
  std::vector<std::unique_ptr<FakePorts>> ports_;
  std::vector<std::unique_ptr<ControllerNode>> nodes_;
};

}  // namespace quipu
