// The brain of a consumer: metadata, fetching, group membership and offsets together.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/rng.h"
#include "core/client/client_metadata.h"
#include "core/client/client_types.h"
#include "core/client/consumer_options.h"
#include "core/client/consumer_types.h"
#include "core/client/fetch_core.h"
#include "core/client/group/coordinator_finder.h"
#include "core/client/group/group_session.h"
#include "core/client/group/offset_ops.h"

namespace quipu {

struct ConsumerEffects {
  std::vector<UnaryCall> calls;
  std::vector<FetchSend> fetches;
  std::vector<ServerAddress> fetch_resets;
  // Results of CommitOffsets and ReadOffsets, by their tokens.
  std::vector<OffsetOpResult> results;
  // For the application: about to be taken away (commit now, then ConfirmRevoked), taken away
  // without notice, newly given. Fetching stops and starts by itself.
  std::vector<TopicPartition> revoked;
  std::vector<TopicPartition> lost;
  PartitionOffsets assigned;
};

// A turn: any inputs, then Pump. Either the application assigns partitions itself (Assign) or it
// subscribes (group.id needed); not both. Pure; one owner.
class ConsumerCore {
 public:
  // `seed_rng` also makes the member id.
  ConsumerCore(ConsumerOptions options, Rng rng);

  // ---- the application ----
  void AddTopic(const std::string& name) { metadata_.AddTopic(name); }
  void Subscribe(const std::vector<std::string>& topics);
  // Leaves the group. The application is done with all partitions that it owns: nothing is read
  // from them any more, what is not committed by now is not, and `lost` will not name them.
  void Unsubscribe();
  // The application is done with the partitions of `revoked`.
  void ConfirmRevoked(Instant now);
  // Reads `partition` from `start`, or from where auto.offset.reset says. The topic must be known.
  // False: it is not.
  bool Assign(const TopicPartition& partition, const std::optional<OffsetAndMetadata>& start);
  void Unassign(const TopicPartition& partition) { fetch_.Unassign(partition); }
  // Up to max.poll.records records. A member of a group must call this often enough.
  void Poll(Instant now, std::vector<ConsumerRecord>& records, std::vector<PartitionError>& errors);
  // `token`: below 2^63, the caller's choice; the result carries it.
  void CommitOffsets(uint64_t token, PartitionOffsets offsets, Instant deadline);
  void ReadOffsets(uint64_t token, std::vector<TopicPartition> partitions, Instant deadline);

  // ---- inputs ----
  void OnAnswered(Instant now, CallId id, const UnaryResponse& response, ConsumerEffects& effects);
  void OnCallFailed(Instant now, CallId id, const absl::Status& status, ConsumerEffects& effects);
  void OnFetchResponse(Instant now, const ServerAddress& address, const FetchResponse& response);
  void OnFetchStreamClosed(Instant now, const ServerAddress& address, const absl::Status& status);

  // ---- outputs ----
  void Pump(Instant now, ConsumerEffects& effects);
  [[nodiscard]] std::optional<Instant> NextDeadline() const;

  [[nodiscard]] FetchCore& fetch() { return fetch_; }
  [[nodiscard]] const FetchCore& fetch() const { return fetch_; }
  [[nodiscard]] const GroupSession& group() const { return group_; }
  [[nodiscard]] const ClientMetadata& metadata() const { return metadata_; }
  [[nodiscard]] const ConsumerOptions& options() const { return options_; }

 private:
  void CarryOut(Instant now, GroupEffects group, ConsumerEffects& effects);
  // Results of the core's own reads go to the session, the others to the caller.
  void RouteResults(Instant now, std::vector<OffsetOpResult> results, ConsumerEffects& effects);
  [[nodiscard]] GroupIdentity Identity() const;

  const ConsumerOptions options_;
  Rng rng_;
  CallIds ids_;
  ClientMetadata metadata_;
  CoordinatorFinder coordinator_;
  OffsetOps offsets_;
  GroupSession group_;
  FetchCore fetch_;
  std::vector<OffsetOpResult> withdrawn_;  // to be told at the next Pump
};

}  // namespace quipu
