// A world small enough to be walked through whole: one partition on three brokers, the real
// PartitionCores and the real ControllerCore, and nothing that moves by itself.
//
// An Action is one thing that may happen: a message arrives, a write is synced, a broker crashes.
// The same actions give the same world. What is left out: the controllers' own quorum (a decision
// is committed at once, and brokers hear of it at once unless they are deaf), trims, and batches of
// several records. Replicas talk over streams: in order, and lost only with the stream.
//
// Reductions (Bounds::reductions) make fewer states of it and lose nothing:
//   silent writes     A write that changes no log end (epochs, a high watermark) does nothing when
//                     it is synced: all that depends on it is what a crash leaves. So it is not an
//                     action; a crash chooses how many of those at the head of the queue it leaves
//                     (Action::kept), and a sync of a later write takes them along.
//   partition epochs  A disk does not keep them: a broker that starts hears the newest image before
//                     anything else, which knows a partition epoch at least as new. A write that
//                     says nothing else is none.
//   stale proposals   One that the controller is asked at once, refuses, and will refuse for ever,
//                     because epochs only rise, and whose answer nobody waits for, is gone. One
//                     that it takes (a bug) stays.
//   epochs by rank    Epochs are only compared, and new ones are greater than all: two worlds are
//                     equal when theirs are ordered alike; broker epochs, those of each broker.
//   spent history     What was acknowledged counts only while a record may be sent again, times
//                     only while replica.lag.time.max.ms may pass. Answers that a crash took along
//                     are not waited for. Once no crash will come any more, a disk keeps only what
//                     a truncation reads again, and silent writes are synced at once. Of an update
//                     that does not restart the stream only what leaders read counts.
//   pushes first      When nothing but messages can still reach a follower in this leader epoch (no
//                     fault is left that would touch it, its leader stays), a push that cuts
//                     nothing off, to a follower with an idle disk, commutes with all that others
//                     may do; nobody else sees what it does, and it neither breaks nor mends what
//                     is checked of others: nothing else is tried before it.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "base/fingerprint.h"
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
  kLatePush,     // what a former leader sent last reaches the follower now
  kLagPasses,    // replica.lag.time.max.ms: leaders judge who is in sync
};
const char* ActionName(ActionKind kind);

// What happens on time happens by an action, whenever it likes; only whether a follower has lagged
// for too long must be told apart (replica.lag.time.max.ms).
inline constexpr Duration kGrain = PartitionLimits{}.replica_lag_max;
inline constexpr Instant kStart{std::chrono::seconds(1000)};

struct Action {
  ActionKind kind;
  uint8_t broker;    // from 1; 0: no broker's
  uint8_t kept = 0;  // kCrash: silent writes that are synced
  friend bool operator==(const Action&, const Action&) = default;
};

// How often each kind may happen on one path; what is not listed may always.
struct Bounds {
  int records = 2;
  int settled = 0;  // of the records: committed everywhere before anything is walked through
  int retries = 1;
  int crashes = 2;
  int live_fences = 0;  // of a broker that runs
  int deafenings = 0;
  int broken_streams = 0;
  int late_pushes = 0;  // of former leaders, over streams that other partitions keep open
  int lags = 1;
  int min_insync_replicas = 2;
  bool reductions = true;
};

// A copy shares with its origin what neither has changed since, so it costs little. One thread at a
// time; copies may be on different threads.
class SmallWorld {
 public:
  static constexpr int kBrokers = 3;

  // All three in sync, one leads, nothing is under way.
  explicit SmallWorld(const Bounds& bounds);

  // What may happen now, in a fixed order: what a sound cluster does by itself first, then faults.
  [[nodiscard]] std::vector<Action> Enabled() const;
  // That of it which is no fault. Nothing: the world has come to rest.
  [[nodiscard]] std::vector<Action> EnabledBySelf() const;
  // Throws sim::Violation when the action or what follows from it breaks an invariant.
  void Take(Action action);
  // Equal for worlds that cannot be told apart by what may happen next.
  [[nodiscard]] std::pair<uint64_t, uint64_t> Hash() const;
  // Nothing happens by itself any more: lets time pass, and everybody must agree on all that was
  // sent.
  void RequireSettles();
  // "1 leads epoch 3 isr 12 | 1L end 2 hw 1 | ..." for people who read a path.
  [[nodiscard]] std::string Describe() const;

 private:
  struct Proposal {
    BrokerId by;
    BrokerEpoch epoch;  // of the life that made it
    IsrProposal proposal;
  };
  struct Broker {
    BrokerId id;
    BrokerEpoch epoch;
    bool up = false;
    FakeDisk disk;
    std::shared_ptr<PartitionCore> core;  // changed through SmallWorld::Core alone
    Instant now = kStart;
    std::vector<std::shared_ptr<const PartitionAssignment>> unheard;
    bool deaf = false;
    int stream_to = 0;
    std::vector<ReplicaUpdate> updates;  // these four: oldest first
    std::vector<ReplicaPush> pushes;
    std::vector<ReplicaPush> late;  // of former leaders, whose streams have not ended
    std::vector<Proposal> proposals;
    std::vector<std::pair<ReplyToken, int32_t>> asked;  // of this life, not yet answered: sequence
    // What Hash() takes of it, as of the last action.
    bool counted = false;
    std::pair<uint64_t, uint64_t> fingerprint;
    EpochNames names;
  };

