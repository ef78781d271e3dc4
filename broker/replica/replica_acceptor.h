// The peer listener's side of a replica stream: checks who opens it, then spreads the follower's
// positions over this broker's shards.
#pragma once

#include <memory>

#include "broker/replica/replica_sender.h"
#include "broker/request_router.h"
#include "broker/shared_state.h"

namespace quipu {

// One accepted stream. Its methods are called by the stream's transport, one at a time.
//
// The first message has to name this cluster, this broker as leader and a follower's present
// registration, else the stream ends with an error:
//   kInconsistentClusterId, kInvalidRequest, kNotLeaderOrFollower (meant for another broker),
//   kBrokerIdNotRegistered and kStaleBrokerEpoch (a registration that has ended, or that this
//   broker has not heard of yet: the follower tries again).
class ReplicaAcceptor {
 public:
  ReplicaAcceptor(std::shared_ptr<const BrokerConfig> config, std::shared_ptr<SharedState> shared,
                  std::shared_ptr<const RequestRouter> router,
                  std::shared_ptr<MessageSender<LeaderToReplica>> sender, uint64_t id);

  void OnMessage(const ReplicaToLeader& message);
  void OnClosed();

 private:
  [[nodiscard]] ErrorCode CheckOpen(const ReplicaOpen& open) const;
  [[nodiscard]] ErrorCode CheckFollower() const;
  void Refuse(ErrorCode error);

  const std::shared_ptr<const BrokerConfig> config_;
  const std::shared_ptr<SharedState> shared_;
  const std::shared_ptr<const RequestRouter> router_;
  const ReplicaStreamPtr stream_;
  bool opened_ = false;
  bool refused_ = false;
};

}  // namespace quipu
