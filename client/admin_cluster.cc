// Admin calls about brokers, settings and the number of partitions.
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "client/admin.h"
#include "client/admin_calls.h"

namespace quipu {

absl::StatusOr<message::DescribeNodeResponse> Admin::DescribeNode(const std::string& address) {
  absl::StatusOr<message::DescribeNodeResponse> response =
      calls_->At<message::DescribeNodeRequest, message::DescribeNodeResponse>(
          address, "/quipu.rpc.Node/Describe", {}, calls_->NewDeadline());
  if (response.ok()) return response;
  if (absl::IsUnimplemented(response.status())) {
    return ToStatus(ErrorCode::kUnsupportedVersion,
                    absl::StrCat("what listens at ", address,
                                 " answers, and is older than this call or no node of Quipu"));
  }
  return ToStatus(ErrorCode::kNotConnected, response.status().message());  // with the address
}

absl::Status Admin::CreatePartitions(const std::string& topic, int32_t count, bool allow_key_remap,
                                     AdminMode mode) {
  message::AdminRequest request;
  request.set_validate_only(mode == AdminMode::kValidate);
  request.mutable_create_partitions()->set_topic(topic);
  request.mutable_create_partitions()->set_count(count);
  request.mutable_create_partitions()->set_allow_key_remap(allow_key_remap);
  // An attempt whose answer was lost may have done it: then there are not more than that.
  return Change(request, absl::StrCat("topic ", topic),
                mode == AdminMode::kMake ? ErrorCode::kInvalidPartitions : ErrorCode::kNone)
      .status();
}

absl::Status Admin::DrainBroker(BrokerId broker, record::Drain drain) {
  message::AdminRequest request;
  request.mutable_drain_broker()->set_broker_id(broker.value());
  request.mutable_drain_broker()->set_drain(drain);
  return Change(request, absl::StrCat("broker ", broker.value()), ErrorCode::kNone).status();
}

absl::StatusOr<std::vector<message::DynamicConfig>> Admin::DescribeConfigs(BrokerId broker) {
  message::AdminRequest request;
  request.mutable_describe_configs()->set_broker_id(broker.value());
  message::AdminResponse response;
  if (broker == kNoBroker) {
    QUIPU_ASSIGN_OR_RETURN(response, Change(request, "configs", ErrorCode::kNone));
  } else {
    // Only that broker knows what its own configuration says.
    QUIPU_ASSIGN_OR_RETURN(const message::MetadataResponse cluster, DescribeCluster());
    ServerAddress address;
    for (const message::BrokerInfo& info : cluster.brokers()) {
      if (BrokerId(info.broker_id()) != broker) continue;
      address = AddressOf(info.endpoint());
    }
    const std::string who = absl::StrCat("broker ", broker.value());
    if (address.empty()) {
      return ToStatus(ErrorCode::kBrokerIdNotRegistered, absl::StrCat("there is no ", who));
    }
    const AdminDeadline deadline = calls_->NewDeadline();
    absl::StatusOr<message::AdminResponse> answer =
        calls_->At<message::AdminRequest, message::AdminResponse>(
            address, "/quipu.rpc.Broker/Admin", request, deadline);
    if (!answer.ok()) {
      return Calls::NotConnected({{address, std::string(answer.status().message())}});
    }
    const ErrorCode error = WireError(answer->error_code());
    if (error != ErrorCode::kNone) {
      return ToStatus(error, absl::StrCat(who, ": ", answer->error_message()));
    }
    response = *std::move(answer);
  }
  const auto& configs = response.describe_configs().configs();
  return std::vector<message::DynamicConfig>(configs.begin(), configs.end());
}

absl::Status Admin::AlterConfigs(BrokerId broker, const std::map<std::string, std::string>& set,
                                 const std::vector<std::string>& remove) {
  message::AdminRequest request;
  message::AlterConfigs* alter = request.mutable_alter_configs();
  alter->set_broker_id(broker.value());
  for (const auto& [key, value] : set) {
    message::ConfigEntry* entry = alter->add_set();
    entry->set_key(key);
    entry->set_value(value);
  }
  for (const std::string& key : remove) alter->add_remove(key);
  const std::string what =
      broker == kNoBroker ? "configs" : absl::StrCat("configs of broker ", broker.value());
  return Change(request, what, ErrorCode::kNone).status();
}

}  // namespace quipu
