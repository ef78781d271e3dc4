#include "client/cli/monitor/screen.h"
#include "client/cli/records/time_text.h"

namespace quipu::cli {
namespace {

using Json = nlohmann::ordered_json;

template <typename T>
Json OrNull(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json TopicJson(const TopicProgress& topic) {
  return Json{{"topic", topic.name},
              {"partitions", topic.partitions},
              {"records_per_second", OrNull(topic.records_per_second)},
              {"produced_bytes_per_second", OrNull(topic.produced_bytes_per_second)},
              {"consumed_bytes_per_second", OrNull(topic.consumed_bytes_per_second)}};
}

Json PartitionJson(const PartitionProgress& partition) {
  const ClusterSample::Partition& now = partition.now;
  Json json{
      {"topic", now.name.topic},      {"partition", now.name.partition.value()},
      {"leader", now.leader.value()}, {"replicas", now.replicas},
      {"in_sync", now.in_sync},       {"log_start", nullptr},
      {"log_end", nullptr},           {"records_per_second", OrNull(partition.records_per_second)}};
  if (now.log_end_offset != kNoOffset) {
    json["log_start"] = now.log_start_offset.value();
    json["log_end"] = now.log_end_offset.value();
  }
  return json;
}

Json ProducerJson(const ProducerProgress& producer) {
  Json partitions = Json::array();
  for (const NamedPartition& name : producer.partitions) {
    partitions.push_back(Json{{"topic", name.topic}, {"partition", name.partition.value()}});
  }
  return Json{{"producer_id", producer.id},
              {"epoch", producer.epoch},
              {"records_per_second", OrNull(producer.records_per_second)},
              {"last_timestamp", producer.last_timestamp.value()},
              {"partitions", partitions}};
}

Json GroupJson(const GroupProgress& group) {
  Json partitions = Json::array();
  for (const LagProgress& lag : group.partitions) {
    partitions.push_back(Json{{"topic", lag.name.topic},
                              {"partition", lag.name.partition.value()},
                              {"committed", lag.committed.value()},
                              {"lag", OrNull(lag.lag)},
                              {"consumed_per_second", OrNull(lag.consumed_per_second)},
                              {"lag_seconds", OrNull(lag.lag_seconds)},
                              {"lag_seconds_or_more", lag.lag_seconds_or_more}});
  }
  return Json{{"group", group.id},
              {"state", group.state},
              {"members", group.members},
              {"lag", OrNull(group.lag)},
              {"consumed_per_second", OrNull(group.consumed_per_second)},
              {"lag_seconds", OrNull(group.lag_seconds)},
              {"lag_seconds_or_more", group.lag_seconds_or_more},
              {"partitions", partitions}};
}

template <typename Rows, typename ToJson>
Json ListOf(const Rows& rows, ToJson to_json) {
  Json list = Json::array();
  for (const auto& row : rows) list.push_back(to_json(row));
  return list;
}

}  // namespace

Json ProgressJson(const ClusterProgress& progress, const std::vector<std::string>& violations,
                  int64_t now_ms) {
  return Json{{"time", TimeText(now_ms)},
              {"brokers", progress.brokers},
              {"fenced", progress.fenced_brokers},
              {"offline", progress.offline_partitions},
              {"under_replicated", progress.under_replicated_partitions},
              {"records_per_second", OrNull(progress.records_per_second)},
              {"produced_bytes_per_second", OrNull(progress.produced_bytes_per_second)},
              {"consumed_bytes_per_second", OrNull(progress.consumed_bytes_per_second)},
              {"produce_p50_ms", OrNull(progress.produce_p50_ms)},
              {"produce_p99_ms", OrNull(progress.produce_p99_ms)},
              {"topics", ListOf(progress.topics, TopicJson)},
              {"partitions", ListOf(progress.partitions, PartitionJson)},
              {"producers", ListOf(progress.producers, ProducerJson)},
              {"producers_known", progress.producers_known},
              {"groups", ListOf(progress.groups, GroupJson)},
              {"missing", progress.missing},
              {"violations", violations}};
}

}  // namespace quipu::cli
