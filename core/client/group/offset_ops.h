// Commits and reads of a group's offsets.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "base/rng.h"
#include "core/client/client_metadata.h"
#include "core/client/client_types.h"
#include "core/client/consumer_types.h"
#include "core/client/group/coordinator_finder.h"

namespace quipu {

// Who commits: a member of the group with its epoch, or somebody from outside (empty, -1).
struct GroupIdentity {
  std::string member_id;
  int32_t member_epoch = -1;
  std::string instance_id{};  // of a static member
  // False for a member that has lost its membership: its commits must not pass as somebody's from
  // outside, which an empty group accepts (G01).
  bool may_commit = true;
};

// What became of a commit or a read.
struct OffsetOpResult {
  uint64_t token = 0;
  ErrorCode error = ErrorCode::kNone;
  std::string message;
  std::optional<TopicPartition> refused;  // the partition that `error` is about, where it is one
  PartitionOffsets offsets;               // of a read; kNoOffset where nothing is committed
};

// One operation at a time, in the order of asking, and each attempt of a member's commit with a
// number of its own, so that an older commit never overtakes a newer one (I50): what was given up
// may still be on its way. Each is repeated while the coordinator moves or loads, until its
// deadline. A commit refused for a stale epoch is repeated with the newest one while the member
// owns its partitions: the coordinator still checks that they are its own (I51). Pure; one owner.
class OffsetOps {
 public:
  // All must outlive this object.
  OffsetOps(const std::string& group_id, CoordinatorFinder& coordinator, CallIds& ids, Rng rng);

  // The operations that wait are at most this many; more are refused with kLimitReached.
  static constexpr size_t kWaitingMax = 10000;

  // `token` comes back with the result; the caller's choice.
  void Commit(uint64_t token, PartitionOffsets offsets, Instant deadline);
  void Read(uint64_t token, const std::vector<TopicPartition>& partitions, Instant deadline);
  // Takes back everything not yet sent or answered, without results.
  void Cancel(uint64_t token);

  // Ends the commits that name one of `partitions` with `error`: whoever commits for them now has
  // another assignment, and a repeated old commit would turn the offset back (I50, I51).
  void Withdraw(const std::vector<TopicPartition>& partitions, ErrorCode error,
                std::vector<OffsetOpResult>& results);

  // `identity` is whom the coordinator shall see.
  void Pump(Instant now, const GroupIdentity& identity, std::vector<UnaryCall>& calls,
            std::vector<OffsetOpResult>& results);
  // False when the call is not this part's. `owned` is what the member owns now.
  bool OnAnswered(Instant now, CallId id, const UnaryResponse& response,
                  const absl::btree_set<TopicPartition>& owned,
                  std::vector<OffsetOpResult>& results);
  bool OnCallFailed(Instant now, CallId id, const absl::Status& status);
  [[nodiscard]] std::optional<Instant> NextDeadline() const;
  [[nodiscard]] bool idle() const { return ops_.empty(); }

 private:
  struct Op {
    uint64_t token = 0;
    Instant deadline;
    bool commit = false;
    PartitionOffsets offsets;
    ErrorCode last_error = ErrorCode::kNone;
    std::optional<TopicPartition> refused{};
  };

  void FinishAt(size_t index, ErrorCode error, PartitionOffsets offsets,
                std::vector<OffsetOpResult>& results);
  void Finish(ErrorCode error, PartitionOffsets offsets, std::vector<OffsetOpResult>& results);
  // True when the operation is to be repeated.
  bool Retry(Instant now, ErrorCode error);
  [[nodiscard]] ErrorCode CommitError(const message::OffsetCommitResponse& response);
  ErrorCode ReadOffsets(const message::OffsetFetchResponse& response, PartitionOffsets& out) const;

  const std::string& group_id_;
  CoordinatorFinder& coordinator_;
  CallIds& ids_;
  Rng rng_;
  std::deque<Op> ops_;
  CallId in_flight_ = 0;
  int64_t attempts_ = 0;  // commits sent
  ServerAddress asked_;
  Instant not_before_;
};

}  // namespace quipu
