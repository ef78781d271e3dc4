// What the pure brains of the clients say to the outside world, and what it tells them.
//
// A brain never connects to anything. It names a broker's address and a message in its effects;
// the adapter (client/broker_connections, or the simulator) carries them and hands the answer back
// as an input. Calls are unary and carry an id of the brain; produce and fetch messages go on
// one ordered stream each per address.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/error_code.h"
#include "base/ids.h"
#include "base/measure/latency.h"
#include "base/time.h"
#include "core/request/log_messages.h"
#include "proto/message/client.pb.h"

namespace quipu {

// "host:port", "[::1]:port". Connections are kept per address.
using ServerAddress = std::string;

// The host of an IPv6 address gets its brackets, if it has none yet.
inline ServerAddress AddressOf(const record::Endpoint& endpoint) {
  const std::string& host = endpoint.host();
  const bool bare = host.find(':') != std::string::npos && host.front() != '[';
  return absl::StrCat(bare ? "[" : "", host, bare ? "]:" : ":", endpoint.port());
}

// Names a unary call of one brain; never reused by it. 0: none.
using CallId = uint64_t;

// A partition as clients name it: a topic that was deleted and made anew has another id.
struct TopicPartition {
  TopicId topic_id;
  PartitionIndex partition;
  friend bool operator==(const TopicPartition&, const TopicPartition&) = default;
  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const TopicPartition& p) {
    return H::combine(std::move(h), p.topic_id, p.partition);
  }
};

// Whether a record that was not acknowledged is in the log all the same (P12).
enum class Persisted { kYes, kNo, kUnknown };
inline const char* PersistedName(Persisted persisted) {
  switch (persisted) {
    case Persisted::kYes:
      return "yes";
    case Persisted::kNo:
      return "no";
    case Persisted::kUnknown:
      return "unknown";
  }
  return "unknown";
}

using UnaryRequest = std::variant<message::MetadataRequest, message::InitProducerIdRequest,
                                  message::ListOffsetsRequest, message::FindCoordinatorRequest,
                                  message::GroupHeartbeatRequest, message::OffsetCommitRequest,
                                  message::OffsetFetchRequest>;
using UnaryResponse = std::variant<message::MetadataResponse, message::InitProducerIdResponse,
                                   message::ListOffsetsResponse, message::FindCoordinatorResponse,
                                   message::GroupHeartbeatResponse, message::OffsetCommitResponse,
                                   message::OffsetFetchResponse>;

// A unary call to make. The adapter answers exactly once, with a response or a failure, at the
// latest when `timeout` has passed.
struct UnaryCall {
  CallId id = 0;
  ServerAddress address;
  Duration timeout;
  UnaryRequest request;
};
// A message for the produce stream to `address`; the adapter opens the stream when there is none.
struct ProduceSend {
  ServerAddress address;
  ProduceRequest request;
};
// A message for the fetch stream to `address`.
struct FetchSend {
  ServerAddress address;
  FetchRequest request;
};

// Gives out call ids; one per brain, shared by its parts.
class CallIds {
 public:
  CallId Next() { return ++last_; }

 private:
  CallId last_ = 0;
};

// The error code of a wire number; a number of a newer version is kUnknownServerError.
inline ErrorCode WireError(int32_t number) {
  return ErrorCodeFromWire(number).value_or(ErrorCode::kUnknownServerError);
}

// The smaller of two deadlines, either of which may be absent.
inline std::optional<Instant> Earlier(std::optional<Instant> a, std::optional<Instant> b) {
  if (!a) return b;
  if (!b) return a;
  return *a < *b ? a : b;
}

// For tests, metrics and the simulator's coverage totals.
struct ProducerStats {
  uint64_t batches_sent = 0;
  uint64_t retries = 0;  // batches sent again
  uint64_t epoch_bumps = 0;
  uint64_t duplicates = 0;  // retries that turned out to have been stored
  uint64_t bytes_sent = 0;  // of batches, compressed, in every attempt
};

// What a producer has measured since it was asked before.
struct ProducerLatencies {
  LatencySummary queue;    // of batches, from their first record to their first sending
  LatencySummary request;  // of produce requests, from their sending to their answer
};
// What a consumer's fetches have brought since it began.
struct FetchStats {
  uint64_t fetches = 0;        // answered
  uint64_t fetched_bytes = 0;  // of batches, compressed
};

}  // namespace quipu
