// Asks other brokers for the ends of logs that they lead.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "broker/metrics/leader_ends.h"
#include "runtime/grpc/call_thread.h"
#include "runtime/grpc/unary_client.h"

namespace quipu {

// LeaderEnds with a network: one connection to each leader that was asked, answers on a thread of
// its own. Ask: one thread; everything else from any.
class LeaderAsker {
 public:
  // `timeout` of one request; `age_max` as of LeaderEnds.
  LeaderAsker(BrokerId self, Duration timeout, Duration age_max)
      : timeout_(timeout), ends_(self, age_max) {}
  // Gives up what is not answered.
  ~LeaderAsker() { calls_.reset(); }
  LeaderAsker(const LeaderAsker&) = delete;
  LeaderAsker& operator=(const LeaderAsker&) = delete;

  // Returns at once; answers show in Known.
  void Ask(const MetadataImage& image, const absl::btree_set<TopicPartition>& wanted);
  [[nodiscard]] LeaderEnds::Ends Known() const;
  [[nodiscard]] LeaderEnds::Failures failures() const;

 private:
  using Link = std::pair<HostPort, std::unique_ptr<UnaryClient>>;

  const Duration timeout_;
  std::unique_ptr<CallThread> calls_ = std::make_unique<CallThread>();
  absl::btree_map<BrokerId, Link> links_;  // of the thread that asks
  mutable std::mutex mutex_;
  LeaderEnds ends_;  // under mutex_
};

}  // namespace quipu
