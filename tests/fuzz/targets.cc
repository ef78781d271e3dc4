// The table of fuzz targets.
#include "tests/fuzz/targets.h"

#include <algorithm>

namespace quipu::fuzz {
namespace {

std::vector<Target> AllTargets() {
  std::vector<Target> targets{
      {"broker_requests", "every unary request of clients to a whole broker", BrokerRequests},
      {"broker_shards", "random operations on two brokers in memory", BrokerShards},
      {"client_settings", "properties of producers, consumers and admins", ClientSettings},
      {"config_text", "configuration files", ConfigText},
      {"consumer_protocol", "what members of classic groups tell each other", ConsumerProtocol},
      {"controller_commands", "brokers' and admins' requests to the controller",
       ControllerCommands},
      {"directory_identity", "meta.properties", DirectoryIdentityFile},
      {"gzip", "gzip streams, with a cap", Gzip},
      {"kafka_frames", "a frame of a Kafka client: header and request", KafkaFrames},
      {"kafka_handlers", "requests of all Kafka APIs to a whole broker", KafkaHandlers},
      {"kafka_messages", "every request and response of the Kafka wire", KafkaMessages},
      {"log_codec", "produce, fetch and replica stream", LogCodec},
      {"lz4", "lz4 frames, with a cap", Lz4},
      {"payments_csv", "payments as CSV, plain and .xz, and as records", PaymentsCsv},
      {"producer_state", "producer state from a leader", ProducerState},
      {"raft_message", "messages from anybody to a voter", RaftMessage},
      {"raft_quorum", "random schedules of a quorum", RaftQuorum},
      {"record_batch", "header, validation, walker, stamping", RecordBatch},
      {"server_settings", "settings of broker and controller", ServerSettings},
      {"snappy", "snappy blocks with and without their frame, with a cap", Snappy},
      {"storage_keys", "keys of the databases", StorageKeys},
      {"storage_values", "small values, Raft entries, snapshots, stored batches", StorageValues},
      {"stream_frames", "streams between brokers: opening, frames, end", StreamFrames},
      {"watermark_slots", "the watermark file", WatermarkSlots},
      {"zstd", "zstd frames, with a cap", Zstd},
  };
  AddKafkaApis(targets);
  std::ranges::sort(targets, {}, &Target::name);
  return targets;
}

}  // namespace

const std::vector<Target>& Targets() {
  static const auto* const targets = new std::vector<Target>(AllTargets());
  return *targets;
}

const Target* FindTarget(absl::string_view name) {
  for (const Target& target : Targets()) {
    if (target.name == name) return &target;
  }
  return nullptr;
}

}  // namespace quipu::fuzz
