// Replicas of one partition, wired by hand: cores, fake disks, replica streams and a toy
// controller.
//
// Nothing happens by itself: a test delivers, syncs and crashes what it wants, or calls Settle.
// Brokers are numbered from 1.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/replication/partition_core.h"
#include "tests/unit/core/replication/fake_disk.h"

namespace quipu {

struct BatchSpec {
  int64_t producer_id = -1;
  int16_t producer_epoch = 0;
  int32_t sequence = 0;
  int count = 1;
  std::string value = "v";
  int64_t timestamp = 1000;
};
Bytes MakeBatch(const BatchSpec& spec);

class ReplicaCluster {
 public:
  struct Options {
    int replicas = 3;
    PartitionConfig config = {};
    PartitionLimits limits = {};
  };
  struct Node {
    BrokerId id;
    BrokerEpoch epoch;
    bool up = true;
    FakeDisk disk;
    std::unique_ptr<PartitionCore> core;
    size_t images_seen = 0;
    // Its replica stream, while it follows.
    int stream_to = 0;
    std::deque<ReplicaUpdate> updates;
    std::deque<ReplicaPush> pushes;
  };

  explicit ReplicaCluster(Options options);
  ReplicaCluster() : ReplicaCluster(Options{}) {}

  // ---- the toy controller; a change is an image that each node still has to hear ----
  PartitionAssignment image;
  void Elect(int leader);  // next leader epoch
  void SetIsr(const std::vector<int>& isr);
  void Commit();  // publishes `image`, with the next partition epoch
  ErrorCode Decide(const IsrProposal& proposal);  // taken or refused, and answered
  void TellImage(int node);                       // all images it has not heard yet, one by one
  void TellImages();
  bool HasNews(int node) const { return nodes_[Index(node)].images_seen < images_.size(); }
  std::deque<IsrProposal> proposals;  // not decided yet
  bool decides = true;                // Settle decides them

  // ---- traffic ----
  ReplyToken Produce(int at, const BatchSpec& spec, int acks = -1);
  ReplyToken ProduceBytes(int at, Bytes bytes, int acks = -1, bool from_coordinator = false);
  // kNone with base offset, an error, or nullopt while it waits.
  std::optional<ProduceReply> Reply(ReplyToken token) const;
  std::map<ReplyToken, DeleteRecordsReply> delete_replies;
  ReplyToken DeleteRecords(int at, int64_t before);

  // ---- the world ----
  void SyncOne(int node);
  void Sync(int node);               // all its writes
  void DeliverUpdate(int follower);  // one message to its leader
  void DeliverPush(int follower);    // one message to it
  void Deliver(int follower);        // both ways until quiet, without any sync
  void BreakStream(int follower);    // what is under way is lost; it is opened again
  void Crash(int node);
  void Restart(int node);  // with a new broker epoch, not yet in the image
  void WipeDisk(int node) { nodes_[Index(node)].disk = FakeDisk(); }
  void Advance(std::chrono::milliseconds time);
  void Settle();  // until nothing moves any more
  Now now{Instant{} + std::chrono::seconds(1000), TimestampMs{1'000'000}};

  // ---- looking ----
  PartitionCore& core(int node) { return *nodes_[Index(node)].core; }
  [[nodiscard]] const Node& node(int id) const { return nodes_[Index(id)]; }
  Node& node(int id) { return nodes_[Index(id)]; }
  [[nodiscard]] int replicas() const { return static_cast<int>(nodes_.size()); }
  [[nodiscard]] int64_t End(int n) { return core(n).log_end_offset().value(); }
  [[nodiscard]] int64_t Hw(int n) { return core(n).high_watermark().value(); }
  // Values of the synced batches, joined: "a,b,c".
  [[nodiscard]] std::string Log(int node) const;
  size_t truncations = 0;

  // I20, I24, I26, I28, I29, I40 and each core's own; fails the running test.
  void CheckInvariants();
  // (producer, epoch, sequence) -> base offset of every batch that was ever committed (I40).
  std::map<std::tuple<int64_t, int16_t, int32_t>, int64_t> committed_sequences;
  [[nodiscard]] int64_t true_high_watermark() const { return true_high_watermark_; }

  // Hands an input to a core and carries out what comes of it.
  template <typename Input>
  void Turn(int node, Input input) {
    PartitionEffects effects;
    input(core(node), effects);
    Carry(node, effects);
  }

 private:
  static size_t Index(int node) { return static_cast<size_t>(node - 1); }
  void Start(Node& node);
  void Carry(int node, PartitionEffects& effects);
  void Pump(int leader);
  void OpenStream(int follower);
  void NoteCommitted(const StoredBatch& batch);

  Options options_;
  std::vector<Node> nodes_;
  std::vector<PartitionAssignment> images_;
  std::map<ReplyToken, ProduceReply> replies_;
  ReplyToken next_token_ = 1;
  int64_t true_high_watermark_ = 0;
  std::map<int64_t, std::string> committed_;       // base offset -> bytes (I29)
  std::map<std::pair<int, int>, int64_t> served_;  // (node, epoch) -> HW (I26)
  std::map<int, int64_t> checked_;                 // node -> committed up to here
};

}  // namespace quipu
