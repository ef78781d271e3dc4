// What a coordinator's log says.
#pragma once

#include <string>
#include <vector>

#include "core/record/record_batch.h"
#include "core/replication/partition_types.h"
#include "proto/record/group.pb.h"
#include "tests/simulation/checkers/violation.h"

namespace quipu::sim {

// Calls `each` with every record of `batches`, which must be sound.
template <typename Each>
void ForEachGroupRecord(const std::vector<StoredBatch>& batches, Each each) {
  for (const StoredBatch& batch : batches) {
    const auto view = RecordBatchView::Parse(batch.bytes);
    Require(view.ok(), "I62", [] { return std::string("a damaged batch in a coordinator's log"); });
    const auto decoded = DecodedBatch::Decode(*view);
    Require(decoded.ok(), "I62",
            [] { return std::string("a coordinator's batch is not readable"); });
    for (const RecordView& stored : decoded->records()) {
      record::GroupRecord record;
      if (!stored.value) continue;
      if (record.ParseFromArray(stored.value->data(), static_cast<int>(stored.value->size()))) {
        each(record);
      }
    }
  }
}

}  // namespace quipu::sim
