// `quipu bench`: how fast it is, measured from outside.
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <memory>
#include <mutex>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "client/cli/cli.h"
#include "client/cli/connect.h"
#include "client/producer.h"

namespace quipu::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct BenchOptions {
  std::string topic;
  uint64_t records = 1000000;
  size_t record_bytes = 1024;
  int64_t rate = 0;  // records per second; 0: as fast as it goes
  int64_t batch_bytes = 16384;
  int linger_ms = 5;
  int keys = 1000;
};

// Latencies in microseconds by logarithmic bucket: 1 % wide, no allocation per record.
class LatencyHistogram {
 public:
  void Add(int64_t micros) {
    const double log = std::log(static_cast<double>(std::max<int64_t>(micros, 1)));
    const size_t bucket = std::min(counts_.size() - 1, static_cast<size_t>(log / kWidth));
    counts_[bucket].fetch_add(1, std::memory_order_relaxed);
  }
  // Upper end of the bucket that holds the quantile, in milliseconds.
  [[nodiscard]] double Quantile(double quantile) const {
    uint64_t total = 0;
    for (const auto& count : counts_) total += count;
    const auto wanted = static_cast<uint64_t>(std::ceil(quantile * static_cast<double>(total)));
    uint64_t seen = 0;
    for (size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen >= wanted && total > 0) return std::exp(static_cast<double>(i + 1) * kWidth) / 1000;
    }
    return 0;
  }

 private:
  static constexpr double kWidth = 0.01;
  std::array<std::atomic<uint64_t>, 2000> counts_{};
};

double Seconds(Clock::duration d) { return std::chrono::duration<double>(d).count(); }

// Not compressible.
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

// CPU seconds that this process has used.
double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

void Report(const Common& common, const BenchOptions& options, const LatencyHistogram& latencies,
            double seconds, int32_t partitions, uint64_t failed) {
  const double records = static_cast<double>(options.records);
  const double megabytes = records * static_cast<double>(options.record_bytes) / seconds / 1e6;
  if (common.json()) {
    PrintJson(Json{{"records", options.records},
                   {"record_bytes", options.record_bytes},
                   {"batch_bytes", options.batch_bytes},
                   {"linger_ms", options.linger_ms},
                   {"rate", options.rate},
                   {"partitions", partitions},
                   {"failed", failed},
                   {"seconds", seconds},
                   {"records_per_second", std::round(records / seconds)},
                   {"mb_per_second", megabytes},
                   {"p50_ms", latencies.Quantile(0.5)},
                   {"p99_ms", latencies.Quantile(0.99)},
                   {"p99_9_ms", latencies.Quantile(0.999)},
                   {"client_cpu_seconds", CpuSeconds()}});
    return;
  }
  std::printf(
      "%.0f records/s, %.1f MB/s (%llu records of %zu B in %.1f s, %d partitions, %llu "
      "failed)\nlatency p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms\n",
      records / seconds, megabytes, static_cast<unsigned long long>(options.records),
      options.record_bytes, seconds, partitions, static_cast<unsigned long long>(failed),
      latencies.Quantile(0.5), latencies.Quantile(0.99), latencies.Quantile(0.999));
}

absl::Status Produce(const Common& common, const BenchOptions& options) {
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Producer> producer,
                         Producer::Create({{"bootstrap.servers", common.bootstrap_servers},
                                           {"batch.size", std::to_string(options.batch_bytes)},
                                           {"linger.ms", std::to_string(options.linger_ms)}}));
  QUIPU_ASSIGN_OR_RETURN(
      const int32_t partitions,
      producer->PartitionCount(options.topic, std::chrono::milliseconds(common.timeout_ms)));
  QUIPU_RETURN_IF_ERROR(
      producer->WaitForIdentity(std::chrono::milliseconds(common.timeout_ms)).status());
  LatencyHistogram latencies;
  std::atomic<uint64_t> failed{0};
  const std::string value = Noise(options.record_bytes);
  const Clock::time_point start = Clock::now();
  for (uint64_t i = 0; i < options.records; ++i) {
    // Open loop: latency counts from when the record was due, not from when there was room for it.
    Clock::time_point due = Clock::now();
    if (options.rate > 0) {
      due = start + std::chrono::nanoseconds(static_cast<int64_t>(i) * 1000000000 / options.rate);
      if (due > Clock::now()) std::this_thread::sleep_until(due);
    }
    const std::string key = absl::StrCat("account-", i % static_cast<uint64_t>(options.keys));
    ProducerRecord record;
    record.topic = options.topic;
    record.key = key;
    record.value = value;
    producer->Send(record, [&latencies, &failed, due](const DeliveryResult& result) {
      if (!result.ok()) failed.fetch_add(1, std::memory_order_relaxed);
      latencies.Add(
          std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - due).count());
    });
  }
  QUIPU_RETURN_IF_ERROR(producer->Close(std::chrono::seconds(120)));
  const double seconds = Seconds(Clock::now() - start);
  Report(common, options, latencies, seconds, partitions, failed);
  if (failed > 0) {
    return ToStatus(ErrorCode::kUnknownServerError,
                    absl::StrCat(failed.load(), " records were not acknowledged"));
  }
  return absl::OkStatus();
}

}  // namespace

void AddBenchCommands(CLI::App& app, Common& common) {
  CLI::App* bench = app.add_subcommand("bench", "Measure throughput and latency");
  bench->require_subcommand(1);
  auto options = std::make_shared<BenchOptions>();
  CLI::App* produce = bench->add_subcommand("produce", "Acknowledged records per second");
  produce->add_option("topic", options->topic, "An existing topic")->required();
  produce->add_option("-n,--records", options->records)->capture_default_str();
  produce->add_option("-s,--record-size", options->record_bytes, "Bytes of each value")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  produce->add_option("--rate", options->rate, "Records per second; 0: as fast as it goes")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  produce->add_option("--batch-size", options->batch_bytes)->capture_default_str();
  produce->add_option("--linger-ms", options->linger_ms)->capture_default_str();
  produce->add_option("--keys", options->keys, "Different accounts")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  AddConnectionOptions(*produce, common);
  OnCall(*produce, common, [&common, options] { return Produce(common, *options); });
}

}  // namespace quipu::cli
