#include "base/error_code.h"

#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace quipu {
namespace {

constexpr char kPayloadUrl[] = "quipu/error_code";

struct ErrorInfo {
  ErrorCode code;
  const char* name;
  const char* description;
  bool retriable;
};

// clang-format off: a row is a code and its name, and what it means.
constexpr ErrorInfo kErrors[] = {
    {ErrorCode::kUnknownServerError, "UNKNOWN_SERVER_ERROR",
     "The server met an error that it did not expect.", false},
    {ErrorCode::kNone, "NONE",
     "No error.", false},
    {ErrorCode::kOffsetOutOfRange, "OFFSET_OUT_OF_RANGE",
     "The offset is outside the range that the partition keeps.", false},
    {ErrorCode::kCorruptMessage, "CORRUPT_MESSAGE",
     "The record batch fails its checksum or its structure is broken.", true},
    {ErrorCode::kUnknownTopicOrPartition, "UNKNOWN_TOPIC_OR_PARTITION",
     "There is no such topic or partition here.", true},
    {ErrorCode::kLeaderNotAvailable, "LEADER_NOT_AVAILABLE",
     "The partition has no leader now.", true},
    {ErrorCode::kNotLeaderOrFollower, "NOT_LEADER_OR_FOLLOWER",
     "This broker does not lead the partition.", true},
    {ErrorCode::kRequestTimedOut, "REQUEST_TIMED_OUT",
     "The request's time ran out; its outcome is unknown.", true},
    {ErrorCode::kReplicaNotAvailable, "REPLICA_NOT_AVAILABLE",
     "This broker has no usable replica of the partition.", true},
    {ErrorCode::kMessageTooLarge, "MESSAGE_TOO_LARGE",
     "The batch is larger than max.message.bytes.", false},
    {ErrorCode::kStaleControllerEpoch, "STALE_CONTROLLER_EPOCH",
     "The controller epoch is out of date.", false},
    {ErrorCode::kOffsetMetadataTooLarge, "OFFSET_METADATA_TOO_LARGE",
     "The metadata of the committed offset is too long.", false},
    {ErrorCode::kCoordinatorLoadInProgress, "COORDINATOR_LOAD_IN_PROGRESS",
     "The coordinator is loading its state.", true},
    {ErrorCode::kCoordinatorNotAvailable, "COORDINATOR_NOT_AVAILABLE",
     "The group has no coordinator now.", true},
    {ErrorCode::kNotCoordinator, "NOT_COORDINATOR",
     "This broker does not coordinate the group.", true},
    {ErrorCode::kInvalidTopic, "INVALID_TOPIC_EXCEPTION",
     "The topic name is not valid.", false},
    {ErrorCode::kRecordListTooLarge, "RECORD_LIST_TOO_LARGE",
     "The request holds more batches than allowed.", false},
    {ErrorCode::kNotEnoughReplicas, "NOT_ENOUGH_REPLICAS",
     "Fewer replicas are in sync than min.insync.replicas; nothing was written.", true},
    {ErrorCode::kNotEnoughReplicasAfterAppend, "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
     "The in-sync replicas fell below min.insync.replicas after the append; the outcome is unknown.", true},
    {ErrorCode::kInvalidRequiredAcks, "INVALID_REQUIRED_ACKS",
     "acks must be -1, 0 or 1.", false},
    {ErrorCode::kIllegalGeneration, "ILLEGAL_GENERATION",
     "The group's generation has moved on.", false},
    {ErrorCode::kInconsistentGroupProtocol, "INCONSISTENT_GROUP_PROTOCOL",
     "The member's protocols do not fit the group's.", false},
    {ErrorCode::kInvalidGroupId, "INVALID_GROUP_ID",
     "The group id is not valid.", false},
    {ErrorCode::kUnknownMemberId, "UNKNOWN_MEMBER_ID",
     "The group does not know this member.", false},
    {ErrorCode::kInvalidSessionTimeout, "INVALID_SESSION_TIMEOUT",
     "The session time-out is outside the allowed range.", false},
    {ErrorCode::kRebalanceInProgress, "REBALANCE_IN_PROGRESS",
     "The group is rebalancing.", false},
    {ErrorCode::kInvalidTimestamp, "INVALID_TIMESTAMP",
     "The record's timestamp is out of the allowed range.", false},
    {ErrorCode::kUnsupportedVersion, "UNSUPPORTED_VERSION",
     "This version is not supported.", false},
    {ErrorCode::kTopicAlreadyExists, "TOPIC_ALREADY_EXISTS",
     "A topic of this name exists already.", false},
    {ErrorCode::kInvalidPartitions, "INVALID_PARTITIONS",
     "The number of partitions is not valid.", false},
    {ErrorCode::kInvalidReplicationFactor, "INVALID_REPLICATION_FACTOR",
     "The replication factor is not valid or larger than the number of brokers.", false},
    {ErrorCode::kInvalidReplicaAssignment, "INVALID_REPLICA_ASSIGNMENT",
     "The given replicas are not live brokers, each once and as many for each partition.", false},
    {ErrorCode::kInvalidConfig, "INVALID_CONFIG",
     "A config key or value is not valid.", false},
    {ErrorCode::kNotController, "NOT_CONTROLLER",
     "This controller is not the active one.", true},
    {ErrorCode::kInvalidRequest, "INVALID_REQUEST",
     "The request is malformed or contradicts itself.", false},
    {ErrorCode::kUnsupportedForMessageFormat, "UNSUPPORTED_FOR_MESSAGE_FORMAT",
     "Only record batches of version 2 are supported.", false},
    {ErrorCode::kPolicyViolation, "POLICY_VIOLATION",
     "The request breaks a limit of this cluster.", false},
    {ErrorCode::kOutOfOrderSequence, "OUT_OF_ORDER_SEQUENCE_NUMBER",
     "The sequence number leaves a gap after the last one.", false},
    {ErrorCode::kDuplicateSequence, "DUPLICATE_SEQUENCE_NUMBER",
     "The batch was written before, too long ago to tell its offset.", false},
    {ErrorCode::kInvalidProducerEpoch, "INVALID_PRODUCER_EPOCH",
     "The producer epoch is older than the newest one.", false},
    {ErrorCode::kOperationNotAttempted, "OPERATION_NOT_ATTEMPTED",
     "The broker did not try this part of the request.", false},
    {ErrorCode::kStorageError, "KAFKA_STORAGE_ERROR",
     "The log cannot be read or written.", true},
    {ErrorCode::kUnknownProducerId, "UNKNOWN_PRODUCER_ID",
     "The broker has no state for this producer id.", false},
    {ErrorCode::kReassignmentInProgress, "REASSIGNMENT_IN_PROGRESS",
     "Another change is under way.", false},
    {ErrorCode::kNonEmptyGroup, "NON_EMPTY_GROUP",
     "The group still has members.", false},
    {ErrorCode::kGroupIdNotFound, "GROUP_ID_NOT_FOUND",
     "There is no such group.", false},
    {ErrorCode::kFetchSessionIdNotFound, "FETCH_SESSION_ID_NOT_FOUND",
     "There is no such fetch session; the client begins anew.", true},
    {ErrorCode::kListenerNotFound, "LISTENER_NOT_FOUND",
     "The leader has no listener of this kind.", true},
    {ErrorCode::kFencedLeaderEpoch, "FENCED_LEADER_EPOCH",
     "The leader epoch in the request is older than the broker's.", true},
    {ErrorCode::kUnknownLeaderEpoch, "UNKNOWN_LEADER_EPOCH",
     "The leader epoch in the request is newer than the broker's.", true},
    {ErrorCode::kUnsupportedCompressionType, "UNSUPPORTED_COMPRESSION_TYPE",
     "The compression codec is not supported.", false},
    {ErrorCode::kStaleBrokerEpoch, "STALE_BROKER_EPOCH",
     "The broker epoch is out of date.", false},
    {ErrorCode::kOffsetNotAvailable, "OFFSET_NOT_AVAILABLE",
     "The leader does not know its high watermark yet.", true},
    {ErrorCode::kMemberIdRequired, "MEMBER_ID_REQUIRED",
     "The member has to join again under the id that it was given.", false},
    {ErrorCode::kPreferredLeaderNotAvailable, "PREFERRED_LEADER_NOT_AVAILABLE",
     "The preferred leader is not available.", true},
    {ErrorCode::kGroupMaxSizeReached, "GROUP_MAX_SIZE_REACHED",
     "The group has as many members as allowed.", false},
    {ErrorCode::kFencedInstanceId, "FENCED_INSTANCE_ID",
     "Another member holds this group.instance.id.", false},
    {ErrorCode::kEligibleLeadersNotAvailable, "ELIGIBLE_LEADERS_NOT_AVAILABLE",
     "No replica that may lead is available.", true},
    {ErrorCode::kElectionNotNeeded, "ELECTION_NOT_NEEDED",
     "The preferred replica leads already.", false},
    {ErrorCode::kGroupSubscribedToTopic, "GROUP_SUBSCRIBED_TO_TOPIC",
     "Members of the group read this topic.", false},
    {ErrorCode::kInvalidRecord, "INVALID_RECORD",
     "A record of the batch is not valid.", false},
    {ErrorCode::kProducerFenced, "PRODUCER_FENCED",
     "A newer instance of this producer is active.", false},
    {ErrorCode::kResourceNotFound, "RESOURCE_NOT_FOUND",
     "There is no such resource.", false},
    {ErrorCode::kDuplicateResource, "DUPLICATE_RESOURCE",
     "The resource is named twice.", false},
    {ErrorCode::kInconsistentVoterSet, "INCONSISTENT_VOTER_SET",
     "The voter set does not match.", false},
    {ErrorCode::kInvalidUpdateVersion, "INVALID_UPDATE_VERSION",
     "The partition epoch in the request is out of date.", false},
    {ErrorCode::kSnapshotNotFound, "SNAPSHOT_NOT_FOUND",
     "There is no such snapshot.", false},
    {ErrorCode::kUnknownTopicId, "UNKNOWN_TOPIC_ID",
     "There is no topic with this id here.", true},
    {ErrorCode::kDuplicateBrokerRegistration, "DUPLICATE_BROKER_REGISTRATION",
     "Another live broker is registered under this id.", false},
    {ErrorCode::kBrokerIdNotRegistered, "BROKER_ID_NOT_REGISTERED",
     "This broker id is not registered.", false},
    {ErrorCode::kInconsistentTopicId, "INCONSISTENT_TOPIC_ID",
     "The topic id does not match the topic.", true},
    {ErrorCode::kInconsistentClusterId, "INCONSISTENT_CLUSTER_ID",
     "The request names another cluster.", false},
    {ErrorCode::kIneligibleReplica, "INELIGIBLE_REPLICA",
     "A proposed ISR member is fenced, shutting down or of another broker epoch.", false},
    {ErrorCode::kOffsetMovedToTieredStorage, "OFFSET_MOVED_TO_TIERED_STORAGE",
     "The offset is in tiered storage.", false},
    {ErrorCode::kFencedMemberEpoch, "FENCED_MEMBER_EPOCH",
     "The member epoch is out of date; the member must rejoin.", false},
    {ErrorCode::kUnreleasedInstanceId, "UNRELEASED_INSTANCE_ID",
     "The group.instance.id is in use.", false},
    {ErrorCode::kUnsupportedAssignor, "UNSUPPORTED_ASSIGNOR",
     "The assignor is not supported.", false},
    {ErrorCode::kStaleMemberEpoch, "STALE_MEMBER_EPOCH",
     "The member epoch in the commit is out of date.", false},
    {ErrorCode::kMismatchedEndpointType, "MISMATCHED_ENDPOINT_TYPE",
     "The request came in on the wrong listener.", false},
    {ErrorCode::kUnsupportedEndpointType, "UNSUPPORTED_ENDPOINT_TYPE",
     "There are no such endpoints.", false},
    {ErrorCode::kDuplicateVoter, "DUPLICATE_VOTER",
     "This controller is a voter already.", false},
    {ErrorCode::kVoterNotFound, "VOTER_NOT_FOUND",
     "The quorum has no such voter.", false},
    {ErrorCode::kDiskFull, "DISK_FULL",
     "The broker refuses writes because its disk is nearly full; free space or add disk.", true},
    {ErrorCode::kTooManyInFlightBytes, "TOO_MANY_IN_FLIGHT_BYTES",
     "The broker's limit of bytes in flight is reached; try again later.", true},
    {ErrorCode::kLeadershipLostAfterAppend, "LEADERSHIP_LOST_AFTER_APPEND",
     "Leadership moved after the append; the outcome is unknown.", true},
    {ErrorCode::kBrokerShuttingDown, "BROKER_SHUTTING_DOWN",
     "The broker is shutting down.", true},
    {ErrorCode::kUnprovenDirectory, "UNPROVEN_DIRECTORY",
     "The data directory is not the one that this node is known by, or lost confirmed writes.", false},
    {ErrorCode::kLimitReached, "LIMIT_REACHED",
     "A named limit of this broker is reached.", true},
    {ErrorCode::kDeliveryTimedOut, "DELIVERY_TIMED_OUT",
     "delivery.timeout.ms ran out in the client.", false},
    {ErrorCode::kBufferFull, "BUFFER_FULL",
     "buffer.memory is used up and max.block.ms ran out.", true},
    {ErrorCode::kClosed, "CLOSED",
     "The client is closed.", false},
    {ErrorCode::kNotConnected, "NOT_CONNECTED",
     "No broker could be reached.", true},
    {ErrorCode::kUnderRepair, "UNDER_REPAIR",
     "The broker's copy is damaged and is being repaired from another replica.", true},
    {ErrorCode::kDamagedOnAllReplicas, "DAMAGED_ON_ALL_REPLICAS",
     "No replica has a sound copy of these offsets; they are refused, the rest can be read.", false},
};
// clang-format on

const ErrorInfo* Find(int32_t number) {
  for (const ErrorInfo& info : kErrors) {
    if (static_cast<int32_t>(info.code) == number) return &info;
  }
  return nullptr;
}

const ErrorInfo& InfoOf(ErrorCode code) {
  const ErrorInfo* info = Find(static_cast<int32_t>(code));
  return info != nullptr ? *info : kErrors[0];
}

}  // namespace

