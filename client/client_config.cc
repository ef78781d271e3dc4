#include "client/client_config.h"

#include <limits>

#include "client/config_reader.h"

namespace quipu {
namespace {

constexpr int64_t kIntMax = std::numeric_limits<int32_t>::max();
// Brokers put no more into one message; a consumer that wants more has the next fetch under way.
constexpr int64_t kFetchBytesMax = 1 << 20;

ClientMetadataOptions ReadMetadata(ConfigReader& reader) {
  ClientMetadataOptions options;
  options.bootstrap_servers = reader.Servers("bootstrap.servers");
  options.max_age = reader.Millis("metadata.max.age.ms", 100, kIntMax);
  return options;
}

Compression CompressionOf(size_t choice) {
  if (choice == 1) return Compression::kLz4;
  if (choice == 2) return Compression::kZstd;
  return Compression::kNone;
}

}  // namespace

const std::vector<ConfigKey>& ProducerConfigKeys() {
  static const std::vector<ConfigKey> keys = {
      {"bootstrap.servers", nullptr, "brokers to ask first, host:port,host:port"},
      {"client.id", "quipu-producer", "name of this client in the brokers' logs"},
      {"acks", "all", "only all: acknowledged means stored by the in-sync replicas"},
      {"enable.idempotence", "true", "only true"},
      {"linger.ms", "5", "how long a batch waits for more records"},
      {"batch.size", "16384", "bytes at which a batch is closed"},
      {"compression.type", "none", "none, lz4 or zstd"},
      {"max.in.flight.requests.per.connection", "5", "unanswered batches per partition, 1 to 5"},
      {"delivery.timeout.ms", "120000", "from send to report, at the latest"},
      {"request.timeout.ms", "30000", "how long a broker may take to answer"},
      {"retry.backoff.ms", "100", "longest pause before a batch is sent again"},
      {"buffer.memory", "33554432", "bytes of records not yet acknowledged"},
      {"max.block.ms", "60000", "how long send may wait for memory or metadata"},
      {"max.request.size", "1048576", "largest record, with its batch header"},
      {"metadata.max.age.ms", "300000", "metadata are asked for again after this time"},
  };
  return keys;
}

const std::vector<ConfigKey>& ConsumerConfigKeys() {
  static const std::vector<ConfigKey> keys = {
      {"bootstrap.servers", nullptr, "brokers to ask first, host:port,host:port"},
      {"client.id", "quipu-consumer", "name of this client in the brokers' logs"},
      {"group.id", "", "the consumer group; needed to subscribe and to commit"},
      {"group.instance.id", "", "a static member's name, kept over restarts; empty: dynamic"},
      {"group.remote.assignor", "", "uniform or range; empty: the coordinator's choice"},
      {"auto.offset.reset", "earliest", "where to start without an offset: earliest, latest, none"},
      {"isolation.level", "read_committed", "read_committed or read_uncommitted"},
      {"enable.auto.commit", "false", "commit what poll has returned, at the next poll"},
      {"auto.commit.interval.ms", "5000", "how often, with enable.auto.commit"},
      {"fetch.min.bytes", "1", "a fetch waits for this much"},
      {"fetch.max.wait.ms", "500", "but not longer than this"},
      {"fetch.max.bytes", "1048576", "most bytes of one fetch answer, or one larger batch alone"},
      {"max.partition.fetch.bytes", "1048576", "most bytes of one partition in it"},
      {"max.poll.records", "500", "most records of one poll"},
      {"max.poll.interval.ms", "300000",
       "a member that does not poll for so long leaves the group"},
      {"session.timeout.ms", "0", "0: the coordinator's group.consumer.session.timeout.ms"},
      {"request.timeout.ms", "30000", "how long a broker may take to answer"},
      {"default.api.timeout.ms", "60000", "time limit of calls that take none"},
      {"metadata.max.age.ms", "300000", "metadata are asked for again after this time"},
  };
  return keys;
}

const std::vector<ConfigKey>& AdminConfigKeys() {
  static const std::vector<ConfigKey> keys = {
      {"bootstrap.servers", nullptr, "brokers to ask first, host:port,host:port"},
      {"client.id", "quipu-admin", "name of this client in the brokers' logs"},
      {"request.timeout.ms", "5000", "how long one broker may take to answer"},
      {"default.api.timeout.ms", "30000", "time limit of a whole operation with its retries"},
  };
  return keys;
}

absl::StatusOr<ProducerSettings> ParseProducerConfig(const ConfigMap& config) {
  ConfigReader reader(config, ProducerConfigKeys());
  ProducerSettings settings;
  ProducerOptions& core = settings.core;
  core.metadata = ReadMetadata(reader);
  core.client_id = reader.Text("client.id");
  reader.Choice("acks", {"all", "-1"});
  reader.Choice("enable.idempotence", {"true"});
  core.accumulator.linger = reader.Millis("linger.ms", 0, kIntMax);
  core.accumulator.batch_bytes = static_cast<size_t>(reader.Number("batch.size", 1, 8 << 20));
  core.accumulator.compression =
      CompressionOf(reader.Choice("compression.type", {"none", "lz4", "zstd"}));
  core.in_flight_max =
      static_cast<int32_t>(reader.Number("max.in.flight.requests.per.connection", 1, 5));
  core.accumulator.delivery_timeout = reader.Millis("delivery.timeout.ms", 1, kIntMax);
  core.request_timeout = reader.Millis("request.timeout.ms", 1, kIntMax);
  core.retry_backoff_max = reader.Millis("retry.backoff.ms", 1, 60000);
  core.accumulator.buffer_bytes_max =
      static_cast<size_t>(reader.Number("buffer.memory", 1, int64_t{1} << 40));
  settings.max_block = reader.Millis("max.block.ms", 0, kIntMax);
  core.accumulator.request_bytes_max =
      static_cast<size_t>(reader.Number("max.request.size", 1, 8 << 20));
  if (!reader.status().ok()) return reader.status();
  return settings;
}

absl::StatusOr<ConsumerSettings> ParseConsumerConfig(const ConfigMap& config) {
  ConfigReader reader(config, ConsumerConfigKeys());
  ConsumerSettings settings;
  ConsumerOptions& core = settings.core;
  core.metadata = ReadMetadata(reader);
  core.client_id = reader.Text("client.id");
  core.group_id = reader.Text("group.id");
  core.instance_id = reader.Text("group.instance.id");
  core.assignor = reader.Text("group.remote.assignor");
  const size_t reset = reader.Choice("auto.offset.reset", {"earliest", "latest", "none"});
  core.offset_reset = reset == 0   ? OffsetReset::kEarliest
                      : reset == 1 ? OffsetReset::kLatest
                                   : OffsetReset::kNone;
  core.read_committed =
      reader.Choice("isolation.level", {"read_uncommitted", "read_committed"}) == 1;
  settings.auto_commit = reader.Flag("enable.auto.commit");
  settings.auto_commit_interval = reader.Millis("auto.commit.interval.ms", 1, kIntMax);
  core.fetch_min_bytes = static_cast<int32_t>(reader.Number("fetch.min.bytes", 0, kIntMax));
  core.fetch_max_wait = reader.Millis("fetch.max.wait.ms", 0, 60000);
  core.fetch_max_bytes = static_cast<int32_t>(reader.Number("fetch.max.bytes", 1, kFetchBytesMax));
  core.partition_fetch_bytes =
      static_cast<int32_t>(reader.Number("max.partition.fetch.bytes", 1, kFetchBytesMax));
  core.poll_records_max = static_cast<size_t>(reader.Number("max.poll.records", 1, kIntMax));
  core.poll_interval_max = reader.Millis("max.poll.interval.ms", 1, kIntMax);
  core.session_timeout = reader.Millis("session.timeout.ms", 0, kIntMax);
  core.request_timeout = reader.Millis("request.timeout.ms", 1, kIntMax);
  settings.default_api_timeout = reader.Millis("default.api.timeout.ms", 1, kIntMax);
  if (!reader.status().ok()) return reader.status();
  if (!core.instance_id.empty() && core.group_id.empty()) {
    return ToStatus(ErrorCode::kInvalidConfig, "group.instance.id: needs a group.id");
  }
  if (settings.auto_commit && core.group_id.empty()) {
    return ToStatus(ErrorCode::kInvalidConfig,
                    "enable.auto.commit: true needs a group.id to commit to");
  }
  return settings;
}

absl::StatusOr<AdminSettings> ParseAdminConfig(const ConfigMap& config) {
  ConfigReader reader(config, AdminConfigKeys());
  AdminSettings settings;
  settings.bootstrap_servers = reader.Servers("bootstrap.servers");
  reader.Text("client.id");
  settings.request_timeout = reader.Millis("request.timeout.ms", 1, kIntMax);
  settings.default_api_timeout = reader.Millis("default.api.timeout.ms", 1, kIntMax);
  if (!reader.status().ok()) return reader.status();
  return settings;
}

}  // namespace quipu
