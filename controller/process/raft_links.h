// Outgoing Raft messages: one stream to each other voter.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "base/ids.h"
#include "base/time.h"
#include "controller/controller_node.h"
#include "proto/message/raft.pb.h"
#include "runtime/grpc/call_thread.h"
#include "runtime/message_stream.h"

namespace quipu {

// Sends or drops: Raft repeats what matters. A stream is opened when there is something to send and
// the pause after the last failure is over (100 ms, doubled up to 800 ms, anew after a stream that
// lasted). Thread-safe.
class RaftLinks {
 public:
  // `calls` must outlive the links' streams: end it before the links are destroyed.
  RaftLinks(CallThread& calls, ControllerId self, const std::vector<Voter>& voters);
  RaftLinks(const RaftLinks&) = delete;
  RaftLinks& operator=(const RaftLinks&) = delete;

  // Those of `voters` are reached at their endpoints from now on, those of the format as well.
  void OnVoters(const VoterSet& voters);
  // To `message.to()` under its directory id; dropped when nobody knows where that is, while there
  // is no connection, or when too much is queued already. An unknown directory is looked for where
  // the node id was last: a replaced voter may have kept its address.
  void Send(message::RaftMessage message);
  // Messages dropped since the start.
  [[nodiscard]] uint64_t dropped() const;

 private:
  // Shared with the stream's callbacks, which may come after the links' end.
  struct Link {
    std::mutex mutex;
    HostPort endpoint;
    std::shared_ptr<MessageSender<message::RaftMessage>> sender;
    uint64_t opened_number = 0;  // of the newest stream
    uint64_t closed_number = 0;  // of the newest one that has ended; at most one is open
    Instant opened;
    Instant retry_at;
    Duration pause{0};
    uint64_t dropped = 0;
  };
  using LinkMap = absl::btree_map<std::pair<std::string, uint16_t>, std::shared_ptr<Link>>;

  // A way to `voter`; the link to its endpoint is that of `former`, if there was one. Holding
  // `mutex_`.
  void Add(const Voter& voter, const LinkMap& former);
  std::shared_ptr<MessageSender<message::RaftMessage>> SenderOf(const std::shared_ptr<Link>& link);
  static void OnClosed(Link& link, uint64_t number, const absl::Status& status);

  std::shared_ptr<Link> FindLink(const message::RaftMessage& message);

  CallThread& calls_;
  const ControllerId self_;
  const std::vector<Voter> formatted_;
  mutable std::mutex mutex_;  // over the maps; a link has its own
  // By host and port. Bounded: the endpoints of the format, and of the newest voters.
  LinkMap links_;
  absl::btree_map<std::pair<ControllerId, DirectoryId>, std::shared_ptr<Link>> by_identity_;
  absl::btree_map<ControllerId, std::shared_ptr<Link>> by_id_;
};

}  // namespace quipu
