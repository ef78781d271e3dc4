// What an error code in a produce answer means for the batch.
#pragma once

#include "base/error_code.h"

namespace quipu {

enum class ProduceVerdict {
  kStored,           // acknowledged
  kStoredEarlier,    // acknowledged before; the broker no longer knows at which offset
  kRefused,          // not appended; may be sent again
  kRefusedForGood,   // not appended; would be refused again
  kRefusedSequence,  // not appended: the sequence does not follow the last one
  kUnknown,          // appended or not, nobody knows; may be sent again with the same sequence
  kFenced,           // not appended: a newer instance of this producer is active
};

// A code that no produce request should bring is kUnknown, the safe side (P12).
ProduceVerdict JudgeProduce(ErrorCode code);

// True when the client's idea of the leader is out of date.
bool IsLeaderError(ErrorCode code);

}  // namespace quipu
