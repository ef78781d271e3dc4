// A client names partitions by topic; the node is asked about those that are there, in one list.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "base/error_code.h"

namespace quipu::kafka {

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
