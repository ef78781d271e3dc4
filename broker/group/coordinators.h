// All group coordinators of a shard: one CoordinatorHost for each partition of __consumer_offsets
// that is led here. Shard thread only.
#pragma once

#include <memory>

#include "absl/container/btree_map.h"
#include "broker/group/coordinator_host.h"
#include "broker/join.h"

namespace quipu {

// One slot per shard; each adds its groups.
using ListGroupsJoin = Join<message::ListGroupsResponse, message::ListGroupsResponse>;

class Coordinators {
 public:
  // `context` must outlive it.
  explicit Coordinators(ShardContext& context) : context_(context) {}

  // Role, epoch or high watermark of `host` changed. Any partition may be passed.
  void OnHostChanged(PartitionHost& host);
  void OnHostRemoved(PartitionUid uid);
  // The image of the context is new.
  void OnImage();

  // As CoordinatorHost::Serve; kNotCoordinator when the partition is not led here.
  template <typename Response, typename Handler>
  void Serve(PartitionUid uid, Handler handler, std::function<void(Response)> reply) {
    const auto it = hosts_.find(uid);
    if (it == hosts_.end()) {
      reply(CoordinatorHost::ErrorResponse<Response>(ErrorCode::kNotCoordinator));
      return;
    }
    it->second->Serve<Response>(std::move(handler), std::move(reply));
  }
  void List(const std::shared_ptr<ListGroupsJoin>& join);
  // Answers what waits with kNotCoordinator.
  void AbandonAll();

  // Of each partition whose coordinator is loaded.
  template <typename Visit>
  void ForEachLoaded(Visit visit) const {
    for (const auto& [uid, host] : hosts_) {
      if (host->loaded()) visit(host->core());
    }
  }
  // Requests that wait for other members of their groups.
  [[nodiscard]] size_t waiting() const {
    size_t sum = 0;
    for (const auto& [uid, host] : hosts_) sum += host->waiting();
    return sum;
  }
  // For checkers. nullptr: none, or not loaded.
  [[nodiscard]] const GroupCoordinatorCore* Find(PartitionUid uid) const;

 private:
  void End(PartitionUid uid);

  ShardContext& context_;
  absl::btree_map<PartitionUid, std::shared_ptr<CoordinatorHost>> hosts_;
  MetadataImagePtr topics_seen_in_;  // the last image whose topics the coordinators were told
};

}  // namespace quipu
