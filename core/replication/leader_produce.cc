// LeaderRole's way of one produced batch: checks, stamp, append, parked answer.
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/planted_bug.h"
#include "core/record/compression.h"
#include "core/replication/leader_role.h"

namespace quipu {
namespace {

// A batch of 1 MiB may hold this much, and no more: see BatchLimits.
constexpr size_t kDecompressedBytesMax = BatchLimits{}.decompressed_bytes_max;

}  // namespace

ErrorCode LeaderRole::CheckProduce(const ProduceInput& input) const {
  if (input.acks < -1 || input.acks > 1) return ErrorCode::kInvalidRequiredAcks;
  if (isr_.isr().size() < MinIsrEffective()) return ErrorCode::kNotEnoughReplicas;
  if (parked_.acks() >= log_->limits().parked_acks_max) return ErrorCode::kLimitReached;
  return ErrorCode::kNone;
}

BatchVerdict LeaderRole::CheckBatch(const ProduceInput& input, const RecordBatchView& batch) const {
  if (batch.size() != input.records.size()) return {ErrorCode::kInvalidRecord};
  // Markers are the coordinators' to write, and there are no transactions for them to mark yet.
  if (!input.from_coordinator && (batch.is_control() || batch.is_transactional())) {
    return {ErrorCode::kInvalidRecord};
  }
  if (!log_->producers_known() && !input.from_coordinator && batch.producer_id() >= ProducerId{0}) {
    return {ErrorCode::kDamagedOnAllReplicas};
  }
  return ValidateBatch(batch, {.batch_bytes_max = config_.message_bytes_max,
                               .validate_compressed = log_->limits().validate_compressed ||
                                                      IsStoredInAnotherCodec(input, batch),
                               .decompressed_bytes_max = kDecompressedBytesMax});
}

bool LeaderRole::IsStoredInAnotherCodec(const ProduceInput& input,
                                        const RecordBatchView& batch) const {
  return config_.compression && *config_.compression != batch.compression() &&
         !input.from_coordinator;
}

ErrorCode LeaderRole::Recompress(RecordBatchView& batch, std::string& message) const {
  const absl::StatusOr<Bytes> bytes =
      RecompressBatch(batch, *config_.compression, kDecompressedBytesMax);
  if (!bytes.ok()) return CodeOf(bytes.status());
  if (bytes->size() > config_.message_bytes_max) {
    message = absl::StrCat("with compression.type=", CodecName(*config_.compression),
                           " of the topic the batch takes ", bytes->size(),
                           " bytes and exceeds max.message.bytes of the topic, ",
                           config_.message_bytes_max);
    return ErrorCode::kMessageTooLarge;
  }
  absl::StatusOr<RecordBatchView> parsed = RecordBatchView::Parse(*bytes);
  QUIPU_CHECK(parsed.ok());
  batch = *std::move(parsed);
  return ErrorCode::kNone;
}

std::string LeaderRole::RefusalText(ErrorCode error, const RecordBatchView* batch) const {
  if (error == ErrorCode::kNotEnoughReplicas) {
    return absl::StrCat("in sync: ", isr_.isr().size(),
                        " replicas; min.insync.replicas: ", MinIsrEffective());
  }
  if (error == ErrorCode::kLimitReached && batch == nullptr) {
    return absl::StrCat(log_->limits().parked_acks_max, " batches wait for their acknowledgement");
  }
  if (batch == nullptr) return {};
  if (error == ErrorCode::kDamagedOnAllReplicas) {
    return "which sequence numbers are next is not known: a batch that tells it is damaged on all "
           "replicas; nothing was written";
  }
  if (error == ErrorCode::kMessageTooLarge && batch->size() > config_.message_bytes_max) {
    return absl::StrCat("the batch of ", batch->size(), " bytes exceeds max.message.bytes of the ",
                        "topic, ", config_.message_bytes_max);
  }
  if (error == ErrorCode::kUnsupportedCompressionType) {
    return absl::StrCat("codec ", CodecName(batch->compression()),
                        " is not supported; there are none, gzip, snappy, lz4 and zstd");
  }
  if (error == ErrorCode::kCorruptMessage && !batch->CrcMatches()) {
    return "the batch's bytes do not match its CRC: they were damaged on the way";
  }
  if (error == ErrorCode::kOutOfOrderSequence || error == ErrorCode::kInvalidProducerEpoch ||
      error == ErrorCode::kUnknownProducerId) {
    const absl::string_view text = ErrorDescription(error);
    return absl::StrCat(text, " Producer ", batch->producer_id().value(), ", epoch ",
                        batch->producer_epoch().value(), ", base sequence ",
                        batch->base_sequence().value());
  }
  return {};
}

void LeaderRole::OnProduce(const ProduceInput& input, Now now, PartitionEffects& effects) {
  ProduceReply reply{.token = input.token, .error = CheckProduce(input), .message = {}};
  if (reply.error != ErrorCode::kNone) {
    reply.message = RefusalText(reply.error, nullptr);
    effects.replies.push_back(std::move(reply));
    return;
  }
  const absl::StatusOr<RecordBatchView> parsed = RecordBatchView::Parse(input.records);
  const BatchVerdict checked =
      parsed.ok() ? CheckBatch(input, *parsed) : BatchVerdict{CodeOf(parsed.status())};
  reply.error = checked.error;
  ProducerTable::Verdict verdict;
  if (reply.error == ErrorCode::kNone && !input.from_coordinator) {
    verdict = log_->producers().Check(*parsed);
    reply.error = verdict.error;
  }
  if (reply.error != ErrorCode::kNone) {
    reply.message =
        parsed.ok() ? RefusalText(reply.error, &*parsed) : std::string(parsed.status().message());
    if (reply.error == ErrorCode::kDuplicateSequence) {
      // It acknowledges too. What it stands for may not be committed: of many producers a replica
      // is told less than is in flight (EncodeProducers).
      reply.end_offset = verdict.stored_below;
      Park(input, std::move(reply), now, effects);
      return;
    }
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
  absl::StatusOr<RecordBatchView> stamped = RecordBatchView::Parse(StampBatch(
      *parsed, log_->offsets().log_end(), log_->leader_epoch(), time, checked.max_create_time));
  QUIPU_CHECK(stamped.ok());
  if (IsStoredInAnotherCodec(input, *stamped)) {
    reply.error = Recompress(*stamped, reply.message);
    if (reply.error != ErrorCode::kNone) {
      effects.replies.push_back(std::move(reply));
      return;
    }
  }
  reply.base_offset = stamped->base_offset();
  reply.end_offset = stamped->end_offset();
  if (stamps_time) reply.log_append_time = now.wall;
  Append(*stamped, now, effects);
  Park(input, std::move(reply), now, effects);
}

void LeaderRole::Park(const ProduceInput& input, ProduceReply reply, Now now,
                      PartitionEffects& effects) {
  const bool committed = reply.end_offset <= log_->offsets().high_watermark();
  if (committed || input.acks == 0 || IsPlanted(PlantedBug::kAckBeforeSync)) {
    effects.replies.push_back(std::move(reply));
    return;
  }
  parked_.ParkAck(std::move(reply), now.mono + input.timeout);
}

}  // namespace quipu
