// `quipu group`: list, describe.
#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "client/admin.h"
#include "client/cli/cli.h"
#include "client/cli/connect.h"

namespace quipu::cli {
namespace {

absl::Status ListGroups(const Common& common) {
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  QUIPU_ASSIGN_OR_RETURN(const GroupListing listing, admin->ListGroups());
  Json json = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (const message::ListGroupsResponse::Group& group : listing.groups) {
    json.push_back(Json{{"group", group.group_id()},
                        {"state", group.state()},
                        {"members", group.members()},
                        {"coordinator", group.coordinator()}});
    rows.push_back({group.group_id(), group.state(), absl::StrCat(group.members()),
                    absl::StrCat(group.coordinator())});
  }
  if (common.json()) {
    PrintJson(json);
  } else {
    PrintTable({"GROUP", "STATE", "MEMBERS", "COORDINATOR"}, rows);
  }
  if (listing.missing.empty()) return absl::OkStatus();
  return ToStatus(ErrorCode::kCoordinatorNotAvailable,
                  absl::StrCat("the list is not complete: ", absl::StrJoin(listing.missing, "; "),
                               "; try again, or look at `quipu cluster health`"));
}

// High watermarks of the partitions, where a leader answers.
std::map<NamedPartition, Offset> LogEnds(Admin& admin, const NamedOffsets& committed) {
  std::set<std::string> names;
  for (const auto& [partition, offset] : committed) names.insert(partition.topic);
  std::map<NamedPartition, Offset> ends;
  for (const std::string& name : names) {
    const auto replicas = admin.DescribePartitions({name});
    if (!replicas.ok()) continue;  // shown as unknown
    std::map<NamedPartition, int32_t> epochs;
    for (const ReplicaReport& replica : *replicas) {
      const NamedPartition partition{name, PartitionIndex(replica.state.partition())};
      if (!replica.state.is_leader()) continue;
      // A deposed leader may still think that it leads.
      const auto known = epochs.find(partition);
      if (known != epochs.end() && known->second > replica.state.leader_epoch()) continue;
      epochs[partition] = replica.state.leader_epoch();
      ends[partition] = Offset(replica.state.high_watermark());
    }
  }
  return ends;
}

// Committed offset, log end and lag of each partition that the group has an offset for. Log end and
// lag are null where no leader tells.
absl::StatusOr<Json> Offsets(Admin& admin, const std::string& group) {
  QUIPU_ASSIGN_OR_RETURN(const NamedOffsets committed, admin.ListGroupOffsets(group));
  const std::map<NamedPartition, Offset> ends = LogEnds(admin, committed);
  Json json = Json::array();
  for (const auto& [partition, offset] : committed) {
    Json entry{{"topic", partition.topic},
               {"partition", partition.partition.value()},
               {"committed", offset.offset.value()},
               {"log_end", nullptr},
               {"lag", nullptr}};
    const auto end = ends.find(partition);
    if (end != ends.end()) {
      entry["log_end"] = end->second.value();
      // The watermark that a leader tells may be older than the commit.
      entry["lag"] = std::max<int64_t>(end->second - offset.offset, 0);
    }
    json.push_back(entry);
  }
  return json;
}

std::string OrUnknown(const Json& value) { return value.is_null() ? "-" : value.dump(); }

absl::Status DescribeGroup(const Common& common, const std::string& name) {
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  QUIPU_ASSIGN_OR_RETURN(const message::DescribeGroupResponse group, admin->DescribeGroup(name));
  QUIPU_ASSIGN_OR_RETURN(const Json offsets, Offsets(*admin, name));
  Json members = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (const message::DescribeGroupResponse::Member& member : group.members()) {
    Json assignment = Json::array();
    std::vector<std::string> texts;
    for (const record::TopicPartitions& topic : member.assignment()) {
      const std::string id = Uuid::FromBytes(topic.topic_id()).value_or(Uuid()).ToText();
      assignment.push_back(Json{
          {"topic_id", id},
          {"partitions", std::vector<int>(topic.partitions().begin(), topic.partitions().end())}});
      texts.push_back(absl::StrJoin(topic.partitions(), ","));
    }
    members.push_back(Json{{"member", member.member_id()},
                           {"client_id", member.client_id()},
                           {"epoch", member.member_epoch()},
                           {"assignment", assignment}});
    rows.push_back({member.member_id(), member.client_id(), absl::StrCat(member.member_epoch()),
                    absl::StrJoin(texts, " ")});
  }
  if (common.json()) {
    PrintJson(Json{{"group", group.group_id()},
                   {"state", group.state()},
                   {"epoch", group.group_epoch()},
                   {"assignor", group.assignor()},
                   {"coordinator", group.coordinator()},
                   {"members", members},
                   {"offsets", offsets}});
    return absl::OkStatus();
  }
  std::printf("group %s: %s, epoch %d, assignor %s, coordinator broker %d\n",
              group.group_id().c_str(), group.state().c_str(), group.group_epoch(),
              group.assignor().c_str(), group.coordinator());
  PrintTable({"MEMBER", "CLIENT", "EPOCH", "PARTITIONS"}, rows);
  std::vector<std::vector<std::string>> lines;
  for (const Json& offset : offsets) {
    lines.push_back({offset["topic"].get<std::string>(), offset["partition"].dump(),
                     offset["committed"].dump(), OrUnknown(offset["log_end"]),
                     OrUnknown(offset["lag"])});
  }
  PrintTable({"TOPIC", "PARTITION", "COMMITTED", "LOG-END", "LAG"}, lines);
  return absl::OkStatus();
}

}  // namespace

void AddGroupCommands(CLI::App& app, Common& common) {
  CLI::App* group = app.add_subcommand("group", "Consumer groups");
  group->require_subcommand(1);
  CLI::App* list = group->add_subcommand("list", "List groups");
  AddConnectionOptions(*list, common);
  OnCall(*list, common, [&common] { return ListGroups(common); });
  auto name = std::make_shared<std::string>();
  CLI::App* describe = group->add_subcommand("describe", "Members, assignment, offsets and lag");
  describe->add_option("name", *name)->required();
  AddConnectionOptions(*describe, common);
  OnCall(*describe, common, [&common, name] { return DescribeGroup(common, *name); });
}

}  // namespace quipu::cli
