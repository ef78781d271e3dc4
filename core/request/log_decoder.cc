// Decode of log_codec.h. Field numbers: proto/message/stream.proto.
//
// A field that is absent on the wire is zero, whatever the struct's own default: that is what a
// generated stub of another language means by it. So every message starts from zeros.
#include <utility>

#include "core/record/record_batch.h"
#include "core/request/log_codec.h"
#include "core/request/wire_format.h"

namespace quipu {
namespace {

absl::Status Malformed() {
  return ToStatus(ErrorCode::kInvalidRequest, "the bytes are not a message of this stream");
}

// Gives every field to `on_field`, which returns whether the field is in order.
template <typename OnField>
bool ReadFields(const Bytes& bytes, const OnField& on_field) {
  WireReader reader(bytes);
  WireField field;
  while (reader.Next(field)) {
    if (!on_field(field)) return false;
  }
  return reader.ok();
}

bool ReadId(const WireField& field, Uuid& id) {
  const auto parsed = Uuid::FromBytes(field.bytes.view());
  if (!parsed.has_value()) return false;
  id = *parsed;
  return true;
}

bool ReadText(const WireField& field, std::string& text) {
  if (!IsUtf8(field.bytes.view())) return false;
  text = field.bytes.ToString();
  return true;
}

ErrorCode ReadError(const WireField& field) {
  return ErrorCodeFromWire(field.AsInt32()).value_or(ErrorCode::kUnknownServerError);
}

bool Read(const Bytes& bytes, ProducePartition& out) {
  out.leader_epoch = LeaderEpoch(0);
  bool has_id = false;
  const bool ok = ReadFields(bytes, [&](const WireField& field) {
    switch (field.key) {
      case LengthField(1):
        return has_id = ReadId(field, out.topic_id);
      case VarintField(2):
        out.partition = PartitionIndex(field.AsInt32());
        break;
      case VarintField(3):
        out.leader_epoch = LeaderEpoch(field.AsInt32());
        break;
      case LengthField(4):
        out.records = field.bytes;
        break;
      default:
        break;
    }
    return true;
  });
  return ok && has_id;
}

bool Read(const Bytes& bytes, ProducePartitionResult& out) {
  out.base_offset = Offset(0);
  out.log_append_time = TimestampMs(0);
  out.log_start_offset = Offset(0);
  out.leader_id = BrokerId(0);
  out.leader_epoch = LeaderEpoch(0);
  bool has_id = false;
  const bool ok = ReadFields(bytes, [&](const WireField& field) {
    switch (field.key) {
      case LengthField(1):
        return has_id = ReadId(field, out.topic_id);
      case VarintField(2):
        out.partition = PartitionIndex(field.AsInt32());
        break;
      case VarintField(3):
        out.error = ReadError(field);
        break;
      case VarintField(4):
        out.base_offset = Offset(field.AsInt64());
        break;
      case VarintField(5):
        out.log_append_time = TimestampMs(field.AsInt64());
        break;
      case VarintField(6):
        out.log_start_offset = Offset(field.AsInt64());
        break;
      case VarintField(7):
        out.leader_id = BrokerId(field.AsInt32());
        break;
      case VarintField(8):
        out.leader_epoch = LeaderEpoch(field.AsInt32());
        break;
      case LengthField(9):
        return ReadText(field, out.error_message);
      default:
        break;
    }
    return true;
  });
  return ok && has_id;
}

bool Read(const Bytes& bytes, FetchPartition& out) {
  out.leader_epoch = LeaderEpoch(0);
  out.max_bytes = 0;
  out.last_fetched_epoch = LeaderEpoch(0);
  bool has_id = false;
  const bool ok = ReadFields(bytes, [&](const WireField& field) {
    switch (field.key) {
      case LengthField(1):
        return has_id = ReadId(field, out.topic_id);
      case VarintField(2):
        out.partition = PartitionIndex(field.AsInt32());
        break;
      case VarintField(3):
        out.fetch_offset = Offset(field.AsInt64());
        break;
      case VarintField(4):
        out.leader_epoch = LeaderEpoch(field.AsInt32());
        break;
      case VarintField(5):
        out.max_bytes = field.AsInt32();
        break;
      case VarintField(6):
        out.last_fetched_epoch = LeaderEpoch(field.AsInt32());
        break;
      default:
        break;
    }
    return true;
  });
  return ok && has_id;
}

// `records` gets the record bytes, not yet split.
bool Read(const Bytes& bytes, FetchPartitionResult& out, Bytes& records) {
  out.high_watermark = Offset(0);
  out.last_stable_offset = Offset(0);
  out.log_start_offset = Offset(0);
  out.leader_id = BrokerId(0);
  out.leader_epoch = LeaderEpoch(0);
  out.diverging_epoch = LeaderEpoch(0);
  out.diverging_end_offset = Offset(0);
  out.refused_end_offset = Offset(0);
  bool has_id = false;
  const bool ok = ReadFields(bytes, [&](const WireField& field) {
    switch (field.key) {
      case LengthField(1):
        return has_id = ReadId(field, out.topic_id);
      case VarintField(2):
        out.partition = PartitionIndex(field.AsInt32());
        break;
      case VarintField(3):
        out.error = ReadError(field);
        break;
      case VarintField(4):
        out.high_watermark = Offset(field.AsInt64());
        break;
      case VarintField(5):
        out.last_stable_offset = Offset(field.AsInt64());
        break;
      case VarintField(6):
        out.log_start_offset = Offset(field.AsInt64());
        break;
      case LengthField(7):
        records = field.bytes;
        break;
      case VarintField(8):
        out.leader_id = BrokerId(field.AsInt32());
        break;
      case VarintField(9):
        out.leader_epoch = LeaderEpoch(field.AsInt32());
        break;
      case VarintField(10):
        out.diverging_epoch = LeaderEpoch(field.AsInt32());
        break;
      case VarintField(11):
        out.diverging_end_offset = Offset(field.AsInt64());
        break;
      case LengthField(12):
        return ReadText(field, out.error_message);
      case VarintField(13):
        out.refused_end_offset = Offset(field.AsInt64());
        break;
      default:
        break;
    }
    return true;
  });
  return ok && has_id;
}

// Merges into `out`, as protobuf does when a message field comes twice; `has_id` likewise.
bool Read(const Bytes& bytes, ReplicaOpen& out, bool& has_id) {
  return ReadFields(bytes, [&](const WireField& field) {
    switch (field.key) {
      case LengthField(1):
        return has_id = ReadId(field, out.cluster_id);
      case VarintField(2):
        out.broker_id = BrokerId(field.AsInt32());
        break;
      case VarintField(3):
        out.broker_epoch = BrokerEpoch(field.AsInt64());
        break;
      case VarintField(4):
        out.leader_id = BrokerId(field.AsInt32());
        break;
      default:
        break;
    }
    return true;
  });
}

bool Read(const Bytes& bytes, ReplicaUpdate& out) {
  out.last_epoch = LeaderEpoch(0);
  return ReadFields(bytes, [&](const WireField& field) {
    if (field.key == VarintField(1)) out.uid = PartitionUid(field.number);
    if (field.key == VarintField(2)) out.leader_epoch = LeaderEpoch(field.AsInt32());
    if (field.key == VarintField(3)) out.fetch_offset = Offset(field.AsInt64());
    if (field.key == VarintField(4)) out.durable_end_offset = Offset(field.AsInt64());
    if (field.key == VarintField(5)) out.log_start_offset = Offset(field.AsInt64());
    if (field.key == VarintField(6)) out.last_epoch = LeaderEpoch(field.AsInt32());
    if (field.key == VarintField(7)) out.restart = field.number != 0;
    if (field.key == VarintField(8)) out.producers_unknown = field.number != 0;
    return true;
  });
}

bool Read(const Bytes& bytes, ReplicaPush& out, Bytes& records) {
  out.high_watermark = Offset(0);
  out.log_start_offset = Offset(0);
  out.diverging_epoch = LeaderEpoch(0);
  out.diverging_end_offset = Offset(0);
  out.base_offset = Offset(0);
  return ReadFields(bytes, [&](const WireField& field) {
    switch (field.key) {
      case VarintField(1):
        out.uid = PartitionUid(field.number);
        break;
      case VarintField(2):
        out.leader_epoch = LeaderEpoch(field.AsInt32());
        break;
      case VarintField(3):
        out.error = ReadError(field);
        break;
      case VarintField(4):
        out.high_watermark = Offset(field.AsInt64());
        break;
      case VarintField(5):
        out.log_start_offset = Offset(field.AsInt64());
        break;
      case LengthField(6):
        records = field.bytes;
        break;
      case VarintField(7):
        out.diverging_epoch = LeaderEpoch(field.AsInt32());
        break;
      case VarintField(8):
        out.diverging_end_offset = Offset(field.AsInt64());
        break;
      case VarintField(9):
        out.base_offset = Offset(field.AsInt64());
        break;
      case LengthField(10):
        out.producers = field.bytes;
        break;
      case VarintField(11):
        out.producers_whole_at = Offset(field.AsInt64());
        break;
      default:
        break;
    }
    return true;
  });
}

bool Read(const Bytes& bytes, RepairRequest& out) {
  return ReadFields(bytes, [&](const WireField& field) {
    if (field.key == VarintField(1)) out.uid = PartitionUid(field.number);
    if (field.key == VarintField(2)) out.leader_epoch = LeaderEpoch(field.AsInt32());
    if (field.key == VarintField(3)) out.last_offset = Offset(field.AsInt64());
    if (field.key == VarintField(4)) out.batch_epoch = LeaderEpoch(field.AsInt32());
    return true;
  });
}

bool Read(const Bytes& bytes, RepairAnswer& out) {
  return ReadFields(bytes, [&](const WireField& field) {
    if (field.key == VarintField(1)) out.uid = PartitionUid(field.number);
    if (field.key == VarintField(2)) out.leader_epoch = LeaderEpoch(field.AsInt32());
    if (field.key == VarintField(3)) out.last_offset = Offset(field.AsInt64());
    if (field.key == VarintField(4)) out.error = ReadError(field);
    if (field.key == LengthField(5)) out.records = field.bytes;
    if (field.key == VarintField(6)) out.log_start_offset = Offset(field.AsInt64());
    return true;
  });
}

// One slice per batch.
absl::Status Split(const Bytes& records, std::vector<Bytes>& batches) {
  const auto views = SplitBatches(records);
  if (!views.ok()) return views.status();
  batches.reserve(views->size());
  for (const RecordBatchView& view : *views) batches.push_back(view.bytes());
  return absl::OkStatus();
}

// Splits what each element brought along; `records` is parallel to `elements`.
template <typename Element>
absl::Status SplitAll(const std::vector<Bytes>& records, std::vector<Element>& elements) {
  for (size_t i = 0; i < elements.size(); ++i) {
    absl::Status status = Split(records[i], elements[i].batches);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ProduceRequest> DecodeProduceRequest(const Bytes& bytes) {
  ProduceRequest out{.acks = 0, .timeout_ms = 0, .client_id = {}, .partitions = {}};
  const bool ok = ReadFields(bytes, [&out](const WireField& field) {
    switch (field.key) {
      case VarintField(1):
        out.request_id = field.number;
        break;
      case VarintField(2):
        out.acks = field.AsInt32();
        break;
      case VarintField(3):
        out.timeout_ms = field.AsInt32();
        break;
      case LengthField(4):
        return ReadText(field, out.client_id);
      case LengthField(5):
        return Read(field.bytes, out.partitions.emplace_back());
      default:
        break;
    }
    return true;
  });
  if (!ok) return Malformed();
  return out;
}

absl::StatusOr<ProduceResponse> DecodeProduceResponse(const Bytes& bytes) {
  ProduceResponse out;
  const bool ok = ReadFields(bytes, [&out](const WireField& field) {
    switch (field.key) {
      case VarintField(1):
        out.request_id = field.number;
        break;
      case LengthField(2):
        return Read(field.bytes, out.partitions.emplace_back());
      default:
        break;
    }
    return true;
  });
  if (!ok) return Malformed();
  return out;
}

absl::StatusOr<FetchRequest> DecodeFetchRequest(const Bytes& bytes) {
  FetchRequest out{
      .max_wait_ms = 0, .min_bytes = 0, .max_bytes = 0, .client_id = {}, .partitions = {}};
  const bool ok = ReadFields(bytes, [&out](const WireField& field) {
    switch (field.key) {
      case VarintField(1):
        out.request_id = field.number;
        break;
      case VarintField(2):
        out.max_wait_ms = field.AsInt32();
        break;
      case VarintField(3):
        out.min_bytes = field.AsInt32();
        break;
      case VarintField(4):
        out.max_bytes = field.AsInt32();
        break;
      case LengthField(5):
        return ReadText(field, out.client_id);
      case LengthField(6):
        return Read(field.bytes, out.partitions.emplace_back());
      default:
        break;
    }
    return true;
  });
  if (!ok) return Malformed();
  return out;
}

absl::StatusOr<FetchResponse> DecodeFetchResponse(const Bytes& bytes) {
  FetchResponse out;
  std::vector<Bytes> records;
  const bool ok = ReadFields(bytes, [&](const WireField& field) {
    switch (field.key) {
      case VarintField(1):
        out.request_id = field.number;
        break;
      case VarintField(2):
        out.error = ReadError(field);
        break;
      case LengthField(3):
        return Read(field.bytes, out.partitions.emplace_back(), records.emplace_back());
      default:
        break;
    }
    return true;
  });
  if (!ok) return Malformed();
  absl::Status status = SplitAll(records, out.partitions);
  if (!status.ok()) return status;
  return out;
}

absl::StatusOr<ReplicaToLeader> DecodeReplicaToLeader(const Bytes& bytes) {
  ReplicaToLeader out;
  out.open = {.cluster_id = {},
              .broker_id = BrokerId(0),
              .broker_epoch = BrokerEpoch(0),
              .leader_id = BrokerId(0)};
  bool has_cluster_id = false;
  const bool ok = ReadFields(bytes, [&](const WireField& field) {
    switch (field.key) {
      case LengthField(1):
        out.has_open = true;
        return Read(field.bytes, out.open, has_cluster_id);
      case LengthField(2):
        return Read(field.bytes, out.updates.emplace_back());
      case VarintField(3):
        out.credit_bytes = field.AsInt64();
        break;
      case LengthField(4):
        return Read(field.bytes, out.repairs.emplace_back());
      default:
        break;
    }
    return true;
  });
  if (!ok || out.has_open != has_cluster_id) return Malformed();
  if (!out.has_open) out.open = ReplicaOpen();
  return out;
}

absl::StatusOr<LeaderToReplica> DecodeLeaderToReplica(const Bytes& bytes) {
  LeaderToReplica out;
  std::vector<Bytes> records;
  const bool ok = ReadFields(bytes, [&](const WireField& field) {
    switch (field.key) {
      case VarintField(1):
        out.error = ReadError(field);
        break;
      case LengthField(2):
        return ReadText(field, out.error_message);
      case LengthField(3):
        return Read(field.bytes, out.pushes.emplace_back(), records.emplace_back());
      case LengthField(4):
        return Read(field.bytes, out.repairs.emplace_back());
      default:
        break;
    }
    return true;
  });
  if (!ok) return Malformed();
  absl::Status status = SplitAll(records, out.pushes);
  if (!status.ok()) return status;
  return out;
}

}  // namespace quipu
