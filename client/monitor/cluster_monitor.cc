#include "client/monitor.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "client/admin.h"

namespace quipu {
namespace {

Instant MonotonicNow() {
  return Instant(
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

using PartitionKey = std::pair<std::string, int32_t>;  // topic id's bytes, index

// What each partition's leader says. A deposed leader may still think that it leads: the newest
// epoch counts.
std::map<PartitionKey, message::DescribePartitionsResponse::Partition> LeadersOf(
    const std::vector<ReplicaReport>& reports) {
  std::map<PartitionKey, message::DescribePartitionsResponse::Partition> leaders;
  for (const ReplicaReport& report : reports) {
    if (!report.state.is_leader()) continue;
    auto& known = leaders[{report.state.topic_id(), report.state.partition()}];
    if (!known.is_leader() || known.leader_epoch() < report.state.leader_epoch()) {
      known = report.state;
    }
  }
  return leaders;
}

absl::Status AddPartitions(Admin& admin, ClusterSample& sample) {
  QUIPU_ASSIGN_OR_RETURN(const auto topics, admin.ListTopics());
  QUIPU_ASSIGN_OR_RETURN(const std::vector<ReplicaReport> reports, admin.DescribePartitions({}));
  const auto leaders = LeadersOf(reports);
  for (const message::TopicInfo& topic : topics) {
    for (const message::PartitionInfo& partition : topic.partitions()) {
      ClusterSample::Partition one{
          .name = {topic.name(), PartitionIndex(partition.partition())},
          .leader = partition.leader() < 0 ? kNoBroker : BrokerId(partition.leader()),
          .replicas = partition.replicas_size(),
          .in_sync = partition.isr_size()};
      const auto leader = leaders.find({topic.topic_id(), partition.partition()});
      if (leader != leaders.end()) {
        one.log_start_offset = Offset(leader->second.log_start_offset());
        one.log_end_offset = Offset(leader->second.high_watermark());
      }
      sample.partitions.push_back(std::move(one));
    }
  }
  return absl::OkStatus();
}

absl::Status AddGroups(Admin& admin, ClusterSample& sample) {
  QUIPU_ASSIGN_OR_RETURN(const GroupListing listing, admin.ListGroups());
  sample.missing = listing.missing;
  for (const message::ListGroupsResponse::Group& group : listing.groups) {
    if (sample.groups.size() == ClusterMonitor::kGroupsMax) {
      sample.missing.push_back(absl::StrCat(listing.groups.size() - sample.groups.size(),
                                            " groups more than are watched"));
      break;
    }
    ClusterSample::Group one{.id = group.group_id(),
                             .state = group.state(),
                             .members = group.members(),
                             .committed = {}};
    const absl::StatusOr<NamedOffsets> offsets = admin.ListGroupOffsets(group.group_id());
    if (offsets.ok()) {
      for (const auto& [name, committed] : *offsets) one.committed[name] = committed.offset;
    } else {
      sample.missing.push_back(
          absl::StrCat("offsets of group ", group.group_id(), ": ", offsets.status().message()));
    }
    sample.groups.push_back(std::move(one));
  }
  return absl::OkStatus();
}

absl::StatusOr<ClusterSample> SampleOf(Admin& admin) {
  ClusterSample sample;
  QUIPU_ASSIGN_OR_RETURN(const message::MetadataResponse cluster, admin.DescribeCluster());
  for (const message::BrokerInfo& broker : cluster.brokers()) {
    ++sample.brokers;
    if (broker.fenced()) ++sample.fenced_brokers;
  }
  QUIPU_RETURN_IF_ERROR(AddGroups(admin, sample));
  // Last: an end that is older than a commit would hide lag.
  QUIPU_RETURN_IF_ERROR(AddPartitions(admin, sample));
  sample.at = MonotonicNow();
  return sample;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ClusterMonitor>> ClusterMonitor::Create(const ConfigMap& config,
                                                                       Duration rate_window) {
  QUIPU_ASSIGN_OR_RETURN(std::unique_ptr<Admin> admin, Admin::Create(config));
  const std::shared_ptr<Admin> shared = std::move(admin);
  return std::make_unique<ClusterMonitor>([shared] { return SampleOf(*shared); }, rate_window);
}

ClusterMonitor::ClusterMonitor(std::function<absl::StatusOr<ClusterSample>()> sample,
                               Duration rate_window)
    : sample_(std::move(sample)), tracker_(rate_window) {}

ClusterMonitor::~ClusterMonitor() = default;

absl::StatusOr<ClusterProgress> ClusterMonitor::Poll() {
  QUIPU_ASSIGN_OR_RETURN(const ClusterSample sample, sample_());
  return tracker_.Add(sample);
}

}  // namespace quipu
