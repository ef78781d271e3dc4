// `quipu broker`: who they are, and taking one out of service. `quipu leader`: giving leaderships
// back.
#include <algorithm>
#include <chrono>
#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "client/admin.h"
#include "client/cli/cli.h"
#include "client/cli/connect.h"
#include "client/cli/records/interrupt.h"
#include "client/cli/support/verb_json.h"

namespace quipu::cli {
namespace {

constexpr std::chrono::milliseconds kDrainPollInterval{100};

// What a broker holds, as the metadata tell it.
struct Load {
  int leaders = 0;
  int replicas = 0;
  std::vector<std::string> in_isr;  // partitions in whose ISR it is, with what keeps it there
};

absl::StatusOr<std::map<int32_t, Load>> LoadOfBrokers(Admin& admin) {
  QUIPU_ASSIGN_OR_RETURN(const auto topics, admin.ListTopics(/*with_internal=*/true));
  std::map<int32_t, Load> loads;
  for (const message::TopicInfo& topic : topics) {
    for (const message::PartitionInfo& partition : topic.partitions()) {
      if (partition.leader() >= 0) ++loads[partition.leader()].leaders;
      for (const int32_t replica : partition.replicas()) ++loads[replica].replicas;
      for (const int32_t member : partition.isr()) {
        loads[member].in_isr.push_back(absl::StrCat(
            "partition ", partition.partition(), " of ", topic.name(), " (", partition.isr_size(),
            " of ", partition.replicas_size(), " replicas in sync)"));
      }
    }
  }
  return loads;
}

std::string StateOf(const message::BrokerInfo& broker) {
  if (broker.fenced())
    return broker.drain() == record::DRAIN_MAINTENANCE ? "fenced,drained" : "fenced";
  if (broker.in_controlled_shutdown() || broker.drain() == record::DRAIN_SHUTDOWN) {
    return "stopping";
  }
  if (broker.drain() != record::DRAIN_NONE) return "draining";
  return broker.disk_stalled() ? "stalled" : "active";
}

absl::Status ListBrokers(const Common& common) {
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  QUIPU_ASSIGN_OR_RETURN(const Json brokers, BrokersJson(*admin));
  if (common.json()) {
    PrintJson(brokers);
    return absl::OkStatus();
  }
  std::vector<std::vector<std::string>> rows;
  for (const Json& broker : brokers) {
    rows.push_back({broker["id"].dump(), broker["address"], broker["state"],
                    broker["unclean"].get<bool>() ? "yes" : "no", broker["epoch"].dump(),
                    broker["version"], broker["leaders"].dump(), broker["in_sync"].dump(),
                    broker["replicas"].dump()});
  }
  PrintTable(
      {"ID", "ADDRESS", "STATE", "UNCLEAN", "EPOCH", "VERSION", "LEADERS", "IN-SYNC", "REPLICAS"},
      rows);
  return absl::OkStatus();
}

struct DrainOptions {
  int32_t id = -1;
  bool no_stop = false;
};

absl::StatusOr<message::BrokerInfo> FindBroker(Admin& admin, int32_t id) {
  QUIPU_ASSIGN_OR_RETURN(const message::MetadataResponse cluster, admin.DescribeCluster());
  for (const message::BrokerInfo& broker : cluster.brokers()) {
    if (broker.broker_id() == id) return broker;
  }
  return ToStatus(ErrorCode::kBrokerIdNotRegistered, absl::StrCat("there is no broker ", id));
}

// What is left to do, in words; empty: the drain is done.
absl::StatusOr<std::string> WhatIsLeft(Admin& admin, const DrainOptions& options) {
  QUIPU_ASSIGN_OR_RETURN(const message::BrokerInfo broker, FindBroker(admin, options.id));
  QUIPU_ASSIGN_OR_RETURN(auto loads, LoadOfBrokers(admin));
  const Load& load = loads[options.id];
  if (load.leaders > 0 || !load.in_isr.empty()) {
    return absl::StrCat("it leads ", load.leaders, " partitions and is needed in the ISR of ",
                        load.in_isr.size(), ", such as ",
                        load.in_isr.empty() ? "none" : load.in_isr.front());
  }
  if (options.no_stop || broker.fenced()) return std::string();
  return std::string("it leads nothing and is in no ISR, and its process has not ended yet");
}

absl::Status Drain(const Common& common, const DrainOptions& options) {
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  CatchInterrupts();
  QUIPU_RETURN_IF_ERROR(admin->DrainBroker(
      BrokerId(options.id), options.no_stop ? record::DRAIN_MAINTENANCE : record::DRAIN_STOP));
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(common.timeout_ms);
  absl::StatusOr<std::string> left = std::string("nothing is known yet");
  while (true) {
    left = WhatIsLeft(*admin, options);
    if (left.ok() && left->empty()) break;
    if (std::chrono::steady_clock::now() > deadline) {
      return ToStatus(
          ErrorCode::kRequestTimedOut,
          absl::StrCat("broker ", options.id, " is not drained after ", common.timeout_ms,
                       " ms: ", left.ok() ? *left : std::string(left.status().message()),
                       ". The drain goes on; `quipu broker undrain` ends it"));
    }
    if (!PauseUnlessInterrupted(kDrainPollInterval)) {
      return Interrupted(absl::StrCat("broker ", options.id, " is not drained yet: ",
                                      left.ok() ? *left : std::string(left.status().message()),
                                      ". The drain goes on; `quipu broker undrain` ends it"));
    }
  }
  if (common.json()) {
    PrintJson(Json{{"id", options.id}, {"drained", true}, {"stopped", !options.no_stop}});
  } else {
    std::printf("broker %d leads nothing and is in no ISR%s\n", options.id,
                options.no_stop ? "; it runs on until it is stopped or undrained"
                                : "; its process has ended");
  }
  return absl::OkStatus();
}

absl::Status Undrain(const Common& common, int32_t id) {
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  QUIPU_RETURN_IF_ERROR(admin->DrainBroker(BrokerId(id), record::DRAIN_NONE));
  if (common.json()) {
    PrintJson(Json{{"id", id}, {"drained", false}});
  } else {
    std::printf("broker %d may lead and be in sync again\n", id);
  }
  return absl::OkStatus();
}

struct ElectOptions {
  std::string topic;
  std::vector<int32_t> partitions;
  bool all_topics = false;
};

absl::Status Elect(const Common& common, const ElectOptions& options) {
  if (options.topic.empty() != options.all_topics) {
    return WrongArguments("expected either --topic or --all-topics");
  }
  if (!options.partitions.empty() && options.all_topics) {
    return WrongArguments("--partition needs --topic");
  }
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  QUIPU_ASSIGN_OR_RETURN(const int32_t elected,
                         admin->ElectLeaders(options.topic, options.partitions));
  if (common.json()) {
    PrintJson(Json{{"elected", elected}});
  } else {
    std::printf("%d partitions were given to their preferred leader\n", elected);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Json> BrokersJson(Admin& admin) {
  QUIPU_ASSIGN_OR_RETURN(const message::MetadataResponse cluster, admin.DescribeCluster());
  QUIPU_ASSIGN_OR_RETURN(auto loads, LoadOfBrokers(admin));
  Json json = Json::array();
  for (const message::BrokerInfo& broker : cluster.brokers()) {
    const Load& load = loads[broker.broker_id()];
    json.push_back(Json{{"id", broker.broker_id()},
                        {"address", AddressOf(broker.endpoint())},
                        {"rack", broker.rack()},
                        {"state", StateOf(broker)},
                        {"unclean", broker.unclean()},
                        {"epoch", broker.broker_epoch()},
                        {"version", broker.version()},
                        {"leaders", load.leaders},
                        {"in_sync", load.in_isr.size()},
                        {"replicas", load.replicas}});
  }
  return json;
}

void AddBrokerCommands(CLI::App& app, Common& common) {
  CLI::App* broker = app.add_subcommand("broker", "Brokers, and taking one out of service");
  broker->require_subcommand(1);

  CLI::App* list = broker->add_subcommand("list", "State, epoch, version and load of each broker");
  AddConnectionOptions(*list, common);
  list->footer("Example: quipu broker list -o json");
  OnCall(*list, common, [&common] { return ListBrokers(common); });

  auto options = std::make_shared<DrainOptions>();
  CLI::App* drain = broker->add_subcommand(
      "drain", "Move a broker's leaderships away, take it out of the ISRs, then stop it");
  drain->add_option("id", options->id, "broker.id")->required()->check(CLI::NonNegativeNumber);
  drain->add_flag("--no-stop", options->no_stop,
                  "It runs on, for maintenance, until `quipu broker undrain`");
  AddConnectionOptions(*drain, common);
  drain->footer(
      "No ISR goes below its minimum: the broker stays where it is needed, and the command says\n"
      "where when --timeout has passed (exit code 1).\n"
      "Examples:\n"
      "  quipu broker drain 2\n"
      "  quipu broker drain 2 --no-stop --timeout 60000");
  OnCall(*drain, common, [&common, options] { return Drain(common, *options); });

  auto id = std::make_shared<int32_t>(-1);
  CLI::App* undrain = broker->add_subcommand("undrain", "End a drain");
  undrain->add_option("id", *id, "broker.id")->required()->check(CLI::NonNegativeNumber);
  AddConnectionOptions(*undrain, common);
  undrain->footer("Example: quipu broker undrain 2");
  OnCall(*undrain, common, [&common, id] { return Undrain(common, *id); });
}

void AddLeaderCommands(CLI::App& app, Common& common) {
  CLI::App* leader = app.add_subcommand("leader", "Leaders of partitions");
  leader->require_subcommand(1);
  auto options = std::make_shared<ElectOptions>();
  CLI::App* elect = leader->add_subcommand(
      "elect", "Give partitions back to their preferred leaders, where those are in sync");
  elect->add_option("--topic", options->topic);
  elect->add_option("-p,--partition", options->partitions, "Of the topic; none: all")
      ->check(CLI::NonNegativeNumber);
  elect->add_flag("--all-topics", options->all_topics);
  AddConnectionOptions(*elect, common);
  elect->footer(
      "Examples:\n"
      "  quipu leader elect --topic payments -p 3\n"
      "  quipu leader elect --all-topics");
  OnCall(*elect, common, [&common, options] { return Elect(common, *options); });
}

}  // namespace quipu::cli
