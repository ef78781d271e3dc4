// Error codes: Kafka's names and numbers; Quipu's own start at 1000.
//
// Expected outcomes travel as an ErrorCode in an effect or response; edges (open, config, client
// API) return absl::Status that carries the code as payload (ToStatus, CodeOf).
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace quipu {

enum class ErrorCode : int16_t {
  kUnknownServerError = -1,
  kNone = 0,
  kOffsetOutOfRange = 1,
  kCorruptMessage = 2,
  kUnknownTopicOrPartition = 3,
  kLeaderNotAvailable = 5,
  kNotLeaderOrFollower = 6,
  kRequestTimedOut = 7,
  kReplicaNotAvailable = 9,
  kMessageTooLarge = 10,
  kStaleControllerEpoch = 11,
  kOffsetMetadataTooLarge = 12,
  kCoordinatorLoadInProgress = 14,
  kCoordinatorNotAvailable = 15,
  kNotCoordinator = 16,
  kInvalidTopic = 17,
  kRecordListTooLarge = 18,
  kNotEnoughReplicas = 19,
  kNotEnoughReplicasAfterAppend = 20,
  kInvalidRequiredAcks = 21,
  kIllegalGeneration = 22,
  kInconsistentGroupProtocol = 23,
  kInvalidGroupId = 24,
  kUnknownMemberId = 25,
  kInvalidSessionTimeout = 26,
  kRebalanceInProgress = 27,
  kInvalidTimestamp = 32,
  kUnsupportedVersion = 35,
  kTopicAlreadyExists = 36,
  kInvalidPartitions = 37,
  kInvalidReplicationFactor = 38,
  kInvalidReplicaAssignment = 39,
  kInvalidConfig = 40,
  kNotController = 41,
  kInvalidRequest = 42,
  kUnsupportedForMessageFormat = 43,
  kPolicyViolation = 44,
  kOutOfOrderSequence = 45,
  kDuplicateSequence = 46,
  kInvalidProducerEpoch = 47,
  kOperationNotAttempted = 55,
  kStorageError = 56,
  kUnknownProducerId = 59,
  kReassignmentInProgress = 60,
  kNonEmptyGroup = 68,
  kGroupIdNotFound = 69,
  kFetchSessionIdNotFound = 70,
  kListenerNotFound = 72,
  kFencedLeaderEpoch = 74,
  kUnknownLeaderEpoch = 75,
  kUnsupportedCompressionType = 76,
  kStaleBrokerEpoch = 77,
  kOffsetNotAvailable = 78,
  kMemberIdRequired = 79,
  kPreferredLeaderNotAvailable = 80,
  kGroupMaxSizeReached = 81,
  kFencedInstanceId = 82,
  kEligibleLeadersNotAvailable = 83,
  kElectionNotNeeded = 84,
  kGroupSubscribedToTopic = 86,
  kInvalidRecord = 87,
  kProducerFenced = 90,
  kResourceNotFound = 91,
  kDuplicateResource = 92,
  kInconsistentVoterSet = 94,
  kInvalidUpdateVersion = 95,
  kSnapshotNotFound = 98,
  kUnknownTopicId = 100,
  kDuplicateBrokerRegistration = 101,
  kBrokerIdNotRegistered = 102,
  kInconsistentTopicId = 103,
  kInconsistentClusterId = 104,
  kIneligibleReplica = 107,
  kOffsetMovedToTieredStorage = 109,
  kFencedMemberEpoch = 110,
  kUnreleasedInstanceId = 111,
  kUnsupportedAssignor = 112,
  kStaleMemberEpoch = 113,
  kMismatchedEndpointType = 114,
  kUnsupportedEndpointType = 115,
  kDuplicateVoter = 126,
  kVoterNotFound = 127,
  kDiskFull = 1000,
  kTooManyInFlightBytes = 1001,
  kLeadershipLostAfterAppend = 1002,
  kBrokerShuttingDown = 1003,
  kUnprovenDirectory = 1004,
  kLimitReached = 1005,
  kDeliveryTimedOut = 1006,
  kBufferFull = 1007,
  kClosed = 1008,
  kNotConnected = 1009,
  kUnderRepair = 1010,
  kDamagedOnAllReplicas = 1011,
};

// Kafka's constant name, such as "NOT_LEADER_OR_FOLLOWER".
absl::string_view ErrorName(ErrorCode code);
// One sentence for a person.
absl::string_view ErrorDescription(ErrorCode code);
// Whether the same request may succeed later, after a metadata refresh or a pause.
bool IsRetriable(ErrorCode code);
// The code of a wire number. nullopt for a number that this version does not know; callers treat it
// as kUnknownServerError, never as success or as a time-out.
std::optional<ErrorCode> ErrorCodeFromWire(int32_t number);

// An absl::Status with `code` as payload and "NAME: detail" as message. kNone gives OkStatus.
absl::Status ToStatus(ErrorCode code, absl::string_view detail);
// The code that a status carries; kNone for ok, kUnknownServerError for a status without payload.
ErrorCode CodeOf(const absl::Status& status);

inline std::ostream& operator<<(std::ostream& out, ErrorCode code) {
  return out << ErrorName(code);
}

}  // namespace quipu
