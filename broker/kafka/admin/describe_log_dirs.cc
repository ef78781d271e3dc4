// DescribeLogDirs: the asked broker's one directory, and what each replica takes in it.
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/status_macros.h"
#include "broker/kafka/api_handlers.h"
#include "broker/kafka/topic_lookup.h"
#include "broker/kafka/wire_error.h"
#include "core/kafka/admin/describe_log_dirs.h"
#include "storage/posix/posix_file.h"

namespace quipu::kafka {
namespace {

using LogDir = DescribeLogDirsResponse::LogDir;

// Which replicas are asked about; nullopt: all.
using WantedReplicas = std::optional<std::map<TopicId, std::set<PartitionIndex>>>;

WantedReplicas WantedBy(const DescribeLogDirsRequest& request, const MetadataImage* image) {
  if (!request.topics) return std::nullopt;
  WantedReplicas wanted(std::in_place);
  for (const auto& topic : *request.topics) {
    const FoundTopic found = FindTopic(image, topic.topic);
    if (found.topic == nullptr) continue;  // no replica of it is here
    (*wanted)[found.id()].insert(topic.partitions.begin(), topic.partitions.end());
  }
  return wanted;
}

void AddReplicas(const message::DescribePartitionsResponse& described, const WantedReplicas& wanted,
                 const MetadataImage& image, LogDir& out) {
  std::map<std::string, std::vector<DescribeLogDirsResponse::Partition>> topics;
  for (const auto& replica : described.partitions()) {
    const TopicId id = Uuid::FromBytes(replica.topic_id()).value_or(Uuid());
    const PartitionIndex index(replica.partition());
    const TopicImage* topic = image.FindTopic(id);
    if (topic == nullptr) continue;  // it is being dropped
    if (wanted && (!wanted->contains(id) || !wanted->at(id).contains(index))) continue;
    const int64_t lag = replica.high_watermark() - replica.log_end_offset();
    topics[topic->name].push_back({.partition_index = index,
                                   .partition_size = replica.log_bytes(),
                                   .offset_lag = std::max<int64_t>(0, lag)});
  }
  for (auto& [name, partitions] : topics) {
    out.topics.push_back({.name = name, .partitions = std::move(partitions)});
  }
}

}  // namespace

absl::Status HandleDescribeLogDirs(const KafkaContext& context, const KafkaCallPtr& call) {
  QUIPU_ASSIGN_OR_RETURN(const DescribeLogDirsRequest request,
                         call->Decode<DescribeLogDirsRequest>());
  LogDir dir{.log_dir = context.log_dir};
  const absl::StatusOr<DiskSpace> space = DiskSpaceOf(context.log_dir);
  if (space.ok()) {
    dir.total_bytes = space->total_bytes;
    dir.usable_bytes = space->free_bytes;
  }
  const MetadataImagePtr image = context.node.image();
  WantedReplicas wanted = WantedBy(request, image.get());
  if (image == nullptr || (wanted && wanted->empty())) {
    // Before the metadata have come nobody can say what is whose.
    if (image == nullptr) dir.error_code = ErrorCode::kStorageError;
    call->Answer(DescribeLogDirsResponse{.results = {std::move(dir)}});
    return absl::OkStatus();
  }
  message::DescribePartitionsRequest asked;
  asked.set_with_log_bytes(true);
  if (wanted) {
    for (const auto& [id, partitions] : *wanted) asked.add_topic_ids(id.ToBytes());
  }
  context.node.DescribePartitions(
      std::move(asked), [call, image, wanted = std::move(wanted), dir = std::move(dir)](
                            const message::DescribePartitionsResponse& described) mutable {
        AddReplicas(described, wanted, *image, dir);
        call->Answer(DescribeLogDirsResponse{.results = {std::move(dir)}});
      });
  return absl::OkStatus();
}

}  // namespace quipu::kafka
