#include "broker/group/coordinators.h"

#include <utility>
#include <vector>

#include "broker/shard/assignment.h"

namespace quipu {

void Coordinators::OnHostChanged(PartitionHost& host) {
  if (host.core.identity().topic_name != kOffsetsTopic) return;
  const bool leads = host.core.role() == PartitionRole::kLeader && !host.dropping;
  const auto it = hosts_.find(host.uid);
  if (it != hosts_.end() && (!leads || it->second->epoch() != host.core.leader_epoch())) {
    End(host.uid);
  }
  if (!leads) return;
  std::shared_ptr<CoordinatorHost>& coordinator = hosts_[host.uid];
  if (coordinator == nullptr) {
    coordinator = std::make_shared<CoordinatorHost>(context_, host.uid, host.core.leader_epoch());
  }
  // Kept alive: what it answers may come back here.
  const std::shared_ptr<CoordinatorHost> kept = coordinator;
  kept->OnProgress();
}

void Coordinators::OnHostRemoved(PartitionUid uid) { End(uid); }

void Coordinators::End(PartitionUid uid) {
  const auto it = hosts_.find(uid);
  if (it == hosts_.end()) return;
  const std::shared_ptr<CoordinatorHost> ended = std::move(it->second);
  hosts_.erase(it);
  ended->Abandon();
}

void Coordinators::OnImage() {
  const bool same =
      topics_seen_in_ != nullptr && topics_seen_in_->topics() == context_.image->topics();
  topics_seen_in_ = context_.image;
  if (same) return;
  for (const auto& [uid, host] : hosts_) host->OnTopics();
}

void Coordinators::List(const std::shared_ptr<ListGroupsJoin>& join) {
  struct Gathering {
    message::ListGroupsResponse response;
    size_t open = 1;
  };
  auto gathering = std::make_shared<Gathering>();
  auto finish = [gathering, join, shard = context_.index] {
    if (--gathering->open == 0) join->Complete(shard, shard, std::move(gathering->response));
  };
  for (const auto& [uid, host] : hosts_) {
    ++gathering->open;
    host->Serve<message::ListGroupsResponse>(
        [](const GroupCoordinatorCore& core, Now, const GroupTopicView&) { return core.List(); },
        [gathering, finish](message::ListGroupsResponse part) {
          // An error stays beside the groups of the other partitions: the list is incomplete.
          const int32_t error = part.error_code();
          gathering->response.MergeFrom(part);
          if (error != 0) gathering->response.set_error_code(error);
          finish();
        });
  }
  finish();
}

void Coordinators::AbandonAll() {
  std::vector<PartitionUid> uids;
  for (const auto& [uid, host] : hosts_) uids.push_back(uid);
  for (const PartitionUid uid : uids) End(uid);
}

const GroupCoordinatorCore* Coordinators::Find(PartitionUid uid) const {
  const auto it = hosts_.find(uid);
  return it == hosts_.end() || !it->second->loaded() ? nullptr : &it->second->core();
}

}  // namespace quipu
