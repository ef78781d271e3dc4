// What a BrokerNode is made of.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "broker/broker_node.h"
#include "broker/control/broker_control.h"
#include "broker/group/group_router.h"
#include "broker/request_router.h"
#include "broker/shard/broker_shard.h"
#include "broker/shared_state.h"

namespace quipu {

struct BrokerNode::Parts final : public BrokerNode::Inspector {
  Parts(BrokerConfig given, BrokerPorts& given_ports);

  // Hands every log of the directory to its shard. Before Start.
  absl::Status RecoverLogs();
  // Answers all that waits anywhere, then calls `done`; nothing is taken afterwards. Any thread.
  void FailAll(ErrorCode error, std::function<void()> done);

  [[nodiscard]] BrokerEpoch broker_epoch() const override;
  [[nodiscard]] MetadataImagePtr image() const override;
  [[nodiscard]] std::vector<PartitionUid> partitions() const override;
  [[nodiscard]] const PartitionCore* FindPartition(PartitionUid uid) const override;

  const std::shared_ptr<const BrokerConfig> config;
  BrokerPorts& ports;
  Rng rng;
  const std::shared_ptr<SharedState> shared;
  std::vector<std::shared_ptr<BrokerShard>> shards;
  std::shared_ptr<RequestRouter> router;
  std::shared_ptr<BrokerControl> control;
  std::shared_ptr<GroupRouter> groups;
  std::atomic<uint64_t> next_stream_id{1};
};

}  // namespace quipu
