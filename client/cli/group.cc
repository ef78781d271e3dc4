// `quipu group`: list, describe, delete, remove-member.
#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "client/admin.h"
#include "client/cli/cli.h"
#include "client/cli/connect.h"
#include "client/cli/support/verb_json.h"

namespace quipu::cli {
namespace {

absl::Status ListGroups(const Common& common) {
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  QUIPU_ASSIGN_OR_RETURN(const GroupListing listing, admin->ListGroups());
  Json json = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (const message::ListGroupsResponse::Group& group : listing.groups) {
    json.push_back(Json{{"group", group.group_id()},
                        {"kind", group.kind()},
                        {"state", group.state()},
                        {"members", group.members()},
                        {"coordinator", group.coordinator()}});
    rows.push_back({group.group_id(), group.kind(), group.state(), absl::StrCat(group.members()),
                    absl::StrCat(group.coordinator())});
  }
  if (common.json()) {
    PrintJson(json);
  } else {
    PrintTable({"GROUP", "KIND", "STATE", "MEMBERS", "COORDINATOR"}, rows);
  }
  if (listing.missing.empty()) return absl::OkStatus();
  return ToStatus(ErrorCode::kCoordinatorNotAvailable,
                  absl::StrCat("the list is not complete: ", absl::StrJoin(listing.missing, "; "),
                               "; try again, or look at `quipu cluster health`"));
}

std::string OrUnknown(const Json& value) { return value.is_null() ? "-" : value.dump(); }

// Log end and lag are null where no leader tells, lag also without a committed offset.
Json ToJson(const PartitionLag& lag) {
  Json entry{{"topic", lag.partition.topic},
             {"partition", lag.partition.partition.value()},
             {"committed", nullptr},
             {"log_end", nullptr},
             {"lag", nullptr},
             {"lag_seconds", nullptr},
             {"member", nullptr}};
  if (lag.committed != kNoOffset) entry["committed"] = lag.committed.value();
  if (lag.log_end != kNoOffset) entry["log_end"] = lag.log_end.value();
  if (lag.records) entry["lag"] = *lag.records;
  if (lag.time) entry["lag_seconds"] = static_cast<double>(ToMillis(*lag.time)) / 1000.0;
  if (!lag.member_id.empty()) entry["member"] = lag.member_id;
  return entry;
}

Json ToJson(const message::DescribeGroupResponse::Member& member,
            const std::map<std::string, std::string>& topic_names) {
  Json assignment = Json::array();
  for (const record::TopicPartitions& topic : member.assignment()) {
    const auto name = topic_names.find(topic.topic_id());
    assignment.push_back(Json{
        {"topic", name == topic_names.end() ? Json(nullptr) : Json(name->second)},
        {"topic_id", Uuid::FromBytes(topic.topic_id()).value_or(Uuid()).ToText()},
        {"partitions", std::vector<int>(topic.partitions().begin(), topic.partitions().end())}});
  }
  const bool is_static = !member.instance_id().empty();
  return Json{{"member", member.member_id()},
              {"instance_id", is_static ? Json(member.instance_id()) : Json(nullptr)},
              {"client_id", member.client_id()},
              {"host", member.client_host().empty() ? Json(nullptr) : Json(member.client_host())},
              {"epoch", member.member_epoch()},
              {"session_timeout_ms", member.session_timeout_ms()},
              {"assignment", assignment}};
}

std::string TextOr(const Json& value) { return value.is_null() ? "-" : value.get<std::string>(); }

void PrintMembers(const Json& members) {
  std::vector<std::vector<std::string>> rows;
  for (const Json& member : members) {
    std::vector<std::string> texts;
    for (const Json& topic : member["assignment"]) {
      texts.push_back(
          absl::StrCat(TextOr(topic["topic"].is_null() ? topic["topic_id"] : topic["topic"]), ":",
                       absl::StrJoin(topic["partitions"].get<std::vector<int>>(), ",")));
    }
    rows.push_back({TextOr(member["member"]), TextOr(member["instance_id"]),
                    TextOr(member["client_id"]), TextOr(member["host"]), member["epoch"].dump(),
                    texts.empty() ? "-" : absl::StrJoin(texts, " ")});
  }
  PrintTable({"MEMBER", "INSTANCE", "CLIENT", "HOST", "EPOCH", "PARTITIONS"}, rows);
}

absl::Status DescribeGroup(const Common& common, const std::string& name) {
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  QUIPU_ASSIGN_OR_RETURN(const Json group, GroupJson(*admin, name));
  if (common.json()) {
    PrintJson(group);
    return absl::OkStatus();
  }
  std::printf("group %s: %s, kind %s, epoch %s, assignor %s, coordinator broker %s\n",
              TextOr(group["group"]).c_str(), TextOr(group["state"]).c_str(),
              TextOr(group["kind"]).c_str(), group["epoch"].dump().c_str(),
              TextOr(group["assignor"]).c_str(), group["coordinator"].dump().c_str());
  PrintMembers(group["members"]);
  std::vector<std::vector<std::string>> lines;
  for (const Json& offset : group["offsets"]) {
    lines.push_back({TextOr(offset["topic"]), offset["partition"].dump(),
                     OrUnknown(offset["committed"]), OrUnknown(offset["log_end"]),
                     OrUnknown(offset["lag"]), OrUnknown(offset["lag_seconds"]),
                     TextOr(offset["member"])});
  }
  PrintTable({"TOPIC", "PARTITION", "COMMITTED", "LOG-END", "LAG", "LAG-SECONDS", "MEMBER"}, lines);
  return absl::OkStatus();
}

absl::Status DeleteGroup(const Common& common, const std::string& name) {
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  const absl::Status deleted = admin->DeleteGroup(name);
  if (CodeOf(deleted) == ErrorCode::kNonEmptyGroup) {
    return ToStatus(ErrorCode::kNonEmptyGroup,
                    absl::StrCat("group ", name,
                                 " is active and is not deleted; stop its consumers first. A "
                                 "static member that was stopped counts until its session ends, "
                                 "or `quipu group remove-member` takes it out"));
  }
  QUIPU_RETURN_IF_ERROR(deleted);
  if (common.json()) {
    PrintJson(Json{{"deleted", name}});
  } else {
    std::printf("deleted group %s\n", name.c_str());
  }
  return absl::OkStatus();
}

absl::Status RemoveMembers(const Common& common, const std::string& name,
                           const std::vector<std::string>& instance_ids) {
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  QUIPU_RETURN_IF_ERROR(admin->RemoveMembers(name, instance_ids));
  if (common.json()) {
    PrintJson(Json{{"group", name}, {"removed", instance_ids}});
  } else {
    std::printf("%s: no member of group %s any more\n", absl::StrJoin(instance_ids, ", ").c_str(),
                name.c_str());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Json> GroupJson(Admin& admin, const std::string& name) {
  QUIPU_ASSIGN_OR_RETURN(const message::DescribeGroupResponse group, admin.DescribeGroup(name));
  QUIPU_ASSIGN_OR_RETURN(const std::vector<PartitionLag> lags, admin.DescribeGroupLag(name));
  QUIPU_ASSIGN_OR_RETURN(const std::vector<message::TopicInfo> topics, admin.ListTopics(true));
  std::map<std::string, std::string> topic_names;
  for (const message::TopicInfo& topic : topics) topic_names[topic.topic_id()] = topic.name();
  Json members = Json::array();
  for (const auto& member : group.members()) members.push_back(ToJson(member, topic_names));
  Json offsets = Json::array();
  for (const PartitionLag& lag : lags) offsets.push_back(ToJson(lag));
  return Json{{"group", group.group_id()},
              {"kind", group.kind()},
              {"protocol_type", group.protocol_type()},
              {"state", group.state()},
              {"epoch", group.group_epoch()},
              {"assignor", group.assignor()},
              {"coordinator", group.coordinator()},
              {"members", members},
              {"offsets", offsets}};
}

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
  CLI::App* remove = group->add_subcommand("delete", "Deletes an inactive group and its offsets");
  remove->footer("Example:\n  quipu group delete billing");
  remove->add_option("name", *name)->required()->check(NotEmpty());
  AddConnectionOptions(*remove, common);
  OnCall(*remove, common, [&common, name] { return DeleteGroup(common, *name); });
  auto instances = std::make_shared<std::vector<std::string>>();
  CLI::App* member = group->add_subcommand(
      "remove-member", "Takes stopped static members out before their sessions end");
  member->footer(
      "Their partitions go to the other members at once. A member that still runs loses its\n"
      "partitions and joins anew: stop it first.\n"
      "Example:\n  quipu group remove-member billing --instance-id billing-3");
  member->add_option("name", *name)->required()->check(NotEmpty());
  member->add_option("--instance-id", *instances, "Its group.instance.id; repeatable")
      ->required()
      ->check(NotEmpty());
  AddConnectionOptions(*member, common);
  OnCall(*member, common,
         [&common, name, instances] { return RemoveMembers(common, *name, *instances); });
  AddGroupOffsetsCommands(*group, common);
}

}  // namespace quipu::cli
