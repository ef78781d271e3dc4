#include "broker/process/leader_asker.h"

#include "runtime/shard_thread.h"

namespace quipu {
namespace {

constexpr char kMethod[] = "/quipu.rpc.Replica/ListOffsets";

}  // namespace

void LeaderAsker::Ask(const MetadataImage& image, const absl::btree_set<TopicPartition>& wanted) {
  std::vector<LeaderEnds::Request> requests;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    requests = ends_.Ask(image, wanted);
  }
  absl::erase_if(links_, [&](const auto& link) { return image.FindBroker(link.first) == nullptr; });
  for (const LeaderEnds::Request& request : requests) {
    auto& [endpoint, client] = links_[request.leader];
    if (client == nullptr || endpoint != request.endpoint) {
      endpoint = request.endpoint;
      client = std::make_unique<UnaryClient>(*calls_, endpoint.host, endpoint.port);
    }
    client->Call<message::ListOffsetsRequest, message::ListOffsetsResponse>(
        kMethod, request.message, timeout_,
        [this,
         leader = request.leader](const absl::StatusOr<message::ListOffsetsResponse>& answer) {
          const std::lock_guard<std::mutex> lock(mutex_);
          ends_.OnAnswer(leader, ReadClocks().mono, answer);
        });
  }
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
