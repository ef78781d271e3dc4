// From Quipu's errors to those that Kafka's clients know.
#pragma once

#include <cstdint>

#include "base/error_code.h"

namespace quipu::kafka {

// The number that a Kafka client is told. Kafka's own codes keep theirs. Quipu's own (from 1000)
// become the Kafka code that makes a client do the right thing: repeat what may be repeated, and
// never take an unknown outcome for a failure. Codes that no broker sends become
// UNKNOWN_SERVER_ERROR.
int16_t KafkaErrorCode(ErrorCode code);
// The other way: kUnknownServerError for a number that Kafka does not have, Quipu's own included.
ErrorCode FromKafkaErrorCode(int16_t number);

}  // namespace quipu::kafka
