#include "controller/metadata_state_machine.h"

#include <utility>
#include <vector>

#include "base/check.h"

namespace quipu {

record::MetadataBatch MetadataStateMachine::Apply(const message::RaftEntry& entry) {
  record::MetadataBatch batch;
  if (entry.kind() == message::RaftEntry::COMMAND) {
    QUIPU_CHECK_MSG(batch.ParseFromString(entry.data()), "a committed metadata entry is damaged");
  }
  image_.Apply(LogIndex(entry.index()), batch);
  return batch;
}

std::string MetadataStateMachine::MakeSnapshot() const {
  record::MetadataBatch all;
  for (record::MetadataRecord& record : image_.ToSnapshot()) {
    *all.add_records() = std::move(record);
  }
  return all.SerializeAsString();
}

void MetadataStateMachine::Restore(LogIndex last, absl::string_view data) {
  record::MetadataBatch all;
  QUIPU_CHECK_MSG(all.ParseFromArray(data.data(), static_cast<int>(data.size())),
                  "a metadata snapshot is damaged");
  const std::vector<record::MetadataRecord> records(all.records().begin(), all.records().end());
  image_ = MetadataImage::FromSnapshot(last, records);
}

MetadataImagePtr MetadataStateMachine::SharedImage() const {
  if (shared_ == nullptr || shared_->index() != image_.index()) {
    shared_ = std::make_shared<const MetadataImage>(image_);
  }
  return shared_;
}

}  // namespace quipu
