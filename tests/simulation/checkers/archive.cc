#include "tests/simulation/checkers/archive.h"

#include "tests/simulation/checkers/violation.h"

namespace quipu::sim {

void Archive::Take(PartitionUid uid, const std::vector<StoredBatch>& batches) {
  Part& part = parts_[uid];
  for (const StoredBatch& batch : batches) {
    Require(batch.base_offset == part.end, "I25", [&] {
      return "partition " + uid.ToString() + ": behind offset " + part.end.ToString() +
             " comes a batch at " + batch.base_offset.ToString();
    });
    part.batches.push_back(batch);
    part.end = batch.last_offset + 1;
  }
}

Offset Archive::End(PartitionUid uid) const {
  const auto found = parts_.find(uid);
  return found == parts_.end() ? Offset(0) : found->second.end;
}

std::vector<StoredBatch> Archive::Batches(PartitionUid uid) const {
  const auto found = parts_.find(uid);
  return found == parts_.end() ? std::vector<StoredBatch>() : found->second.batches;
}

}  // namespace quipu::sim
