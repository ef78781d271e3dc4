// Settings that are changed while the cluster runs.
#include <utility>

#include "absl/container/btree_set.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "core/metadata/controller_core.h"
#include "core/metadata/dynamic_config.h"

namespace quipu {
namespace {

Decision<message::AdminResponse> RefuseConfig(TopicRefusal refusal) {
  Decision<message::AdminResponse> out;
  out.response.set_error_code(static_cast<int32_t>(refusal.error));
  out.response.set_error_message(std::move(refusal.message));
  return out;
}

}  // namespace

ControllerCore::Options ControllerCore::Effective() const {
  Options out = options_;
  const auto value = [this](absl::string_view key, int64_t own) {
    return static_cast<int32_t>(DynamicConfigValue(image_, kNoBroker, key, own));
  };
  out.num_partitions = value(kNumPartitionsKey, out.num_partitions);
  out.replication_factor = value(kDefaultReplicationFactorKey, out.replication_factor);
  out.min_insync_replicas = value(kMinInsyncReplicasKey, out.min_insync_replicas);
  out.auto_leader_rebalance =
      value(kAutoLeaderRebalanceKey, out.auto_leader_rebalance ? 1 : 0) != 0;
  return out;
}

Decision<message::AdminResponse> ControllerCore::DescribeConfigs(
    const message::DescribeConfigs& request) const {
  if (request.broker_id() != -1) {
    return RefuseConfig({ErrorCode::kInvalidRequest,
                         "a broker's settings are known to that broker: it is to be asked itself"});
  }
  Decision<message::AdminResponse> out;
  message::DescribeConfigsResult* result = out.response.mutable_describe_configs();
  for (const DynamicConfigSpec& spec : DynamicConfigSpecs()) {
    int64_t own = spec.fallback;
    if (spec.key == kNumPartitionsKey) own = options_.num_partitions;
    if (spec.key == kDefaultReplicationFactorKey) own = options_.replication_factor;
    if (spec.key == kMinInsyncReplicasKey) own = options_.min_insync_replicas;
    if (spec.key == kAutoLeaderRebalanceKey) own = options_.auto_leader_rebalance ? 1 : 0;
    *result->add_configs() = DescribeDynamicConfig(spec, image_, kNoBroker, own);
  }
  return out;
}

Decision<message::AdminResponse> ControllerCore::AlterConfigs(
    const message::AlterConfigs& request) const {
  const BrokerId broker(request.broker_id());
  const bool for_broker = broker != kNoBroker;
  if (for_broker && image_.FindBroker(broker) == nullptr) {
    return RefuseConfig({ErrorCode::kBrokerIdNotRegistered,
                         absl::StrCat("there is no broker ", request.broker_id())});
  }
  if (request.set_size() + request.remove_size() > options_.topic_configs_max) {
    return RefuseConfig(
        {ErrorCode::kInvalidConfig,
         absl::StrCat("more than ", options_.topic_configs_max, " configs in one request")});
  }
  Decision<message::AdminResponse> out;
  absl::btree_set<std::string> seen;
  const auto add = [&](const std::string& key) {
    record::DynamicConfigSet* record = out.batch.add_records()->mutable_dynamic_config();
    record->set_broker_id(broker.value());
    record->set_key(key);
    return record;
  };
  for (const message::ConfigEntry& entry : request.set()) {
    TopicRefusal refusal = CheckDynamicConfig(entry.key(), entry.value(), for_broker);
    if (!refusal.ok()) return RefuseConfig(std::move(refusal));
    if (!seen.insert(entry.key()).second) {
      return RefuseConfig(
          {ErrorCode::kInvalidConfig, absl::StrCat(entry.key(), " is given twice")});
    }
    add(entry.key())->set_value(entry.value());
  }
  std::vector<std::string> removed(request.remove().begin(), request.remove().end());
  const auto present = image_.dynamic_configs().find(broker);
  if (request.replace() && present != image_.dynamic_configs().end()) {
    for (const auto& [key, value] : present->second) {
      if (!seen.contains(key)) removed.push_back(key);
    }
  }
  for (const std::string& key : removed) {
    TopicRefusal refusal = CheckDynamicConfigKey(key, for_broker);
    if (!refusal.ok()) return RefuseConfig(std::move(refusal));
    if (!seen.insert(key).second) {
      return RefuseConfig(
          {ErrorCode::kInvalidConfig, absl::StrCat(key, " is both set and removed")});
    }
    add(key)->set_removed(true);
  }
  return out;
}

}  // namespace quipu
