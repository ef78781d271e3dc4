#include "core/coordinator/range_assignor.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include "base/check.h"

namespace quipu {
namespace {

std::vector<const GroupMember*> InOrder(const absl::btree_map<std::string, GroupMember>& members) {
  std::vector<const GroupMember*> order;
  order.reserve(members.size());
  for (const auto& [member_id, member] : members) order.push_back(&member);
  std::sort(order.begin(), order.end(), [](const GroupMember* a, const GroupMember* b) {
    return std::tuple(a->instance_id.empty(), a->instance_id, a->member_id) <
           std::tuple(b->instance_id.empty(), b->instance_id, b->member_id);
  });
  return order;
}

}  // namespace

absl::btree_map<std::string, TopicPartitions> AssignByRange(
    const absl::btree_map<std::string, GroupMember>& members, const GroupTopicView& topics) {
  absl::btree_map<std::string, TopicPartitions> targets;
  absl::btree_map<std::string, std::vector<const GroupMember*>> readers;
  for (const GroupMember* member : InOrder(members)) {
    targets[member->member_id];
    for (const std::string& name : member->subscribed_topics) readers[name].push_back(member);
  }
  for (const auto& [name, of_topic] : readers) {
    const auto topic = topics.FindByName(name);
    if (!topic.has_value()) continue;
    const auto count = static_cast<size_t>(topic->partition_count);
    size_t next = 0;
    for (size_t i = 0; i < of_topic.size(); ++i) {
      const size_t run = count / of_topic.size() + (i < count % of_topic.size() ? 1 : 0);
      for (size_t k = 0; k < run; ++k) {
        targets[of_topic[i]->member_id].push_back(
            {topic->id, PartitionIndex(static_cast<int32_t>(next++))});
      }
    }
    QUIPU_CHECK(next == count);
  }
  for (auto& [member_id, target] : targets) std::sort(target.begin(), target.end());
  return targets;
}

}  // namespace quipu
