#include "core/client/produce_verdict.h"

namespace quipu {

ProduceVerdict JudgeProduce(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNone:
      return ProduceVerdict::kStored;
    case ErrorCode::kDuplicateSequence:
      return ProduceVerdict::kStoredEarlier;

    case ErrorCode::kUnknownTopicOrPartition:
    case ErrorCode::kLeaderNotAvailable:
    case ErrorCode::kNotLeaderOrFollower:
    case ErrorCode::kReplicaNotAvailable:
    case ErrorCode::kNotEnoughReplicas:
    case ErrorCode::kFetchSessionIdNotFound:
    case ErrorCode::kListenerNotFound:
    case ErrorCode::kFencedLeaderEpoch:
    case ErrorCode::kUnknownLeaderEpoch:
    case ErrorCode::kUnknownTopicId:
    case ErrorCode::kDiskFull:
    case ErrorCode::kTooManyInFlightBytes:
    case ErrorCode::kUnderRepair:
      return ProduceVerdict::kRefused;

    case ErrorCode::kCorruptMessage:
    case ErrorCode::kMessageTooLarge:
    case ErrorCode::kInvalidTopic:
    case ErrorCode::kRecordListTooLarge:
    case ErrorCode::kInvalidRequiredAcks:
    case ErrorCode::kInvalidTimestamp:
    case ErrorCode::kUnsupportedVersion:
    case ErrorCode::kInvalidRequest:
    case ErrorCode::kUnsupportedForMessageFormat:
    case ErrorCode::kPolicyViolation:
    case ErrorCode::kUnsupportedCompressionType:
    case ErrorCode::kInvalidRecord:
    case ErrorCode::kInconsistentTopicId:
    case ErrorCode::kInconsistentClusterId:
    case ErrorCode::kMismatchedEndpointType:
    case ErrorCode::kDamagedOnAllReplicas:
      return ProduceVerdict::kRefusedForGood;

    case ErrorCode::kOutOfOrderSequence:
    case ErrorCode::kUnknownProducerId:
      return ProduceVerdict::kRefusedSequence;

    case ErrorCode::kInvalidProducerEpoch:
    case ErrorCode::kProducerFenced:
      return ProduceVerdict::kFenced;

    // After the append, or the broker does not say.
    case ErrorCode::kRequestTimedOut:
    case ErrorCode::kNotEnoughReplicasAfterAppend:
    case ErrorCode::kLeadershipLostAfterAppend:
    case ErrorCode::kBrokerShuttingDown:
    case ErrorCode::kStorageError:
    case ErrorCode::kLimitReached:
    case ErrorCode::kOperationNotAttempted:
    case ErrorCode::kUnknownServerError:
    case ErrorCode::kNotConnected:
    case ErrorCode::kClosed:
      return ProduceVerdict::kUnknown;

    // Not answers to a produce request.
    case ErrorCode::kOffsetOutOfRange:
    case ErrorCode::kStaleControllerEpoch:
    case ErrorCode::kOffsetMetadataTooLarge:
    case ErrorCode::kCoordinatorLoadInProgress:
    case ErrorCode::kCoordinatorNotAvailable:
    case ErrorCode::kNotCoordinator:
    case ErrorCode::kIllegalGeneration:
    case ErrorCode::kInconsistentGroupProtocol:
    case ErrorCode::kInvalidGroupId:
    case ErrorCode::kUnknownMemberId:
    case ErrorCode::kInvalidSessionTimeout:
    case ErrorCode::kRebalanceInProgress:
    case ErrorCode::kTopicAlreadyExists:
    case ErrorCode::kInvalidPartitions:
    case ErrorCode::kInvalidReplicationFactor:
    case ErrorCode::kInvalidReplicaAssignment:
    case ErrorCode::kInvalidConfig:
    case ErrorCode::kNotController:
    case ErrorCode::kNonEmptyGroup:
    case ErrorCode::kGroupIdNotFound:
    case ErrorCode::kStaleBrokerEpoch:
    case ErrorCode::kOffsetNotAvailable:
    case ErrorCode::kMemberIdRequired:
    case ErrorCode::kPreferredLeaderNotAvailable:
    case ErrorCode::kGroupMaxSizeReached:
    case ErrorCode::kFencedInstanceId:
    case ErrorCode::kEligibleLeadersNotAvailable:
    case ErrorCode::kElectionNotNeeded:
    case ErrorCode::kUnsupportedEndpointType:
    case ErrorCode::kGroupSubscribedToTopic:
    case ErrorCode::kResourceNotFound:
    case ErrorCode::kDuplicateResource:
    case ErrorCode::kInconsistentVoterSet:
    case ErrorCode::kReassignmentInProgress:
    case ErrorCode::kDuplicateVoter:
    case ErrorCode::kVoterNotFound:
    case ErrorCode::kInvalidUpdateVersion:
    case ErrorCode::kSnapshotNotFound:
    case ErrorCode::kDuplicateBrokerRegistration:
    case ErrorCode::kBrokerIdNotRegistered:
    case ErrorCode::kIneligibleReplica:
    case ErrorCode::kOffsetMovedToTieredStorage:
    case ErrorCode::kFencedMemberEpoch:
    case ErrorCode::kUnreleasedInstanceId:
    case ErrorCode::kUnsupportedAssignor:
    case ErrorCode::kStaleMemberEpoch:
    case ErrorCode::kUnprovenDirectory:
    case ErrorCode::kDeliveryTimedOut:
    case ErrorCode::kBufferFull:
      return ProduceVerdict::kUnknown;
  }
  return ProduceVerdict::kUnknown;
}

bool IsLeaderError(ErrorCode code) {
  return code == ErrorCode::kNotLeaderOrFollower || code == ErrorCode::kLeaderNotAvailable ||
         code == ErrorCode::kFencedLeaderEpoch || code == ErrorCode::kUnknownLeaderEpoch ||
         code == ErrorCode::kUnknownTopicOrPartition || code == ErrorCode::kUnknownTopicId ||
         code == ErrorCode::kReplicaNotAvailable || code == ErrorCode::kListenerNotFound ||
         code == ErrorCode::kLeadershipLostAfterAppend || code == ErrorCode::kBrokerShuttingDown ||
         code == ErrorCode::kStorageError;
}

}  // namespace quipu
