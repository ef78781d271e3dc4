// `quipu partition`: list, describe, and recover when no complete replica is left.
#include <cinttypes>
#include <cstdio>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/error_code.h"
#include "base/status_macros.h"
#include "client/admin.h"
#include "client/cli/cli.h"
#include "client/cli/connect.h"

namespace quipu::cli {
namespace {

// ---- list ---------------------------------------------------------------------------------------

// One word for a person and for a script.
std::string StateOf(const message::PartitionInfo& partition) {
  if (partition.leader() >= 0) {
    return partition.isr_size() < partition.replicas_size() ? "under-replicated" : "online";
  }
  // Somebody who has everything is down, or nobody is left who has.
  return partition.elr_size() > 0 ? "offline" : "unrecovered";
}

Json InfoJson(const std::string& topic, const message::PartitionInfo& partition) {
  return Json{
      {"topic", topic},
      {"partition", partition.partition()},
      {"state", StateOf(partition)},
      {"leader", partition.leader()},
      {"leader_epoch", partition.leader_epoch()},
      {"replicas", std::vector<int>(partition.replicas().begin(), partition.replicas().end())},
      {"isr", std::vector<int>(partition.isr().begin(), partition.isr().end())},
      {"elr", std::vector<int>(partition.elr().begin(), partition.elr().end())}};
}

absl::Status ListPartitions(const Common& common, const std::string& topic, bool offline) {
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  std::vector<message::TopicInfo> topics;
  if (topic.empty()) {
    QUIPU_ASSIGN_OR_RETURN(topics, admin->ListTopics(/*with_internal=*/true));
  } else {
    QUIPU_ASSIGN_OR_RETURN(message::TopicInfo one, admin->DescribeTopic(topic));
    topics.push_back(std::move(one));
  }
  Json json = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (const message::TopicInfo& info : topics) {
    for (const message::PartitionInfo& partition : info.partitions()) {
      if (offline && partition.leader() >= 0) continue;
      json.push_back(InfoJson(info.name(), partition));
      rows.push_back({info.name(), absl::StrCat(partition.partition()), StateOf(partition),
                      partition.leader() < 0 ? "none" : absl::StrCat(partition.leader()),
                      absl::StrCat(partition.leader_epoch()),
                      absl::StrJoin(partition.replicas(), ","), absl::StrJoin(partition.isr(), ","),
                      absl::StrJoin(partition.elr(), ",")});
    }
  }
  if (common.json()) {
    PrintJson(json);
  } else {
    PrintTable({"TOPIC", "PARTITION", "STATE", "LEADER", "EPOCH", "REPLICAS", "ISR", "ELR"}, rows);
  }
  return absl::OkStatus();
}

// ---- replicas -----------------------------------------------------------------------------------

struct Replica {
  int32_t broker = -1;
  int64_t broker_epoch = -1;
  bool live = false;                                                  // registered and not fenced
  std::optional<message::DescribePartitionsResponse::Partition> log;  // as its broker tells
  [[nodiscard]] bool candidate() const { return live && log.has_value(); }
};

// A partition with all that its replicas tell of their logs.
struct Survey {
  std::string topic;
  message::PartitionInfo info;
  std::vector<Replica> replicas;
};

absl::StatusOr<Survey> SurveyPartition(Admin& admin, const std::string& topic, int32_t partition) {
  QUIPU_ASSIGN_OR_RETURN(const message::TopicInfo found, admin.DescribeTopic(topic));
  if (partition >= found.partitions_size()) {
    return ToStatus(ErrorCode::kUnknownTopicOrPartition,
                    absl::StrCat("topic ", topic, " has no partition ", partition));
  }
  Survey survey{.topic = topic, .info = found.partitions(partition), .replicas = {}};
  QUIPU_ASSIGN_OR_RETURN(const message::MetadataResponse cluster, admin.DescribeCluster());
  QUIPU_ASSIGN_OR_RETURN(const std::vector<ReplicaReport> reports,
                         admin.DescribePartitions({topic}));
  for (const int32_t id : survey.info.replicas()) {
    Replica replica;
    replica.broker = id;
    for (const message::BrokerInfo& broker : cluster.brokers()) {
      if (broker.broker_id() != id) continue;
      replica.broker_epoch = broker.broker_epoch();
      replica.live = !broker.fenced() && !broker.in_controlled_shutdown();
    }
    for (const ReplicaReport& report : reports) {
      const bool same = report.broker == BrokerId(id) && report.state.partition() == partition;
      if (same) replica.log = report.state;
    }
    survey.replicas.push_back(std::move(replica));
  }
  return survey;
}

Json ReplicaJson(const Replica& replica) {
  Json json{
      {"broker", replica.broker}, {"live", replica.live}, {"answered", replica.log.has_value()}};
  if (!replica.log) return json;
  json["log_start_offset"] = replica.log->log_start_offset();
  json["high_watermark"] = replica.log->high_watermark();
  json["durable_end_offset"] = replica.log->durable_end_offset();
  json["log_end_offset"] = replica.log->log_end_offset();
  json["last_epoch"] = replica.log->last_epoch();
  return json;
}

void PrintReplicas(const Survey& survey) {
  std::vector<std::vector<std::string>> rows;
  for (const Replica& replica : survey.replicas) {
    std::vector<std::string> row = {absl::StrCat(replica.broker), replica.live ? "live" : "down"};
    if (replica.log) {
      row.push_back(replica.log->last_epoch() < 0 ? "none"
                                                  : absl::StrCat(replica.log->last_epoch()));
      row.push_back(absl::StrCat(replica.log->log_end_offset()));
      row.push_back(absl::StrCat(replica.log->high_watermark()));
      row.push_back(absl::StrCat(replica.log->log_start_offset()));
    } else {
      row.insert(row.end(), {"no answer", "-", "-", "-"});
    }
    rows.push_back(std::move(row));
  }
  PrintTable({"BROKER", "STATE", "LAST-EPOCH", "LOG-END", "HIGH-WATERMARK", "LOG-START"}, rows);
}

absl::Status DescribePartition(const Common& common, const std::string& topic, int32_t partition) {
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  QUIPU_ASSIGN_OR_RETURN(const Survey survey, SurveyPartition(*admin, topic, partition));
  if (common.json()) {
    Json json = InfoJson(topic, survey.info);
    json["replica_logs"] = Json::array();
    for (const Replica& replica : survey.replicas) {
      json["replica_logs"].push_back(ReplicaJson(replica));
    }
    PrintJson(json);
    return absl::OkStatus();
  }
  std::printf("partition %d of %s: %s, leader %s, epoch %d, ISR [%s], ELR [%s]\n", partition,
              topic.c_str(), StateOf(survey.info).c_str(),
              survey.info.leader() < 0 ? "none" : std::to_string(survey.info.leader()).c_str(),
              survey.info.leader_epoch(), absl::StrJoin(survey.info.isr(), ",").c_str(),
              absl::StrJoin(survey.info.elr(), ",").c_str());
  PrintReplicas(survey);
  return absl::OkStatus();
}

// ---- recover ------------------------------------------------------------------------------------

struct RecoverOptions {
  std::string topic;
  int32_t partition = 0;
  int32_t broker = -1;  // -1: the best one
  bool unclean = false;
  bool execute = false;
};

// Whether `a` holds more than `b`: a later epoch had everything committed before it when it began,
// so it goes before any length; among equals the longer log holds the shorter one.
bool HoldsMore(const Replica& a, const Replica& b) {
  if (a.log->last_epoch() != b.log->last_epoch()) {
    return a.log->last_epoch() > b.log->last_epoch();
  }
  return a.log->log_end_offset() > b.log->log_end_offset();
}

// The replica to recover from. Errors say what to do.
absl::StatusOr<Replica> Choose(const Survey& survey, const RecoverOptions& options) {
  const Replica* best = nullptr;
  std::vector<int32_t> silent;
  for (const Replica& replica : survey.replicas) {
    if (!replica.candidate()) {
      silent.push_back(replica.broker);
      continue;
    }
    if (options.broker >= 0 && replica.broker != options.broker) continue;
    if (best == nullptr || HoldsMore(replica, *best)) best = &replica;
  }
  if (options.broker < 0 && !silent.empty() && options.execute) {
    return ToStatus(ErrorCode::kIneligibleReplica,
                    absl::StrCat("broker ", absl::StrJoin(silent, ", "),
                                 " does not answer and may hold more than the others: start it, or "
                                 "name the one to recover from with --broker"));
  }
  if (best == nullptr) {
    return ToStatus(ErrorCode::kIneligibleReplica,
                    options.broker < 0
                        ? "no replica is live"
                        : absl::StrCat("broker ", options.broker, " is not a live replica"));
  }
  return *best;
}

absl::Status RefuseUnlessLost(const Survey& survey) {
  const std::string where =
      absl::StrCat("partition ", survey.info.partition(), " of ", survey.topic);
  if (survey.info.leader() >= 0) {
    return ToStatus(ErrorCode::kElectionNotNeeded,
                    absl::StrCat(where, " is led by broker ", survey.info.leader()));
  }
  if (survey.info.elr_size() > 0) {
    return ToStatus(ErrorCode::kElectionNotNeeded,
                    absl::StrCat(where, " can be led without loss by broker ",
                                 absl::StrJoin(survey.info.elr(), ", "),
                                 ": start it with its data directory. If that is gone for good, "
                                 "start the broker with an empty one, and it stops to count"));
  }
  return absl::OkStatus();
}

absl::Status RecoverPartition(const Common& common, const RecoverOptions& options) {
  if (!options.unclean) {
    return WrongArguments("recovery may lose acknowledged records; say so with --unclean");
  }
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  QUIPU_ASSIGN_OR_RETURN(const Survey survey,
                         SurveyPartition(*admin, options.topic, options.partition));
  if (!common.json()) PrintReplicas(survey);
  QUIPU_RETURN_IF_ERROR(RefuseUnlessLost(survey));
  QUIPU_ASSIGN_OR_RETURN(const Replica chosen, Choose(survey, options));
  Json json{{"topic", options.topic}, {"partition", options.partition}};
  json["replicas"] = Json::array();
  for (const Replica& replica : survey.replicas) json["replicas"].push_back(ReplicaJson(replica));
  json["chosen"] = chosen.broker;
  json["executed"] = options.execute;
  if (!options.execute) {
    if (common.json()) {
      PrintJson(json);
    } else {
      std::printf(
          "would make broker %d the leader, whose log ends at %" PRId64
          " in epoch %d.\n"
          "Acknowledged records that it lacks are lost for good. Nothing was changed; --execute "
          "does it.\n",
          chosen.broker, static_cast<int64_t>(chosen.log->log_end_offset()),
          chosen.log->last_epoch());
    }
    return absl::OkStatus();
  }
  message::RecoverPartition request;
  request.set_topic(options.topic);
  request.set_partition(options.partition);
  request.set_broker_id(chosen.broker);
  request.set_broker_epoch(chosen.broker_epoch);
  request.set_leader_epoch(survey.info.leader_epoch());
  request.set_partition_epoch(survey.info.partition_epoch());
  QUIPU_ASSIGN_OR_RETURN(const message::RecoverPartitionResult result,
                         admin->RecoverPartition(request));
  json["leader_epoch"] = result.leader_epoch();
  if (common.json()) {
    PrintJson(json);
  } else {
    std::printf("broker %d leads partition %d of %s from offset %" PRId64 " in epoch %d\n",
                chosen.broker, options.partition, options.topic.c_str(),
                static_cast<int64_t>(chosen.log->log_end_offset()), result.leader_epoch());
  }
  return absl::OkStatus();
}

}  // namespace

void AddPartitionCommands(CLI::App& app, Common& common) {
  CLI::App* partition = app.add_subcommand("partition", "Partitions and their replicas");
  partition->require_subcommand(1);

  auto topic = std::make_shared<std::string>();
  auto index = std::make_shared<int32_t>(0);
  auto offline = std::make_shared<bool>(false);
  CLI::App* list = partition->add_subcommand("list", "Leaders and replicas of all partitions");
  list->add_option("topic", *topic, "Of this topic only");
  list->add_flag("--offline", *offline, "Only those without a leader");
  AddConnectionOptions(*list, common);
  OnCall(*list, common,
         [&common, topic, offline] { return ListPartitions(common, *topic, *offline); });

  CLI::App* describe =
      partition->add_subcommand("describe", "What each replica of a partition holds");
  describe->add_option("topic", *topic)->required();
  describe->add_option("partition", *index)->required()->check(CLI::NonNegativeNumber);
  AddConnectionOptions(*describe, common);
  OnCall(*describe, common,
         [&common, topic, index] { return DescribePartition(common, *topic, *index); });

  auto options = std::make_shared<RecoverOptions>();
  CLI::App* recover = partition->add_subcommand(
      "recover", "Choose a leader among replicas that may all miss records (shows, unless told)");
  recover->add_option("topic", options->topic)->required();
  recover->add_option("partition", options->partition)->required()->check(CLI::NonNegativeNumber);
  recover->add_flag("--unclean", options->unclean, "Acknowledged records may be lost by this");
  recover->add_option("--broker", options->broker, "Recover from this one, not from the best")
      ->check(CLI::NonNegativeNumber);
  recover->add_flag("--execute", options->execute, "Do it; without, it is only shown");
  AddConnectionOptions(*recover, common);
  recover->footer("Example: quipu partition recover payments 0 --unclean");
  OnCall(*recover, common, [&common, options] { return RecoverPartition(common, *options); });
}

}  // namespace quipu::cli
