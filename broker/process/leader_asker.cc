#include "broker/process/leader_asker.h"

#include <utility>

namespace quipu {

void LeaderAsker::Ask(const MetadataImage& image, const absl::btree_set<TopicPartition>& wanted) {
  const std::lock_guard<std::mutex> lock(mutex_);
  EndLinks(image);
  for (const LeaderEnds::Request& request : ends_.Ask(image, wanted)) {
    Link& link = LinkTo(request);
    link.asked.push_back(ReadClocks().mono);
    link.stream->Send(request.message);
  }
}

void LeaderAsker::EndLinks(const MetadataImage& image) {
  const Instant late = ReadClocks().mono - timeout_;
  std::vector<std::pair<BrokerId, absl::Status>> ended;
  for (const auto& [leader, link] : links_) {
    const BrokerImage* broker = image.FindBroker(leader);
    if (!link.asked.empty() && link.asked.front() < late) {
      ended.emplace_back(leader, absl::DeadlineExceededError("no answer in time"));
    } else if (broker == nullptr || broker->peer_endpoint != link.endpoint) {
      ended.emplace_back(leader, absl::UnavailableError("it is not there any more"));
    }
  }
  for (const auto& [leader, why] : ended) End(leader, why);
}

void LeaderAsker::End(BrokerId leader, const absl::Status& why) {
  const auto found = links_.find(leader);
  for (size_t i = 0; i < found->second.asked.size(); ++i) {
    ends_.OnAnswer(leader, ReadClocks().mono, why);
  }
  links_.erase(found);
}

LeaderAsker::Link& LeaderAsker::LinkTo(const LeaderEnds::Request& request) {
  Link& link = links_[request.leader];
  if (link.stream != nullptr) return link;
  link.endpoint = request.endpoint;
  link.generation = next_generation_++;
  link.stream = OpenSocketStream<message::ListOffsetsRequest, message::ListOffsetsResponse>(
      sockets_,
      {.host = link.endpoint.host,
       .port = link.endpoint.port,
       .opening = {.purpose = StreamPurpose::kListOffsets}},
      &EncodeProto<message::ListOffsetsRequest>, &DecodeProto<message::ListOffsetsResponse>,
      {.on_message =
           [this, leader = request.leader,
            generation = link.generation](const message::ListOffsetsResponse& answer) {
             OnAnswer(leader, generation, answer);
           },
       .on_closed = [this, leader = request.leader, generation = link.generation](
                        const absl::Status& why) { OnClosed(leader, generation, why); }});
  return link;
}

void LeaderAsker::OnAnswer(BrokerId leader, uint64_t generation,
                           const message::ListOffsetsResponse& answer) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = links_.find(leader);
  if (found == links_.end() || found->second.generation != generation) return;
  if (found->second.asked.empty()) return;  // nothing was asked
  found->second.asked.pop_front();
  ends_.OnAnswer(leader, ReadClocks().mono, answer);
}

void LeaderAsker::OnClosed(BrokerId leader, uint64_t generation, const absl::Status& why) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = links_.find(leader);
  if (found == links_.end() || found->second.generation != generation) return;
  End(leader, why.ok() ? absl::UnavailableError("the leader ended the stream") : why);
}

LeaderEnds::Ends LeaderAsker::Known() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return ends_.Known(ReadClocks().mono);
}

LeaderEnds::Failures LeaderAsker::failures() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return ends_.failures();
}

}  // namespace quipu
