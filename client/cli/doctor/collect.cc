#include <algorithm>
#include <chrono>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/uuid.h"
#include "client/admin.h"
#include "client/broker_connections.h"
#include "client/cli/doctor/facts.h"
#include "client/client_config.h"
#include "runtime/worker_pool.h"

namespace quipu::cli {
namespace {

// The first call also makes the connection: it says little of the clock.
constexpr int kCallsForClock = 3;

AddressAnswer AskAddress(Admin& admin, const std::string& address) {
  AddressAnswer answer;
  answer.address = address;
  for (int call = 0; call < kCallsForClock; ++call) {
    const auto wall = std::chrono::system_clock::now();
    const auto begin = std::chrono::steady_clock::now();
    absl::StatusOr<message::DescribeNodeResponse> node = admin.DescribeNode(address);
    const Duration round_trip = std::chrono::steady_clock::now() - begin;
    if (!node.ok()) {
      // One that answered before did not go away because of the second look.
      if (call > 0) return answer;
      answer.status = node.status();
      answer.round_trip = round_trip;
      return answer;
    }
    if (answer.node && round_trip >= answer.round_trip) continue;
    const Duration here = wall.time_since_epoch() + round_trip / 2;
    answer.round_trip = round_trip;
    answer.clock_difference = std::chrono::microseconds(node->wall_clock_micros()) - here;
    answer.node = *std::move(node);
  }
  return answer;
}

absl::StatusOr<message::MetadataResponse> MetadataAt(const std::string& address) {
  const auto admin =
      Admin::Create({{"bootstrap.servers", address},
                     {"default.api.timeout.ms", absl::StrCat(ToMillis(kBootstrapMetadataWait))}});
  if (!admin.ok()) return admin.status();
  return (*admin)->DescribeCluster();
}

void AskBootstrap(Admin& admin, const std::vector<std::string>& servers, DoctorFacts& facts) {
  facts.bootstrap.assign(servers.size(), {.answer = {}, .metadata = absl::UnknownError("")});
  WorkerPool pool("doctor", std::min(servers.size(), kProbesAtOnce));
  for (size_t i = 0; i < servers.size(); ++i) {
    pool.Run([&admin, &server = servers[i], &out = facts.bootstrap[i]] {
      out.answer = AskAddress(admin, server);
      if (!out.answer.reached()) {
        out.metadata = out.answer.status;
      } else if (out.answer.node && out.answer.node->role() != "broker") {
        out.metadata = absl::UnimplementedError("no broker");
      } else {
        out.metadata = MetadataAt(server);
      }
    });
  }
  pool.Stop();
}

AddressAnswer AskKafkaAddress(const record::Endpoint& endpoint, Duration timeout) {
  AddressAnswer answer;
  answer.address = AddressOf(endpoint);
  const auto begin = std::chrono::steady_clock::now();
  answer.status = AskKafka(HostOf(answer.address), static_cast<uint16_t>(endpoint.port()), timeout);
  answer.round_trip = std::chrono::steady_clock::now() - begin;
  return answer;
}

void AskNodes(Admin& admin, Duration timeout, DoctorFacts& facts) {
  WorkerPool pool("doctor", kProbesAtOnce);
  const auto ask = [&](AddressAnswer& out, std::string address) {
    pool.Run([&admin, &out, address = std::move(address)] { out = AskAddress(admin, address); });
  };
  const auto ask_broker = [&](AddressAnswer& out, std::string address) {
    pool.Run([&admin, &out, address = std::move(address)] {
      out = AskAddress(admin, address);
      if (!out.reached() || out.node || MetadataAt(address).ok()) return;
      // Older brokers do not tell who they are, and neither does anything else that speaks HTTP.
      out.status = ToStatus(ErrorCode::kNotConnected, "what listens there is no broker");
    });
  };
  if (facts.cluster.ok()) {
    for (const message::BrokerInfo& broker : facts.cluster->brokers()) {
      ask_broker(facts.brokers[broker.broker_id()], AddressOf(broker.endpoint()));
      if (!broker.has_kafka_endpoint() || broker.fenced()) continue;
      pool.Run(
          [&broker, &out = facts.kafka[broker.broker_id()], wait = std::min(timeout, kKafkaWait)] {
            out = AskKafkaAddress(broker.kafka_endpoint(), wait);
          });
    }
  }
  if (facts.quorum.ok()) {
    for (const auto& voter : facts.quorum->voters()) {
      ask(facts.controllers[voter.id()], voter.endpoint());
    }
  }
  pool.Stop();
}

}  // namespace

bool AddressAnswer::reached() const {
  return status.ok() || CodeOf(status) == ErrorCode::kUnsupportedVersion;
}

std::string ReasonOf(const absl::Status& status) {
  std::string text(status.message());
  const std::string name = absl::StrCat(ErrorName(CodeOf(status)), ": ");
  if (absl::StartsWith(text, name)) text.erase(0, name.size());
  return text;
}

std::string IdText(const std::string& bytes) {
  return Uuid::FromBytes(bytes).value_or(Uuid()).ToText();
}

std::string HostOf(const std::string& address) {
  const std::string host = SplitAddress(address).first;
  const bool bracketed = host.size() > 1 && host.front() == '[' && host.back() == ']';
  return bracketed ? host.substr(1, host.size() - 2) : host;
}

ConfigMap WithAnsweringServers(const ConfigMap& config, const DoctorFacts& facts) {
  std::vector<std::string> servers;
  for (const BootstrapAnswer& bootstrap : facts.bootstrap) {
    if (bootstrap.metadata.ok()) servers.push_back(bootstrap.answer.address);
  }
  ConfigMap out = config;
  if (!servers.empty()) out["bootstrap.servers"] = absl::StrJoin(servers, ",");
  return out;
}

absl::StatusOr<DoctorFacts> CollectDoctorFacts(const ConfigMap& config) {
  QUIPU_ASSIGN_OR_RETURN(std::unique_ptr<Admin> admin, Admin::Create(config));
  QUIPU_ASSIGN_OR_RETURN(const AdminSettings settings, ParseAdminConfig(config));
  const absl::Status nobody =
      ToStatus(ErrorCode::kNotConnected, "no bootstrap address answers for a cluster");
  DoctorFacts facts{.bootstrap = {},
                    .cluster = nobody,
                    .topics = nobody,
                    .quorum = nobody,
                    .brokers = {},
                    .controllers = {},
                    .kafka = {}};
  AskBootstrap(*admin, settings.bootstrap_servers, facts);
  const bool known = std::any_of(facts.bootstrap.begin(), facts.bootstrap.end(),
                                 [](const auto& address) { return address.metadata.ok(); });
  if (!known) return facts;
  QUIPU_ASSIGN_OR_RETURN(admin, Admin::Create(WithAnsweringServers(config, facts)));
  facts.cluster = admin->DescribeCluster();
  facts.topics = admin->ListTopics(/*with_internal=*/true);
  facts.quorum = admin->DescribeQuorum();
  AskNodes(*admin, settings.default_api_timeout, facts);
  return facts;
}

}  // namespace quipu::cli
