// `quipu bundle`: one archive with what somebody needs who is to help.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/version.h"
#include "client/admin.h"
#include "client/broker_connections.h"
#include "client/cli/bundle/archive.h"
#include "client/cli/bundle/http_get.h"
#include "client/cli/bundle/log_files.h"
#include "client/cli/cli.h"
#include "client/cli/connect.h"
#include "client/cli/doctor/report.h"
#include "client/cli/records/interrupt.h"
#include "client/cli/records/time_text.h"
#include "client/cli/support/verb_json.h"
#include "client/monitor.h"
#include "runtime/process.h"

namespace quipu::cli {
namespace {

// What a bundle holds at most, in bytes before they are packed.
constexpr size_t kPartBytesMax = size_t{64} << 20;     // one part, but for logs
constexpr size_t kMetricsBytesMax = size_t{32} << 20;  // the metrics of one node
constexpr size_t kBundleBytesMax = size_t{512} << 20;  // all together
constexpr Duration kScrapeTimeout = std::chrono::seconds(5);

struct BundleOptions {
  std::string file;  // empty: named by the time
  std::string logs;  // empty: none
};

std::string Text(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

// The archive and what is in it. Errors are the disk's alone: what cannot be collected is listed.
class Bundle {
 public:
  explicit Bundle(std::unique_ptr<TarGz> archive) : archive_(std::move(archive)) {}

  absl::Status Put(const std::string& name, const std::string& content, bool cut = false) {
    if (content.size() > kPartBytesMax) {
      return Miss(name, absl::StrCat(content.size(), " bytes are more than ", kPartBytesMax));
    }
    if (bytes_ + content.size() > kBundleBytesMax) {
      return Miss(name,
                  absl::StrCat("the bundle would hold more than ", kBundleBytesMax, " bytes"));
    }
    const absl::Status added = archive_->Add(name, content);
    if (CodeOf(added) == ErrorCode::kInvalidRequest) return Miss(name, added.message());
    QUIPU_RETURN_IF_ERROR(added);
    bytes_ += content.size();
    parts_.push_back(Json{{"name", name}, {"bytes", content.size()}});
    if (cut) parts_.back()["cut"] = "only its end";
    return absl::OkStatus();
  }
  absl::Status Put(const std::string& name, const absl::StatusOr<Json>& json) {
    return json.ok() ? Put(name, Text(*json)) : Miss(name, ReasonOf(json.status()));
  }
  // Always OK, so that a part can end with it.
  absl::Status Miss(const std::string& name, absl::string_view why) {
    missing_.push_back(Json{{"name", name}, {"reason", std::string(why)}});
    return absl::OkStatus();
  }

  // The table of contents goes last. Returns the size of the file.
  absl::StatusOr<int64_t> Finish(Json about) {
    about["parts"] = parts_;
    about["missing"] = missing_;
    QUIPU_RETURN_IF_ERROR(archive_->Add("bundle.json", Text(about)));
    return archive_->Finish();
  }
  [[nodiscard]] const Json& parts() const { return parts_; }
  [[nodiscard]] const Json& missing() const { return missing_; }

 private:
  const std::unique_ptr<TarGz> archive_;
  size_t bytes_ = 0;
  Json parts_ = Json::array();
  Json missing_ = Json::array();
};

// ---- what the cluster tells ----

Json ClusterJson(const message::MetadataResponse& cluster) {
  return Json{{"cluster_id", IdText(cluster.cluster_id())},
              {"controller", cluster.controller_id()},
              {"metadata_index", cluster.metadata_index()}};
}

// Every replica's log as its own broker sees it.
absl::StatusOr<Json> ReplicasJson(Admin& admin, Bundle& bundle) {
  QUIPU_ASSIGN_OR_RETURN(const auto topics, admin.ListTopics(/*with_internal=*/true));
  std::map<std::string, std::string> names;
  for (const message::TopicInfo& topic : topics) names[topic.topic_id()] = topic.name();
  std::vector<SilentBroker> silent;
  QUIPU_ASSIGN_OR_RETURN(const auto replicas, admin.DescribePartitions({}, &silent));
  for (const SilentBroker& broker : silent) {
    QUIPU_RETURN_IF_ERROR(
        bundle.Miss(absl::StrCat("broker ", broker.broker.value(), " in replicas.json"),
                    absl::StrCat(broker.address, ": ", broker.reason)));
  }
  Json json = Json::array();
  for (const ReplicaReport& replica : replicas) {
    const auto& state = replica.state;
    json.push_back(Json{{"topic", names[state.topic_id()]},
                        {"partition", state.partition()},
                        {"broker", replica.broker.value()},
                        {"is_leader", state.is_leader()},
                        {"leader_epoch", state.leader_epoch()},
                        {"last_epoch", state.last_epoch()},
                        {"log_start_offset", state.log_start_offset()},
                        {"high_watermark", state.high_watermark()},
                        {"durable_end_offset", state.durable_end_offset()},
                        {"log_end_offset", state.log_end_offset()}});
  }
  return json;
}

absl::Status PutGroups(Admin& admin, Bundle& bundle) {
  const absl::StatusOr<GroupListing> listing = admin.ListGroups();
  if (!listing.ok()) return bundle.Miss("groups.json", ReasonOf(listing.status()));
  for (const std::string& missing : listing->missing) {
    QUIPU_RETURN_IF_ERROR(bundle.Miss("groups.json", missing));
  }
  Json groups = Json::array();
  size_t asked = 0;
  for (const message::ListGroupsResponse::Group& group : listing->groups) {
    const std::string name = absl::StrCat("group ", group.group_id(), " in groups.json");
    if (InterruptSignal() != 0) break;
    if (++asked > ClusterMonitor::kGroupsMax) {
      QUIPU_RETURN_IF_ERROR(
          bundle.Miss(name, absl::StrCat("more than ", ClusterMonitor::kGroupsMax, " groups")));
      continue;
    }
    const absl::StatusOr<Json> described = GroupJson(admin, group.group_id());
    if (described.ok()) {
      groups.push_back(*described);
    } else {
      QUIPU_RETURN_IF_ERROR(bundle.Miss(name, ReasonOf(described.status())));
    }
  }
  return bundle.Put("groups.json", Text(groups));
}

// ---- what nodes tell ----

absl::Status PutConfigs(Admin& admin, const std::string& name,
                        const message::DescribeNodeResponse& node, Bundle& bundle) {
  const std::string part = absl::StrCat("configs/", name, ".json");
  std::vector<message::DynamicConfig> at_run_time;
  const auto told =
      admin.DescribeConfigs(node.role() == "broker" ? BrokerId(node.node_id()) : kNoBroker);
  if (told.ok()) {
    at_run_time = *told;
  } else {
    QUIPU_RETURN_IF_ERROR(
        bundle.Miss(absl::StrCat("what was set at run time, in ", part), ReasonOf(told.status())));
  }
  return bundle.Put(part, Text(NodeConfigsJson(node, at_run_time)));
}

// The address of a node's metrics as seen from here; the error says why there is none.
absl::StatusOr<std::pair<std::string, uint16_t>> MetricsAddress(const AddressAnswer& answer) {
  if (answer.node->metrics_endpoint().empty()) {
    return absl::NotFoundError("its metrics.listener is not set");
  }
  auto [host, port] = SplitAddress(answer.node->metrics_endpoint());
  const std::string node_host = HostOf(answer.address);
  if (IsWildcardHost(host)) host = node_host;
  if (IsLoopbackHost(host) && !IsLoopbackHost(node_host)) {
    return absl::NotFoundError(absl::StrCat("its metrics.listener ",
                                            answer.node->metrics_endpoint(),
                                            " can be reached on its own machine alone"));
  }
  return std::pair(host, port);
}

absl::Status PutMetrics(const std::string& name, const AddressAnswer& answer, Bundle& bundle) {
  const std::string part = absl::StrCat("metrics/", name, ".prom");
  const auto address = MetricsAddress(answer);
  if (!address.ok()) return bundle.Miss(part, ReasonOf(address.status()));
  const absl::StatusOr<std::string> metrics =
      HttpGet(address->first, address->second, "/metrics", kScrapeTimeout, kMetricsBytesMax);
  if (!metrics.ok()) return bundle.Miss(part, ReasonOf(metrics.status()));
  // Behind a forwarded port somebody else may answer.
  if (!absl::StrContains(*metrics, absl::StrCat("node_id=\"", answer.node->node_id(), "\"")) ||
      !absl::StrContains(*metrics, absl::StrCat("role=\"", answer.node->role(), "\""))) {
    return bundle.Miss(part, "the metrics at its metrics.listener are another node's");
  }
  return bundle.Put(part, *metrics);
}

absl::Status PutNodes(Admin& admin, const DoctorFacts& facts, Bundle& bundle) {
  for (const auto& [role, answers] :
       {std::pair{"broker", &facts.brokers}, std::pair{"controller", &facts.controllers}}) {
    for (const auto& [id, answer] : *answers) {
      if (InterruptSignal() != 0) return absl::OkStatus();
      const std::string name = absl::StrCat(role, "-", id);
      const auto stranger = Stranger(answer, role, id, facts.cluster->cluster_id());
      if (!answer.node || stranger) {
        const std::string why = stranger ? absl::StrCat(*stranger, " listens at ", answer.address)
                                         : ReasonOf(answer.status);
        QUIPU_RETURN_IF_ERROR(bundle.Miss(absl::StrCat("configs/", name, ".json"), why));
        QUIPU_RETURN_IF_ERROR(bundle.Miss(absl::StrCat("metrics/", name, ".prom"), why));
        continue;
      }
      QUIPU_RETURN_IF_ERROR(PutConfigs(admin, name, *answer.node, bundle));
      QUIPU_RETURN_IF_ERROR(PutMetrics(name, answer, bundle));
    }
  }
  if (!facts.quorum.ok()) {
    QUIPU_RETURN_IF_ERROR(
        bundle.Miss("controllers in configs/ and metrics/", ReasonOf(facts.quorum.status())));
  }
  return absl::OkStatus();
}

absl::Status PutLogs(const LogFiles& logs, Bundle& bundle) {
  for (const LogFile& file : logs.files) {
    QUIPU_RETURN_IF_ERROR(bundle.Put(absl::StrCat("logs/", file.name), file.content, file.cut));
  }
  for (const auto& [name, why] : logs.left_out) {
    QUIPU_RETURN_IF_ERROR(bundle.Miss(absl::StrCat("logs/", name), why));
  }
  return absl::OkStatus();
}

// ---- all of it ----

absl::Status PutCluster(Admin& admin, const DoctorFacts& facts, Bundle& bundle) {
  const std::vector<Finding> findings = Judge(facts, DoctorLimits(), kVersion);
  QUIPU_RETURN_IF_ERROR(bundle.Put("doctor.txt", DoctorText(findings)));
  QUIPU_RETURN_IF_ERROR(bundle.Put("doctor.json", Text(DoctorJson(facts, findings, kVersion))));
  if (!facts.cluster.ok()) {
    for (const char* part : {"cluster.json", "brokers.json", "topics.json", "replicas.json",
                             "groups.json", "configs/cluster.json", "quorum.json"}) {
      QUIPU_RETURN_IF_ERROR(bundle.Miss(part, ReasonOf(facts.cluster.status())));
    }
    return absl::OkStatus();
  }
  QUIPU_RETURN_IF_ERROR(bundle.Put("cluster.json", Text(ClusterJson(*facts.cluster))));
  const std::pair<const char*, std::function<absl::StatusOr<Json>(Admin&)>> parts[] = {
      {"brokers.json", &BrokersJson},
      {"topics.json", [](Admin& asked) { return TopicsJson(asked); }},
      {"replicas.json", [&bundle](Admin& asked) { return ReplicasJson(asked, bundle); }},
      {"quorum.json", &QuorumJson},
      {"configs/cluster.json", &ClusterConfigsJson}};
  for (const auto& [name, collect] : parts) {
    if (InterruptSignal() != 0) return absl::OkStatus();
    QUIPU_RETURN_IF_ERROR(bundle.Put(name, collect(admin)));
  }
  QUIPU_RETURN_IF_ERROR(PutGroups(admin, bundle));
  return PutNodes(admin, facts, bundle);
}

void PrintBundle(const Common& common, const std::string& file, int64_t bytes,
                 const Bundle& bundle) {
  if (common.json()) {
    PrintJson(Json{{"file", file},
                   {"bytes", bytes},
                   {"parts", bundle.parts()},
                   {"missing", bundle.missing()}});
    return;
  }
  std::printf("%s: %zu parts, %lld bytes\n", file.c_str(), bundle.parts().size(),
              static_cast<long long>(bytes));
  for (const Json& missing : bundle.missing()) {
    std::printf("not in it: %s: %s\n", missing["name"].get<std::string>().c_str(),
                missing["reason"].get<std::string>().c_str());
  }
}

// 2026-03-01T12:30:15.250Z as a part of a file's name.
std::string FileTime(int64_t now_ms) {
  std::string text = TimeText(now_ms).substr(0, 19) + "Z";
  std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  return text;
}

absl::Status MakeBundle(Common& common, const BundleOptions& options) {
  QUIPU_ASSIGN_OR_RETURN(const ConfigMap config, ConnectionConfig(common));
  const std::string& servers = config.at("bootstrap.servers");
  LogFiles logs;
  if (!options.logs.empty()) {
    QUIPU_ASSIGN_OR_RETURN(logs, ReadLogFiles(options.logs, LogLimits()));
  }
  const int64_t now_ms = WallMs();
  const std::string file = options.file.empty()
                               ? absl::StrCat("quipu-bundle-", FileTime(now_ms), ".tar.gz")
                               : options.file;
  // After the first signal no file stays; a second one, which ends the process at once, may leave a
  // part of it.
  CatchInterrupts();
  QUIPU_ASSIGN_OR_RETURN(std::unique_ptr<TarGz> archive, TarGz::Create(file, now_ms / 1000));
  Bundle bundle(std::move(archive));
  QUIPU_ASSIGN_OR_RETURN(const DoctorFacts facts, CollectDoctorFacts(config));
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Admin> admin,
                         Admin::Create(WithAnsweringServers(config, facts)));
  QUIPU_RETURN_IF_ERROR(PutCluster(*admin, facts, bundle));
  QUIPU_RETURN_IF_ERROR(PutLogs(logs, bundle));
  if (InterruptSignal() != 0) return Interrupted("no bundle was written");
  QUIPU_ASSIGN_OR_RETURN(const int64_t bytes, bundle.Finish(Json{{"version", kVersion},
                                                                 {"time", TimeText(now_ms)},
                                                                 {"bootstrap_servers", servers}}));
  PrintBundle(common, file, bytes, bundle);
  if (!facts.cluster.ok()) common.exit_code = Fail(facts.cluster.status());
  return absl::OkStatus();
}

}  // namespace

void AddBundleCommand(CLI::App& app, Common& common) {
  auto options = std::make_shared<BundleOptions>();
  CLI::App* bundle = app.add_subcommand(
      "bundle", "One archive with what somebody needs who is to help: no contents of records");
  bundle->add_option("file", options->file,
                     "A new .tar.gz file (default: quipu-bundle-TIME.tar.gz in this folder)");
  bundle->add_option("--logs", options->logs, "And the log files (*.log*) below this folder")
      ->check(CLI::ExistingDirectory);
  AddConnectionOptions(*bundle, common);
  bundle->footer(
      "bundle.json in it lists its parts, and those that could not be collected, with the reason.\n"
      "Exit codes: 0 written, 1 it could not be, 3 written, but no broker could be reached.\n"
      "Examples:\n"
      "  quipu bundle\n"
      "  quipu bundle /tmp/for-support.tar.gz --logs /var/log/quipu");
  OnCall(*bundle, common, [&common, options] { return MakeBundle(common, *options); });
}

}  // namespace quipu::cli
