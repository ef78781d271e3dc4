// LeaderRole's way of one produced batch: checks, stamp, append, parked answer.
#include <utility>

#include "base/check.h"
#include "base/planted_bug.h"
#include "core/replication/leader_role.h"

namespace quipu {

ErrorCode LeaderRole::CheckProduce(const ProduceInput& input) const {
  if (input.acks < -1 || input.acks > 1) return ErrorCode::kInvalidRequiredAcks;
  if (isr_.isr().size() < MinIsrEffective()) return ErrorCode::kNotEnoughReplicas;
  if (parked_.acks() >= log_.limits().parked_acks_max) return ErrorCode::kLimitReached;
  return ErrorCode::kNone;
}

ErrorCode LeaderRole::CheckBatch(const ProduceInput& input, const RecordBatchView& batch) const {
  if (batch.size() != input.records.size()) return ErrorCode::kInvalidRecord;
  // Markers are the coordinators' to write, and there are no transactions for them to mark yet.
  if (!input.from_coordinator && (batch.is_control() || batch.is_transactional())) {
    return ErrorCode::kInvalidRecord;
  }
  return ValidateBatch(batch, {.batch_bytes_max = config_.message_bytes_max,
                               .validate_compressed = log_.limits().validate_compressed});
}

void LeaderRole::OnProduce(const ProduceInput& input, Now now, PartitionEffects& effects) {
  ProduceReply reply{.token = input.token, .error = CheckProduce(input), .message = {}};
  if (reply.error != ErrorCode::kNone) {
    effects.replies.push_back(std::move(reply));
    return;
  }
  const absl::StatusOr<RecordBatchView> parsed = RecordBatchView::Parse(input.records);
  reply.error = parsed.ok() ? CheckBatch(input, *parsed) : CodeOf(parsed.status());
  ProducerTable::Verdict verdict;
  if (reply.error == ErrorCode::kNone && !input.from_coordinator) {
    verdict = log_.producers().Check(*parsed);
    reply.error = verdict.error;
  }
  if (reply.error != ErrorCode::kNone) {
    effects.replies.push_back(std::move(reply));
    return;
  }
  const bool stamps_time = config_.timestamp_type == TimestampType::kLogAppendTime;
  if (verdict.duplicate_of) {
    reply.base_offset = verdict.duplicate_of->base_offset;
    reply.end_offset = verdict.duplicate_of->last_offset + 1;
    if (stamps_time) reply.log_append_time = verdict.duplicate_of->timestamp;
    Park(input, std::move(reply), now, effects);
    return;
  }
  const auto time = stamps_time ? std::optional(now.wall) : std::nullopt;
  const absl::StatusOr<RecordBatchView> stamped = RecordBatchView::Parse(
      StampBatch(*parsed, log_.offsets().log_end(), log_.leader_epoch(), time));
  QUIPU_CHECK(stamped.ok());
  reply.base_offset = stamped->base_offset();
  reply.end_offset = stamped->end_offset();
  if (stamps_time) reply.log_append_time = now.wall;
  log_.Append(*stamped, effects);
  effects.log_end_moved = true;
  Park(input, std::move(reply), now, effects);
}

void LeaderRole::Park(const ProduceInput& input, ProduceReply reply, Now now,
                      PartitionEffects& effects) {
  const bool committed = reply.end_offset <= log_.offsets().high_watermark();
  if (committed || input.acks == 0 || IsPlanted(PlantedBug::kAckBeforeSync)) {
    effects.replies.push_back(std::move(reply));
    return;
  }
  parked_.ParkAck(std::move(reply), now.mono + input.timeout);
}

}  // namespace quipu
