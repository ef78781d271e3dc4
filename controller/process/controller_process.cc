#include "controller/process/controller_process.h"

#include <future>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error_code.h"
#include "base/logging.h"
#include "base/status_macros.h"
#include "controller/process/services.h"
#include "runtime/grpc/node_service.h"
#include "storage/posix/posix_file.h"

namespace quipu {

namespace {

// A leader that stops waits for so many election timeouts until another one leads.
constexpr int kStepDownTimeouts = 2;

// What to do about a voter that must not start with what its directory holds, or has none.
absl::Status WithCommand(const absl::Status& refused) {
  const ErrorCode code = CodeOf(refused);
  if (code != ErrorCode::kUnprovenDirectory && code != ErrorCode::kCorruptMessage &&
      code != ErrorCode::kResourceNotFound) {
    return refused;
  }
  std::string text(refused.message());
  const std::string name = absl::StrCat(std::string(ErrorName(code)), ": ");
  if (text.rfind(name, 0) == 0) text.erase(0, name.size());
  return ToStatus(code, absl::StrCat(text,
                                     ". A voter whose directory is lost is replaced: format an "
                                     "empty one with --observer, start it, and run quipu "
                                     "controller replace"));
}

}  // namespace

ControllerProcess::ControllerProcess(ControllerSettings settings)
    : settings_(std::move(settings)) {}

ControllerProcess::~ControllerProcess() { Stop(); }

absl::Status ControllerProcess::OpenStorage() {
  OpenStorageOptions options;
  options.path = settings_.log_dir;
  options.expected.role = NodeRole::kController;
  options.expected.node_id = settings_.node_id;
  options.expected.cluster_id = settings_.cluster_id;
  options.fatal = &EndProcessNow;
  QUIPU_ASSIGN_OR_RETURN(ControllerStorage storage, OpenControllerStorage(options));
  storage_ = std::make_unique<ControllerStorage>(std::move(storage));
  const DirectoryIdentity& identity = storage_->directory->identity();
  settings_.node.cluster_id = identity.cluster_id;
  settings_.node.controller_id = ControllerId(identity.node_id);
  settings_.node.directory_id = identity.directory_id;
  settings_.node.observer = identity.observer;
  SetLogNode(absl::StrCat("controller-", identity.node_id));
  for (const VoterIdentity& voter : identity.voters) {
    settings_.node.voters.push_back(
        Voter{.id = voter.id, .directory_id = voter.directory_id, .endpoint = voter.endpoint});
    if (settings_.listener.host.empty() && voter.id == settings_.node.controller_id) {
      settings_.listener = voter.endpoint;
    }
  }
  return absl::OkStatus();
}

absl::Status ControllerProcess::BindListener() {
  const HostPort& listener = settings_.listener;
  if (!settings_.unsafe_plaintext_network && !IsLoopbackHost(listener.host)) {
    return ToStatus(
        ErrorCode::kInvalidConfig,
        absl::StrCat("listener.controller=", listener.host, ":", listener.port,
                     " can be reached from other machines, and nothing is encrypted or "
                     "authenticated; expected an address such as 127.0.0.1, or "
                     "quipu.unsafe.plaintext.network=true on a network that you trust"));
  }
  server_ = std::make_unique<GrpcServer>(
      GrpcServer::Options{.name = "controller",
                          .host = listener.host,
                          .port = listener.port,
                          .memory_bytes_max = settings_.network_memory_bytes_max,
                          .refusals = refusals_});
  AddControlService(*server_, node_);
  AddRaftService(*server_, node_);
  AddNodeService(*server_, [this](std::function<void(message::DescribeNodeResponse)> reply) {
    ports_->executor().Post([this, reply = std::move(reply)] { reply(Describe()); });
  });
  return server_->Bind();
}

absl::Status ControllerProcess::StartMetrics() {
  if (!settings_.metrics.on()) return absl::OkStatus();
  QUIPU_ASSIGN_OR_RETURN(
      metrics_, ControllerMetricsEndpoint::Start(settings_, {.node = *node_,
                                                             .ports = *ports_,
                                                             .directory = *storage_->directory,
                                                             .refusals = *refusals_}));
  metrics_endpoint_ = absl::StrCat(settings_.metrics.host, ":", metrics_->port());
  return absl::OkStatus();
}

message::DescribeNodeResponse ControllerProcess::Describe() const {
  const DiskSpace space = DiskSpaceOf(settings_.log_dir).value_or(DiskSpace());
  return DescribeNode({.role = "controller",
                       .node_id = settings_.node.controller_id.value(),
                       .cluster_id = settings_.node.cluster_id,
                       .directory_id = settings_.node.directory_id,
                       .data_dir = settings_.log_dir,
                       .disk_free_bytes = space.free_bytes,
                       .disk_total_bytes = space.total_bytes,
                       .metrics_endpoint = metrics_endpoint_},
                      settings_.effective, settings_.warnings);
}

absl::Status ControllerProcess::Start(ExitCode& exit_code) {
  exit_code = ExitCode::kStorageRefused;
  QUIPU_RETURN_IF_ERROR(WithCommand(OpenStorage()));
  const absl::Status bound = BindListener();
  exit_code = CodeOf(bound) == ErrorCode::kInvalidConfig ? ExitCode::kUsage : ExitCode::kFailure;
  QUIPU_RETURN_IF_ERROR(bound);
  ports_ = std::make_unique<ControllerProcessPorts>(*storage_, settings_.node.controller_id,
                                                    settings_.node.voters);
  node_ = std::make_unique<ControllerNode>(settings_.node, *ports_);
  exit_code = ExitCode::kStorageRefused;
  QUIPU_RETURN_IF_ERROR(WithCommand(node_->Start()));
  exit_code = ExitCode::kFailure;
  QUIPU_RETURN_IF_ERROR(StartMetrics());
  server_->Serve();
  const std::string endpoint = absl::StrCat(settings_.listener.host, ":", server_->port());
  const std::string metrics = metrics_ ? metrics_endpoint_ : "none";
  if (!settings_.listeners_file.empty()) {
    std::vector<std::pair<std::string, std::string>> endpoints = {{"controller", endpoint}};
    if (metrics_) endpoints.emplace_back("metrics", metrics);
    QUIPU_RETURN_IF_ERROR(WriteListenersFile(settings_.listeners_file, endpoints));
  }
  if (settings_.unsafe_plaintext_network) WarnOfPlaintext();
  LogInfo("controller.serving", {{"controller", settings_.node.controller_id.ToString()},
                                 {"cluster", settings_.node.cluster_id.ToText()},
                                 {"listener", endpoint},
                                 {"metrics", metrics},
                                 {"voters", std::to_string(settings_.node.voters.size())},
                                 {"dir", settings_.log_dir}});
  serving_ = true;
  exit_code = ExitCode::kOk;
  return absl::OkStatus();
}

// The disk has a thread of its own here: while a write hangs, it does not answer.
WatchedParts ControllerProcess::watched() {
  return {.executors = {&ports_->executor(), &ports_->disk_executor()},
          .disk_write_in_progress = [] { return Duration(0); },
          .disk_stall_max = settings_.node.disk_stall.shed};
}

// In this order nothing runs that refers to what is gone; the directory's lock goes last.
void ControllerProcess::Stop() {
  metrics_.reset();
  if (std::exchange(serving_, false)) {
    auto stepped_down = std::make_shared<std::promise<void>>();
    node_->StepDown(settings_.node.election_timeout * kStepDownTimeouts,
                    [stepped_down] { stepped_down->set_value(); });
    stepped_down->get_future().wait();
  }
  if (server_) server_->Shutdown(Duration(0));
  if (ports_) ports_->Stop();
  node_.reset();
  server_.reset();
  ports_.reset();
  storage_.reset();
}

}  // namespace quipu
