// Sending at a rate, and the figures of a run in words.
#include "client/cli/bench/bench.h"

#include <sys/resource.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "client/cli/connect.h"
#include "client/cli/records/interrupt.h"

namespace quipu::cli {
namespace {

constexpr std::chrono::milliseconds kRoomPause(1);
constexpr std::chrono::milliseconds kMeanwhile(50);

}  // namespace

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

double SecondsOf(BenchClock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

std::string Noise(size_t bytes) {
  std::string value(bytes, '\0');
  uint64_t noise = 88172645463325252ULL;
  for (char& c : value) {
    noise ^= noise << 13;
    noise ^= noise >> 7;
    noise ^= noise << 17;
    c = static_cast<char>(noise);
  }
  return value;
}

std::string KeyOf(uint64_t number, uint64_t keys) {
  return absl::StrCat("account-", number % keys);
}

void AddRun(uint64_t records, uint64_t bytes, double seconds, double cpu_seconds, Json& json) {
  json["interrupted"] = InterruptSignal() != 0;
  json["seconds"] = seconds;
  json["records_per_second"] = std::round(static_cast<double>(records) / seconds);
  json["mb_per_second"] = static_cast<double>(bytes) / seconds / 1e6;
  json["client_cpu_seconds"] = cpu_seconds;
}

void AddLatency(const LatencySummary& latency, Json& json) {
  json["p50_ms"] = ToExactMillis(latency.p50);
  json["p95_ms"] = ToExactMillis(latency.p95);
  json["p99_ms"] = ToExactMillis(latency.p99);
  json["p99_9_ms"] = ToExactMillis(latency.p999);
  json["p99_99_ms"] = ToExactMillis(latency.p9999);
  json["max_ms"] = ToExactMillis(latency.max);
}

std::string LatencyText(const LatencySummary& latency) {
  return absl::StrFormat(
      "p50 %.2f ms, p95 %.2f ms, p99 %.2f ms, p99.9 %.2f ms, p99.99 %.2f ms, max %.2f ms",
      ToExactMillis(latency.p50), ToExactMillis(latency.p95), ToExactMillis(latency.p99),
      ToExactMillis(latency.p999), ToExactMillis(latency.p9999), ToExactMillis(latency.max));
}

absl::StatusOr<ReadyProducer> MakeProducer(const Common& common, const LoadOptions& options) {
  QUIPU_ASSIGN_OR_RETURN(ConfigMap config, ClientConfig(common, ProducerConfigTable()));
  config["max.block.ms"] = std::to_string(common.timeout_ms);
  if (options.batch_bytes) config["batch.size"] = std::to_string(*options.batch_bytes);
  if (options.linger_ms) config["linger.ms"] = std::to_string(*options.linger_ms);
  QUIPU_ASSIGN_OR_RETURN(const ProducerSettings settings, ParseProducerConfig(config));
  const std::chrono::milliseconds timeout(common.timeout_ms);
  ReadyProducer ready;
  ready.batch_bytes = static_cast<int64_t>(settings.core.accumulator.batch_bytes);
  ready.linger_ms = ToMillis(settings.core.accumulator.linger);
  QUIPU_ASSIGN_OR_RETURN(ready.producer, Producer::Create(config));
  QUIPU_ASSIGN_OR_RETURN(ready.partitions, ready.producer->PartitionCount(options.topic, timeout));
  QUIPU_RETURN_IF_ERROR(ready.producer->WaitForIdentity(timeout).status());
  return ready;
}

absl::StatusOr<std::unique_ptr<Consumer>> MakeConsumer(const Common& common) {
  QUIPU_ASSIGN_OR_RETURN(ConfigMap config, ConnectionConfig(common, ConsumerConfigTable()));
  for (const char* name : {"group.id", "group.instance.id"}) config.erase(name);
  config["enable.auto.commit"] = "false";
  config["auto.offset.reset"] = "none";
  return Consumer::Create(config);
}

std::chrono::nanoseconds DueAfter(const LoadOptions& load, uint64_t number) {
  if (load.rate == 0) return std::chrono::nanoseconds(0);
  return std::chrono::nanoseconds(
      static_cast<int64_t>(static_cast<double>(number) * 1e9 / static_cast<double>(load.rate)));
}

uint64_t SendAll(Producer& producer, const LoadOptions& load, BenchClock::time_point start,
                 const Sending& sending) {
  const auto stopped = [&sending] {
    return InterruptSignal() != 0 || (sending.stop != nullptr && *sending.stop);
  };
  BenchClock::time_point told = start;
  bool paused = false;  // since `now` was read
  for (uint64_t number = 0; number < load.records; ++number) {
    // Open loop: latency counts from when the record was due, not from when there was room for it.
    BenchClock::time_point now = BenchClock::now();
    const BenchClock::time_point due = load.rate > 0 ? start + DueAfter(load, number) : now;
    if (due >= sending.until) return number;
    while (due > now && !stopped()) {
      PauseUnlessInterrupted(std::min<BenchClock::duration>(due - now, kMeanwhile));
      now = BenchClock::now();
      if (sending.meanwhile && due > now) sending.meanwhile();
    }
    const std::string key = KeyOf(number, load.keys);
    ProducerRecord record;
    record.topic = load.topic;
    record.key = key;
    record.value = sending.value(number);
    const Producer::Callback report = sending.callback(number, due);
    ErrorCode error = ErrorCode::kBufferFull;
    while (error == ErrorCode::kBufferFull) {
      if (stopped() || (paused && BenchClock::now() >= sending.until)) return number;
      error = producer.TrySend(record, report);
      if (error != ErrorCode::kBufferFull) break;
      PauseUnlessInterrupted(kRoomPause);
      paused = true;
      if (sending.meanwhile) sending.meanwhile();
    }
    paused = false;
    if (sending.sent) sending.sent();
    if (error != ErrorCode::kNone) producer.Send(record, report);  // refuses it too, and says why
    if (sending.meanwhile && now - told >= kMeanwhile) {
      told = now;
      sending.meanwhile();
    }
  }
  return load.records;
}

void AwaitReports(Producer& producer, const Sending& sending) {
  absl::Status flushed = producer.Flush(kMeanwhile);
  while (CodeOf(flushed) == ErrorCode::kRequestTimedOut && InterruptSignal() == 0 &&
         (sending.stop == nullptr || !*sending.stop)) {
    if (sending.meanwhile) sending.meanwhile();
    flushed = producer.Flush(kMeanwhile);
  }
}

absl::Status FinishSending(Producer& producer, const Common& common, const Sending& sending) {
  AwaitReports(producer, sending);
  return producer.Close(std::chrono::milliseconds(common.timeout_ms));
}

void AddProgressOption(CLI::App& verb, bool& no_progress) {
  verb.add_flag("--no-progress", no_progress,
                "No line on standard error that tells how far it is (nor without a terminal)");
}

void AddLoadOptions(CLI::App& verb, LoadOptions& options) {
  verb.add_option("topic", options.topic, "An existing topic")->required();
  verb.add_option("-n,--records", options.records)
      ->check(CLI::Range(uint64_t{1}, kBenchRecordsMax))
      ->capture_default_str();
  verb.add_option("--batch-size", options.batch_bytes,
                  "Bytes at which a batch is closed; default: the profile's, else 16384")
      ->check(CLI::Range(1, 8 << 20));
  verb.add_option("--linger-ms", options.linger_ms,
                  "How long a batch waits for more records; default: the profile's, else 5")
      ->check(CLI::NonNegativeNumber);
  verb.add_option("--keys", options.keys, "Different accounts")
      ->check(CLI::Range(uint64_t{1}, uint64_t{100000000}))
      ->capture_default_str();
  AddProgressOption(verb, options.no_progress);
}

}  // namespace quipu::cli
