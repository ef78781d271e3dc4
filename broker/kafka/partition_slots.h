// A client names partitions by topic; the node is asked about those that are there, in one list.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "base/error_code.h"
#include "base/ids.h"

namespace quipu::kafka {

// Of a partition that is named several times the last one stays, in the place of the first: as in
// Kafka, where each has one answer. `name` and `partitions` are the topic's members, `index` is the
// partition's (or std::identity).
template <typename Topic, typename Partition, typename IndexOf>
void MergeRepeated(std::vector<Topic>& topics, std::string Topic::* name,
                   std::vector<Partition> Topic::* partitions, IndexOf index) {
  absl::flat_hash_map<std::tuple<absl::string_view, TopicId, PartitionIndex>, Partition*> first;
  std::vector<bool> repeats;
  for (Topic& topic : topics) {
    for (Partition& partition : topic.*partitions) {
      const auto [at, is_first] = first.try_emplace(
          {topic.*name, topic.topic_id, std::invoke(index, partition)}, &partition);
      if (!is_first) *at->second = partition;
      repeats.push_back(!is_first);
    }
  }
  if (first.size() == repeats.size()) return;
  size_t next = 0;
  for (Topic& topic : topics) {
    std::erase_if(topic.*partitions, [&](const Partition&) { return repeats[next++]; });
    (topic.*partitions).shrink_to_fit();
  }
  std::erase_if(topics, [&](const Topic& topic) { return (topic.*partitions).empty(); });
  topics.shrink_to_fit();
}

// For each partition of a request, in order: its place in what the node is asked, or why it has
// none. Value type.
class PartitionSlots {
 public:
  // The request's next partition. True: ask for it, behind those that were asked for before.
  bool Add(ErrorCode error) {
    slots_.emplace_back(error, asked_);
    if (error != ErrorCode::kNone) return false;
    ++asked_;
    return true;
  }

  // The answer in the request's shape: `name(topic, out)` for each topic, and
  // `fill(partition, out, error, place)` for each partition; `place` has no meaning with an error.
  template <typename Topics, typename Answered, typename Name, typename Fill>
  void Shape(const Topics& topics, Answered& answered, Name name, Fill fill) const {
    size_t next = 0;
    for (const auto& topic : topics) {
      auto& out = answered.emplace_back();
      name(topic, out);
      for (const auto& partition : topic.partitions) {
        const auto [error, place] = slots_[next++];
        fill(partition, out.partitions.emplace_back(), error, place);
      }
    }
  }

 private:
  std::vector<std::pair<ErrorCode, int>> slots_;
  int asked_ = 0;
};

}  // namespace quipu::kafka
