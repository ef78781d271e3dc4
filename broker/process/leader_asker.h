// Asks other brokers for the ends of logs that they lead.
#pragma once

#include <deque>
#include <memory>
#include <mutex>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "broker/metrics/leader_ends.h"
#include "runtime/shard_thread.h"
#include "runtime/socket/socket_stream.h"

namespace quipu {

// LeaderEnds with a network: one stream to each leader that was asked, answers on a thread of its
// own. Any thread.
class LeaderAsker {
 public:
  // `timeout` of one request, looked at by Ask; `age_max` as of LeaderEnds.
  LeaderAsker(BrokerId self, Duration timeout, Duration age_max)
      : timeout_(timeout), ends_(self, age_max) {}
  LeaderAsker(const LeaderAsker&) = delete;
  LeaderAsker& operator=(const LeaderAsker&) = delete;

  // Returns at once; answers show in Known.
  void Ask(const MetadataImage& image, const absl::btree_set<TopicPartition>& wanted);
  [[nodiscard]] LeaderEnds::Ends Known() const;
  [[nodiscard]] LeaderEnds::Failures failures() const;

 private:
  struct Link {
    HostPort endpoint;
    uint64_t generation = 0;
    std::unique_ptr<MessageSender<message::ListOffsetsRequest>> stream;
    std::deque<Instant> asked;  // not answered yet
  };

  // ---- with the lock ----
  // Ends those that are late, or whose broker is gone or elsewhere.
  void EndLinks(const MetadataImage& image);
  void End(BrokerId leader, const absl::Status& why);
  Link& LinkTo(const LeaderEnds::Request& request);
  // ---- the thread ----
  void OnAnswer(BrokerId leader, uint64_t generation, const message::ListOffsetsResponse& answer);
  void OnClosed(BrokerId leader, uint64_t generation, const absl::Status& why);

  const Duration timeout_;
  mutable std::mutex mutex_;
  LeaderEnds ends_;
  absl::btree_map<BrokerId, Link> links_;
  uint64_t next_generation_ = 1;
  const std::shared_ptr<SocketLoop> sockets_ = std::make_shared<SocketLoop>();
  // Last: it ends the streams, whose handlers refer to the rest.
  ShardThread thread_{"leader-ends", sockets_};
};

}  // namespace quipu
