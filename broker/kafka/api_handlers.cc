#include "broker/kafka/api_handlers.h"

namespace quipu::kafka {
namespace {

constexpr KafkaApi kKafkaApis[] = {
    {ApiKey::kProduce, HandleProduce},
    {ApiKey::kFetch, HandleFetch},
    {ApiKey::kListOffsets, HandleListOffsets},
    {ApiKey::kMetadata, HandleMetadata},
    {ApiKey::kOffsetCommit, HandleOffsetCommit},
    {ApiKey::kOffsetFetch, HandleOffsetFetch},
    {ApiKey::kFindCoordinator, HandleFindCoordinator},
    {ApiKey::kJoinGroup, HandleJoinGroup},
    {ApiKey::kHeartbeat, HandleHeartbeat},
    {ApiKey::kLeaveGroup, HandleLeaveGroup},
    {ApiKey::kSyncGroup, HandleSyncGroup},
    {ApiKey::kDescribeGroups, HandleDescribeGroups},
    {ApiKey::kListGroups, HandleListGroups},
    {ApiKey::kApiVersions, HandleApiVersions},
    {ApiKey::kCreateTopics, HandleCreateTopics},
    {ApiKey::kDeleteTopics, HandleDeleteTopics},
    {ApiKey::kDeleteRecords, HandleDeleteRecords},
    {ApiKey::kInitProducerId, HandleInitProducerId},
    {ApiKey::kOffsetForLeaderEpoch, HandleOffsetForLeaderEpoch},
    {ApiKey::kDescribeConfigs, HandleDescribeConfigs},
    {ApiKey::kAlterConfigs, HandleAlterConfigs},
    {ApiKey::kDescribeLogDirs, HandleDescribeLogDirs},
    {ApiKey::kCreatePartitions, HandleCreatePartitions},
    {ApiKey::kDeleteGroups, HandleDeleteGroups},
    {ApiKey::kElectLeaders, HandleElectLeaders},
    {ApiKey::kIncrementalAlterConfigs, HandleIncrementalAlterConfigs},
    {ApiKey::kOffsetDelete, HandleOffsetDelete},
    {ApiKey::kDescribeCluster, HandleDescribeCluster},
    {ApiKey::kDescribeProducers, HandleDescribeProducers},
    {ApiKey::kDescribeTopicPartitions, HandleDescribeTopicPartitions},
};

}  // namespace

absl::Span<const KafkaApi> KafkaApis() { return kKafkaApis; }

}  // namespace quipu::kafka
