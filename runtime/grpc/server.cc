#include "runtime/grpc/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/resource_quota.h>

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/logging.h"
#include "runtime/grpc/call_thread_impl.h"
#include "runtime/grpc/server_core.h"
#include "runtime/grpc/server_stream.h"

namespace quipu {
namespace {

void SetLimits(const GrpcServer::Options& options, grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(static_cast<int>(kMessageBytesMax));
  builder.SetMaxSendMessageSize(static_cast<int>(kMessageBytesMax));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.streams_max);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMetadataBytesMax);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kKeepaliveTimeMs / 2);
  // A connection that never says anything sensible (slow loris) is dropped.
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 10000);
  grpc::ResourceQuota quota(options.name);
  quota.Resize(options.memory_bytes_max);
  builder.SetResourceQuota(quota);
}

}  // namespace

// Kept here: the options are needed until Start only.
struct GrpcServer::State {
  explicit State(Options given) : options(std::move(given)), core(options.refusals) {}
  Options options;
  ServerCore core;
};

GrpcServer::GrpcServer(Options options) : state_(std::make_unique<State>(std::move(options))) {
  core_ = &state_->core;
}

GrpcServer::~GrpcServer() {
  Shutdown(Duration(0));
  for (auto& queue : core_->queues) queue->Shutdown();
  for (std::thread& thread : core_->threads) thread.join();
}

void GrpcServer::AddService(std::unique_ptr<grpc::Service> service) {
  core_->services.push_back(std::move(service));
}

void GrpcServer::AddStream(std::string full_name, RequestStreamFn request, StreamLimits limits,
                           StreamAcceptor acceptor) {
  auto method = std::make_shared<const ServerStreamCall::Method>(ServerStreamCall::Method{
      std::move(full_name), std::move(request), limits, std::move(acceptor)});
  core_->methods.push_back([method](ServerCore& core, grpc::ServerCompletionQueue* queue) {
    std::make_shared<ServerStreamCall>(core, queue, method)->Accept();
  });
}

absl::Status GrpcServer::Bind() {
  QUIPU_CHECK(core_->server == nullptr);
  const Options& options = state_->options;
  if (options.reflection) grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  SetLimits(options, builder);
  const std::string address = AddressText(options.host, options.port);
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &core_->port);
  for (const auto& service : core_->services) builder.RegisterService(service.get());
  for (size_t i = 0; i < std::max<size_t>(options.threads, 1); ++i) {
    core_->queues.push_back(builder.AddCompletionQueue());
  }
  core_->server = builder.BuildAndStart();
  if (core_->server == nullptr) {
    for (auto& queue : core_->queues) {
      queue->Shutdown();
      EmptyQueue(*queue);  // gRPC asks for it
    }
    core_->queues.clear();
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address, " (", options.name,
                                               "): the address is in use or not of this machine. "
                                               "Stop the process that has it (`ss -ltnp`) "
                                               "or choose another port."));
  }
  for (auto& queue : core_->queues) {
    core_->threads.emplace_back(&RunQueue, std::ref(*queue), options.name.substr(0, 15));
  }
  return absl::OkStatus();
}

absl::Status GrpcServer::Start() {
  const absl::Status bound = Bind();
  if (bound.ok()) Serve();
  return bound;
}

void GrpcServer::Serve() {
  QUIPU_CHECK(core_->server != nullptr);
  for (auto& queue : core_->queues) {
    for (const ServerCore::AcceptFirstFn& accept_first : core_->methods) {
      accept_first(*core_, queue.get());
    }
  }
}

std::unique_ptr<CallThread> GrpcServer::MakeCallThread() {
  QUIPU_CHECK(core_->server != nullptr);
  return std::make_unique<CallThread>(std::make_shared<CallThread::Impl>(*core_->queues.front()));
}

uint16_t GrpcServer::port() const { return static_cast<uint16_t>(core_->port); }

void GrpcServer::Shutdown(Duration grace) {
  if (core_->server == nullptr || core_->stopping.exchange(true)) return;
  core_->server->Shutdown(std::chrono::system_clock::now() + grace);
  core_->live.WaitIdle();
}

std::string HostOfPeer(const std::string& peer) {
  const size_t scheme = peer.find(':');
  const size_t port = peer.rfind(':');
  const bool is_ip = peer.rfind("ipv4:", 0) == 0 || peer.rfind("ipv6:", 0) == 0;
  if (!is_ip || port == scheme) return peer;
  std::string host = peer.substr(scheme + 1, port - scheme - 1);
  const auto strip = [&host](const std::string& open, const std::string& close) {
    if (host.rfind(open, 0) != 0 || host.size() < open.size() + close.size()) return;
    host = host.substr(open.size(), host.size() - open.size() - close.size());
  };
  strip("%5B", "%5D");
  strip("[", "]");
  return host;
}

}  // namespace quipu
