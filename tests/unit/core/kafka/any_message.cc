#include "tests/unit/core/kafka/any_message.h"

#include "base/check.h"
#include "core/kafka/admin/alter_configs.h"
#include "core/kafka/admin/api_versions.h"
#include "core/kafka/admin/create_partitions.h"
#include "core/kafka/admin/create_topics.h"
#include "core/kafka/admin/delete_topics.h"
#include "core/kafka/admin/describe_cluster.h"
#include "core/kafka/admin/describe_configs.h"
#include "core/kafka/admin/describe_log_dirs.h"
#include "core/kafka/admin/describe_topic_partitions.h"
#include "core/kafka/admin/elect_leaders.h"
#include "core/kafka/admin/incremental_alter_configs.h"
#include "core/kafka/admin/metadata.h"
#include "core/kafka/field_writer.h"
#include "core/kafka/group/delete_groups.h"
#include "core/kafka/group/describe_groups.h"
#include "core/kafka/group/find_coordinator.h"
#include "core/kafka/group/heartbeat.h"
#include "core/kafka/group/join_group.h"
#include "core/kafka/group/leave_group.h"
#include "core/kafka/group/list_groups.h"
#include "core/kafka/group/offset_commit.h"
#include "core/kafka/group/offset_delete.h"
#include "core/kafka/group/offset_fetch.h"
#include "core/kafka/group/sync_group.h"
#include "core/kafka/log/delete_records.h"
#include "core/kafka/log/describe_producers.h"
#include "core/kafka/log/fetch.h"
#include "core/kafka/log/init_producer_id.h"
#include "core/kafka/log/list_offsets.h"
#include "core/kafka/log/offset_for_leader_epoch.h"
#include "core/kafka/log/produce.h"

namespace quipu::kafka {
namespace {

template <Message M>
class Boxed final : public AnyMessage {
 public:
  void Visit(FieldVisitor& visitor) override { visitor.Value(message_, false); }
  absl::Status DecodeFrom(const Bytes& frame, size_t position, int16_t version,
                          const DecodeLimits& limits) override {
    auto decoded = Decode<M>(frame, position, version, limits);
    if (!decoded.ok()) return decoded.status();
    message_ = std::move(decoded).value();
    return absl::OkStatus();
  }
  ByteChain Encode(int16_t version, int32_t correlation_id,
                   const std::optional<std::string>& client_id) override {
    if constexpr (M::kKind == MessageKind::kRequest) {
      return EncodeRequest(message_, version, correlation_id, client_id);
    } else {
      return EncodeResponse(message_, version, correlation_id);
    }
  }
  [[nodiscard]] size_t Size(int16_t version) const override {
    return EncodedSize(message_, version);
  }
  [[nodiscard]] bool Equals(const AnyMessage& other) const override {
    return message_ == dynamic_cast<const Boxed&>(other).message_;
  }

 private:
  M message_;
};

template <Message... M>
std::vector<MessageType> Types() {
  return {MessageType{M::kApi, M::kKind, []() -> std::unique_ptr<AnyMessage> {
                        return std::make_unique<Boxed<M>>();
                      }}...};
}

}  // namespace

std::string MessageType::name() const {
  return std::string(info().name) + (kind == MessageKind::kRequest ? " request" : " response");
}

const std::vector<MessageType>& MessageTypes() {
  static const auto* const types = new std::vector<MessageType>(
      Types<ProduceRequest, ProduceResponse, FetchRequest, FetchResponse, ListOffsetsRequest,
            ListOffsetsResponse, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
            DeleteRecordsRequest, DeleteRecordsResponse, DescribeProducersRequest,
            DescribeProducersResponse, InitProducerIdRequest, InitProducerIdResponse,
            FindCoordinatorRequest, FindCoordinatorResponse, JoinGroupRequest, JoinGroupResponse,
            SyncGroupRequest, SyncGroupResponse, HeartbeatRequest, HeartbeatResponse,
            LeaveGroupRequest, LeaveGroupResponse, OffsetCommitRequest, OffsetCommitResponse,
            OffsetFetchRequest, OffsetFetchResponse, OffsetDeleteRequest, OffsetDeleteResponse,
            DescribeGroupsRequest, DescribeGroupsResponse, ListGroupsRequest, ListGroupsResponse,
            DeleteGroupsRequest, DeleteGroupsResponse, ApiVersionsRequest, ApiVersionsResponse,
            MetadataRequest, MetadataResponse, CreateTopicsRequest, CreateTopicsResponse,
            DeleteTopicsRequest, DeleteTopicsResponse, CreatePartitionsRequest,
            CreatePartitionsResponse, DescribeConfigsRequest, DescribeConfigsResponse,
            AlterConfigsRequest, AlterConfigsResponse, IncrementalAlterConfigsRequest,
            IncrementalAlterConfigsResponse, DescribeClusterRequest, DescribeClusterResponse,
            DescribeLogDirsRequest, DescribeLogDirsResponse, ElectLeadersRequest,
            ElectLeadersResponse, DescribeTopicPartitionsRequest,
            DescribeTopicPartitionsResponse>());
  return *types;
}

const MessageType& TypeOf(ApiKey api, MessageKind kind) {
  for (const MessageType& type : MessageTypes()) {
    if (type.api == api && type.kind == kind) return type;
  }
  CheckFailed("check", "the API is in MessageTypes()", __FILE__, __LINE__, InfoOf(api).name);
}

std::string BodyOf(const MessageType& type, AnyMessage& message, int16_t version) {
  ByteChainBuilder out;
  FieldWriter writer(version, type.info().IsFlexible(version), &out);
  message.Visit(writer);
  return Joined(out.Finish());
}

}  // namespace quipu::kafka
