#include "core/kafka/kafka_error.h"

#include <algorithm>
#include <array>

namespace quipu::kafka {
namespace {

constexpr int16_t kQuipuCodesFrom = 1000;

struct Translation {
  ErrorCode quipu;
  ErrorCode kafka;
};

// One line for each code from kQuipuCodesFrom on.
constexpr std::array kTranslations = {
    // Refused before the append, and worth repeating: clients ask for the leader anew and do so.
    Translation{ErrorCode::kDiskFull, ErrorCode::kStorageError},
    // The same without a look for another leader. Of the codes that every client's producer repeats
    // and knows to mean "not written", this is the only other one.
    Translation{ErrorCode::kTooManyInFlightBytes, ErrorCode::kNotEnoughReplicas},
    // Written, outcome unknown; clients repeat it and report "possibly persisted" when they give
    // up.
    Translation{ErrorCode::kLeadershipLostAfterAppend, ErrorCode::kNotEnoughReplicasAfterAppend},
    // Outcome unknown; another broker leads soon.
    Translation{ErrorCode::kBrokerShuttingDown, ErrorCode::kStorageError},
    // Outcome unknown; to be repeated here.
    Translation{ErrorCode::kLimitReached, ErrorCode::kRequestTimedOut},
    // A fetch that is to be repeated.
    Translation{ErrorCode::kUnderRepair, ErrorCode::kOffsetNotAvailable},
    // A consumer stops there and tells its application, which may go on behind the damage.
    Translation{ErrorCode::kDamagedOnAllReplicas, ErrorCode::kCorruptMessage},
    // Sent by no broker.
    Translation{ErrorCode::kUnprovenDirectory, ErrorCode::kUnknownServerError},
    Translation{ErrorCode::kDeliveryTimedOut, ErrorCode::kUnknownServerError},
    Translation{ErrorCode::kBufferFull, ErrorCode::kUnknownServerError},
    Translation{ErrorCode::kClosed, ErrorCode::kUnknownServerError},
    Translation{ErrorCode::kNotConnected, ErrorCode::kUnknownServerError},
};

}  // namespace

int16_t KafkaErrorCode(ErrorCode code) {
  if (static_cast<int16_t>(code) < kQuipuCodesFrom) return static_cast<int16_t>(code);
  const auto* const found = std::ranges::find(kTranslations, code, &Translation::quipu);
  return static_cast<int16_t>(found == kTranslations.end() ? ErrorCode::kUnknownServerError
                                                           : found->kafka);
}

ErrorCode FromKafkaErrorCode(int16_t number) {
  if (number >= kQuipuCodesFrom) return ErrorCode::kUnknownServerError;
  return ErrorCodeFromWire(number).value_or(ErrorCode::kUnknownServerError);
}

}  // namespace quipu::kafka