absl::string_view ErrorName(ErrorCode code) { return InfoOf(code).name; }
absl::string_view ErrorDescription(ErrorCode code) { return InfoOf(code).description; }
bool IsRetriable(ErrorCode code) { return InfoOf(code).retriable; }

std::optional<ErrorCode> ErrorCodeFromWire(int32_t number) {
  const ErrorInfo* info = Find(number);
  if (info == nullptr) return std::nullopt;
  return info->code;
}

absl::Status ToStatus(ErrorCode code, absl::string_view detail) {
  if (code == ErrorCode::kNone) return absl::OkStatus();
  const absl::StatusCode kind =
      IsRetriable(code) ? absl::StatusCode::kUnavailable : absl::StatusCode::kFailedPrecondition;
  absl::Status status(
      kind, absl::StrCat(ErrorName(code), ": ", detail.empty() ? ErrorDescription(code) : detail));
  status.SetPayload(kPayloadUrl, absl::Cord(absl::StrCat(static_cast<int>(code))));
  return status;
}

ErrorCode CodeOf(const absl::Status& status) {
  if (status.ok()) return ErrorCode::kNone;
  const auto payload = status.GetPayload(kPayloadUrl);
  int number = 0;
  if (!payload.has_value() || !absl::SimpleAtoi(std::string(*payload), &number)) {
    return ErrorCode::kUnknownServerError;
  }
  return ErrorCodeFromWire(number).value_or(ErrorCode::kUnknownServerError);
}

}  // namespace quipu
