#include "core/coordinator/uniform_assignor.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/container/btree_set.h"
#include "base/check.h"

namespace quipu {
namespace {

// One run of the assignor. Members are numbered in the order of their ids.
class Assignment {
 public:
  Assignment(const absl::btree_map<std::string, GroupMember>& members,
             const GroupTopicView& topics) {
    for (const auto& [member_id, member] : members) {
      const size_t index = owned_.size();
      owned_.emplace_back();
      topics_of_.emplace_back();
      for (const std::string& name : member.subscribed_topics) {
        const auto topic = topics.FindByName(name);
        if (!topic.has_value()) continue;
        TopicShare& share = shares_[topic->id];
        share.partition_count = topic->partition_count;
        share.by_load.insert({0, index});
        topics_of_[index].push_back(topic->id);
      }
      std::sort(topics_of_[index].begin(), topics_of_[index].end());
    }
    size_t index = 0;
    for (const auto& [member_id, member] : members) KeepTarget(index++, member);
  }

  // Partitions that nobody kept go to whoever has least. Topics that few members may read come
  // first: the others can be balanced around them.
  void DealOut() {
    std::vector<std::pair<size_t, TopicId>> order;
    for (const auto& [topic_id, share] : shares_)
      order.emplace_back(share.by_load.size(), topic_id);
    std::sort(order.begin(), order.end());
    for (const auto& [readers, topic_id] : order) {
      TopicShare& share = shares_.at(topic_id);
      for (int32_t i = 0; i < share.partition_count; ++i) {
        if (share.taken.contains(i)) continue;
        Give(share.by_load.begin()->second, {topic_id, PartitionIndex(i)});
      }
    }
  }

  // Moves partitions from the most loaded member that can shed one, until none can. Each move
  // lowers the sum of the squared loads, which bounds the loop.
  void Balance() {
    while (MoveOne()) {
    }
  }

  TopicPartitions TakeTarget(size_t index) {
    return TopicPartitions(owned_[index].begin(), owned_[index].end());
  }

 private:
  using Load = std::pair<size_t, size_t>;  // partitions, member
  struct TopicShare {
    int32_t partition_count = 0;
    absl::btree_set<Load> by_load;  // members subscribed to the topic
    absl::btree_set<int32_t> taken;
  };

  void KeepTarget(size_t index, const GroupMember& member) {
    const auto& subscribed = topics_of_[index];
    for (const TopicPartition& partition : member.target) {
      if (!std::binary_search(subscribed.begin(), subscribed.end(), partition.topic_id)) {
        continue;
      }
      const TopicShare& share = shares_.at(partition.topic_id);
      const int32_t number = partition.partition.value();
      if (number < 0 || number >= share.partition_count || share.taken.contains(number)) continue;
      Give(index, partition);
    }
  }

  void Give(size_t index, const TopicPartition& partition) {
    const size_t before = owned_[index].size();
    QUIPU_CHECK(owned_[index].insert(partition).second);
    shares_.at(partition.topic_id).taken.insert(partition.partition.value());
    Reload(index, before);
  }

  void Take(size_t index, const TopicPartition& partition) {
    const size_t before = owned_[index].size();
    QUIPU_CHECK(owned_[index].erase(partition) == 1);
    Reload(index, before);
  }

  // The member's load changed: moves it in the order of every topic that it reads.
  void Reload(size_t index, size_t before) {
    const size_t after = owned_[index].size();
    for (const TopicId& topic_id : topics_of_[index]) {
      auto& by_load = shares_.at(topic_id).by_load;
      by_load.erase({before, index});
      by_load.insert({after, index});
    }
    by_load_.erase({before, index});
    by_load_.insert({after, index});
  }

  bool MoveOne() {
    for (auto it = by_load_.rbegin(); it != by_load_.rend(); ++it) {
      const auto [load, from] = *it;
      if (load < 2) return false;
      if (const auto move = FindMove(from, load); move.has_value()) {
        Take(from, move->first);
        Give(move->second, move->first);
        return true;
      }
    }
    return false;
  }

  // The last partition of the topic whose least loaded reader has least, if that is fair.
  std::optional<std::pair<TopicPartition, size_t>> FindMove(size_t from, size_t load) const {
    std::optional<std::pair<TopicPartition, size_t>> move;
    size_t least = load - 1;  // a receiver must have at least two fewer
    std::optional<TopicId> looked_at;
    for (auto it = owned_[from].rbegin(); it != owned_[from].rend(); ++it) {
      if (looked_at == it->topic_id) continue;
      looked_at = it->topic_id;
      const auto [other_load, other] = *shares_.at(it->topic_id).by_load.begin();
      if (other_load < least) {
        least = other_load;
        move.emplace(*it, other);
      }
    }
    return move;
  }

  absl::btree_map<TopicId, TopicShare> shares_;
  std::vector<absl::btree_set<TopicPartition>> owned_;  // by member
  std::vector<std::vector<TopicId>> topics_of_;         // by member
  absl::btree_set<Load> by_load_;                       // members that own something or did
};

}  // namespace

absl::btree_map<std::string, TopicPartitions> AssignUniformly(
    const absl::btree_map<std::string, GroupMember>& members, const GroupTopicView& topics) {
  Assignment assignment(members, topics);
  assignment.DealOut();
  assignment.Balance();
  absl::btree_map<std::string, TopicPartitions> targets;
  size_t index = 0;
  for (const auto& [member_id, member] : members) {
    targets.emplace(member_id, assignment.TakeTarget(index++));
  }
  return targets;
}

}  // namespace quipu
