// DescribeConfigs: of topics, of the asked broker, and of the whole cluster.
#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "broker/kafka/admin_calls.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/config_entries.h"
#include "broker/kafka/topic_lookup.h"
#include "core/metadata/topic_config.h"

namespace quipu::kafka {
namespace {

using DescribedResource = DescribeConfigsRequest::Resource;
using Result = DescribeConfigsResponse::Result;

// Those that the client asked for, with what it asked for.
void AddEntries(const DescribeConfigsRequest& request, const DescribedResource& resource,
                ConfigEntries entries, Result& out) {
  const auto& keys = resource.configuration_keys;
  for (auto& entry : entries) {
    const bool all = !keys || keys->empty();
    if (!all && std::find(keys->begin(), keys->end(), entry.name) == keys->end()) continue;
    if (!request.include_synonyms) entry.synonyms.clear();
    if (!request.include_documentation) entry.documentation.reset();
    out.configs.push_back(std::move(entry));
  }
}

// Whether the settings are to be asked for; otherwise `out` is filled.
bool IsAsked(const KafkaContext& context, const DescribeConfigsRequest& request,
             const DescribedResource& resource, const MetadataImage* image, Result& out) {
  if (resource.resource_type == kTopicResource) {
    const std::string& name = resource.resource_name;
    TopicRefusal refusal = CheckTopicName(name, IsInternalTopic(name));
    if (!refusal.ok()) {
      Refuse(refusal.error, std::move(refusal.message), out);
      return false;
    }
    const FoundTopic found = FindTopic(image, name);
    if (found.topic != nullptr) {
      AddEntries(request, resource, TopicConfigEntries(found.topic->configs), out);
    } else {
      RefuseTopic(found.error, out);
    }
    return false;
  }
  if (resource.resource_type != kBrokerResource) {
    Refuse(ErrorCode::kInvalidRequest,
           absl::StrCat("resources of type ", resource.resource_type,
                        " are not served; topics (2) and brokers (4) are"),
           out);
    return false;
  }
  const std::string self = context.config.broker_id.ToString();
  if (resource.resource_name.empty() || resource.resource_name == self) return true;
  Refuse(ErrorCode::kInvalidRequest,
         absl::StrCat("a broker's settings are known to that broker; this is broker ", self), out);
  return false;
}

}  // namespace

absl::Status HandleDescribeConfigs(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(DescribeConfigsRequest request, call->Decode<DescribeConfigsRequest>());
  const MetadataImagePtr image = context.node.image();
  // Each resource once: it would be answered anew each time.
  std::set<std::pair<int8_t, std::string>> seen;
  std::erase_if(request.resources, [&seen](const DescribedResource& resource) {
    return !seen.emplace(resource.resource_type, resource.resource_name).second;
  });
  DescribeConfigsResponse response;
  std::vector<AdminCall> asked;
  for (const DescribedResource& resource : request.resources) {
    auto& out = response.results.emplace_back();
    out.resource_type = resource.resource_type;
    out.resource_name = resource.resource_name;
    if (!IsAsked(context, request, resource, image.get(), out)) continue;
    AdminCall admin{.place = response.results.size() - 1, .request = {}};
    const BrokerId broker = resource.resource_name.empty() ? kNoBroker : context.config.broker_id;
    admin.request.mutable_describe_configs()->set_broker_id(broker.value());
    asked.push_back(std::move(admin));
  }
  AskControllers(
      context.node, call, std::move(response), std::move(asked),
      [&context, request = std::move(request)](DescribeConfigsResponse& all, size_t place,
                                               const message::AdminResponse& result) {
        Result& out = all.results[place];
        SetOutcome(result, out);
        if (out.error_code != ErrorCode::kNone) return;
        AddEntries(request, request.resources[place],
                   out.resource_name.empty()
                       ? ClusterConfigEntries(result.describe_configs())
                       : BrokerConfigEntries(context.settings, result.describe_configs()),
                   out);
      });
  return absl::OkStatus();
}

}  // namespace quipu::kafka
