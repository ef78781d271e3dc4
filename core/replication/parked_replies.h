// Answers that wait for the rest of the replicas.
#pragma once

#include <optional>
#include <vector>

#include "base/error_code.h"
#include "base/fingerprint.h"
#include "base/ids.h"
#include "base/time.h"
#include "core/replication/partition_types.h"

namespace quipu {

// Produce answers that wait for the high watermark, DeleteRecords answers that wait for the log
// starts. Each token is answered once. Shard thread only. Its owner bounds the number.
class ParkedReplies {
 public:
  // `reply` is sent as it is once the high watermark has reached its end_offset; kRequestTimedOut
  // (meaning unknown) at `deadline`.
  void ParkAck(ProduceReply reply, Instant deadline);
  void ParkDelete(DeleteRecordsReply reply, Instant deadline);

  // The high watermark has reached `high_watermark`.
  void AnswerAcks(Offset high_watermark, PartitionEffects& effects);
  // Every log start that matters has reached `log_start`.
  void AnswerDeletes(Offset log_start, PartitionEffects& effects);
  void AnswerExpired(Instant now, PartitionEffects& effects);
  // Nothing can be answered any more: leadership is lost. Acks: kLeadershipLostAfterAppend.
  void Abandon(PartitionEffects& effects);

  [[nodiscard]] std::optional<Instant> NextDeadline() const { return next_deadline_; }
  [[nodiscard]] size_t acks() const { return acks_.size() - first_ack_ + repeats_.size(); }
  [[nodiscard]] size_t deletes() const { return deletes_.size(); }
  [[nodiscard]] bool waits_for_deletes() const { return !deletes_.empty(); }

  // Nothing below `high_watermark` is still waiting.
  void CheckInvariants(Offset high_watermark) const;
  void AddTo(Fingerprint& state) const;

 private:
  struct Ack {
    ProduceReply reply;
    Instant deadline;
  };
  struct Delete {
    DeleteRecordsReply reply;
    Instant deadline;
  };

  void NoteDeadline(Instant deadline);

  // Appends come in the order of their ends: answered ones are the first, removed now and then
  // together, so that a steady stream allocates nothing.
  std::vector<Ack> acks_;
  size_t first_ack_ = 0;
  // Answers to retries of a batch that is still open: few, in any order.
  std::vector<Ack> repeats_;
  std::vector<Delete> deletes_;
  std::optional<Instant> next_deadline_;  // not after the earliest one
};

}  // namespace quipu
