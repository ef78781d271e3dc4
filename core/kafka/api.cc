// The table of APIs.
//
// Lower ends: those of Kafka 4, which dropped what no client since 2.1 needs (KIP-896); JoinGroup 0
// and 1, dropped there too, came back because clients ask for them (KAFKA-19444).
// Upper ends: those of the newest clients, except
//   Produce 11            12 says that transactions follow KIP-890, which a broker without them
//                         cannot; 13 is 12 with topic ids
//   ListOffsets 10        11 asks for what is yet to be put on another tier
//   InitProducerId 5      6 is for two-phase commit (KIP-939)
// Produce is advertised from 0 though served from 3: librdkafka takes a broker without Produce 0
// for one that has no record batches, and gives up compression (KAFKA-18659).
#include "core/kafka/api.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace quipu::kafka {
namespace {

constexpr ApiInfo Api(ApiKey key, absl::string_view name, int16_t version_min, int16_t version_max,
                      int16_t flexible_since) {
  return {.key = key,
          .name = name,
          .version_min = version_min,
          .version_max = version_max,
          .flexible_since = flexible_since,
          .advertised_min = key == ApiKey::kProduce ? int16_t{0} : version_min};
}

constexpr std::array kApis = {
    Api(ApiKey::kProduce, "Produce", 3, 11, 9),
    Api(ApiKey::kFetch, "Fetch", 4, 18, 12),
    Api(ApiKey::kListOffsets, "ListOffsets", 1, 10, 6),
    Api(ApiKey::kMetadata, "Metadata", 0, 13, 9),
    Api(ApiKey::kOffsetCommit, "OffsetCommit", 2, 10, 8),
    Api(ApiKey::kOffsetFetch, "OffsetFetch", 1, 10, 6),
    Api(ApiKey::kFindCoordinator, "FindCoordinator", 0, 6, 3),
    Api(ApiKey::kJoinGroup, "JoinGroup", 0, 9, 6),
    Api(ApiKey::kHeartbeat, "Heartbeat", 0, 4, 4),
    Api(ApiKey::kLeaveGroup, "LeaveGroup", 0, 5, 4),
    Api(ApiKey::kSyncGroup, "SyncGroup", 0, 5, 4),
    Api(ApiKey::kDescribeGroups, "DescribeGroups", 0, 6, 5),
    Api(ApiKey::kListGroups, "ListGroups", 0, 5, 3),
    Api(ApiKey::kApiVersions, "ApiVersions", 0, 4, 3),
    Api(ApiKey::kCreateTopics, "CreateTopics", 2, 7, 5),
    Api(ApiKey::kDeleteTopics, "DeleteTopics", 1, 6, 4),
    Api(ApiKey::kDeleteRecords, "DeleteRecords", 0, 2, 2),
    Api(ApiKey::kInitProducerId, "InitProducerId", 0, 5, 2),
    Api(ApiKey::kOffsetForLeaderEpoch, "OffsetForLeaderEpoch", 2, 4, 4),
    Api(ApiKey::kDescribeConfigs, "DescribeConfigs", 1, 4, 4),
    Api(ApiKey::kAlterConfigs, "AlterConfigs", 0, 2, 2),
    Api(ApiKey::kDescribeLogDirs, "DescribeLogDirs", 1, 4, 2),
    Api(ApiKey::kCreatePartitions, "CreatePartitions", 0, 3, 2),
    Api(ApiKey::kDeleteGroups, "DeleteGroups", 0, 2, 2),
    Api(ApiKey::kElectLeaders, "ElectLeaders", 0, 2, 2),
    Api(ApiKey::kIncrementalAlterConfigs, "IncrementalAlterConfigs", 0, 1, 1),
    Api(ApiKey::kOffsetDelete, "OffsetDelete", 0, 0, kNeverFlexible),
    Api(ApiKey::kDescribeCluster, "DescribeCluster", 0, 2, 0),
    Api(ApiKey::kDescribeProducers, "DescribeProducers", 0, 0, 0),
    Api(ApiKey::kDescribeTopicPartitions, "DescribeTopicPartitions", 0, 0, 0),
};

constexpr bool KeysRise() {
  for (size_t i = 1; i < kApis.size(); ++i) {
    if (kApis[i - 1].key >= kApis[i].key) return false;
  }
  return true;
}
static_assert(KeysRise());

}  // namespace

absl::Span<const ApiInfo> Apis() { return kApis; }

const ApiInfo* FindApi(int16_t key) {
  const auto* const found = std::ranges::lower_bound(
      kApis, key, {}, [](const ApiInfo& api) { return static_cast<int16_t>(api.key); });
  return found != kApis.end() && static_cast<int16_t>(found->key) == key ? found : nullptr;
}

const ApiInfo& InfoOf(ApiKey key) {
  const ApiInfo* const api = FindApi(static_cast<int16_t>(key));
  QUIPU_CHECK(api != nullptr);
  return *api;
}

int16_t RequestHeaderVersion(const ApiInfo& api, int16_t version) {
  return api.IsFlexible(version) ? 2 : 1;
}

int16_t ResponseHeaderVersion(const ApiInfo& api, int16_t version) {
  return api.key != ApiKey::kApiVersions && api.IsFlexible(version) ? 1 : 0;
}

}  // namespace quipu::kafka
