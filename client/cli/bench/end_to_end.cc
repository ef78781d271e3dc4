// `quipu bench end-to-end`: from when a record was to be sent to when it is received.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <optional>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "client/cli/bench/bench.h"
#include "client/cli/connect.h"
#include "client/cli/measure/delivery_check.h"
#include "client/cli/records/interrupt.h"

namespace quipu::cli {
namespace {

struct EndToEndOptions {
  LoadOptions load;
  double warm_up_seconds = 2;
  // Records that are sent and checked, but not measured.
  [[nodiscard]] uint64_t WarmUp() const {
    return static_cast<uint64_t>(warm_up_seconds * static_cast<double>(load.rate));
  }
};

// One producer and one consumer of the same topic, each in its thread. Records of others pass by.
class EndToEnd {
 public:
  EndToEnd(Common& common, const EndToEndOptions& options, Producer& producer, Consumer& consumer)
      : common_(common),
        options_(options),
        load_(LoadOf(options)),
        producer_(producer),
        consumer_(consumer),
        noise_(Noise(options.load.record_bytes)),
        run_((uint64_t{std::random_device{}()} << 32U) | std::random_device{}()),
        check_(load_.records, load_.keys),
        line_(!options.load.no_progress) {}

  absl::Status Run() {
    QUIPU_ASSIGN_OR_RETURN(const std::vector<NamedPartition> partitions,
                           consumer_.PartitionsOf(load_.topic));
    QUIPU_RETURN_IF_ERROR(consumer_.Assign(partitions));
    // By number, not "to the end": that is looked up later, when records may have come already.
    QUIPU_ASSIGN_OR_RETURN(const NamedOffsets ends, consumer_.EndOffsets(partitions));
    for (const auto& [partition, end] : ends) {
      QUIPU_RETURN_IF_ERROR(consumer_.Seek(partition, end.offset));
    }
    CatchInterrupts();
    start_ = BenchClock::now();
    std::thread sender([this] { Send(); });
    const absl::Status received = Receive(partitions);
    stop_sending_ = true;  // after an error; otherwise it has ended
    sender.join();
    const double seconds = SecondsOf(BenchClock::now() - start_);
    line_.Clear();
    Report(seconds, partitions.size());
    QUIPU_RETURN_IF_ERROR(received);
    QUIPU_RETURN_IF_ERROR(Judge());
    QUIPU_RETURN_IF_ERROR(closed_);
    common_.exit_code = InterruptExitCode();
    return consumer_.Close(std::chrono::milliseconds(common_.timeout_ms));
  }

 private:
  static LoadOptions LoadOf(const EndToEndOptions& options) {
    LoadOptions load = options.load;
    load.records += options.WarmUp();
    return load;
  }

  void Send() {
    std::string value = noise_;
    const Sending sending{
        .value =
            [this, &value](uint64_t number) {
              WriteMark({.run = run_, .number = number}, value);
              return absl::string_view(value);
            },
        .sent = [this] { check_.OnSent(); },
        .callback = [this](uint64_t number, BenchClock::time_point /*due*/) -> Producer::Callback {
          return [this, number](const DeliveryResult& result) {
            check_.OnReported(number, result.ok(), result.persisted);
          };
        },
        .meanwhile = {},
        .stop = &stop_sending_};
    SendAll(producer_, load_, start_, sending);
    closed_ = FinishSending(producer_, common_, sending);
    all_reported_ = true;
  }

  // Until all has come that must and what lies behind it has been read, or nothing of this run has
  // come for --timeout after the last report.
  absl::Status Receive(const std::vector<NamedPartition>& partitions) {
    BenchClock::time_point heard = start_;
    std::optional<NamedOffsets> ends;
    while (true) {
      const bool reported = all_reported_;
      if (reported && check_.HasAll()) {
        // A record that is there twice, or should not be there, may be the last one.
        if (!ends) {
          QUIPU_ASSIGN_OR_RETURN(ends, consumer_.EndOffsets(partitions));
        }
        if (HasRead(*ends)) return absl::OkStatus();
      }
      QUIPU_ASSIGN_OR_RETURN(const std::vector<ConsumerRecord> records,
                             consumer_.Poll(std::chrono::milliseconds(50)));
      const BenchClock::time_point now = BenchClock::now();
      bool mine = false;  // records of others in the topic renew no hope
      for (const ConsumerRecord& record : records) mine |= Take(record, now);
      if (mine || !reported) heard = now;
      if (now - heard >= std::chrono::milliseconds(common_.timeout_ms)) return absl::OkStatus();
      if (line_.due()) ShowProgress();
    }
  }

  [[nodiscard]] bool HasRead(const NamedOffsets& ends) const {
    return std::all_of(ends.begin(), ends.end(), [this](const auto& item) {
      const auto position = consumer_.Position(item.first);
      return position.ok() && position->offset >= item.second.offset;
    });
  }

  // Whether the record is of this run.
  bool Take(const ConsumerRecord& record, BenchClock::time_point now) {
    const absl::string_view value = record.value().value_or("");
    const std::optional<RunMark> mark = ReadMark(value);
    if (!mark || mark->run != run_) {
      ++others_;
      return false;
    }
    const bool intact =
        value.size() == noise_.size() &&
        value.substr(kRunMarkBytes) == absl::string_view(noise_).substr(kRunMarkBytes) &&
        record.key() == absl::string_view(KeyOf(mark->number, load_.keys));
    const bool counts = check_.OnReceived(mark->number, intact);
    if (counts && mark->number >= options_.WarmUp()) {
      latencies_.Add(now - (start_ + DueAfter(load_, mark->number)));
    }
    return true;
  }

