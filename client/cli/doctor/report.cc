#include "client/cli/doctor/report.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace quipu::cli {
namespace {

using Json = nlohmann::ordered_json;

size_t CountOf(const std::vector<Finding>& findings, Level level) {
  return static_cast<size_t>(std::count_if(findings.begin(), findings.end(),
                                           [level](const auto& f) { return f.level == level; }));
}

// Where clients and brokers are told to go, and whether that can be reached from here.
Json AdvertisedJson(const std::map<int32_t, AddressAnswer>& answers) {
  Json out = Json::array();
  for (const auto& [id, answer] : answers) {
    out.push_back(Json{{"id", id},
                       {"address", answer.address},
                       {"reached", answer.reached()},
                       {"error", answer.reached() ? Json() : Json(ReasonOf(answer.status))}});
  }
  return out;
}

// As DescribeConfigs names where a value comes from.
const char* SourceText(message::StaticConfig::Source source) {
  return source == message::StaticConfig::FROM_DEFAULT ? "DEFAULT_CONFIG" : "STATIC_CONFIG";
}

// One node, but for its settings.
Json NodeJson(const AddressAnswer& answer) {
  const message::DescribeNodeResponse& node = *answer.node;
  Json unsafe = Json::array();
  for (const message::StaticConfig& config : node.configs()) {
    if (config.unsafe()) unsafe.push_back(config.key());
  }
  Json json{
      {"role", node.role()},
      {"id", node.node_id()},
      {"address", answer.address},
      {"cluster_id", IdText(node.cluster_id())},
      {"directory_id", IdText(node.directory_id())},
      {"version", node.version()},
      {"uptime_ms", node.uptime_ms()},
      {"round_trip_ms", ToExactMillis(answer.round_trip)},
      {"clock_difference_ms", ToExactMillis(answer.clock_difference)},
      {"data_dir", node.data_dir()},
      {"disk_free_bytes", node.disk_free_bytes() < 0 ? Json() : Json(node.disk_free_bytes())},
      {"disk_total_bytes", node.disk_total_bytes() < 0 ? Json() : Json(node.disk_total_bytes())},
      {"metrics", node.metrics_endpoint().empty() ? Json() : Json(node.metrics_endpoint())},
      {"unsafe_settings", unsafe},
      {"config_warnings",
       std::vector<std::string>(node.config_warnings().begin(), node.config_warnings().end())}};
  if (node.role() == "broker") {
    json["disk_full"] = node.disk_full();
    json["disk_free_bytes_min"] = node.disk_free_bytes_min();
    json["ballast_bytes"] = node.ballast_bytes();
    json["ballast_bytes_wanted"] = node.ballast_bytes_wanted();
  }
  return json;
}

}  // namespace

std::vector<std::string> FailedChecks(const std::vector<Finding>& findings) {
  std::vector<std::string> failed;
  for (const Finding& finding : findings) {
    if (finding.level != Level::kFail) continue;
    failed.push_back(absl::StrCat(finding.subject, ": ", finding.check));
  }
  return failed;
}

std::string DoctorText(const std::vector<Finding>& findings) {
  std::string out;
  for (const Finding& finding : findings) {
    absl::StrAppend(&out, absl::StrFormat("%-4s  ", LevelName(finding.level)), finding.subject,
                    ": ", finding.check, ": ", finding.what, "\n");
    if (!finding.advice.empty()) absl::StrAppend(&out, "      do: ", finding.advice, "\n");
  }
  const std::vector<std::string> failed = FailedChecks(findings);
  absl::StrAppend(&out, "\n", CountOf(findings, Level::kOk), " ok, ",
                  CountOf(findings, Level::kWarn), " warn, ", failed.size(), " fail",
                  failed.empty() ? "" : absl::StrCat(" (", absl::StrJoin(failed, "; "), ")"), "\n");
  return out;
}

Json StaticConfigsJson(const message::DescribeNodeResponse& node) {
  Json out = Json::array();
  for (const message::StaticConfig& config : node.configs()) {
    out.push_back(Json{{"key", config.key()},
                       {"value", config.value().empty() ? Json() : Json(config.value())},
                       {"type", config.type()},
                       {"default", config.default_value()},
                       {"source", SourceText(config.source())},
                       {"effect", "restart"},
                       {"expected", config.expected()},
                       {"per_broker", false},
                       {"documentation", config.documentation()},
                       {"origin", config.origin()},
                       {"needs_restart", config.needs_restart()}});
  }
  return out;
}

Json DoctorJson(const DoctorFacts& facts, const std::vector<Finding>& findings,
                const std::string& version) {
  Json listed = Json::array();
  for (const Finding& finding : findings) {
    listed.push_back(Json{{"level", LevelName(finding.level)},
                          {"subject", finding.subject},
                          {"check", finding.check},
                          {"what", finding.what},
                          {"do", finding.advice.empty() ? Json() : Json(finding.advice)}});
  }
  Json nodes = Json::array();
  for (const auto* answers : {&facts.brokers, &facts.controllers}) {
    for (const auto& [id, answer] : *answers) {
      if (answer.node) nodes.push_back(NodeJson(answer));
    }
  }
  const std::vector<std::string> failed = FailedChecks(findings);
  return Json{
      {"healthy", failed.empty()},
      {"failed", failed},
      {"warnings", CountOf(findings, Level::kWarn)},
      {"version", version},
      {"cluster_id", facts.cluster.ok() ? Json(IdText(facts.cluster->cluster_id())) : Json()},
      {"advertised", Json{{"brokers", AdvertisedJson(facts.brokers)},
                          {"controllers", AdvertisedJson(facts.controllers)},
                          {"kafka", AdvertisedJson(facts.kafka)}}},
      {"findings", listed},
      {"nodes", nodes}};
}

}  // namespace quipu::cli
