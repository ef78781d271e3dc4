#include "broker/kafka/config_changes.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/config/config_spec.h"
#include "broker/kafka/config_entries.h"
#include "core/metadata/topic_config.h"

namespace quipu::kafka {
namespace {

using ChangedResource = IncrementalAlterConfigsRequest::Resource;

// Kafka's AlterConfigOp; the last two are for lists.
constexpr int8_t kSet = 0;
constexpr int8_t kDelete = 1;
constexpr int8_t kAppend = 2;
constexpr int8_t kSubtract = 3;

// Where items of a list are changed. No setting of a broker is a list.
message::ConfigEntry* AddListChange(message::AlterTopicConfig& out, bool append) {
  return append ? out.add_append() : out.add_subtract();
}
message::ConfigEntry* AddListChange(message::AlterConfigs& /*out*/, bool /*append*/) {
  return nullptr;
}

// Puts the changes into `out`, which is one of the controllers' two requests for them.
template <typename Out>
TopicRefusal AddChanges(const ChangedResource& resource, bool replace, Out& out) {
  out.set_replace(replace);
  for (const auto& config : resource.configs) {
    const int8_t operation = config.config_operation;
    if (operation == kDelete) {
      out.add_remove(config.name);
      continue;
    }
    if (operation < kSet || operation > kSubtract) {
      return {ErrorCode::kInvalidRequest, absl::StrCat("there is no operation ", operation)};
    }
    if (!config.value) {
      return {ErrorCode::kInvalidRequest, absl::StrCat(config.name, " is changed without a value")};
    }
    auto* entry = operation == kSet ? out.add_set() : AddListChange(out, operation == kAppend);
    if (entry == nullptr) {
      return {ErrorCode::kInvalidConfig,
              absl::StrCat(config.name, " is no list: it can be set or deleted alone")};
    }
    entry->set_key(config.name);
    entry->set_value(*config.value);
  }
  return {};
}

TopicRefusal ToChange(const ChangedResource& resource, bool replace, message::AdminRequest& out) {
  if (resource.resource_type == kTopicResource) {
    message::AlterTopicConfig& change = *out.mutable_alter_topic_config();
    change.set_topic(resource.resource_name);
    return AddChanges(resource, replace, change);
  }
  if (resource.resource_type != kBrokerResource) {
    return {ErrorCode::kInvalidRequest,
            absl::StrCat("resources of type ", resource.resource_type,
                         " are not served; topics (2) and brokers (4) are")};
  }
  message::AlterConfigs& change = *out.mutable_alter_configs();
  int64_t broker = kNoBroker.value();
  if (!resource.resource_name.empty() &&
      !ParseWholeNumber(resource.resource_name, 0, std::numeric_limits<int32_t>::max(), &broker)) {
    return {ErrorCode::kInvalidRequest, "the resource's name is no broker id"};
  }
  change.set_broker_id(static_cast<int32_t>(broker));
  return AddChanges(resource, replace, change);
}

}  // namespace

PlannedChanges PlanChanges(std::vector<ChangedResource> resources, bool replace,
                           bool validate_only) {
  const auto key = [](const ChangedResource& resource) {
    return std::pair(resource.resource_type, resource.resource_name);
  };
  const auto repeated = DropRepeated(resources, key);
  PlannedChanges plan;
  for (const ChangedResource& resource : resources) {
    AlteredResource& out = plan.responses.emplace_back();
    out.resource_type = resource.resource_type;
    out.resource_name = resource.resource_name;
    if (repeated.contains(key(resource))) {
      RefuseRepeated(out);
      continue;
    }
    AdminCall admin{.place = plan.responses.size() - 1, .request = {}};
    admin.request.set_validate_only(validate_only);
    TopicRefusal refusal = ToChange(resource, replace, admin.request);
    if (refusal.ok()) {
      plan.asked.push_back(std::move(admin));
    } else {
      Refuse(refusal.error, std::move(refusal.message), out);
    }
  }
  return plan;
}

}  // namespace quipu::kafka
