// `quipu bench produce`: what is acknowledged in a second, and after how long.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "client/cli/bench/bench.h"
#include "client/cli/connect.h"
#include "client/cli/records/interrupt.h"

namespace quipu::cli {
namespace {

struct ProduceOptions {
  LoadOptions load;
  double seconds = 0;  // 0: as long as load.records take
  double warm_up_seconds = 0;
  int runs = 1;
};

// One sending, and what has become of its records so far; told by the producer's thread.
struct ProduceRun {
  BenchClock::time_point start, until;
  uint64_t sent = 0;
  double seconds = 0;
  double cpu_seconds = 0;  // of this process
  std::atomic<uint64_t> acknowledged{0};
  std::atomic<uint64_t> in_time{0};  // of the acknowledged: before `until`
  std::atomic<uint64_t> failed{0};
  std::atomic<uint64_t> unknown{0};  // of those that failed
  LatencyHistogram latencies;        // of the acknowledged; the producer's thread alone
  Sending sending;                   // lives until all is reported

  void OnReport(BenchClock::time_point due, const DeliveryResult& result) {
    if (result.ok()) {
      const BenchClock::time_point now = BenchClock::now();
      latencies.Add(now - due);
      if (now < until) ++in_time;
      ++acknowledged;
      return;
    }
    ++failed;
    if (result.persisted == Persisted::kUnknown) ++unknown;
  }
  [[nodiscard]] double rate() const { return static_cast<double>(in_time) / seconds; }
};

// Median, lowest and highest of some runs.
struct Spread {
  double median = 0;
  double low = 0;
  double high = 0;
};

Spread SpreadOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
  return {.median = median, .low = values.front(), .high = values.back()};
}

class ProduceBench {
 public:
  ProduceBench(Common& common, const ProduceOptions& options, ReadyProducer ready)
      : common_(common),
        options_(options),
        value_(Noise(options.load.record_bytes)),
        line_(!options.load.no_progress),
        ready_(std::move(ready)) {}

  absl::Status Run() {
    CatchInterrupts();
    if (options_.warm_up_seconds > 0) RunOnce(options_.warm_up_seconds, warm_up_);
    for (int i = 0; i < options_.runs && InterruptSignal() == 0; ++i) {
      runs_.push_back(std::make_unique<ProduceRun>());
      RunOnce(options_.seconds, *runs_.back());
    }
    const absl::Status closed =
        ready_.producer->Close(std::chrono::milliseconds(common_.timeout_ms));
    line_.Clear();
    Report();
    QUIPU_RETURN_IF_ERROR(Judge());
    common_.exit_code = InterruptExitCode();
    return closed;
  }

 private:
  // For so long, or, with 0, as long as the records take.
  void RunOnce(double seconds, ProduceRun& run) {
    LoadOptions load = options_.load;
    if (seconds > 0) load.records = kBenchRecordsMax;
    const double cpu_before = CpuSeconds();
    run.start = BenchClock::now();
    const auto length =
        std::chrono::duration_cast<BenchClock::duration>(std::chrono::duration<double>(seconds));
    run.until = seconds > 0 ? run.start + length : BenchClock::time_point::max();
    run.sending = {
        .value = [this](uint64_t /*number*/) { return absl::string_view(value_); },
        .sent = {},
        .callback = [&run](uint64_t /*number*/, BenchClock::time_point due) -> Producer::Callback {
          return [&run, due](const DeliveryResult& result) { run.OnReport(due, result); };
        },
        .meanwhile = [this, &run] { ShowProgress(run); },
        .stop = nullptr,
        .until = run.until};
    run.sent = SendAll(*ready_.producer, load, run.start, run.sending);
    AwaitReports(*ready_.producer, run.sending);
    const BenchClock::time_point end = std::min(run.until, BenchClock::now());
    run.seconds = std::max(SecondsOf(end - run.start), 1e-9);
    run.cpu_seconds = CpuSeconds() - cpu_before;
  }

  void ShowProgress(const ProduceRun& run) {
    if (!line_.due()) return;
    const double seconds = SecondsOf(BenchClock::now() - run.start);
    const std::string of = run.until == BenchClock::time_point::max()
                               ? absl::StrCat(" of ", options_.load.records)
                               : "";
    line_.Show(absl::StrFormat("%s%d%s records acknowledged, %.0f/s, %d failed",
                               &run == &warm_up_ ? "warm-up: " : "", run.acknowledged.load(), of,
                               static_cast<double>(run.acknowledged) / seconds, run.failed.load()));
  }

  [[nodiscard]] double MegabytesOf(const ProduceRun& run) const {
    return run.rate() * static_cast<double>(options_.load.record_bytes) / 1e6;
  }

