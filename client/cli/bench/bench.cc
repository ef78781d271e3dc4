// `quipu bench produce`, and the noun.
#include <atomic>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "client/cli/bench/bench.h"
#include "client/cli/connect.h"
#include "client/cli/records/interrupt.h"

namespace quipu::cli {
namespace {

// What has become of the records so far; told by the producer's thread.
struct ProduceTold {
  std::atomic<uint64_t> acknowledged{0};
  std::atomic<uint64_t> failed{0};
  std::atomic<uint64_t> unknown{0};  // of those that failed
  LatencyHistogram latencies;        // of the acknowledged; the producer's thread alone
};

void Report(const Common& common, const LoadOptions& options, const ProduceTold& told,
            uint64_t sent, double seconds, const ReadyProducer& ready) {
  const uint64_t acknowledged = told.acknowledged;
  const double rate = static_cast<double>(acknowledged) / seconds;
  const double megabytes = rate * static_cast<double>(options.record_bytes) / 1e6;
  const LatencySummary latency = told.latencies.Summary();
  if (common.json()) {
    Json json{{"records", sent},
              {"record_bytes", options.record_bytes},
              {"batch_bytes", ready.batch_bytes},
              {"linger_ms", ready.linger_ms},
              {"rate", options.rate},
              {"partitions", ready.partitions},
              {"acknowledged", acknowledged},
              {"failed", told.failed.load()},
              {"persisted_unknown", told.unknown.load()}};
    AddRun(acknowledged, acknowledged * options.record_bytes, seconds, json);
    AddLatency(latency, json);
    PrintJson(json);
    return;
  }
  std::printf(
      "%.0f records/s, %.1f MB/s (%llu of %llu records of %zu B acknowledged in %.1f s, %d "
      "partitions, %llu failed)\nlatency %s\n",
      rate, megabytes, static_cast<unsigned long long>(acknowledged),
      static_cast<unsigned long long>(sent), options.record_bytes, seconds, ready.partitions,
      static_cast<unsigned long long>(told.failed.load()), LatencyText(latency).c_str());
}

absl::Status Produce(Common& common, const LoadOptions& options) {
  QUIPU_ASSIGN_OR_RETURN(const ReadyProducer ready, MakeProducer(common, options));
  CatchInterrupts();
  ProduceTold told;
  StatusLine line(!options.no_progress);
  const std::string value = Noise(options.record_bytes);
  const BenchClock::time_point start = BenchClock::now();
  const Sending sending{
      .value = [&value](uint64_t /*number*/) { return absl::string_view(value); },
      .sent = {},
      .report =
          [&told](uint64_t /*number*/, BenchClock::time_point due, const DeliveryResult& result) {
            if (result.ok()) {
              told.latencies.Add(BenchClock::now() - due);
              ++told.acknowledged;
              return;
            }
            ++told.failed;
            if (result.persisted == Persisted::kUnknown) ++told.unknown;
          },
      .meanwhile =
          [&] {
            if (!line.due()) return;
            const double seconds = SecondsOf(BenchClock::now() - start);
            line.Show(absl::StrFormat("%d of %d records acknowledged, %.0f/s, %d failed",
                                      told.acknowledged.load(), options.records,
                                      static_cast<double>(told.acknowledged.load()) / seconds,
                                      told.failed.load()));
          },
      .stop = nullptr};
  const uint64_t sent = SendAll(*ready.producer, options, start, sending);
  const absl::Status closed = FinishSending(*ready.producer, common, sending);
  line.Clear();
  Report(common, options, told, sent, SecondsOf(BenchClock::now() - start), ready);
  if (told.failed > 0) {
    return ToStatus(
        ErrorCode::kUnknownServerError,
        absl::StrCat(told.failed.load(), " of ", sent, " records were not acknowledged; of ",
                     told.unknown.load(), " it is not known whether they are in the log"));
  }
  common.exit_code = InterruptExitCode();
  return closed;
}

}  // namespace

void AddBenchCommands(CLI::App& app, Common& common) {
  CLI::App* bench = app.add_subcommand("bench", "Measure throughput and latency");
  bench->require_subcommand(1);
  auto options = std::make_shared<LoadOptions>();
  CLI::App* produce = bench->add_subcommand("produce", "Acknowledged records per second");
  AddLoadOptions(*produce, *options);
  produce->add_option("-s,--record-size", options->record_bytes, "Bytes of each value")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  produce->add_option("--rate", options->rate, "Records per second; 0: as fast as it goes")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  AddConnectionOptions(*produce, common);
  produce->footer(
      "Latency counts from when a record was due. Ctrl-C ends the sending, waits for what was "
      "sent,\n"
      "and tells of that.\n"
      "Example: quipu bench produce payments -n 300000 -s 200");
  OnCall(*produce, common, [&common, options] { return Produce(common, *options); });
  AddBenchConsume(*bench, common);
  AddBenchEndToEnd(*bench, common);
}

}  // namespace quipu::cli
