// `quipu group offsets`: reset, delete.
#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/connect.h"
#include "client/cli/records/time_text.h"

namespace quipu::cli {
namespace {

constexpr size_t kPlanLinesMax = 100000;  // of --from-file

struct ResetOptions {
  std::string group;
  std::vector<std::string> topics;
  bool all_topics = false;
  bool earliest = false;
  bool latest = false;
  std::string datetime;
  std::optional<int64_t> shift;
  std::optional<int64_t> offset;
  std::string from_file;
  std::string to_file;
  bool execute = false;
};

using Partitions = std::set<NamedPartition>;
using Targets = std::map<NamedPartition, Offset>;

struct PlannedOffset {
  Offset committed = kNoOffset;
  Offset target = kNoOffset;
  LeaderEpoch epoch = kNoLeaderEpoch;
  bool clamped = false;  // the log does not hold what was asked for
};
using Plan = std::map<NamedPartition, PlannedOffset>;

absl::StatusOr<PartitionIndex> ParseIndex(absl::string_view text) {
  int32_t index = 0;
  if (absl::SimpleAtoi(text, &index) && index >= 0) return PartitionIndex(index);
  return WrongArguments(absl::StrCat("'", text, "' is no number of a partition"));
}

// "topic" (all partitions) or "topic:0,2".
absl::StatusOr<Partitions> PartitionsOf(Admin& admin, const std::vector<std::string>& topics) {
  Partitions partitions;
  for (const std::string& text : topics) {
    const size_t colon = text.find(':');
    const std::string name = text.substr(0, colon);
    QUIPU_ASSIGN_OR_RETURN(const message::TopicInfo topic, admin.DescribeTopic(name));
    if (colon == std::string::npos) {
      for (int32_t i = 0; i < topic.partitions_size(); ++i) {
        partitions.insert({name, PartitionIndex(i)});
      }
      continue;
    }
    for (const std::string& part :
         std::vector<std::string>(absl::StrSplit(text.substr(colon + 1), ','))) {
      QUIPU_ASSIGN_OR_RETURN(const PartitionIndex index, ParseIndex(part));
      if (index.value() >= topic.partitions_size()) {
        return ToStatus(ErrorCode::kUnknownTopicOrPartition,
                        absl::StrCat("topic ", name, " has no partition ", index.value(),
                                     "; it has ", topic.partitions_size(), ", from 0 on"));
      }
      partitions.insert({name, index});
    }
  }
  return partitions;
}

// Lines of topic,partition,offset.
absl::StatusOr<Targets> ReadPlan(const std::string& path) {
  std::ifstream file(path);
  if (!file) return WrongArguments(absl::StrCat(path, ": cannot be read"));
  Targets targets;
  std::string line;
  for (size_t number = 1; std::getline(file, line); ++number) {
    if (line.empty()) continue;
    const std::vector<std::string> fields = absl::StrSplit(line, ',');
    const std::string where = absl::StrCat(path, " line ", number, ": ");
    int32_t index = 0;
    int64_t offset = 0;
    if (fields.size() != 3 || fields[0].empty() || !absl::SimpleAtoi(fields[1], &index) ||
        !absl::SimpleAtoi(fields[2], &offset) || index < 0 || offset < 0) {
      return WrongArguments(absl::StrCat(where, "expected topic,partition,offset"));
    }
    if (!targets.emplace(NamedPartition{fields[0], PartitionIndex(index)}, Offset(offset)).second) {
      return WrongArguments(absl::StrCat(where, "the partition is there already"));
    }
    if (targets.size() > kPlanLinesMax) {
      return WrongArguments(absl::StrCat(where, "more than ", kPlanLinesMax, " partitions"));
    }
  }
  if (file.bad()) return WrongArguments(absl::StrCat(path, ": cannot be read to its end"));
  if (targets.empty()) return WrongArguments(absl::StrCat(path, ": names no partition"));
  return targets;
}

absl::Status WritePlan(const std::string& path, const Plan& plan) {
  std::ofstream file(path, std::ios::trunc);
  for (const auto& [partition, planned] : plan) {
    file << partition.topic << ',' << partition.partition.value() << ',' << planned.target.value()
         << '\n';
  }
  file.close();
  if (file) return absl::OkStatus();
  return WrongArguments(absl::StrCat(path, ": cannot be written"));
}

// A group with members would go on from its own positions and commit over the new ones.
absl::Status RequireInactive(Admin& admin, const std::string& name, const std::string& what) {
  const auto group = admin.DescribeGroup(name);
  if (CodeOf(group.status()) == ErrorCode::kGroupIdNotFound) return absl::OkStatus();
  QUIPU_RETURN_IF_ERROR(group.status());
  if (group->members_size() == 0) return absl::OkStatus();
  return ToStatus(ErrorCode::kNonEmptyGroup,
                  absl::StrCat("group ", name, " is active (", group->state(), ", ",
                               group->members_size(), " members): ", what,
                               "; stop its consumers first. A static member that was stopped "
                               "counts until its session ends"));
}

absl::StatusOr<Targets> TargetsOf(Admin& admin, const ResetOptions& options,
                                  const Partitions& partitions, const Targets& committed) {
  const std::vector<NamedPartition> list(partitions.begin(), partitions.end());
  Targets targets;
  if (!options.datetime.empty()) {
    const absl::StatusOr<int64_t> time = ParseTime(options.datetime, WallMs());
    if (!time.ok()) return WrongArguments(time.status().message());
    std::map<NamedPartition, TimestampMs> times;
    for (const NamedPartition& partition : partitions) times[partition] = TimestampMs(*time);
    // The ends first: a record that is written in between is then found, or lies behind the end.
    QUIPU_ASSIGN_OR_RETURN(const NamedOffsets ends, admin.ListOffsets(list, kLatestTimestamp));
    QUIPU_ASSIGN_OR_RETURN(const NamedTimes found, admin.OffsetsForTimes(times));
    for (const auto& [partition, end] : ends) targets[partition] = end.offset;
    for (const auto& [partition, record] : found) {
      if (record.offset != kNoOffset) targets[partition] = record.offset;  // else nothing so new
    }
    return targets;
  }
  if (options.earliest || options.latest) {
    QUIPU_ASSIGN_OR_RETURN(
        const NamedOffsets bounds,
        admin.ListOffsets(list, options.earliest ? kEarliestTimestamp : kLatestTimestamp));
    for (const auto& [partition, bound] : bounds) targets[partition] = bound.offset;
    return targets;
  }
  for (const NamedPartition& partition : partitions) {
    if (options.offset) {
      targets[partition] = Offset(*options.offset);
      continue;
    }
    const auto from = committed.find(partition);
    if (from == committed.end()) {
      return ToStatus(ErrorCode::kInvalidRequest,
                      absl::StrCat("group ", options.group, " has no offset of topic ",
                                   partition.topic, " partition ", partition.partition.value(),
                                   " to shift; leave it out, or use another target"));
    }
    // Far outside either way means as far as the log goes.
    const int64_t room = std::clamp<int64_t>(*options.shift, -(int64_t{1} << 62), int64_t{1} << 61);
    targets[partition] = std::max(from->second + room, Offset(0));
  }
  return targets;
}

// Puts the targets into what the logs hold, and finds the epoch of the record before each (R21).
absl::StatusOr<Plan> MakePlan(Admin& admin, const Targets& targets, const Targets& committed) {
  std::vector<NamedPartition> list;
  for (const auto& [partition, target] : targets) list.push_back(partition);
  QUIPU_ASSIGN_OR_RETURN(const NamedOffsets starts, admin.ListOffsets(list, kEarliestTimestamp));
  QUIPU_ASSIGN_OR_RETURN(const NamedOffsets ends, admin.ListOffsets(list, kLatestTimestamp));
  Plan plan;
  Targets before;
  for (const auto& [partition, start] : starts) plan[partition].target = start.offset;
  for (const auto& [partition, end] : ends) {
    PlannedOffset& planned = plan[partition];
    const Offset start = planned.target;
    const Offset target = targets.at(partition);
    planned.target = std::clamp(target, start, std::max(start, end.offset));
    planned.clamped = planned.target != target;
    const auto former = committed.find(partition);
    if (former != committed.end()) planned.committed = former->second;
    if (planned.target > start) before[partition] = planned.target - 1;
  }
  if (before.empty()) return plan;
  QUIPU_ASSIGN_OR_RETURN(const NamedTimes records, admin.RecordsAt(before));
  for (const auto& [partition, record] : records) {
    if (record.offset == before.at(partition)) plan[partition].epoch = record.leader_epoch;
  }
  return plan;
}

void PrintPlan(const Common& common, const ResetOptions& options, const Plan& plan) {
  Json offsets = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (const auto& [partition, planned] : plan) {
    Json entry{{"topic", partition.topic},
               {"partition", partition.partition.value()},
               {"committed", nullptr},
               {"new", planned.target.value()},
               {"clamped", planned.clamped}};
    if (planned.committed != kNoOffset) entry["committed"] = planned.committed.value();
    rows.push_back({partition.topic, absl::StrCat(partition.partition.value()),
                    entry["committed"].is_null() ? "-" : entry["committed"].dump(),
                    absl::StrCat(planned.target.value()),
                    planned.clamped ? "as far as the log goes" : ""});
    offsets.push_back(std::move(entry));
  }
  if (common.json()) {
    PrintJson(Json{{"group", options.group}, {"executed", options.execute}, {"offsets", offsets}});
    return;
  }
  PrintTable({"TOPIC", "PARTITION", "COMMITTED", "NEW", "NOTE"}, rows);
  std::printf("%s\n", options.execute ? "done" : "dry run, nothing is changed: --execute does it");
}

absl::Status Reset(const Common& common, const ResetOptions& options) {
  Targets targets;
  if (!options.from_file.empty()) {
    QUIPU_ASSIGN_OR_RETURN(targets, ReadPlan(options.from_file));
  } else if (options.topics.empty() && !options.all_topics) {
    return WrongArguments("which partitions? --topic NAME, --topic NAME:0,1 or --all-topics");
  }
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  QUIPU_RETURN_IF_ERROR(RequireInactive(*admin, options.group, "its offsets are not reset"));
  QUIPU_ASSIGN_OR_RETURN(const NamedOffsets known, admin->ListGroupOffsets(options.group));
  Targets committed;
  for (const auto& [partition, offset] : known) committed[partition] = offset.offset;
  if (options.from_file.empty()) {
    QUIPU_ASSIGN_OR_RETURN(Partitions partitions, PartitionsOf(*admin, options.topics));
    if (options.all_topics) {
      for (const auto& [partition, offset] : committed) partitions.insert(partition);
    }
    if (partitions.empty()) {
      return ToStatus(ErrorCode::kInvalidRequest,
                      absl::StrCat("group ", options.group, " has no offsets; name a --topic"));
    }
    QUIPU_ASSIGN_OR_RETURN(targets, TargetsOf(*admin, options, partitions, committed));
  }
  QUIPU_ASSIGN_OR_RETURN(const Plan plan, MakePlan(*admin, targets, committed));
  if (!options.to_file.empty()) QUIPU_RETURN_IF_ERROR(WritePlan(options.to_file, plan));
  if (options.execute) {
    NamedOffsets offsets;
    for (const auto& [partition, planned] : plan) {
      offsets.emplace_back(
          partition, OffsetAndMetadata{
                         .offset = planned.target, .leader_epoch = planned.epoch, .metadata = {}});
    }
    QUIPU_RETURN_IF_ERROR(admin->AlterGroupOffsets(options.group, offsets));
  }
  PrintPlan(common, options, plan);
  return absl::OkStatus();
}

absl::Status Delete(const Common& common, const std::string& group,
                    const std::vector<std::string>& topics) {
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  QUIPU_ASSIGN_OR_RETURN(const Partitions partitions, PartitionsOf(*admin, topics));
  QUIPU_RETURN_IF_ERROR(admin->DeleteGroupOffsets(group, {partitions.begin(), partitions.end()}));
  Json deleted = Json::array();
  for (const NamedPartition& partition : partitions) {
    deleted.push_back(Json{{"topic", partition.topic}, {"partition", partition.partition.value()}});
  }
  if (common.json()) {
    PrintJson(Json{{"group", group}, {"deleted", deleted}});
  } else {
    std::printf("deleted the offsets of group %s for %zu partitions\n", group.c_str(),
                partitions.size());
  }
  return absl::OkStatus();
}

void AddReset(CLI::App& offsets, Common& common) {
  auto options = std::make_shared<ResetOptions>();
  CLI::App* reset = offsets.add_subcommand(
      "reset",
      "Sets what an inactive group has committed; shows the plan unless --execute is there");
  reset->footer(
      "Examples:\n"
      "  quipu group offsets reset billing --topic payments --to-earliest\n"
      "  quipu group offsets reset billing --topic payments:0,1 --to-datetime "
      "2026-11-26T10:00:00Z --execute\n"
      "  quipu group offsets reset billing --all-topics --shift-by -100 --to-file plan.csv\n"
      "  quipu group offsets reset billing --from-file plan.csv --execute");
  reset->add_option("group", options->group)->required()->check(NotEmpty());
  CLI::Option* topics = reset->add_option("--topic", options->topics,
                                          "NAME (all partitions) or NAME:0,1; may be repeated");
  CLI::Option* all = reset->add_flag("--all-topics", options->all_topics,
                                     "every partition that the group has an offset for");
  CLI::Option_group* target = reset->add_option_group("target", "Where to; exactly one");
  target->require_option(1);
  target->add_flag("--to-earliest", options->earliest, "the first record that is kept");
  target->add_flag("--to-latest", options->latest, "behind the last record");
  target->add_option("--to-datetime", options->datetime,
                     "the first record at or after this time, by the records' timestamps: ISO 8601 "
                     "(UTC without a zone), -1h, -2d12h, or milliseconds since 1970");
  target->add_option("--shift-by", options->shift, "records forward, or back if negative");
  target->add_option("--to-offset", options->offset, "this offset")->check(CLI::NonNegativeNumber);
  target
      ->add_option("--from-file", options->from_file,
                   "lines of topic,partition,offset, as --to-file writes them")
      ->excludes(topics)
      ->excludes(all);
  reset->add_option("--to-file", options->to_file, "write the plan there, too");
  reset->add_flag("--execute", options->execute, "do it");
  AddConnectionOptions(*reset, common);
  OnCall(*reset, common, [&common, options] { return Reset(common, *options); });
}

}  // namespace

void AddGroupOffsetsCommands(CLI::App& group, Common& common) {
  CLI::App* offsets = group.add_subcommand("offsets", "Committed offsets of a group");
  offsets->require_subcommand(1);
  AddReset(*offsets, common);
  auto name = std::make_shared<std::string>();
  auto topics = std::make_shared<std::vector<std::string>>();
  CLI::App* remove = offsets->add_subcommand(
      "delete", "Forgets offsets of topics that no member of the group reads");
  remove->footer("Example:\n  quipu group offsets delete billing --topic old-payments");
  remove->add_option("group", *name)->required()->check(NotEmpty());
  remove->add_option("--topic", *topics, "NAME (all partitions) or NAME:0,1; may be repeated")
      ->required();
  AddConnectionOptions(*remove, common);
  OnCall(*remove, common, [&common, name, topics] { return Delete(common, *name, *topics); });
}

}  // namespace quipu::cli
