// What the verbs of `quipu bench` share.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "base/measure/latency.h"
#include "client/cli/cli.h"
#include "client/cli/measure/status_line.h"
#include "client/consumer.h"
#include "client/producer.h"

namespace quipu::cli {

using BenchClock = std::chrono::steady_clock;

// In one run. `bench end-to-end` keeps a byte for each.
inline constexpr uint64_t kBenchRecordsMax = 1000000000;

// Records to send, one after the other.
struct LoadOptions {
  std::string topic;
  uint64_t records = 1000000;
  size_t record_bytes = 1024;          // of each value
  int64_t rate = 0;                    // records per second; 0: as fast as it goes
  std::optional<int64_t> batch_bytes;  // these two: not given, as the client settings say
  std::optional<int64_t> linger_ms;
  uint64_t keys = 1000;
  bool no_progress = false;
};

void AddLoadOptions(CLI::App& verb, LoadOptions& options);
void AddProgressOption(CLI::App& verb, bool& no_progress);
void AddBenchProduce(CLI::App& bench, Common& common);
void AddBenchConsume(CLI::App& bench, Common& common);
void AddBenchEndToEnd(CLI::App& bench, Common& common);

// CPU seconds that this process has used.
double CpuSeconds();
double SecondsOf(BenchClock::duration duration);
// So many bytes that no codec makes smaller.
std::string Noise(size_t bytes);
// The key of the record `number`: records of one account carry the same.
std::string KeyOf(uint64_t number, uint64_t keys);

// What every verb tells of its run: interrupted, seconds, records_per_second, mb_per_second and
// client_cpu_seconds, into `json`. `bytes`: of all `records`.
void AddRun(uint64_t records, uint64_t bytes, double seconds, double cpu_seconds, Json& json);
// p50_ms, p95_ms, p99_ms, p99_9_ms, p99_99_ms and max_ms, into `json`.
void AddLatency(const LatencySummary& latency, Json& json);
// "p50 1.20 ms, p95 ..., max ...".
std::string LatencyText(const LatencySummary& latency);

// A producer that knows the topic and has its identity, so that no measurement begins with either,
// the topic's number of partitions, and the settings that are in force.
struct ReadyProducer {
  std::unique_ptr<Producer> producer;
  int32_t partitions = 0;
  int64_t batch_bytes = 0;
  int64_t linger_ms = 0;
};
absl::StatusOr<ReadyProducer> MakeProducer(const Common& common, const LoadOptions& options);
// A consumer without a group, to which a gap is an error.
absl::StatusOr<std::unique_ptr<Consumer>> MakeConsumer(const Common& common);

// When the record `number` is to be sent, after the start: whatever came between (open loop). 0
// without a rate.
std::chrono::nanoseconds DueAfter(const LoadOptions& load, uint64_t number);

struct Sending {
  // The value of a record; it has to live until the next call.
  std::function<absl::string_view(uint64_t number)> value;
  // A record was taken over or refused; may be empty.
  std::function<void()> sent;
  // What the producer reports the record to. `due`: as DueAfter says; without a rate, when the
  // producer was first asked to take the record. Of two words at most: more would cost an
  // allocation for each record.
  std::function<Producer::Callback(uint64_t number, BenchClock::time_point due)> callback;
  // Between two records, now and then; may be empty.
  std::function<void()> meanwhile;
  // True ends the sending, as a signal does; may be nullptr.
  const std::atomic<bool>* stop = nullptr;
  // What is due then or later is not sent.
  BenchClock::time_point until = BenchClock::time_point::max();
};
// Sends the records 0, 1, ... of `load`, each when it is due after `start`, and waits for room in
// the producer's buffer. Ends early when a signal comes. How many records were sent.
uint64_t SendAll(Producer& producer, const LoadOptions& load, BenchClock::time_point start,
                 const Sending& sending);
// Waits until all that was sent is reported, as long as that takes (delivery.timeout.ms), or until
// a signal.
void AwaitReports(Producer& producer, const Sending& sending);
// The same, and then closes the producer, for which it waits --timeout: OK when nothing was left.
absl::Status FinishSending(Producer& producer, const Common& common, const Sending& sending);

}  // namespace quipu::cli
