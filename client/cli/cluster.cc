// `quipu cluster`: a local cluster of real processes (up, status, down) and the health of any.
#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "client/admin.h"
#include "client/cli/cli.h"
#include "client/cli/connect.h"
#include "client/cli/local_cluster.h"
#include "client/cli/records/interrupt.h"

namespace quipu::cli {
namespace {

struct UpOptions {
  std::string directory;
  LocalCluster::Options cluster;
};

// Resident memory of a process in KiB; 0 when it cannot be told.
int64_t ResidentKib(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.rfind("VmRSS:", 0) != 0) continue;
    std::istringstream text(line.substr(6));
    int64_t kib = 0;
    text >> kib;
    return kib;
  }
  return 0;
}

Json NodeJson(const LocalNode& node) {
  const bool running = node.IsRunning();
  return Json{{"name", node.name()},
              {"role", node.controller ? "controller" : "broker"},
              {"id", node.id},
              {"pid", running ? node.pid : 0},
              {"running", running},
              {"address", "127.0.0.1:" + std::to_string(node.port)},
              {"metrics", running ? node.AddressOf("metrics") : ""},
              {"rss_kib", running ? ResidentKib(node.pid) : 0},
              {"log", node.log_path()}};
}

Json NodesJson(const LocalCluster& cluster) {
  Json nodes = Json::array();
  for (const LocalNode& node : cluster.nodes()) nodes.push_back(NodeJson(node));
  return nodes;
}

void PrintNodes(const Json& nodes) {
  std::vector<std::vector<std::string>> rows;
  for (const Json& node : nodes) {
    rows.push_back({node["name"], node["running"] ? "running" : "down", node["pid"].dump(),
                    node["address"],
                    node["metrics"].get<std::string>().empty() ? "-" : node["metrics"],
                    absl::StrCat(node["rss_kib"].get<int64_t>() / 1024, " MiB")});
  }
  PrintTable({"NODE", "STATE", "PID", "ADDRESS", "METRICS", "MEMORY"}, rows);
}

// Asks the brokers of the cluster, which may not be there yet.
absl::StatusOr<std::unique_ptr<Admin>> AdminOf(const LocalCluster& cluster, int timeout_ms) {
  return Admin::Create({{"bootstrap.servers", cluster.bootstrap_servers()},
                        {"default.api.timeout.ms", std::to_string(timeout_ms)}});
}

constexpr int kAskMs = 500;

// Waits until every broker of the cluster is registered and takes part.
absl::Status AwaitBrokers(const Common& common, const LocalCluster& cluster) {
  // Asked again and again: a call is short, so that Ctrl-C need not wait for it.
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin,
                         AdminOf(cluster, std::min(common.timeout_ms, kAskMs)));
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(common.timeout_ms);
  int wanted = 0;
  for (const LocalNode& node : cluster.nodes()) wanted += node.controller ? 0 : 1;
  int active = 0;
  while (std::chrono::steady_clock::now() < deadline) {
    active = 0;
    const absl::StatusOr<message::MetadataResponse> metadata = admin->DescribeCluster();
    if (metadata.ok()) {
      for (const message::BrokerInfo& broker : metadata->brokers())
        active += broker.fenced() ? 0 : 1;
    }
    if (active == wanted) return absl::OkStatus();
    if (!PauseUnlessInterrupted(std::chrono::milliseconds(50))) {
      return Interrupted(absl::StrCat(active, " of ", wanted,
                                      " brokers are registered; the processes run on, ",
                                      cluster.HowToEnd()));
    }
  }
  return ToStatus(ErrorCode::kRequestTimedOut,
                  absl::StrCat("the processes run, but only ", active, " of ", wanted,
                               " brokers are registered after ", common.timeout_ms,
                               " ms; look at the node.log files or wait with a larger --timeout"));
}

absl::Status Up(const Common& common, const UpOptions& options) {
  absl::StatusOr<LocalCluster> cluster = LocalCluster::Load(options.directory);
  if (CodeOf(cluster.status()) == ErrorCode::kResourceNotFound) {
    cluster = LocalCluster::Create(options.directory, options.cluster);
  }
  QUIPU_RETURN_IF_ERROR(cluster.status());
  CatchInterrupts();
  QUIPU_RETURN_IF_ERROR(cluster->StartMissing(common.timeout_ms));
  QUIPU_RETURN_IF_ERROR(AwaitBrokers(common, *cluster));
  const Json nodes = NodesJson(*cluster);
  if (common.json()) {
    PrintJson(Json{{"cluster_id", cluster->cluster_id().ToText()},
                   {"bootstrap_servers", cluster->bootstrap_servers()},
                   {"kafka_bootstrap_servers", cluster->kafka_bootstrap_servers()},
                   {"nodes", nodes}});
  } else {
    PrintNodes(nodes);
    std::printf("\nexport QUIPU_BOOTSTRAP_SERVERS=%s\n", cluster->bootstrap_servers().c_str());
    const std::string kafka = cluster->kafka_bootstrap_servers();
    if (!kafka.empty()) std::printf("# Kafka clients: bootstrap.servers=%s\n", kafka.c_str());
  }
  return absl::OkStatus();
}

