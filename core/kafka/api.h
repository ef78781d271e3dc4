// The APIs that the Kafka listener knows, with the versions of each.
//
// "Served" is what the codec can read and write. What a broker advertises is that of the APIs that
// it has a handler for.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace quipu::kafka {

// Kafka's numbers.
enum class ApiKey : int16_t {
  kProduce = 0,
  kFetch = 1,
  kListOffsets = 2,
  kMetadata = 3,
  kOffsetCommit = 8,
  kOffsetFetch = 9,
  kFindCoordinator = 10,
  kJoinGroup = 11,
  kHeartbeat = 12,
  kLeaveGroup = 13,
  kSyncGroup = 14,
  kDescribeGroups = 15,
  kListGroups = 16,
  kApiVersions = 18,
  kCreateTopics = 19,
  kDeleteTopics = 20,
  kDeleteRecords = 21,
  kInitProducerId = 22,
  kOffsetForLeaderEpoch = 23,
  kDescribeConfigs = 32,
  kAlterConfigs = 33,
  kDescribeLogDirs = 35,
  kCreatePartitions = 37,
  kDeleteGroups = 42,
  kElectLeaders = 43,
  kIncrementalAlterConfigs = 44,
  kOffsetDelete = 47,
  kDescribeCluster = 60,
  kDescribeProducers = 61,
  kDescribeTopicPartitions = 75,
};

enum class MessageKind : uint8_t { kRequest, kResponse };

// One API. Versions are inclusive.
struct ApiInfo {
  ApiKey key;
  absl::string_view name;
  int16_t version_min;
  int16_t version_max;
  // The first with compact types and tagged fields; kNeverFlexible: none.
  int16_t flexible_since;
  // The lowest that is told to clients; below `version_min` in one case, see api.cc.
  int16_t advertised_min;

  [[nodiscard]] bool Serves(int16_t version) const {
    return version_min <= version && version <= version_max;
  }
  [[nodiscard]] bool IsFlexible(int16_t version) const { return version >= flexible_since; }
};
inline constexpr int16_t kNeverFlexible = INT16_MAX;

// All of them, by rising key.
absl::Span<const ApiInfo> Apis();
// nullptr for a number that is none of ApiKey.
const ApiInfo* FindApi(int16_t key);
// Of a key that is in the table, as every ApiKey is.
const ApiInfo& InfoOf(ApiKey key);

// Version of the header before a request: 2 in flexible versions, else 1. (Version 0, without
// client id, belonged to ControlledShutdown, which is between brokers and not served.)
int16_t RequestHeaderVersion(const ApiInfo& api, int16_t version);
// Version of the header before a response: 1 in flexible versions, else 0. Always 0 for
// ApiVersions, whose response must be readable by a client that knows nothing of this broker yet
// (KIP-511).
int16_t ResponseHeaderVersion(const ApiInfo& api, int16_t version);

}  // namespace quipu::kafka