  [[nodiscard]] const Broker& At(int id) const { return *brokers_[static_cast<size_t>(id - 1)]; }
  // The same to be changed: this world's own from here on.
  Broker& Change(int id);
  [[nodiscard]] static PartitionCore& Core(Broker& broker);
  [[nodiscard]] ControllerCore& ChangeController();
  [[nodiscard]] const MetadataImage& image() const { return controller_->image(); }
  [[nodiscard]] const PartitionImage& partition() const {
    return *image().FindPartition(PartitionUid(1));
  }
  [[nodiscard]] Now NowAt(const Broker& broker) const { return {broker.now, TimestampMs(1000)}; }
  void Setup();
  void TakeAt(Broker& broker, Action action);
  // Takes what a sound cluster does by itself until nothing is left to do. Spends the bounds.
  void Rest();
  void AddEnabledOf(int id, std::vector<Action>& out) const;
  void AddFaults(std::vector<Action>& out) const;
  void AddCrashes(const Broker& broker, std::vector<Action>& out) const;
  // 0: none. A follower whose next push is taken before anything else.
  [[nodiscard]] int PushFirst() const;
  [[nodiscard]] bool LeaderStays() const;
  [[nodiscard]] static bool MaySeek(const Broker& broker);

  // ---- the controller ----
  LogIndex Append(const record::MetadataBatch& batch);
  void NoteImage();
  void Register(Broker& broker);
  void Heartbeat(const Broker& broker);
  void Fence(const Broker& broker);
  [[nodiscard]] Decision<message::AlterPartitionsResponse> Ask(const Proposal& asked) const;
  void Decide(Broker& broker);
  void DropStaleProposals();

  // ---- brokers and streams ----
  template <typename Input>
  void Turn(Broker& broker, Input input);
  void Carry(Broker& broker, PartitionEffects& effects);
  void Submit(Broker& broker, PartitionEffects& effects) const;
  // What only a crash would bring to light, once no more will come.
  void ForgetSpent(Broker& broker) const;
  // Writes at the head of the queue whose sync does nothing.
  [[nodiscard]] static size_t SilentWrites(const Broker& broker);
  void Boot(Broker& broker);
  void OpenStream(Broker& broker);
  void BreakStream(Broker& broker);
  // The follower has another leader now: what the former one sent may come all the same.
  void LeaveStream(Broker& broker);
  void Pump(Broker& leader);
  void OpenStreamsTo(const Broker& leader);
  // Tells each broker that hears what it has not heard.
  void TellImages();
  void SyncOne(Broker& broker);
  static void SyncSilent(Broker& broker, size_t count);
  void DeliverUpdate(Broker& follower);
  // `from`: the follower's own pushes, or late ones.
  void DeliverPush(Broker& follower, std::vector<ReplicaPush>& from);
  void Crash(Broker& broker, size_t kept);
  void Restart(Broker& broker);
  void LagPasses();
  void AskTime(Broker& broker);
  void AnswerIsrResult(Broker& broker, PartitionEpoch proposed_at, ErrorCode error);

  // ---- the producer ----
  void Send(Broker& to, int32_t sequence);
  void NoteReply(Broker& broker, const ProduceReply& reply);
  [[nodiscard]] int32_t OldestUnacknowledged() const;

  // ---- what must hold ----
  void Check();
  void CheckBroker(const Broker& broker);
  void CheckLeader(const Broker& broker, bool current);
  void NoteCommitted(const Broker& broker);

  // ---- what counts ----
  void Count(Broker& broker) const;
  [[nodiscard]] Fingerprint NewFingerprint(Instant now, EpochNames& names) const;
  void AddRanks(const EpochNames& all, Fingerprint& state) const;

  Bounds bounds_;  // what is left of them
  std::shared_ptr<ControllerCore> controller_;
  std::shared_ptr<const PartitionAssignment> newest_;  // as the controller has decided
  std::array<std::shared_ptr<Broker>, kBrokers> brokers_;
  uint64_t incarnations_ = 0;
  absl::InlinedVector<std::pair<BrokerEpoch, int>, 8> granted_;  // epochs, and whose

  int32_t next_sequence_ = 0;
  ReplyToken next_token_ = 0;
  // By sequence; kNoOffset: not yet.
  using Offsets = absl::InlinedVector<Offset, 4>;
  Offsets acknowledged_;
  Offsets committed_at_;
  absl::InlinedVector<StoredBatch, 2> committed_;  // seen below some leader's high watermark
  Offset true_high_watermark_{0};
};

}  // namespace quipu::explore
