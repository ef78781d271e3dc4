// The identities and positions of the whole system, each a type of its own.
//
// Names are Kafka's. An `Offset` that ends in `_end` or `_offset` of a log end is exclusive;
// `last_...` is inclusive. -1 means "none" where a comment says so.
#pragma once

#include <cstdint>

#include "base/strong_int.h"
#include "base/uuid.h"

namespace quipu {

// A node of the cluster. Brokers and controllers have separate number spaces.
using BrokerId = StrongInt<struct BrokerIdTag, int32_t>;
using ControllerId = StrongInt<struct ControllerIdTag, int32_t>;
inline constexpr BrokerId kNoBroker{-1};
inline constexpr ControllerId kNoController{-1};

// Given by the controller to each partition ever made; never reused, not even across topics.
using PartitionUid = StrongInt<struct PartitionUidTag, uint64_t>;
// Index of a partition inside its topic, from 0.
using PartitionIndex = StrongInt<struct PartitionIndexTag, int32_t>;
// Given by a data directory to each life of a replica on it; never reused.
using LogId = StrongInt<struct LogIdTag, uint64_t>;

// Position of a record in a partition.
using Offset = StrongInt<struct OffsetTag, int64_t>;
inline constexpr Offset kNoOffset{-1};

// Bumped by the controller at each leader change (and at each restart of the leader).
using LeaderEpoch = StrongInt<struct LeaderEpochTag, int32_t>;
inline constexpr LeaderEpoch kNoLeaderEpoch{-1};
// Bumped by the controller at each change of a partition's leader, ISR or replicas.
using PartitionEpoch = StrongInt<struct PartitionEpochTag, int32_t>;
// Given at each registration of a broker: the metadata offset of the registration record.
using BrokerEpoch = StrongInt<struct BrokerEpochTag, int64_t>;
inline constexpr BrokerEpoch kNoBrokerEpoch{-1};

using ProducerId = StrongInt<struct ProducerIdTag, int64_t>;
inline constexpr ProducerId kNoProducerId{-1};
using ProducerEpoch = StrongInt<struct ProducerEpochTag, int16_t>;
// Sequence number of a record of one producer and partition. Wraps from 2^31-1 to 0 (Kafka).
using Sequence = StrongInt<struct SequenceTag, int32_t>;
inline constexpr Sequence kNoSequence{-1};

// Raft: term, and index of an entry. Index 0 means "before the first entry".
using Term = StrongInt<struct TermTag, uint64_t>;
using LogIndex = StrongInt<struct LogIndexTag, uint64_t>;

// Wall-clock milliseconds since the Unix epoch, as Kafka's record timestamps. -1: none.
using TimestampMs = StrongInt<struct TimestampMsTag, int64_t>;
inline constexpr TimestampMs kNoTimestamp{-1};

using TopicId = Uuid;
using DirectoryId = Uuid;
using ClusterId = Uuid;

}  // namespace quipu
