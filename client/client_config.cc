#include "client/client_config.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/config/config_reader.h"
#include "base/config/config_tables.h"
#include "base/error_code.h"
#include "base/status_macros.h"
#include "core/record/compression.h"

namespace quipu {
namespace {

std::vector<ServerAddress> ReadServers(ConfigReader& reader) {
  std::vector<ServerAddress> servers;
  for (const auto& [host, port] : reader.Endpoints("bootstrap.servers")) {
    const bool is_ipv6 = host.find(':') != std::string::npos;
    servers.push_back(is_ipv6 ? absl::StrCat("[", host, "]:", port)
                              : absl::StrCat(host, ":", port));
  }
  return servers;
}

void ReadMetadata(ConfigReader& reader, ClientMetadataOptions& options) {
  options.bootstrap_servers = ReadServers(reader);
  reader.Millis("metadata.max.age.ms", &options.max_age);
}

// Keys that have but one meaning, taken so that a configuration may say it.
void ReadFixed(ConfigReader& reader) {
  (void)reader.Choice("acks");
  (void)reader.Choice("enable.idempotence");
}

}  // namespace

absl::StatusOr<ProducerSettings> ParseProducerConfig(const ConfigMap& config) {
  ConfigReader reader(ProducerConfigTable());
  reader.LoadMap(config);
  ProducerSettings settings;
  ProducerOptions& core = settings.core;
  ReadMetadata(reader, core.metadata);
  ReadFixed(reader);
  reader.Text("client.id", &core.client_id);
  reader.Millis("linger.ms", &core.accumulator.linger);
  reader.Number("batch.size", &core.accumulator.batch_bytes);
  core.accumulator.compression = kCodecs[reader.Choice("compression.type")];
  reader.Number("max.in.flight.requests.per.connection", &core.in_flight_max);
  reader.Millis("delivery.timeout.ms", &core.accumulator.delivery_timeout);
  reader.Millis("request.timeout.ms", &core.request_timeout);
  reader.Millis("retry.backoff.ms", &core.retry_backoff_max);
  reader.Number("buffer.memory", &core.accumulator.buffer_bytes_max);
  reader.Millis("max.block.ms", &settings.max_block);
  reader.Number("max.request.size", &core.accumulator.request_bytes_max);
  reader.Millis("statistics.interval.ms", &settings.statistics_interval);
  QUIPU_RETURN_IF_ERROR(reader.Finish());
  return settings;
}

absl::StatusOr<ConsumerSettings> ParseConsumerConfig(const ConfigMap& config) {
  ConfigReader reader(ConsumerConfigTable());
  reader.LoadMap(config);
  ConsumerSettings settings;
  ConsumerOptions& core = settings.core;
  ReadMetadata(reader, core.metadata);
  reader.Text("client.id", &core.client_id);
  reader.Text("group.id", &core.group_id);
  reader.Text("group.instance.id", &core.instance_id);
  reader.Text("group.remote.assignor", &core.assignor);
  // In the order of the table's words.
  constexpr OffsetReset kResets[] = {OffsetReset::kEarliest, OffsetReset::kLatest,
                                     OffsetReset::kNone};
  core.offset_reset = kResets[reader.Choice("auto.offset.reset")];
  core.read_committed = reader.Choice("isolation.level") == 1;
  reader.Bool("enable.auto.commit", &settings.auto_commit);
  reader.Millis("auto.commit.interval.ms", &settings.auto_commit_interval);
  reader.Number("fetch.min.bytes", &core.fetch_min_bytes);
  reader.Millis("fetch.max.wait.ms", &core.fetch_max_wait);
  reader.Number("fetch.max.bytes", &core.fetch_max_bytes);
  reader.Number("max.partition.fetch.bytes", &core.partition_fetch_bytes);
  reader.Number("max.poll.records", &core.poll_records_max);
  reader.Millis("max.poll.interval.ms", &core.poll_interval_max);
  reader.Millis("session.timeout.ms", &core.session_timeout);
  reader.Millis("request.timeout.ms", &core.request_timeout);
  reader.Millis("default.api.timeout.ms", &settings.default_api_timeout);
  reader.Millis("statistics.interval.ms", &settings.statistics_interval);
  if (!core.instance_id.empty() && core.group_id.empty()) {
    reader.Refuse("group.instance.id: needs a group.id");
  }
  if (settings.auto_commit && core.group_id.empty()) {
    reader.Refuse("enable.auto.commit: true needs a group.id to commit to");
  }
  QUIPU_RETURN_IF_ERROR(reader.Finish());
  return settings;
}

absl::StatusOr<AdminSettings> ParseAdminConfig(const ConfigMap& config) {
  ConfigReader reader(AdminConfigTable());
  reader.LoadMap(config);
  AdminSettings settings;
  settings.bootstrap_servers = ReadServers(reader);
  std::string client_id;
  reader.Text("client.id", &client_id);
  reader.Millis("request.timeout.ms", &settings.request_timeout);
  reader.Millis("default.api.timeout.ms", &settings.default_api_timeout);
  QUIPU_RETURN_IF_ERROR(reader.Finish());
  return settings;
}

ConfigMap SettingsFor(const ConfigMap& settings, ConfigTable keys) {
  ConfigMap known;
  for (const auto& [name, value] : settings) {
    if (FindConfig(keys, name) != nullptr) known[name] = value;
  }
  return known;
}

absl::StatusOr<std::vector<ServerAddress>> ParseServerList(absl::string_view text) {
  std::vector<ServerAddress> servers;
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    part = absl::StripAsciiWhitespace(part);
    std::string host;
    uint16_t port = 0;
    if (!ParseEndpoint(part, &host, &port) || port == 0) {
      return ToStatus(ErrorCode::kInvalidConfig,
                      absl::StrCat("bootstrap.servers: '", part, "' is not host:port"));
    }
    servers.emplace_back(part);
  }
  return servers;
}

}  // namespace quipu
