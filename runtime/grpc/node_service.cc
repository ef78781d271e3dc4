#include "runtime/grpc/node_service.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/version.h"
#include "proto/rpc/services.grpc.pb.h"

namespace quipu {
namespace {

// Initialised while the program starts.
const auto kStart = std::chrono::steady_clock::now();

std::string Text(absl::string_view view) { return {view.data(), view.size()}; }

// A path that cannot be made absolute is told as it was given.
std::string AbsolutePath(const std::string& path) {
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error);
  return error ? path : absolute.lexically_normal().string();
}

message::StaticConfig::Source SourceOf(ConfigSource source) {
  switch (source) {
    case ConfigSource::kDefault:
      return message::StaticConfig::FROM_DEFAULT;
    case ConfigSource::kFile:
      return message::StaticConfig::FROM_FILE;
    case ConfigSource::kEnvironment:
      return message::StaticConfig::FROM_ENVIRONMENT;
    case ConfigSource::kFlag:
      return message::StaticConfig::FROM_FLAG;
  }
  QUIPU_CHECK_MSG(false, "a source of a setting that is none");
}

message::StaticConfig Describe(const ConfigValue& config) {
  const ConfigSpec& spec = *config.spec;
  message::StaticConfig out;
  out.set_key(Text(spec.name));
  out.set_value(config.value);
  out.set_type(Text(ConfigTypeName(spec.type)));
  out.set_default_value(DefaultConfigText(spec));
  out.set_source(SourceOf(config.source));
  out.set_origin(config.origin);
  out.set_needs_restart(spec.effect == ConfigEffect::kRestart);
  out.set_unsafe(!UnsafeConfigKeys({config}).empty());
  out.set_expected(ExpectedConfig(spec));
  out.set_documentation(Text(spec.doc));
  return out;
}

}  // namespace

message::DescribeNodeResponse DescribeNode(const NodeFacts& facts,
                                           const std::vector<ConfigValue>& configs,
                                           const std::vector<ConfigWarning>& warnings) {
  using std::chrono::duration_cast;
  message::DescribeNodeResponse out;
  out.set_role(facts.role);
  out.set_node_id(facts.node_id);
  out.set_cluster_id(facts.cluster_id.ToBytes());
  out.set_directory_id(facts.directory_id.ToBytes());
  out.set_version(kVersion);
  out.set_wall_clock_micros(
      duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count());
  out.set_uptime_ms(
      duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - kStart).count());
  out.set_data_dir(AbsolutePath(facts.data_dir));
  out.set_disk_free_bytes(facts.disk_free_bytes);
  out.set_disk_total_bytes(facts.disk_total_bytes);
  out.set_metrics_endpoint(facts.metrics_endpoint);
  for (const ConfigValue& config : configs) *out.add_configs() = Describe(config);
  for (const ConfigWarning& warning : warnings) {
    out.add_config_warnings(absl::StrCat(warning.key, ": ", warning.problem));
  }
  return out;
}

void AddNodeService(
    GrpcServer& server,
    std::function<void(std::function<void(message::DescribeNodeResponse)>)> describe) {
  using Service = rpc::Node::AsyncService;
  auto owned = std::make_unique<Service>();
  Service* service = owned.get();
  server.AddService(std::move(owned));
  server.AddUnary<message::DescribeNodeRequest, message::DescribeNodeResponse>(
      "Node/Describe",
      [service](grpc::ServerContext* context, message::DescribeNodeRequest* request,
                grpc::ServerAsyncResponseWriter<message::DescribeNodeResponse>* responder,
                grpc::ServerCompletionQueue* queue, void* tag) {
        service->RequestDescribe(context, request, responder, queue, queue, tag);
      },
      [describe = std::move(describe)](const message::DescribeNodeRequest& /*request*/,
                                       std::function<void(message::DescribeNodeResponse)> reply) {
        describe(std::move(reply));
      });
}

}  // namespace quipu
