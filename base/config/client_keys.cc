// The settings of Producer, Consumer and Admin. A new one is appended; see config_tables.h.
#include "base/config/config_tables.h"
#include "base/config/key_parts.h"

namespace quipu {
namespace {

using enum ConfigType;
using enum ConfigEffect;

constexpr ConfigSpec kBootstrap = {.name = "bootstrap.servers",
                                   .type = kEndpoints,
                                   .doc = "brokers to ask first",
                                   .required = true,
                                   .effect = kNewClient};
constexpr ConfigSpec kMetadataAge = {.name = "metadata.max.age.ms",
                                     .type = kNumber,
                                     .fallback = "300000",
                                     .low = 100,
                                     .high = kIntMax,
                                     .unit = "ms",
                                     .doc = "metadata are asked for again after this time",
                                     .effect = kNewClient};

constexpr ConfigSpec Text(absl::string_view name, absl::string_view fallback, absl::string_view doc,
                          absl::string_view fallback_note = {}) {
  return {.name = name,
          .fallback = fallback,
          .doc = doc,
          .fallback_note = fallback_note,
          .effect = kNewClient};
}

constexpr ConfigSpec Number(absl::string_view name, absl::string_view fallback, int64_t low,
                            int64_t high, absl::string_view unit, absl::string_view doc) {
  return {.name = name,
          .type = kNumber,
          .fallback = fallback,
          .low = low,
          .high = high,
          .unit = unit,
          .doc = doc,
          .effect = kNewClient};
}

constexpr ConfigSpec Millis(absl::string_view name, absl::string_view fallback, int64_t low,
                            int64_t high, absl::string_view doc) {
  return Number(name, fallback, low, high, "ms", doc);
}

constexpr ConfigSpec Choice(absl::string_view name, absl::string_view fallback,
                            absl::string_view words, absl::string_view doc) {
  return {.name = name,
          .type = kChoice,
          .fallback = fallback,
          .words = words,
          .doc = doc,
          .effect = kNewClient};
}

constexpr ConfigSpec Flag(absl::string_view name, absl::string_view fallback,
                          absl::string_view doc) {
  return {.name = name, .type = kBool, .fallback = fallback, .doc = doc, .effect = kNewClient};
}

constexpr ConfigSpec kStatistics = Millis("statistics.interval.ms", "0", 0, kIntMax,
                                          "how often the statistics callback runs; 0: never");

constexpr ConfigSpec kProducerKeys[] = {
    kBootstrap,
    Text("client.id", "quipu-producer", "name of this client in the brokers' logs"),
    Choice("acks", "all", "all, -1", "acknowledged means stored by the in-sync replicas"),
    Choice("enable.idempotence", "true", "true", "a retry is recognised, always"),
    Millis("linger.ms", "5", 0, kIntMax, "how long a batch waits for more records"),
    Number("batch.size", "16384", 1, 8 * kMiB, "bytes", "size at which a batch is closed"),
    Choice("compression.type", "none", "none, gzip, snappy, lz4, zstd", "codec of the batches"),
    Number("max.in.flight.requests.per.connection", "10", 1, 16, "batches",
           "unanswered batches for each partition"),
    Millis("delivery.timeout.ms", "120000", 1, kIntMax, "from Send to the report, at the latest"),
    Millis("request.timeout.ms", "30000", 1, kIntMax, "how long a broker may take to answer"),
    Millis("retry.backoff.ms", "100", 1, 60000, "longest pause before a batch is sent again"),
    Number("buffer.memory", "33554432", 1, kTiB, "bytes", "records not yet acknowledged"),
    Millis("max.block.ms", "60000", 0, kIntMax, "how long Send may wait for memory or metadata"),
    Number("max.request.size", "1048576", 1, 8 * kMiB, "bytes",
           "largest record, with its batch header"),
    kMetadataAge,
    kStatistics,
};

// Brokers put no more than 1 MiB into one message; a consumer that wants more has the next fetch
// under way.
constexpr ConfigSpec kConsumerKeys[] = {
    kBootstrap,
    Text("client.id", "quipu-consumer", "name of this client in the brokers' logs"),
    Text("group.id", "", "the consumer group; needed to subscribe and to commit"),
    Text("group.instance.id", "", "a static member's name, kept over restarts", "a dynamic member"),
    Text("group.remote.assignor", "",
         "uniform (balanced, sticky) or range (contiguous runs, alike for topics that are alike); "
         "the group uses what most members ask for",
         "the coordinator's choice"),
    Choice("auto.offset.reset", "earliest", "earliest, latest, none",
           "where to start without an offset"),
    Choice("isolation.level", "read_committed", "read_uncommitted, read_committed",
           "makes no difference without transactions"),
    Flag("enable.auto.commit", "false",
         "commit what Poll returned, at the next Poll and before partitions go"),
    Millis("auto.commit.interval.ms", "5000", 1, kIntMax, "how often, with enable.auto.commit"),
    Number("fetch.min.bytes", "1", 0, kIntMax, "bytes", "a fetch waits for this much"),
    Millis("fetch.max.wait.ms", "500", 0, 60000, "but not longer than this"),
    Number("fetch.max.bytes", "1048576", 1, kMiB, "bytes",
           "most of one fetch answer, or one larger batch alone"),
    Number("max.partition.fetch.bytes", "1048576", 1, kMiB, "bytes",
           "most of one partition in a fetch answer"),
    Number("max.poll.records", "500", 1, kIntMax, "records", "most records of one Poll"),
    Millis("max.poll.interval.ms", "300000", 1, kIntMax,
           "a member that does not poll for so long leaves the group"),
    Millis("session.timeout.ms", "0", 0, kIntMax,
           "silence after which the member is removed; 0: the coordinator's "
           "group.consumer.session.timeout.ms"),
    Millis("request.timeout.ms", "30000", 1, kIntMax, "how long a broker may take to answer"),
    Millis("default.api.timeout.ms", "60000", 1, kIntMax, "time limit of calls that take none"),
    kMetadataAge,
    kStatistics,
};

constexpr ConfigSpec kAdminKeys[] = {
    kBootstrap,
    Text("client.id", "quipu-admin", "name of this client in the brokers' logs"),
    Millis("request.timeout.ms", "5000", 1, kIntMax, "how long one broker may take to answer"),
    Millis("default.api.timeout.ms", "30000", 1, kIntMax,
           "time limit of a whole operation with its retries"),
};

}  // namespace

ConfigTable ProducerConfigTable() { return kProducerKeys; }
ConfigTable ConsumerConfigTable() { return kConsumerKeys; }
ConfigTable AdminConfigTable() { return kAdminKeys; }

ConfigTable ClientConfigTable() {
  static const std::vector<ConfigSpec> keys = [] {
    std::vector<ConfigSpec> all;
    for (const ConfigTable table :
         {ConfigTable(kProducerKeys), ConfigTable(kConsumerKeys), ConfigTable(kAdminKeys)}) {
      for (const ConfigSpec& key : table) {
        if (FindConfig(all, key.name) == nullptr) all.push_back(key);
      }
    }
    return all;
  }();
  return keys;
}

}  // namespace quipu
