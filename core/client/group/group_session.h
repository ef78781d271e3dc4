// One member of a consumer group (KIP-848): the coordinator assigns, the member reconciles.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "base/rng.h"
#include "core/client/client_metadata.h"
#include "core/client/client_types.h"
#include "core/client/consumer_options.h"
#include "core/client/consumer_types.h"
#include "core/client/group/coordinator_finder.h"

namespace quipu {

// What the session wants done. Only the vectors that are not empty mean something.
struct GroupEffects {
  // Stop reading these, let the application commit, then call ConfirmRevoked.
  std::vector<TopicPartition> revoke;
  // These are another member's already: stop reading, do not commit.
  std::vector<TopicPartition> lost;
  // Read the committed offsets of these, then call OnOffsets.
  std::vector<TopicPartition> fetch_offsets;
  // Begin to read these.
  PartitionOffsets assign;
};

// Joins with epoch 0, heartbeats, gives up first what it must and takes over then what it gets,
// rejoins after being fenced, and says good-bye. A partition is given up only after ConfirmRevoked,
// and reported as owned only when its committed offset is known: so no record is read by two
// members that both hold a valid epoch (I52). A static member (group.instance.id, KIP-345) leaves
// with its place kept, and is fenced for good when another takes it. Pure; one owner.
class GroupSession {
 public:
  // All but `rng` must outlive this object. `member_id` is chosen once and kept.
  GroupSession(const ConsumerOptions& options, CoordinatorFinder& coordinator,
               ClientMetadata& metadata, CallIds& ids, Rng rng);

  // Empty: leave. The topics must be known to the metadata (AddTopic).
  void Subscribe(std::vector<std::string> topics);
  // Subscribe to nothing, by an application that has given up all that it owns.
  void Unsubscribe();
  void ConfirmRevoked(Instant now);
  // The committed offsets that were asked for; an error makes the session ask again.
  void OnOffsets(Instant now, ErrorCode error, const PartitionOffsets& offsets,
                 GroupEffects& effects);
  // The application has polled; without that a member leaves after max.poll.interval.ms.
  void OnPoll(Instant now) { last_poll_ = now; }

  void Pump(Instant now, GroupEffects& effects, std::vector<UnaryCall>& calls);
  // False when the call is not this part's.
  bool OnAnswered(Instant now, CallId id, const message::GroupHeartbeatResponse& response,
                  GroupEffects& effects);
  bool OnCallFailed(Instant now, CallId id, const absl::Status& status);
  [[nodiscard]] std::optional<Instant> NextDeadline() const;

  [[nodiscard]] const std::string& member_id() const { return member_id_; }
  // 0: not (or no longer) a member.
  [[nodiscard]] int32_t member_epoch() const { return member_epoch_; }
  [[nodiscard]] bool is_member() const { return member_epoch_ > 0; }
  // There are topics to join the group for.
  [[nodiscard]] bool subscribed() const { return !topics_.empty(); }
  // Nothing is left to be said to the coordinator.
  [[nodiscard]] bool has_left() const {
    return !subscribed() && !leaving_ && member_epoch_ == 0 && in_flight_ == 0;
  }
  [[nodiscard]] const absl::btree_set<TopicPartition>& owned() const { return owned_; }
  // Being given up; empty after ConfirmRevoked.
  [[nodiscard]] const std::vector<TopicPartition>& revoking() const { return revoking_; }
  // Why this member can never join (kInvalidGroupId, kGroupMaxSizeReached, ...); kNone otherwise.
  [[nodiscard]] ErrorCode fatal() const { return fatal_; }
  [[nodiscard]] const std::string& fatal_message() const { return fatal_message_; }
  // For how long the coordinator has answered nothing but LIMIT_REACHED; nullopt: it does not. It
  // is tried on.
  [[nodiscard]] std::optional<Duration> LimitReachedFor(Instant now) const {
    return limit_since_ ? std::optional<Duration>(now - *limit_since_) : std::nullopt;
  }

 private:
  enum class Step { kSettled, kRevoking, kFetchingOffsets };

  void SendHeartbeat(Instant now, std::vector<UnaryCall>& calls);
  void Reconcile(GroupEffects& effects);
  void LoseAll(GroupEffects& effects);
  void LeaveIfUnsubscribed();
  void ApplyError(Instant now, const message::GroupHeartbeatResponse& response,
                  GroupEffects& effects);

  const ConsumerOptions& options_;
  CoordinatorFinder& coordinator_;
  ClientMetadata& metadata_;
  CallIds& ids_;
  Rng rng_;
  std::string member_id_;  // of its own choice (KIP-848); another after it was unknown

  std::vector<std::string> topics_;
  int32_t member_epoch_ = 0;
  bool leaving_ = false;  // the next heartbeat says good-bye
  bool send_subscription_ = true;
  bool send_owned_ = false;
  absl::btree_set<TopicPartition> owned_;
  absl::btree_set<TopicPartition> target_;
  std::vector<TopicPartition> revoking_;
  absl::btree_set<TopicPartition> fetching_;
  Step step_ = Step::kSettled;

  CallId in_flight_ = 0;
  bool in_flight_leave_ = false;
  bool in_flight_owned_ = false;
  ServerAddress asked_;
  Instant next_heartbeat_;
  Duration interval_ = std::chrono::seconds(3);
  Instant not_before_;
  Instant last_poll_;
  bool poll_expired_ = false;
  std::optional<Instant> limit_since_;
  ErrorCode fatal_ = ErrorCode::kNone;
  std::string fatal_message_;
};

}  // namespace quipu