absl::Status Status(const Common& common, const std::string& directory) {
  QUIPU_ASSIGN_OR_RETURN(const LocalCluster cluster, LocalCluster::Load(directory));
  const Json nodes = NodesJson(cluster);
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, AdminOf(cluster, common.timeout_ms));
  const absl::StatusOr<message::DescribeQuorumResult> quorum = admin->DescribeQuorum();
  const int leader = quorum.ok() ? quorum->leader_id() : -1;
  if (common.json()) {
    PrintJson(Json{{"cluster_id", cluster.cluster_id().ToText()},
                   {"bootstrap_servers", cluster.bootstrap_servers()},
                   {"controller_leader", leader},
                   {"term", quorum.ok() ? quorum->term() : 0},
                   {"nodes", nodes}});
  } else {
    PrintNodes(nodes);
    std::printf("controller leader: %s\n",
                leader < 0 ? "none known" : std::to_string(leader).c_str());
  }
  return absl::OkStatus();
}

absl::Status Down(const Common& common, const std::string& directory) {
  QUIPU_ASSIGN_OR_RETURN(LocalCluster cluster, LocalCluster::Load(directory));
  CatchInterrupts();
  QUIPU_ASSIGN_OR_RETURN(const std::vector<std::string> killed, cluster.Stop(common.timeout_ms));
  if (common.json()) {
    PrintJson(Json{{"killed", killed}});
  } else {
    std::printf("the cluster in %s is down; its data stays\n", directory.c_str());
    for (const std::string& name : killed) {
      std::printf("%s did not end in %d ms and was killed\n", name.c_str(), common.timeout_ms);
    }
  }
  return absl::OkStatus();
}

// What is not as it should be, in words.
absl::StatusOr<std::vector<std::string>> Ailments(const Common& common) {
  std::vector<std::string> ailments;
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin, ConnectAdmin(common));
  QUIPU_ASSIGN_OR_RETURN(const message::MetadataResponse cluster, admin->DescribeCluster());
  for (const message::BrokerInfo& broker : cluster.brokers()) {
    if (broker.fenced())
      ailments.push_back(absl::StrCat("broker ", broker.broker_id(), " is fenced"));
  }
  QUIPU_ASSIGN_OR_RETURN(const auto topics, admin->ListTopics(/*with_internal=*/true));
  for (const message::TopicInfo& topic : topics) {
    for (const message::PartitionInfo& partition : topic.partitions()) {
      const std::string name =
          absl::StrCat("partition ", partition.partition(), " of ", topic.name());
      if (partition.leader() < 0) {
        ailments.push_back(absl::StrCat(
            name, " has no leader",
            partition.elr_size() > 0
                ? absl::StrCat(": it waits for broker ", absl::StrJoin(partition.elr(), " or "))
                : std::string(", and no complete replica is left: see `quipu partition recover`")));
      }
      if (partition.isr_size() < partition.replicas_size()) {
        ailments.push_back(absl::StrCat(name, " has ", partition.isr_size(), " of ",
                                        partition.replicas_size(), " replicas in sync"));
      }
    }
  }
  return ailments;
}

absl::Status Health(Common& common) {
  QUIPU_ASSIGN_OR_RETURN(const std::vector<std::string> ailments, Ailments(common));
  if (!ailments.empty()) common.exit_code = kExitUnhealthy;
  if (common.json()) {
    PrintJson(Json{{"healthy", ailments.empty()}, {"ailments", ailments}});
  } else if (ailments.empty()) {
    std::printf("healthy: every broker is active, every partition led and fully in sync\n");
  } else {
    for (const std::string& ailment : ailments) std::printf("%s\n", ailment.c_str());
  }
  return absl::OkStatus();
}

}  // namespace

void AddClusterCommands(CLI::App& app, Common& common) {
  CLI::App* cluster = app.add_subcommand("cluster", "Local clusters; health");
  cluster->require_subcommand(1);

  auto up_options = std::make_shared<UpOptions>();
  CLI::App* up = cluster->add_subcommand(
      "up", "Make and start a local cluster, or start what does not run of one");
  up->add_option("--dir", up_options->directory, "Its directory: new, empty or made by `up`")
      ->required();
  up->add_option("-n,--nodes", up_options->cluster.nodes, "Brokers; with 3 or more, 3 controllers")
      ->check(CLI::Range(1, 9))
      ->capture_default_str();
  up->add_option("--broker-set", up_options->cluster.broker_settings, "key=value for every broker")
      ->check(KeyValue());
  up->add_option("--controller-set", up_options->cluster.controller_settings,
                 "key=value for every controller")
      ->check(KeyValue());
  AddTimeoutOption(*up, common);
  AddOutputOption(*up, common);
  up->footer("Example: quipu cluster up -n 3 --dir /tmp/q");
  OnCall(*up, common, [&common, up_options] { return Up(common, *up_options); });

  auto directory = std::make_shared<std::string>();
  CLI::App* status = cluster->add_subcommand("status", "Processes of a local cluster");
  status->add_option("--dir", *directory)->required();
  AddTimeoutOption(*status, common);
  AddOutputOption(*status, common);
  OnCall(*status, common, [&common, directory] { return Status(common, *directory); });

  CLI::App* down = cluster->add_subcommand("down", "Stop a local cluster; its data stays");
  down->add_option("--dir", *directory)->required();
  AddTimeoutOption(*down, common);
  AddOutputOption(*down, common);
  OnCall(*down, common, [&common, directory] { return Down(common, *directory); });

  CLI::App* health = cluster->add_subcommand("health", "Exit code 4 unless all is well");
  AddConnectionOptions(*health, common);
  OnCall(*health, common, [&common] { return Health(common); });
}

}  // namespace quipu::cli