  void ShowProgress() {
    const DeliveryVerdict counts = check_.Counts();
    line_.Show(absl::StrFormat("%d of %d sent, %d acknowledged, %d received%s", counts.sent,
                               load_.records, counts.acknowledged, counts.received,
                               counts.sent < options_.WarmUp() ? " (warm-up)" : ""));
  }

  void Report(double seconds, size_t partitions) const {
    const DeliveryVerdict verdict = check_.Verdict();
    const LatencySummary latency = latencies_.Summary();
    if (common_.json()) {
      Json json{{"sent", verdict.sent},
                {"acknowledged", verdict.acknowledged},
                {"not_stored", verdict.not_stored},
                {"persisted_unknown", verdict.unknown},
                {"received", verdict.received},
                {"measured", latency.count},
                {"missing", verdict.missing},
                {"doubled", verdict.doubled},
                {"out_of_order", verdict.out_of_order},
                {"damaged", verdict.damaged},
                {"refuted", verdict.refuted},
                {"others", others_},
                {"record_bytes", load_.record_bytes},
                {"rate", load_.rate},
                {"partitions", partitions}};
      AddRun(verdict.received, verdict.received * load_.record_bytes, seconds, CpuSeconds(), json);
      AddLatency(latency, json);
      PrintJson(json);
      return;
    }
    std::printf(
        "%llu records of %zu B sent at %lld/s in %.1f s, %d partitions: %llu acknowledged, %llu "
        "received\nmissing %llu, doubled %llu, out of order %llu, damaged %llu, refuted %llu, "
        "failed %llu, unknown %llu\nend to end, of %llu records after the warm-up: %s\n",
        static_cast<unsigned long long>(verdict.sent), load_.record_bytes,
        static_cast<long long>(load_.rate), seconds, static_cast<int>(partitions),
        static_cast<unsigned long long>(verdict.acknowledged),
        static_cast<unsigned long long>(verdict.received),
        static_cast<unsigned long long>(verdict.missing),
        static_cast<unsigned long long>(verdict.doubled),
        static_cast<unsigned long long>(verdict.out_of_order),
        static_cast<unsigned long long>(verdict.damaged),
        static_cast<unsigned long long>(verdict.refuted),
        static_cast<unsigned long long>(verdict.not_stored),
        static_cast<unsigned long long>(verdict.unknown),
        static_cast<unsigned long long>(latency.count), LatencyText(latency).c_str());
  }

  [[nodiscard]] absl::Status Judge() const {
    const DeliveryVerdict verdict = check_.Verdict();
    if (!verdict.kept()) {
      return ToStatus(
          ErrorCode::kUnknownServerError,
          absl::StrCat("of ", verdict.acknowledged, " acknowledged records ", verdict.missing,
                       " did not come; ", verdict.doubled, " came twice, ", verdict.out_of_order,
                       " out of order, ", verdict.damaged, " damaged, ", verdict.refuted,
                       " although reported as not stored"));
    }
    if (verdict.not_stored + verdict.unknown == 0) return absl::OkStatus();
    return ToStatus(ErrorCode::kUnknownServerError,
                    absl::StrCat(verdict.not_stored, " records could not be stored, of ",
                                 verdict.unknown, " it is not known"));
  }

  Common& common_;
  const EndToEndOptions& options_;
  const LoadOptions load_;  // with the warm-up
  Producer& producer_;
  Consumer& consumer_;
  const std::string noise_;
  const uint64_t run_;
  DeliveryCheck check_;
  StatusLine line_;
  BenchClock::time_point start_;
  absl::Status closed_;  // the sender's, until it has ended
  std::atomic<bool> all_reported_{false};
  std::atomic<bool> stop_sending_{false};
  LatencyHistogram latencies_;
  uint64_t others_ = 0;
};

absl::Status RunEndToEnd(Common& common, const EndToEndOptions& options) {
  if (options.load.records + options.WarmUp() > kBenchRecordsMax) {
    return WrongArguments(absl::StrCat("--records and those of --warm-up at --rate are more than ",
                                       kBenchRecordsMax, " together"));
  }
  QUIPU_ASSIGN_OR_RETURN(const ReadyProducer ready, MakeProducer(common, options.load));
  QUIPU_ASSIGN_OR_RETURN(const std::unique_ptr<Consumer> consumer, MakeConsumer(common));
  return EndToEnd(common, options, *ready.producer, *consumer).Run();
}

}  // namespace

void AddBenchEndToEnd(CLI::App& bench, Common& common) {
  auto options = std::make_shared<EndToEndOptions>();
  options->load.records = 10000;
  options->load.rate = 1000;
  CLI::App* verb =
      bench.add_subcommand("end-to-end", "Latency from the producer to the consumer, at a rate");
  AddLoadOptions(*verb, options->load);
  verb->add_option("-s,--record-size", options->load.record_bytes, "Bytes of each value")
      ->check(CLI::Range(static_cast<int>(kRunMarkBytes), 1000000))
      ->capture_default_str();
  verb->add_option("--rate", options->load.rate, "Records per second")
      ->check(CLI::Range(1, 10000000))
      ->capture_default_str();
  verb->add_option("--warm-up", options->warm_up_seconds,
                   "Seconds at the start that are not measured; their records come on top of -n")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  AddConnectionOptions(*verb, common);
  verb->footer(
      "Latency counts from when a record was due at that rate, not from when there was room for "
      "it,\n"
      "to when the consumer has it. Ends with 1 unless every acknowledged record came, once, "
      "whole\n"
      "and in the order of its key. Ctrl-C ends the sending; what was sent is received and told.\n"
      "Example: quipu bench end-to-end payments --rate 5000 -n 100000 -s 200");
  OnCall(*verb, common, [&common, options] { return RunEndToEnd(common, *options); });
}

}  // namespace quipu::cli
