#include "tests/simulation/drawn_options.h"

#include <algorithm>
#include <iterator>

#include "core/record/compression.h"

namespace quipu::sim {

ClusterOptions OptionsOf(const SwarmOptions& drawn) {
  ClusterOptions options;
  options.controllers = static_cast<int>(drawn.controllers);
  options.brokers = static_cast<int>(drawn.brokers);
  options.shards = static_cast<size_t>(drawn.shards);
  options.broker_session = std::chrono::milliseconds(drawn.session_ms);
  options.group_session = std::chrono::milliseconds(drawn.group_session_ms);
  options.group_initial_delay = std::chrono::milliseconds(drawn.initial_delay_ms);
  options.replica_lag_max = std::chrono::milliseconds(drawn.lag_ms);
  options.snapshot_entries = drawn.snapshot_entries;
  options.producer_snapshot_bytes = drawn.snapshot_bytes;
  options.disk_stall = {.shed = std::chrono::milliseconds(drawn.stall_shed_ms),
                        .exit = std::chrono::milliseconds(drawn.stall_exit_ms)};
  if (drawn.retention_ms > 0) {
    options.offsets_retention = std::chrono::milliseconds(drawn.retention_ms);
  }
  if (drawn.expire_ms > 0) options.producer_expiration = std::chrono::milliseconds(drawn.expire_ms);
  options.network.datagram_loss = static_cast<uint64_t>(drawn.loss);
  options.network.datagram_duplicate = static_cast<uint64_t>(drawn.duplication);
  options.network.long_delay = static_cast<uint64_t>(drawn.delay);
  options.network.stream_break = static_cast<uint64_t>(drawn.stream_break);
  options.disk.slow_sync = static_cast<uint64_t>(drawn.slow_sync);
  options.disk.torn_tail = static_cast<uint64_t>(drawn.torn_tail);
  return options;
}

std::string CompressionTypeOf(const SwarmOptions& drawn) {
  if (drawn.topic_codec == 0) return "producer";
  const auto codec = static_cast<Compression>(drawn.topic_codec - 1);
  return codec == Compression::kNone ? "uncompressed" : CodecName(codec);
}

ProducerOptions DrawProducer(Rng& rng, const SwarmOptions& drawn, int64_t number) {
  ProducerOptions options;
  for (int64_t i = 1; i <= drawn.brokers; ++i) {
    options.metadata.bootstrap_servers.push_back("broker:" + std::to_string(i));
  }
  options.accumulator.linger = std::chrono::milliseconds(drawn.linger_ms);
  options.accumulator.batch_bytes = static_cast<size_t>(drawn.batch_bytes);
  const auto codecs = static_cast<int64_t>(std::size(kCodecs));
  options.accumulator.compression = kCodecs[(drawn.codec + number) % codecs];
  options.accumulator.delivery_timeout = drawn.expire_ms > 0
                                             ? std::chrono::seconds(rng.Between(2, 3))
                                             : std::chrono::seconds(rng.Between(5, 60));
  options.request_timeout = std::chrono::milliseconds(rng.Between(500, 4000));
  return options;
}

ConsumerOptions DrawConsumer(Rng& rng, const SwarmOptions& drawn, int number) {
  ConsumerOptions options;
  for (int64_t i = 1; i <= drawn.brokers; ++i) {
    options.metadata.bootstrap_servers.push_back("broker:" + std::to_string(i));
  }
  options.group_id = kReaders;
  if (drawn.static_members != 0) options.instance_id = "reader-" + std::to_string(number);
  if (drawn.range != 0 && rng.Chance(2, 3)) options.assignor = "range";
  options.fetch_max_wait = std::chrono::milliseconds(rng.Between(50, 500));
  options.fetch_max_bytes = static_cast<int32_t>(rng.Between(2000, 50000));
  // One consumer, which polls some nine times a second, reads what was sent in a run's faults well
  // within the time for liveness.
  const int64_t sent_a_second = drawn.producers * 1000 / drawn.send_ms;
  const int64_t least = std::clamp<int64_t>(sent_a_second / 20, 10, 400);
  options.poll_records_max = static_cast<size_t>(rng.Between(least, 500));
  options.request_timeout = std::chrono::milliseconds(rng.Between(1000, 4000));
  return options;
}

}  // namespace quipu::sim
