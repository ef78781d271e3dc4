// A broker's configuration: file, environment and flags. The keys: base/config/broker_keys.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/config/config_reader.h"
#include "base/logging.h"
#include "broker/broker_config.h"
#include "broker/process/advertised_listeners.h"
#include "runtime/metrics/metrics_settings.h"
#include "storage/data_directory.h"
#include "storage/journal/journal_settings.h"

namespace quipu {

// Limits of listener.kafka.
struct KafkaSettings {
  size_t connections_max = 10000;                            // max.connections
  size_t connections_per_ip_max = 10000;                     // max.connections.per.ip
  Duration connections_idle_max = std::chrono::minutes(10);  // connections.max.idle.ms
  size_t request_bytes_max = size_t{100} << 20;              // socket.request.max.bytes
  size_t queued_bytes_max = size_t{256} << 20;               // queued.max.request.bytes
  size_t queued_answer_bytes_max = size_t{256} << 20;        // quipu.queued.max.response.bytes
  bool auto_create_topics = false;                           // auto.create.topics.enable
};

// What the program needs beyond BrokerConfig. The identities in `node` (cluster, broker, directory)
// and the ports come later: from the directory and from the bound sockets.
struct BrokerSettings {
  BrokerConfig node;
  std::string log_dir;                              // log.dir
  LogStoreKind log_store = LogStoreKind::kJournal;  // log.store
  bool log_store_given = false;                     // else a directory in use stays what it is
  JournalSettings journal;                          // quipu.journal.*
  std::optional<int32_t> broker_id;                 // broker.id: must be the directory's when given
  std::optional<ClusterId> cluster_id;              // cluster.id: likewise
  HostPort client_listener;                         // listener.client
  HostPort peer_listener;                           // listener.peer
  HostPort kafka_listener;                          // listener.kafka; without a host: none
  AdvertisedListeners advertised;                   // advertised.listeners
  KafkaSettings kafka;
  std::string listeners_file;                            // listeners.file
  size_t peer_connections_max = 4096;                    // quipu.peer.connections.max
  size_t network_threads = 1;                            // num.network.threads
  size_t cold_read_threads = 2;                          // quipu.cold.read.threads
  size_t network_memory_bytes_max = size_t{512} << 20;   // quipu.network.memory.bytes.max
  int64_t ballast_bytes = int64_t{128} << 20;            // quipu.disk.ballast.bytes
  Duration shutdown_timeout = std::chrono::seconds(10);  // controlled.shutdown.timeout.ms
  bool unsafe_plaintext_network = false;                 // quipu.unsafe.plaintext.network
  MetricsSettings metrics;
  LogOptions log;  // log.level, log.format, ...

  std::vector<ConfigValue> effective;   // every key, with the place that its value comes from
  std::vector<ConfigWarning> warnings;  // allowed, and most likely a mistake
};

// Bytes that the log's queue may hold before the process ends, since somebody submits without
// bound: what the shards may accept, and room for what leaders push within their credit.
size_t LogQueueBytesMax(const BrokerConfig& config);

// Reads `file` (empty: none), `environment` ("NAME=value") and `assignments` ("key=value"); a later
// one wins. kInvalidConfig with everything that is wrong: place, key, value and what was expected.
absl::StatusOr<BrokerSettings> LoadBrokerSettings(const std::string& file,
                                                  const std::vector<std::string>& assignments,
                                                  const std::vector<std::string>& environment = {});

}  // namespace quipu
