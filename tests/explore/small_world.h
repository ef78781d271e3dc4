// A world small enough to be walked through whole: one partition on three brokers, the real
// PartitionCores and the real ControllerCore, and nothing that moves by itself.
//
// An Action is one thing that may happen: a message arrives, a write is synced, a broker crashes.
// The same actions give the same world. What is left out: the controllers' own quorum (a decision
// is committed at once, and brokers hear of it at once unless they are deaf), trims, and batches of
// several records. Replicas talk over streams: in order, and lost only with the stream.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/metadata/controller_core.h"
#include "core/replication/partition_core.h"
#include "tests/unit/core/replication/fake_disk.h"

namespace quipu::explore {

enum class ActionKind : uint8_t {
  kSend,         // the producer sends its next record to a broker that believes it leads
  kRetry,        // it sends its oldest unacknowledged record again
  kUpdate,       // the follower's oldest message reaches its leader
  kPush,         // the leader's oldest message reaches the follower
  kSync,         // the oldest write is durable, and its broker hears of it
  kHeartbeat,    // a fenced broker that knows of its registration is unfenced
  kDecide,       // the controller decides the broker's oldest ISR proposal
  kSeek,         // a follower whose question was refused asks again
  kCrash,        // with everything unsynced
  kFence,        // its session ends
  kRestart,      // and registers
  kDeafen,       // the broker is heard by the controller but hears nothing of it
  kHear,         // it hears what it missed, one image after another
  kBreakStream,  // between a follower and its leader; opened again
  kLagPasses,    // replica.lag.time.max.ms: leaders judge who is in sync
};
const char* ActionName(ActionKind kind);

struct Action {
  ActionKind kind;
  uint8_t broker;  // from 1; 0: no broker's
  friend bool operator==(const Action&, const Action&) = default;
};

// How often each kind may happen on one path; what is not listed may always.
struct Bounds {
  int records = 2;
  int retries = 1;
  int crashes = 2;
  int live_fences = 0;  // of a broker that runs
  int deafenings = 0;
  int broken_streams = 0;
  int lags = 1;
  int min_insync_replicas = 2;
};

class SmallWorld {
 public:
  static constexpr int kBrokers = 3;

  // All three in sync, one leads, nothing is under way.
  explicit SmallWorld(const Bounds& bounds);

  // What may happen now, in a fixed order: what a sound cluster does by itself first, then faults.
  [[nodiscard]] std::vector<Action> Enabled() const;
  // Throws sim::Violation when the action or what follows from it breaks an invariant.
  void Take(Action action);
  // Equal for worlds that cannot be told apart by what may happen next.
  [[nodiscard]] std::pair<uint64_t, uint64_t> Hash() const;
  // Nothing may happen any more: lets time pass, and everybody must agree on all that was sent.
  void RequireSettles();
  // "1 leads epoch 3 isr 12 | 1L end 2 hw 1 | ..." for people who read a path.
  [[nodiscard]] std::string Describe() const;

 private:
  struct Broker {
    BrokerId id;
    BrokerEpoch epoch;
    bool up = false;
    FakeDisk disk;
    std::unique_ptr<PartitionCore> core;
    Instant now{std::chrono::seconds(1000)};
    size_t next_image = 0;  // of SmallWorld::images_
    bool deaf = false;
    int stream_to = 0;
    std::deque<ReplicaUpdate> updates;
    std::deque<ReplicaPush> pushes;
    struct Proposal {
      BrokerEpoch epoch;  // of the life that made it
      IsrProposal proposal;
    };
    std::deque<Proposal> proposals;
  };

  [[nodiscard]] Broker& At(int id) { return brokers_[static_cast<size_t>(id - 1)]; }
  [[nodiscard]] const Broker& At(int id) const { return brokers_[static_cast<size_t>(id - 1)]; }
  [[nodiscard]] const MetadataImage& image() const { return controller_->image(); }
  [[nodiscard]] const PartitionImage& partition() const {
    return *image().FindPartition(PartitionUid(1));
  }
  [[nodiscard]] Now NowAt(const Broker& broker) const { return {broker.now, TimestampMs(1000)}; }
  void Setup();
  // Takes what a sound cluster does by itself until nothing is left to do. Spends the bounds.
  void Rest();
  void AddEnabledOf(int id, std::vector<Action>& out) const;
  void AddFaults(std::vector<Action>& out) const;
  [[nodiscard]] bool MaySeek(const Broker& broker) const;

  // ---- the controller ----
  LogIndex Append(const record::MetadataBatch& batch);
  void Register(Broker& broker);
  void Heartbeat(const Broker& broker);
  void Fence(const Broker& broker);
  void Decide(Broker& broker);

  // ---- brokers and streams ----
  template <typename Input>
  void Turn(Broker& broker, Input input);
  void Carry(Broker& broker, PartitionEffects& effects);
  void Boot(Broker& broker);
  void OpenStream(Broker& broker);
  void BreakStream(Broker& broker);
  void Pump(const Broker& leader);
  // Tells each broker that hears what it has not heard.
  void TellImages();
  void SyncOne(Broker& broker);
  void DeliverUpdate(Broker& follower);
  void DeliverPush(Broker& follower);
  void Crash(Broker& broker);
  void Restart(Broker& broker);
  void LagPasses();

  // ---- the producer ----
  void Send(Broker& to, int32_t sequence);
  void NoteReply(const ProduceReply& reply);
  [[nodiscard]] int32_t OldestUnacknowledged() const;

  // ---- what must hold ----
  void Check();
  void CheckBroker(const Broker& broker);
  void CheckLeader(const Broker& broker, bool current);
  void NoteCommitted(const Broker& broker);

  Bounds bounds_;  // what is left of them
  std::unique_ptr<ControllerCore> controller_;
  // What brokers hear of, one after another.
  std::vector<PartitionAssignment> images_;
  std::vector<Broker> brokers_;
  uint64_t incarnations_ = 0;

  int32_t next_sequence_ = 0;
  ReplyToken next_token_ = 0;
  std::map<ReplyToken, int32_t> asked_;  // not yet answered: its sequence
  std::map<int32_t, Offset> acknowledged_;
  std::vector<StoredBatch> committed_;  // seen below some leader's high watermark
  std::map<int32_t, Offset> committed_sequences_;
  Offset true_high_watermark_{0};
  size_t records_ = 0;
};

}  // namespace quipu::explore