  void Report() const {
    if (common_.json()) {
      PrintJson(ToJson());
      return;
    }
    for (const auto& run : runs_) {
      std::printf(
          "%.0f records/s, %.1f MB/s (%llu of %llu records of %zu B acknowledged in %.1f s, %d "
          "partitions, %llu failed)\nlatency %s\n",
          run->rate(), MegabytesOf(*run), static_cast<unsigned long long>(run->acknowledged),
          static_cast<unsigned long long>(run->sent), options_.load.record_bytes, run->seconds,
          ready_.partitions, static_cast<unsigned long long>(run->failed),
          LatencyText(run->latencies.Summary()).c_str());
    }
    if (runs_.size() < 2) return;
    const Spread rate = SpreadOfRuns([](const ProduceRun& run) { return run.rate(); });
    const Spread p99 = SpreadOfRuns(
        [](const ProduceRun& run) { return ToExactMillis(run.latencies.Summary().p99); });
    std::printf("median of %zu runs: %.0f records/s (%.0f-%.0f), p99 %.2f ms (%.2f-%.2f)\n",
                runs_.size(), rate.median, rate.low, rate.high, p99.median, p99.low, p99.high);
  }

  template <typename Figure>
  [[nodiscard]] Spread SpreadOfRuns(Figure figure) const {
    std::vector<double> values;
    for (const auto& run : runs_) values.push_back(figure(*run));
    return SpreadOf(std::move(values));
  }

  // One run as it is; of several the list, and the median and range of what was measured.
  [[nodiscard]] Json ToJson() const {
    Json json{{"record_bytes", options_.load.record_bytes},
              {"batch_bytes", ready_.batch_bytes},
              {"linger_ms", ready_.linger_ms},
              {"rate", options_.load.rate},
              {"partitions", ready_.partitions},
              {"warm_up_seconds", options_.warm_up_seconds}};
    Json runs = Json::array();
    for (const auto& run : runs_) runs.push_back(ToJson(*run));
    if (options_.runs == 1) {
      if (!runs.empty()) json.update(runs[0]);
      return json;
    }
    json["runs"] = runs;
    if (runs.empty()) return json;
    for (const auto& [name, value] : runs[0].items()) {
      if (!value.is_number()) continue;
      std::vector<double> values;
      for (const Json& run : runs) values.push_back(run.at(name).get<double>());
      const Spread spread = SpreadOf(std::move(values));
      json["median"][name] = spread.median;
      json["lowest"][name] = spread.low;
      json["highest"][name] = spread.high;
    }
    return json;
  }

  [[nodiscard]] Json ToJson(const ProduceRun& run) const {
    Json json{{"records", run.sent},
              {"acknowledged", run.acknowledged.load()},
              {"failed", run.failed.load()},
              {"persisted_unknown", run.unknown.load()}};
    AddRun(run.in_time, run.in_time * options_.load.record_bytes, run.seconds, run.cpu_seconds,
           json);
    AddLatency(run.latencies.Summary(), json);
    return json;
  }

  // Of the warm-up too.
  [[nodiscard]] absl::Status Judge() const {
    uint64_t sent = warm_up_.sent;
    uint64_t failed = warm_up_.failed;
    uint64_t unknown = warm_up_.unknown;
    for (const auto& run : runs_) {
      sent += run->sent;
      failed += run->failed;
      unknown += run->unknown;
    }
    if (failed == 0) return absl::OkStatus();
    return ToStatus(ErrorCode::kUnknownServerError,
                    absl::StrCat(failed, " of ", sent, " records were not acknowledged; of ",
                                 unknown, " it is not known whether they are in the log"));
  }

  Common& common_;
  const ProduceOptions& options_;
  const std::string value_;
  StatusLine line_;
  ProduceRun warm_up_;
  std::vector<std::unique_ptr<ProduceRun>> runs_;
  ReadyProducer ready_;  // last: its callbacks know the runs
};

absl::Status Produce(Common& common, const ProduceOptions& options) {
  QUIPU_ASSIGN_OR_RETURN(ReadyProducer ready, MakeProducer(common, options.load));
  return ProduceBench(common, options, std::move(ready)).Run();
}

}  // namespace

void AddBenchProduce(CLI::App& bench, Common& common) {
  auto options = std::make_shared<ProduceOptions>();
  CLI::App* produce = bench.add_subcommand("produce", "Acknowledged records per second");
  AddLoadOptions(*produce, options->load);
  produce->add_option("-s,--record-size", options->load.record_bytes, "Bytes of each value")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  produce->add_option("--rate", options->load.rate, "Records per second; 0: as fast as it goes")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  produce->add_option("--seconds", options->seconds, "Send for so long, instead of -n records")
      ->check(CLI::PositiveNumber)
      ->excludes("-n");
  produce
      ->add_option("--warm-up", options->warm_up_seconds,
                   "Seconds of the same before that, which are not measured")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  produce->add_option("--runs", options->runs, "So often; tells each, the median and the range")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  AddConnectionOptions(*produce, common);
  produce->footer(
      "Latency counts from when a record was due. Ctrl-C ends the sending, waits for what was "
      "sent,\n"
      "and tells of that.\n"
      "Example: quipu bench produce payments -n 300000 -s 200");
  OnCall(*produce, common, [&common, options] { return Produce(common, *options); });
}

}  // namespace quipu::cli
