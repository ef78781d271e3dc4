// Streams to the peers that are asked for sound copies of damaged batches: replica streams of their
// own, opened when there is something to ask and closed when there is nothing any more. Shard
// thread only.
#pragma once

#include <functional>
#include <memory>

#include "absl/container/btree_map.h"
#include "broker/shard/shard_context.h"

namespace quipu {

class RepairLinks {
 public:
  struct Listener {
    std::function<void(BrokerId peer, RepairAnswer answer)> on_answer;
    // What was asked of the peer and not answered will not be.
    std::function<void(BrokerId peer)> on_lost;
  };
  // `context` must outlive the links.
  RepairLinks(ShardContext& context, Listener listener)
      : context_(context), listener_(std::move(listener)) {}
  ~RepairLinks();
  RepairLinks(const RepairLinks&) = delete;
  RepairLinks& operator=(const RepairLinks&) = delete;

  // on_answer or on_lost follows, later.
  void Send(BrokerId peer, RepairRequest request);
  // Ends streams to lives of brokers that have ended, or that were opened in an older one of this
  // broker (PR3).
  void OnImage();
  void CloseAll();

 private:
  struct Link {
    uint64_t generation = 0;
    BrokerEpoch peer_epoch;
    BrokerEpoch own_epoch;
    std::unique_ptr<MessageSender<ReplicaToLeader>> sender;
  };
  [[nodiscard]] const BrokerImage* Find(BrokerId peer) const;
  // nullptr: the image does not know the broker.
  Link* Open(BrokerId peer);
  void Close(BrokerId peer);
  void OnMessage(BrokerId peer, uint64_t generation, LeaderToReplica message);
  void OnClosed(BrokerId peer, uint64_t generation);
  void PostLost(BrokerId peer);

  ShardContext& context_;
  const Listener listener_;
  absl::btree_map<BrokerId, Link> links_;
  uint64_t next_generation_ = 1;
};

}  // namespace quipu
