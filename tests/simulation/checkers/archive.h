// What operators have deleted of the partitions' logs, so that the checks of whole logs go on to
// judge it.
#pragma once

#include <map>
#include <vector>

#include "base/ids.h"
#include "storage/log_store.h"

namespace quipu::sim {

class Archive {
 public:
  // Takes the committed batches behind End(uid) over, in order and without a gap.
  void Take(PartitionUid uid, const std::vector<StoredBatch>& batches);
  // Exclusive; records below it may be deleted.
  [[nodiscard]] Offset End(PartitionUid uid) const;
  [[nodiscard]] std::vector<StoredBatch> Batches(PartitionUid uid) const;

 private:
  struct Part {
    Offset end{0};
    std::vector<StoredBatch> batches;
  };
  std::map<PartitionUid, Part> parts_;
};

}  // namespace quipu::sim
