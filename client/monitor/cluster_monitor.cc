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
    const std::vector<BrokerReport>& reports) {
  std::map<PartitionKey, message::DescribePartitionsResponse::Partition> leaders;
  for (const BrokerReport& report : reports) {
    for (const auto& state : report.state.partitions()) {
      if (!state.is_leader()) continue;
      auto& known = leaders[{state.topic_id(), state.partition()}];
      if (!known.is_leader() || known.leader_epoch() < state.leader_epoch()) known = state;
    }
  }
  return leaders;
}

void AddProducers(const message::DescribePartitionsResponse::Partition& leader,
                  const NamedPartition& name, ClusterSample& sample) {
  sample.producers_known += leader.producers_known();
  for (const auto& producer : leader.producers()) {
    sample.producers.push_back({.id = producer.producer_id(),
                                .epoch = producer.producer_epoch(),
                                .partition = name,
                                .last_sequence = producer.last_sequence(),
                                .last_offset = Offset(producer.last_offset()),
                                .last_timestamp = TimestampMs(producer.last_timestamp())});
  }
}

// One part from each thread of a broker becomes one of the broker.
ClusterSample::BrokerLoad LoadOf(const BrokerReport& report,
                                 const std::map<std::string, std::string>& names) {
  ClusterSample::BrokerLoad load{
      .broker = report.broker, .topics = {}, .bounds_nanos = {}, .produce_times = {}};
  for (const auto& topic : report.state.topics()) {
    const auto name = names.find(topic.topic_id());
    if (name == names.end()) continue;  // an internal one, or one that is gone
    ClusterSample::BrokerLoad::Bytes& bytes = load.topics[name->second];
    bytes.produced += topic.produced_bytes();
    bytes.consumed += topic.consumed_bytes();
  }
  for (const auto& times : report.state.produce_times()) {
    if (times.counts_size() != times.bounds_nanos_size() + 1) continue;
    load.bounds_nanos.assign(times.bounds_nanos().begin(), times.bounds_nanos().end());
    load.produce_times.resize(static_cast<size_t>(times.counts_size()));
    for (int i = 0; i < times.counts_size(); ++i) {
      load.produce_times[static_cast<size_t>(i)] += times.counts(i);
    }
  }
  return load;
}

absl::Status AddPartitions(Admin& admin, ClusterSample& sample) {
  QUIPU_ASSIGN_OR_RETURN(const auto topics, admin.ListTopics());
  QUIPU_ASSIGN_OR_RETURN(const std::vector<BrokerReport> reports,
                         admin.DescribeLoad(ClusterMonitor::kProducersMax, sample.missing));
  const auto leaders = LeadersOf(reports);
  std::map<std::string, std::string> names;
  for (const message::TopicInfo& topic : topics) {
    names[topic.topic_id()] = topic.name();
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
        AddProducers(leader->second, one.name, sample);
      }
      sample.partitions.push_back(std::move(one));
    }
  }
  for (const BrokerReport& report : reports) sample.loads.push_back(LoadOf(report, names));
  return absl::OkStatus();
}

absl::Status AddGroups(Admin& admin, ClusterSample& sample) {
  QUIPU_ASSIGN_OR_RETURN(const GroupListing listing, admin.ListGroups());
  sample.missing.insert(sample.missing.end(), listing.missing.begin(), listing.missing.end());
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
