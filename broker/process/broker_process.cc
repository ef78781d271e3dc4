#include "broker/process/broker_process.h"

#include <future>

#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "base/status_macros.h"
#include "broker/grpc/services.h"
#include "broker/process/peer_streams.h"
#include "runtime/grpc/node_service.h"
#include "storage/posix/posix_file.h"

namespace quipu {
namespace {

// Answers already written may still reach their clients for so long.
constexpr Duration kClientGrace = std::chrono::milliseconds(200);

kafka::KafkaListener::Options KafkaOptions(const BrokerSettings& settings,
                                           std::shared_ptr<Refusals> refusals) {
  return {.server = {.name = "kafka",
                     .host = settings.kafka_listener.host,
                     .port = settings.kafka_listener.port,
                     .threads = settings.network_threads,
                     .connections_max = settings.kafka.connections_max,
                     .connections_per_ip_max = settings.kafka.connections_per_ip_max,
                     .frame_bytes_max = settings.kafka.request_bytes_max,
                     .memory_bytes_max = settings.kafka.queued_bytes_max,
                     .answer_bytes_max = settings.kafka.queued_answer_bytes_max,
                     .idle_max = settings.kafka.connections_idle_max},
          .auto_create_topics = settings.kafka.auto_create_topics,
          .settings = settings.effective,
          .log_dir = settings.log_dir,
          .refusals = std::move(refusals)};
}

std::string EndpointText(const HostPort& endpoint) {
  return absl::StrCat(endpoint.host, ":", endpoint.port);
}

}  // namespace

BrokerProcess::BrokerProcess(BrokerSettings settings) : settings_(std::move(settings)) {}

BrokerProcess::~BrokerProcess() { End(); }

absl::Status BrokerProcess::OpenStorage() {
  OpenStorageOptions options;
  options.path = settings_.log_dir;
  options.expected.role = NodeRole::kBroker;
  options.expected.node_id = settings_.broker_id;
  options.expected.cluster_id = settings_.cluster_id;
  options.log_store = settings_.log_store;
  options.may_be_other_store = !settings_.log_store_given;
  options.journal = settings_.journal;
  options.fatal = &EndProcessNow;
  options.writer.queued_bytes_max = LogQueueBytesMax(settings_.node);
  ballast_ =
      std::make_unique<Ballast>(Ballast::Options{.path = settings_.log_dir + "/ballast",
                                                 .bytes = settings_.ballast_bytes,
                                                 .mark = settings_.node.disk_free_bytes_min});
  // On a full disk the database could not even be opened.
  const absl::StatusOr<int64_t> free_bytes = DiskFreeBytes(settings_.log_dir);
  if (free_bytes.ok() && ballast_->held_bytes() > 0) ballast_->Keep(*free_bytes);
  QUIPU_ASSIGN_OR_RETURN(BrokerStorage storage, OpenBrokerStorage(options));
  storage_ = std::make_unique<BrokerStorage>(std::move(storage));
  const DirectoryIdentity& identity = storage_->directory->identity();
  settings_.node.cluster_id = identity.cluster_id;
  settings_.node.broker_id = BrokerId(identity.node_id);
  settings_.node.directory_id = identity.directory_id;
  SetLogNode(absl::StrCat("broker-", identity.node_id));
  return absl::OkStatus();
}

absl::Status BrokerProcess::BindListeners() {
  client_server_ = std::make_unique<GrpcServer>(
      GrpcServer::Options{.name = "client",
                          .host = settings_.client_listener.host,
                          .port = settings_.client_listener.port,
                          .threads = settings_.network_threads,
                          .memory_bytes_max = settings_.network_memory_bytes_max,
                          .refusals = refusals_});
  AddLogService(*client_server_, node_);
  AddBrokerService(*client_server_, node_);
  AddGroupsService(*client_server_, node_);
  AddNodeService(*client_server_, [this](std::function<void(message::DescribeNodeResponse)> reply) {
    ports_->control_executor().Post([this, reply = std::move(reply)] { reply(Describe()); });
  });
  peer_listener_ = std::make_unique<StreamListener>(
      StreamListenerOptions{.host = settings_.peer_listener.host,
                            .port = settings_.peer_listener.port,
                            .connections_max = settings_.peer_connections_max,
                            .refusals = refusals_},
      PeerStreams(node_, refusals_));
  QUIPU_RETURN_IF_ERROR(client_server_->Bind());
  QUIPU_RETURN_IF_ERROR(peer_listener_->Bind());
  const auto told = [](const HostPort& advertised, const HostPort& listener, uint16_t port) {
    return advertised.host.empty() ? HostPort{listener.host, port} : advertised;
  };
  settings_.node.client_endpoint =
      told(settings_.advertised.client, settings_.client_listener, client_server_->port());
  settings_.node.peer_endpoint =
      told(settings_.advertised.peer, settings_.peer_listener, peer_listener_->port());
  if (settings_.kafka_listener.host.empty()) return absl::OkStatus();
  kafka_ = std::make_unique<kafka::KafkaListener>(KafkaOptions(settings_, refusals_), node_,
                                                  settings_.node);
  QUIPU_RETURN_IF_ERROR(kafka_->Bind());
  settings_.node.kafka_endpoint =
      told(settings_.advertised.kafka, settings_.kafka_listener, kafka_->port());
  return absl::OkStatus();
}

absl::Status BrokerProcess::StartMetrics() {
  if (!settings_.metrics.on()) return absl::OkStatus();
  QUIPU_ASSIGN_OR_RETURN(metrics_, BrokerMetrics::Start(settings_, {.node = *node_,
                                                                    .ports = *ports_,
                                                                    .storage = *storage_,
                                                                    .refusals = *refusals_,
                                                                    .kafka = kafka_.get(),
                                                                    .peers = *peer_listener_}));
  metrics_endpoint_ = EndpointText({settings_.metrics.host, metrics_->port()});
  return absl::OkStatus();
}

message::DescribeNodeResponse BrokerProcess::Describe() const {
  const DiskSpace space = DiskSpaceOf(settings_.log_dir).value_or(DiskSpace());
  const BrokerMetricsState state = node_->MetricsState();
  message::DescribeNodeResponse out = DescribeNode({.role = "broker",
                                                    .node_id = settings_.node.broker_id.value(),
                                                    .cluster_id = settings_.node.cluster_id,
                                                    .directory_id = settings_.node.directory_id,
                                                    .data_dir = settings_.log_dir,
                                                    .disk_free_bytes = space.free_bytes,
                                                    .disk_total_bytes = space.total_bytes,
                                                    .metrics_endpoint = metrics_endpoint_},
                                                   settings_.effective, settings_.warnings);
  out.set_disk_full(state.disk_full);
  out.set_disk_free_bytes_min(state.disk_free_bytes_min);
  out.set_ballast_bytes(ballast_->held_bytes());
  out.set_ballast_bytes_wanted(settings_.ballast_bytes);
  return out;
}

std::vector<std::pair<std::string, std::string>> BrokerProcess::Endpoints() const {
  std::vector<std::pair<std::string, std::string>> endpoints = {
      {"client", EndpointText({settings_.client_listener.host, client_server_->port()})},
      {"peer", EndpointText({settings_.peer_listener.host, peer_listener_->port()})}};
  if (kafka_) {
    endpoints.emplace_back("kafka", EndpointText({settings_.kafka_listener.host, kafka_->port()}));
  }
  if (metrics_) endpoints.emplace_back("metrics", metrics_endpoint_);
  return endpoints;
}

absl::Status BrokerProcess::Start(ExitCode& exit_code) {
  exit_code = ExitCode::kStorageRefused;
  QUIPU_RETURN_IF_ERROR(OpenStorage());
  exit_code = ExitCode::kFailure;
  QUIPU_RETURN_IF_ERROR(BindListeners());
  ports_ =
      std::make_unique<ProcessPorts>(*storage_, *ballast_, settings_.node.num_shards,
                                     settings_.cold_read_threads, client_server_->MakeCallThread());
  node_ = std::make_unique<BrokerNode>(settings_.node, *ports_);
  exit_code = ExitCode::kStorageRefused;
  QUIPU_RETURN_IF_ERROR(node_->Start());
  exit_code = ExitCode::kFailure;
  QUIPU_RETURN_IF_ERROR(StartMetrics());
  client_server_->Serve();
  peer_listener_->Serve(ports_->socket_loops());
  if (kafka_) kafka_->Serve();
  serving_ = true;
  if (!settings_.listeners_file.empty()) {
    QUIPU_RETURN_IF_ERROR(WriteListenersFile(settings_.listeners_file, Endpoints()));
  }
  if (settings_.unsafe_plaintext_network) WarnOfPlaintext();
  LogInfo("broker.serving",
          {{"broker", settings_.node.broker_id.ToString()},
           {"cluster", settings_.node.cluster_id.ToText()},
           {"client", EndpointText(settings_.node.client_endpoint)},
           {"peer", EndpointText(settings_.node.peer_endpoint)},
           {"kafka", kafka_ ? EndpointText(settings_.node.kafka_endpoint) : "none"},
           {"metrics", metrics_ ? metrics_endpoint_ : "none"},
           {"shards", std::to_string(settings_.node.num_shards)},
           {"dir", settings_.log_dir}});
  exit_code = ExitCode::kOk;
  return absl::OkStatus();
}

WatchedParts BrokerProcess::watched() {
  WatchedParts parts;
  for (size_t shard = 0; shard < settings_.node.num_shards; ++shard) {
    parts.executors.push_back(&ports_->shard_executor(shard));
  }
  parts.executors.push_back(&ports_->control_executor());
  parts.disk_write_in_progress = [this] { return ports_->disk_write_in_progress(); };
  parts.disk_stall_max = settings_.node.disk_stall.shed;
  return parts;
}

void BrokerProcess::Stop() {
  if (serving_) {
    auto moved = std::make_shared<std::promise<void>>();
    node_->ControlledShutdown(settings_.shutdown_timeout, [moved] { moved->set_value(); });
    moved->get_future().wait();
    LogInfo("broker.stopping", {{"broker", settings_.node.broker_id.ToString()}});
  }
  End();
}

// In this order nothing runs that refers to what is gone: no new requests, then no code of the
// node, then no completions of the disk, then the node, and the directory's lock last.
void BrokerProcess::End() {
  serving_ = false;
  metrics_.reset();
  if (client_server_) client_server_->Shutdown(kClientGrace);
  if (kafka_) kafka_->Shutdown(kClientGrace);
  if (peer_listener_) peer_listener_->Shutdown();
  if (ports_) ports_->Stop();
  if (storage_) storage_->writer.reset();
  node_.reset();
  client_server_.reset();
  kafka_.reset();
  peer_listener_.reset();
  ports_.reset();
  storage_.reset();
}

}  // namespace quipu
