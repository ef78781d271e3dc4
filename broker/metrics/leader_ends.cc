#include "broker/metrics/leader_ends.h"

#include "base/error_code.h"

namespace quipu {
namespace {

constexpr int64_t kLatest = -1;  // ListOffsets: the high watermark

std::string Reason(ErrorCode error) { return std::string(ErrorName(error)); }

}  // namespace

std::vector<LeaderEnds::Request> LeaderEnds::Ask(const MetadataImage& image,
                                                 const absl::btree_set<TopicPartition>& wanted) {
  absl::erase_if(ends_, [&](const auto& known) { return !wanted.contains(known.first); });
  std::vector<Request> requests;
  absl::btree_map<BrokerId, size_t> newest;  // of a leader, in `requests`
  absl::btree_set<BrokerId> owing;
  for (const auto& [leader, owed] : open_) owing.insert(leader);
  for (const TopicPartition& partition : wanted) {
    const PartitionImage* found = image.FindPartition(partition.topic_id, partition.partition);
    if (found == nullptr || found->leader == self_ || owing.contains(found->leader)) continue;
    const BrokerImage* leader = image.FindBroker(found->leader);
    if (leader == nullptr) continue;
    const auto it = newest.find(leader->id);
    if (it == newest.end() ||
        requests[it->second].message.partitions_size() >= int{kPartitionsPerRequestMax}) {
      newest[leader->id] = requests.size();
      requests.push_back({.leader = leader->id, .endpoint = leader->peer_endpoint, .message = {}});
      ++open_[leader->id];
    }
    auto* asked = requests[newest[leader->id]].message.add_partitions();
    asked->set_topic_id(partition.topic_id.ToBytes());
    asked->set_partition(partition.partition.value());
    asked->set_current_leader_epoch(kNoLeaderEpoch.value());
    asked->set_timestamp(kLatest);
  }
  return requests;
}

void LeaderEnds::OnAnswer(BrokerId leader, Instant now,
                          const absl::StatusOr<message::ListOffsetsResponse>& answer) {
  const auto open = open_.find(leader);
  if (open != open_.end() && --open->second == 0) open_.erase(open);
  if (!answer.ok()) {
    const bool late = answer.status().code() == absl::StatusCode::kDeadlineExceeded;
    ++failures_[Reason(late ? ErrorCode::kRequestTimedOut : ErrorCode::kNotConnected)];
    return;
  }
  for (const auto& told : answer->partitions()) {
    const ErrorCode error =
        ErrorCodeFromWire(told.error_code()).value_or(ErrorCode::kUnknownServerError);
    const std::optional<Uuid> topic = Uuid::FromBytes(told.topic_id());
    if (error != ErrorCode::kNone || !topic) {
      ++failures_[Reason(topic ? error : ErrorCode::kUnknownTopicId)];
      continue;
    }
    ends_[{*topic, PartitionIndex(told.partition())}] = {.offset = Offset(told.offset()),
                                                         .at = now};
  }
}

LeaderEnds::Ends LeaderEnds::Known(Instant now) const {
  Ends known;
  for (const auto& [partition, end] : ends_) {
    if (now - end.at <= age_max_) known[partition] = end.offset;
  }
  return known;
}

}  // namespace quipu
