// DescribeGroups: state and members. A group that is not there is "Dead", from version 6 on an
// error (KIP-1043).
#include <utility>

#include "base/status_macros.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/authorized_operations.h"
#include "broker/kafka/gather.h"
#include "broker/kafka/group/group_bytes.h"
#include "broker/kafka/wire_error.h"
#include "core/kafka/group/describe_groups.h"

namespace quipu::kafka {
namespace {

constexpr int16_t kNotFoundSince = 6;

DescribeGroupsResponse::Group Described(const std::string& group_id, int16_t version,
                                        bool with_operations,
                                        const message::DescribeGroupResponse& result) {
  DescribeGroupsResponse::Group group{.error_code = GroupError(ErrorOf(result.error_code())),
                                      .group_id = group_id};
  if (group.error_code == ErrorCode::kGroupIdNotFound) {
    group.group_state = "Dead";
    if (version < kNotFoundSince) group.error_code = ErrorCode::kNone;
  }
  if (!result.error_message().empty()) group.error_message = result.error_message();
  if (with_operations && group.error_code == ErrorCode::kNone) {
    group.authorized_operations = kGroupOperations;
  }
  if (result.error_code() != 0) return group;
  group.group_state = result.state();
  group.protocol_type = result.protocol_type();
  group.protocol_data = result.assignor();
  for (const auto& member : result.members()) {
    auto& out = group.members.emplace_back();
    out.member_id = member.member_id();
    if (!member.instance_id().empty()) out.group_instance_id = member.instance_id();
    out.client_id = member.client_id();
    out.client_host = member.client_host();
    out.member_metadata = Bytes(member.classic_metadata());
    out.member_assignment = Bytes(member.classic_assignment());
  }
  return group;
}

// Describes one group after the other.
class Describer {
 public:
  Describer(BrokerNode& node, const DescribeGroupsRequest& request, int16_t version)
      : node_(node),
        version_(version),
        with_operations_(request.include_authorized_operations),
        names_(Unique(request.groups)) {}

  [[nodiscard]] size_t groups() const { return names_.size(); }

  void operator()(const Gather<DescribeGroupsResponse>::Ptr& gather, size_t i) const {
    const auto refuse = [group_id = names_[i], i](DescribeGroupsResponse& all) {
      all.groups[i] = {.error_code = GroupBytes::kRefusal, .group_id = group_id};
    };
    if (bytes_->full()) return gather->Complete(refuse);
    message::DescribeGroupRequest asked;
    asked.set_group_id(names_[i]);
    node_.DescribeGroup(std::move(asked), [gather, refuse, bytes = bytes_, i, group_id = names_[i],
                                           version = version_, with_operations = with_operations_](
                                              const message::DescribeGroupResponse& result) {
      if (!bytes->Take(result.ByteSizeLong())) return gather->Complete(refuse);
      gather->Complete([&](DescribeGroupsResponse& all) {
        all.groups[i] = Described(group_id, version, with_operations, result);
      });
    });
  }

 private:
  BrokerNode& node_;
  const int16_t version_;
  const bool with_operations_;
  const std::vector<std::string> names_;
  const std::shared_ptr<GroupBytes> bytes_ = std::make_shared<GroupBytes>();
};

}  // namespace

absl::Status HandleDescribeGroups(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(const DescribeGroupsRequest request,
                         call->Decode<DescribeGroupsRequest>());
  Describer describer(context.node, request, call->version());
  const size_t groups = describer.groups();
  DescribeGroupsResponse response;
  response.groups.resize(groups);
  Gather<DescribeGroupsResponse>::Run(
      std::move(response), groups, kLargeAskedAtOnceMax, std::move(describer),
      [call](const DescribeGroupsResponse& all) { call->Answer(all); });
  return absl::OkStatus();
}

}  // namespace quipu::kafka
