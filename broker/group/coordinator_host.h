// Drives the group coordinator of one partition of __consumer_offsets for one leadership of it.
//
// Loads the partition's log into a GroupCoordinatorCore, then serves: the records of a handler are
// appended as one batch and replayed at once, and the response waits until the log end that the
// handler saw is committed. When the leadership or its epoch ends, the object is thrown away; the
// next leader rebuilds the state from the log alone.
//
// The log stays bounded without a cleaner: when it has grown well past the state, the whole state
// is appended as a snapshot, and once that is committed the log start is raised to it.
//
// JoinGroup and SyncGroup wait for other members. Their requests are kept here by token until the
// core gives the answer, which then waits for the commit as any other; with the leadership they are
// lost, and answered with kNotCoordinator.
// Shard thread only.
#pragma once

#include <concepts>
#include <deque>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "base/error_code.h"
#include "broker/shard/shard_context.h"
#include "core/coordinator/group_coordinator_core.h"

namespace quipu {

// An answer of the classic group protocol: a plain value instead of a message.
template <typename Response>
concept IsClassicAnswer = requires(Response response) {
  { response.error } -> std::same_as<ErrorCode&>;
};

class CoordinatorHost : public std::enable_shared_from_this<CoordinatorHost> {
 public:
  // `context` must outlive it. The partition `uid` is led here, in `epoch`.
  CoordinatorHost(ShardContext& context, PartitionUid uid, LeaderEpoch epoch);

  [[nodiscard]] LeaderEpoch epoch() const { return epoch_; }
  [[nodiscard]] bool loaded() const { return phase_ == Phase::kServing; }
  [[nodiscard]] const GroupCoordinatorCore& core() const { return core_; }

  // The high watermark moved, or this is new: goes on with whatever waits for it.
  void OnProgress();
  // Topics may have come or gone.
  void OnTopics();
  // Answers what waits with kNotCoordinator; nothing is taken afterwards.
  void Abandon();

  // Runs `handler(core, now, topics)`, which returns a GroupResult, and replies when what it saw is
  // committed. Errors of the host: kCoordinatorLoadInProgress, kCoordinatorNotAvailable (nothing
  // can be written now), kNotCoordinator, kLimitReached, kRequestTimedOut (unknown outcome).
  //
  // For an answer of the classic group protocol `handler(core, token, now, topics)` returns
  // records, and the reply follows when the core answers the token. An unknown outcome is then
  // kCoordinatorNotAvailable, which is what clients of that protocol know.
  template <typename Response, typename Handler>
  void Serve(Handler handler, std::function<void(Response)> reply) {
    if constexpr (IsClassicAnswer<Response>) {
      ServeClassic<Response>(std::move(handler), std::move(reply));
    } else {
      ServeUnary<Response>(std::move(handler), std::move(reply));
    }
  }

  template <typename Response>
  static Response ErrorResponse(ErrorCode error) {
    Response response;
    if constexpr (IsClassicAnswer<Response>) {
      response.error = error;
    } else {
      response.set_error_code(static_cast<int32_t>(error));
    }
    return response;
  }
  // Requests that wait for other members of their groups.
  [[nodiscard]] size_t waiting() const { return waiting_.size(); }

  // A snapshot is due when this many bytes lie behind the last one, or three times its size: the
  // next coordinator reads four times the state at most, and each byte is written 1.3 times.
  static constexpr size_t kSnapshotBytesMin = size_t{4} << 20;
  static constexpr size_t kSnapshotGrowth = 3;
  // A JoinGroup is answered with kLimitReached beyond.
  static constexpr size_t kWaitingMax = 20000;

 private:
  enum class Phase { kWaiting, kLoading, kServing, kDamaged, kEnded };
  struct Parked {
    Offset end;  // answered when the high watermark reaches it
    Instant deadline;
    std::function<void(ErrorCode)> done;
  };
  struct PendingSnapshot {
    Offset begin;
    Offset end;
  };
  // Called once: with the answer, or with an error and nullptr.
  using Waiting = std::function<void(ErrorCode, ClassicAnswer*)>;

  template <typename Response, typename Handler>
  void ServeUnary(Handler handler, std::function<void(Response)> reply) {
    if (const ErrorCode error = CheckServing(); error != ErrorCode::kNone) {
      reply(ErrorResponse<Response>(error));
      return;
    }
    const MetadataGroupTopicView topics(*context_.image);
    auto result = handler(core_, context_.GetNow(), topics);
    const ErrorCode written = Write(result.records);
    ArmTimer();
    if (written != ErrorCode::kNone) {
      reply(ErrorResponse<Response>(written));
      return;
    }
    AnswerClassic(core_.TakeClassicReplies());
    auto response = std::make_shared<Response>(std::move(result.response));
    Park([response, reply = std::move(reply)](ErrorCode error) {
      reply(error == ErrorCode::kNone ? std::move(*response) : ErrorResponse<Response>(error));
    });
  }

  template <typename Response, typename Handler>
  void ServeClassic(Handler handler, std::function<void(Response)> reply) {
    ErrorCode error = CheckServing();
    // The other requests end waits or keep members alive; and who waits in a SyncGroup had joined.
    const bool may_wait = std::is_same_v<Response, ClassicJoinAnswer>;
    if (error == ErrorCode::kNone && may_wait && waiting_.size() >= kWaitingMax) {
      error = ErrorCode::kLimitReached;
    }
    if (error != ErrorCode::kNone) {
      reply(ErrorResponse<Response>(error));
      return;
    }
    const uint64_t token = ++last_token_;
    waiting_[token] = [reply = std::move(reply)](ErrorCode failed, ClassicAnswer* answer) {
      reply(answer != nullptr ? std::get<Response>(std::move(*answer))
                              : ErrorResponse<Response>(failed));
    };
    const MetadataGroupTopicView topics(*context_.image);
    const ErrorCode written = Write(handler(core_, token, context_.GetNow(), topics));
    AnswerClassic(core_.FinishClassic(written, context_.GetNow()));
    ArmTimer();
  }

  [[nodiscard]] ErrorCode CheckServing() const;
  [[nodiscard]] PartitionHost* Host() const;
  // ---- loading ----
  void Load(Offset from);
  void OnLoaded(Offset from, const absl::StatusOr<std::vector<StoredBatch>>& batches);
  absl::Status ReplayBatch(const StoredBatch& batch);
  void BeginServing();
  // ---- serving ----
  // Appends as one batch and replays. kNone also for no records.
  ErrorCode Write(const GroupRecords& records);
  ErrorCode AppendBatch(const GroupRecords& records, size_t first, size_t last);
  void Park(std::function<void(ErrorCode)> done);
  void AnswerCommitted();
  void AnswerClassic(std::vector<ClassicReply> replies);
  void MaybeSnapshot();
  void FinishSnapshot();
  // ---- time ----
  void ArmTimer();
  void OnTimer();
  ErrorCode ExpireOffsets(Now now);

  ShardContext& context_;
  const PartitionUid uid_;
  const LeaderEpoch epoch_;
  Phase phase_ = Phase::kWaiting;
  GroupCoordinatorCore core_;
  Offset load_end_ = kNoOffset;
  std::deque<Parked> parked_;
  absl::btree_map<uint64_t, Waiting> waiting_;  // by token
  uint64_t last_token_ = 0;
  size_t bytes_since_snapshot_ = 0;
  size_t snapshot_bytes_ = 0;  // size of the newest one, 0: none yet
  std::optional<PendingSnapshot> snapshot_;
  std::optional<Instant> armed_at_;
  bool topics_retry_ = false;
};

}  // namespace quipu
